"""Selection rates and impact ratios: the tables of New York City's Local Law 144."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import LEVEL
from explain.checks.base.decisions import Decision, difference
from explain.checks.base.section_part import Part
from explain.checks.fairness.group_outcomes import GroupOutcomes
from explain.checks.fairness.grouped_rows import GroupedRows, Shares
from explain.checks.fairness.metrics import IMPACT_RATIO, SELECTION_RATE
from explain.checks.fairness.rates import FOUR_FIFTHS, count_of, impact_ratio, ratio_found
from explain.record import (
    Cell,
    Finding,
    IntervalsFigure,
    Measure,
    Sentence,
    Table,
    join_sentences,
)
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion

__all__ = ["Ratio", "ratios_of", "selection_findings", "selection_part"]

SMALL_CATEGORY = 0.02
"""Share of the rows under which a category may be left out of the impact ratios (6 RCNY 5-301 (d)
of Local Law 144): here it is compared too, and is not what the others are compared with."""

LESS = (
    "Texts with {group} are {decision} less often than texts with {other}: {share} of {share.n}, "
    "and {other_share} of {other_share.n}. The impact ratio is {ratio:.2f}, below four fifths."
)
MORE = (
    "Texts with {group} are {decision} more often than texts with {other}: {share} of {share.n}, "
    "and {other_share} of {other_share.n}. The impact ratio of the second group to the first is "
    "{ratio:.2f}, below four fifths."
)
MORE_THAN_ALL = (
    "Texts with {group} are {decision} more often than all other texts: {share} of {share.n}, and "
    "{other_share} of {other_share.n}. The impact ratio of the others to this group is "
    "{ratio:.2f}, below four fifths."
)

REST = -1
"""Number of all rows outside of the most selected group."""


@dataclass(frozen=True, eq=False)
class Ratio:
    """The selection rate of a group against that of the most selected one.

    Attributes
    ----------
    groups, outcomes, column
        The groups, and the decision that they are selected by.
    low, high : int
        Numbers of the group, or `REST`, and of the most selected one.
    p : float
        Fisher's one-sided p-value that `low` is selected as often, times the number of groups of
        which `high` is the most selected.
    least : float
        The p-value if as many as can be of the same selected rows lay in `high`.
    """

    groups: GroupedRows
    outcomes: GroupOutcomes
    column: int
    low: int
    high: int
    p: float
    least: float

    @property
    def decision(self) -> Decision:
        """The decision that groups are selected by."""
        return self.outcomes.decisions[self.column]

    @cached_property
    def shares(self) -> tuple[Measure, Measure]:
        """The two selection rates, that of the most selected group last."""
        return self._shares(np.ones(len(self.groups.member), dtype=np.bool_))

    @property
    def ratio(self) -> Measure:
        """The impact ratio."""
        return _ratio(*self.shares, self.decision)

    @property
    def size(self) -> float:
        """How far the selection rates are apart for certain."""
        return difference(*self.shares, "difference").distance_from(0)

    @property
    def is_under_four_fifths(self) -> bool:
        """Whether the whole interval is, also of the rows with an answer alone."""
        ratios = (self.ratio, _ratio(*self._shares(self.outcomes.has_answer), self.decision))
        return all(ratio.upper is not None and ratio.upper < FOUR_FIFTHS for ratio in ratios)

    @property
    def affected(self) -> int:
        """The group whose selection is to be explained.

        The one that gets a favourable label less often. Else the one whose selection rate is
        farther from what the labels say; where they do not tell, the one that is selected more.
        """
        if self.outcomes.favourable is not None:
            return self.low
        low, high = (self._distance_from_due(side) for side in self._sides)
        return self.low if low > high else self.high

    def reason(self, adjusted: float) -> str:
        """Return what a table says of a ratio: whether it is under four fifths, or unclear."""
        ratio = self.ratio
        if ratio.value is None or ratio.upper is None or ratio.value >= FOUR_FIFTHS:
            return "no"
        if self.least > LEVEL:
            return "cannot tell: too few rows"
        if adjusted > LEVEL:
            return Sentence("cannot tell: p {p:.2g}, limit {limit}", p=adjusted, limit=LEVEL)
        return "yes" if self.is_under_four_fifths else "cannot tell: the interval reaches above"

    def name(self, group: int) -> str:
        """Return which texts are in a group, or that it is all others."""
        return "all other texts" if group == REST else self.groups.condition(group)

    @property
    def _sides(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        high, rest = self.groups.sides(self.high)
        return rest if self.low == REST else self.groups.member == self.low, high

    def _shares(self, of: NDArray[np.bool_]) -> tuple[Measure, Measure]:
        made, name = self.outcomes.has_decision[:, self.column], _rate_name(self.decision)
        low, high = (
            proportion(name, int((made & side & of).sum()), int((side & of).sum()), self.name(g))
            for g, side in zip((self.low, self.high), self._sides, strict=True)
        )
        return low, high

    def due(self, side: NDArray[np.bool_]) -> float:
        """Return the share that should be selected by the labels; NaN without labels."""
        right = self.outcomes.right[side, self.column]
        return float(np.nanmean(right)) if not np.isnan(right).all() else float("nan")

    def _distance_from_due(self, side: NDArray[np.bool_]) -> float:
        distance = abs(float(self.outcomes.has_decision[side, self.column].mean()) - self.due(side))
        return 0.0 if np.isnan(distance) else distance

    @property
    def due_sentence(self) -> str:
        """What the labels in the data say of the two selection rates."""
        low, high = (self.due(side) for side in self._sides)
        if np.isnan(low) or np.isnan(high):
            return ""
        due, due_elsewhere = (low, high) if self.affected == self.low else (high, low)
        return Sentence(
            "By the labels in the data, it should be {due:percent} and {due_elsewhere:percent}.",
            due=due,
            due_elsewhere=due_elsewhere,
        )

    @property
    def claim(self) -> str:
        """The ratio in a sentence, from the side of the affected group."""
        low, high = self.shares
        is_low = self.affected == self.low
        template = LESS if is_low else MORE if self.low != REST else MORE_THAN_ALL
        return Sentence(
            template,
            group=self.name(self.affected),
            other=self.name(self.high if is_low else self.low),
            decision=self.decision.verb,
            share=low if is_low else high,
            other_share=high if is_low else low,
            ratio=self.ratio,
        )


def ratios_of(groups: GroupedRows, outcomes: GroupOutcomes) -> list[Ratio]:
    """Return each group against the most selected one, for each decision.

    Where no label is favourable the most selected group is compared with all others as well: of
    many groups none may be large enough by itself.
    """
    tested = groups.tested_groups
    ratios: list[Ratio] = []
    for k in range(len(outcomes.decisions)) if tested else ():
        everything = np.ones(len(groups.member), dtype=np.bool_)
        hits, n = groups.counts(outcomes.has_decision[:, k], everything)
        high = _most_selected(groups, hits, n)
        others = [g for g in tested if g != high]
        sides = {g: (int(hits[g]), int(n[g]), len(others)) for g in others}
        if outcomes.favourable is None and len(others) > 1:
            rest = int(hits.sum() - hits[high]), int(n.sum() - n[high])
            sides[REST] = (*rest, len(tested))
        for low, (low_hits, low_n, times) in sides.items():
            p, least = _p_values(low_hits, low_n, int(hits[high]), int(n[high]))
            ratios.append(
                Ratio(groups, outcomes, k, low, high, min(1, times * p), min(1, times * least))
            )
    return ratios


def _most_selected(groups: GroupedRows, hits: NDArray[np.int64], n: NDArray[np.int64]) -> int:
    """Return the group with the highest selection rate, of those that are not too small."""
    large = [
        g for g in groups.tested_groups if n[g] >= SMALL_CATEGORY * n.sum()
    ] or groups.tested_groups
    return max(large, key=lambda g: (hits[g] / n[g], -g))


def _p_values(low_hits: int, low_n: int, high_hits: int, high_n: int) -> tuple[float, float]:
    """Return Fisher's p-value that the second of two shares is not higher, and the least one."""
    hits, n = low_hits + high_hits, low_n + high_n
    p = float(fisher(high_hits, high_n, hits, n))
    return p, float(fisher(min(high_n, hits), high_n, hits, n))


def _rate_name(decision: Decision) -> str:
    return SELECTION_RATE.name(outcome=decision.name)


def _ratio(share: Measure, most: Measure, decision: Decision) -> Measure:
    name = IMPACT_RATIO.name(outcome=decision.name)
    return impact_ratio(count_of(share), share.n, count_of(most), most.n, name, share.slice)


def selection_findings(
    standing: Sequence[Ratio], adjusted: Mapping[int, float]
) -> tuple[Finding, ...]:
    """Return a finding for each column, or several columns together, with all its ratios.

    Parameters
    ----------
    standing : sequence of Ratio
        Those that are under four fifths for certain.
    adjusted : mapping of int to float
        Adjusted p-values by the `id` of a ratio.
    """
    by_columns: dict[tuple[str, ...], list[Ratio]] = {}
    for ratio in standing:
        by_columns.setdefault(ratio.groups.columns, []).append(ratio)
    return tuple(
        _finding(sorted(ratios, key=lambda ratio: -ratio.size), adjusted)
        for ratios in by_columns.values()
    )


def _finding(ratios: Sequence[Ratio], adjusted: Mapping[int, float]) -> Finding:
    worst = ratios[0]
    subjects = {f"{ratio.name(ratio.affected)}: {ratio.decision.name}" for ratio in ratios}
    more = Sentence(
        "{n} more {n:impact ratio is|impact ratios are} below four fifths; the table lists "
        "{n:it|them}.",
        n=len(ratios) - 1,
    )
    members = Table(
        title="Impact ratios below four fifths",
        columns=(
            "group", "decision", "selection rate", "compared with", "its selection rate",
            "impact ratio", "adjusted p",
        ),
        rows=tuple(
            (
                ratio.name(ratio.low), ratio.decision.verb, ratio.shares[0], ratio.name(ratio.high),
                ratio.shares[1], ratio.ratio, adjusted[id(ratio)],
            )
            for ratio in ratios
        ),
    )  # fmt: skip
    return Finding(
        code="fairness.impact_ratio",
        subject=", ".join(sorted(subjects)),
        claim=join_sentences(worst.claim, worst.due_sentence, more if ratios[1:] else ""),
        severity="major",
        size=worst.size,
        measure=worst.ratio,
        members=members if ratios[1:] else None,
        evidence=("fairness",),
        suggestion="Find out whether the task justifies that these groups are decided differently. "
        "Do not use the model for decisions about people before the gap is closed or justified.",
    )


def selection_part(
    groups: GroupedRows,
    outcomes: GroupOutcomes,
    k: int,
    ratios: Sequence[Ratio],
    adjusted: Mapping[int, float],
    n_tests: int,
) -> Part:
    """Return the table and the figure of one decision.

    Parameters
    ----------
    groups, outcomes, k
        The groups, and the decision.
    ratios : sequence of Ratio
        The groups against the most selected one.
    adjusted : mapping of int to float
        Adjusted p-values by the `id` of a ratio.
    n_tests : int
        Tests that were counted when p-values were adjusted.
    """
    decision, made = outcomes.decisions[k], outcomes.has_decision[:, k]
    shares = groups.shares(_rate_name(decision), made, np.ones(len(made), dtype=np.bool_))
    by_group = {ratio.low: ratio for ratio in ratios if ratio.low != REST}
    table = _table(groups, decision, shares, by_group, adjusted, n_tests)
    title = Sentence(
        "Share {decision}, by {columns:and}", decision=decision.verb, columns=groups.columns
    )
    figure = IntervalsFigure(
        title=title,
        description="Selection rate of each group, with its 95 % interval.",
        measures=tuple(
            shares[g].model_copy(update={"name": groups.condition(g)}) for g in groups.listed_groups
        ),
        reference=float(made[groups.is_known].mean()),
        reference_label="all groups",
    )
    measures = (*shares.values(), *(ratio.ratio for ratio in by_group.values()))
    return Part(measures=measures, tables=(table,), figures=(figure,))


def _table(
    groups: GroupedRows,
    decision: Decision,
    shares: Shares,
    by_group: Mapping[int, Ratio],
    adjusted: Mapping[int, float],
    n_tests: int,
) -> Table:
    high = next((ratio.high for ratio in by_group.values()), None)
    rows: list[tuple[Cell, ...]] = []
    for g in groups.listed_groups:
        ratio = by_group.get(g)
        compared: tuple[Cell, ...] = (1.0 if g == high else None, None, "")
        if ratio is not None:
            found = ratio_found(shares[g].n, ratio.shares[1], LEVEL / max(1, n_tests))
            compared = (ratio.ratio, found, ratio.reason(adjusted[id(ratio)]))
        rows.append((*groups.names[g], shares[g].n, count_of(shares[g]), shares[g], *compared))
    return Table(
        title=Sentence(
            "Texts {decision}, by {columns:and}", decision=decision.verb, columns=groups.columns
        ),
        columns=(
            *groups.columns, "rows", decision.verb, "selection rate", "impact ratio",
            "found if selected at most", "under four fifths",
        ),
        rows=tuple(rows),
        note=_note(groups, high),
    )  # fmt: skip


def _note(groups: GroupedRows, high: int | None) -> str:
    sizes, n = groups.sizes, int(groups.sizes.sum())
    small = [groups.condition(g) for g in groups.tested_groups if sizes[g] < SMALL_CATEGORY * n]
    meaning = join_sentences(
        "Selection rate: share of the rows that get this decision.",
        Sentence(
            "Impact ratio: the selection rate divided by that of the most selected group, {group}.",
            group=groups.condition(high),
        )
        if high is not None
        else "",
        Sentence(
            "Below 2 % of the rows: {small:and}. Local Law 144 lets an audit leave such a category "
            "out; here it is listed and compared, but no group is compared with it.",
            small=small,
        )
        if small
        else "",
    )
    return groups.note(meaning, unanswered="They count as rows that did not get this decision.")
