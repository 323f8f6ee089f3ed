"""How a model treats the groups that a column of the table names."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base import AuditContext, TableRow
from explain.checks.base.decisions import Decision, TestedClaim, decisions, difference, outcomes
from explain.checks.base.metrics import ACCURACY
from explain.checks.base.part import Part
from explain.checks.fairness.labelled_outcomes import should_be
from explain.checks.fairness.metrics import (
    CALIBRATION_GAP,
    FALSE_POSITIVE_RATE,
    SELECTION_RATE,
    TRUE_POSITIVE_RATE,
)
from explain.checks.fairness.rates import (
    FOUR_FIFTHS,
    Rates,
    Shares,
    count_of,
    due_decisions,
    four_fifths_verdict,
    hits_of,
    misses_of,
    more_frequent,
    most_above,
    most_below,
    ratio_of,
    ratio_sentence,
)
from explain.record import Finding, IntervalsFigure, Measure, Severity, Table
from explain.record.wording import estimated, percent
from explain.statistics.bootstrap import CONFIDENCE
from explain.statistics.intervals import mean, proportion

__all__ = ["compare_groups"]

LARGE_GAP = 0.05
"""Difference of error rates that matters: one decision in twenty."""

LARGE_CALIBRATION_GAP = 0.1
"""Difference of confidence minus accuracy that matters: a tenth of the scale."""

FEWEST_ROWS = 30
"""Rows that a group must have to be compared: below that the intervals span half of the scale."""

MOST_GROUPS = 20

MOST_OUTCOMES = 6
"""Decisions that have tables of their own, the most frequent first; all are tested."""


def compare_groups(context: AuditContext, favourable: str | None) -> Part:
    """Return selection, errors and calibration of the groups of the column that was named."""
    rows: list[TableRow] = [*context.instances, *context.unanswered]
    cells = [row.columns.get(context.group or "") for row in rows]
    known = np.array([cell is not None for cell in cells])
    if context.group is None or not known.any():
        return Part()
    names, member = np.unique([cell for cell in cells if cell is not None], return_inverse=True)
    largest = np.argsort(-np.bincount(member), kind="stable")[:MOST_GROUPS]
    groups = _Groups(
        context.group,
        tuple(map(str, names)),
        member,
        tuple(sorted(largest.tolist())),
        int((~known).sum()),
        (np.arange(len(rows)) < len(context.instances))[known],
    )
    wanted = outcomes(context, favourable)
    failed = np.full((len(context.unanswered), len(context.model.labels)), np.nan)
    scores = np.concatenate([context.scores, failed])
    made = decisions(context, scores, wanted)[known] == 1
    right = should_be(context, wanted)[known]
    selections = [groups.selection(o, made[:, k], right[:, k]) for k, o in enumerate(wanted)]
    errors = [
        groups.errors(o, made[:, k], right[:, k])
        for k, o in enumerate(wanted)
        if not np.isnan(right[:, k]).all()
    ]
    frequent = np.argsort(-made.sum(axis=0), kind="stable")[:MOST_OUTCOMES].tolist()
    shown = [
        part for parts in (selections, errors) if parts for part in map(parts.__getitem__, frequent)
    ]
    single = context.model.task == "single_label" and any(row.label for row in rows)
    accuracy = [groups.accuracy(context, known)] if single else []
    return Part(
        measures=sum((*accuracy, *shown), Part()).measures,
        tables=sum((*shown, *accuracy), Part()).tables,
        figures=sum(shown, Part()).figures,
        claims=sum((*selections, *errors, *accuracy), Part()).claims,
    )


@dataclass(frozen=True, slots=True)
class _Groups:
    """The groups of a column, the group of each row that has one, and the largest of them.

    Rates are over all rows of a group: one without an answer did not get any decision. A claim must
    hold on the rows with an answer as well, or else it is only about the others.
    """

    column: str
    names: tuple[str, ...]
    member: NDArray[np.int64]
    largest: tuple[int, ...]
    unknown: int
    answered: NDArray[np.bool_]

    @property
    def compared(self) -> list[int]:
        """The groups that have enough rows to be compared, if they are two or more."""
        sizes = np.bincount(self.member)
        enough = [group for group in self.largest if sizes[group] >= FEWEST_ROWS]
        return enough if len(enough) > 1 else []

    def rates(
        self, name: str, hits: NDArray[np.bool_], of: NDArray[np.bool_]
    ) -> tuple[dict[int, Measure], dict[int, Measure]]:
        """Return the share of hits in each group and in all others, of some of the rows."""
        from fairlearn.metrics import MetricFrame, count

        own = dict.fromkeys(range(len(self.names)), (0, 0))
        if of.any():
            frame = MetricFrame(
                metrics={"hits": hits_of, "rows": count},
                y_true=hits[of],
                y_pred=hits[of],
                sensitive_features=self.member[of],
            )
            own |= {
                int(group): (int(row["hits"]), int(row["rows"]))
                for group, row in frame.by_group.iterrows()
            }
        all_hits, all_rows = (sum(counts) for counts in zip(*own.values(), strict=True))
        groups = {
            g: proportion(name, *own[g], slice_=f"{self.column} = {self.names[g]}")
            for g in self.largest
        }
        others = {
            g: proportion(name, all_hits - own[g][0], all_rows - own[g][1], slice_="the others")
            for g in self.largest
        }
        return groups, others

    def selection(
        self, outcome: Decision, made: NDArray[np.bool_], right: NDArray[np.float64]
    ) -> Part:
        """Return selection rates and impact ratios: the table of New York City's Local Law 144."""
        every = np.ones(len(made), bool)
        name = SELECTION_RATE.name(outcome=outcome.name)
        shares, others = self.rates(name, made, every)
        answered = self.rates(name, made, self.answered)
        most = max(self.compared or self.largest, key=lambda g: (shares[g].value or 0, -g))
        ratios = {g: ratio_of(shares[g], shares[most], outcome) for g in shares if g != most}
        claims = []
        for g in self.compared:
            reverse = ratio_of(others[g], shares[g], outcome)
            due = due_decisions(right, self.member == g)
            claims.append(
                self._claim(
                    g,
                    ((shares, others), answered),
                    lambda own, rest: most_below(ratio_of(rest, own, outcome), FOUR_FIFTHS),
                    severity="major",
                    text="of the texts are " + outcome.verb,
                    more=ratio_sentence(reverse) + due,
                )
            )
        return Part(
            measures=(*shares.values(), *ratios.values()),
            tables=(self._selection_table(outcome, shares, ratios, most),),
            figures=(
                IntervalsFigure(
                    title=f"Share {outcome.verb}, by {self.column}",
                    description="Selection rate with its 95 % interval, one row for each group.",
                    measures=tuple(shares.values()),
                    reference=float(made.mean()),
                    reference_label="all",
                ),
            ),
            claims=tuple(claims),
        )

    def _selection_table(
        self, outcome: Decision, shares: Shares, ratios: Shares, most: int
    ) -> Table:
        return Table(
            title=f"Texts {outcome.verb}, by {self.column}",
            columns=(
                self.column, "rows", outcome.verb, "selection rate", "impact ratio",
                "under four fifths",
            ),
            rows=tuple(
                (
                    self.names[g],
                    shares[g].n,
                    count_of(shares[g]),
                    shares[g],
                    1.0 if g == most else ratios[g],
                    "" if g == most else four_fifths_verdict(ratios[g]),
                )
                for g in shares
            ),
            note="The selection rate is the share of the rows with this decision; the impact ratio "
            f"divides it by that of the most selected group, {self.names[most]}. "
            + self._failed("they count among the rows, and did not get this decision")
            + self._left_out(),
        )  # fmt: skip

    def errors(
        self, outcome: Decision, made: NDArray[np.bool_], right: NDArray[np.float64]
    ) -> Part:
        """Return true- and false-positive rates, and claims that either error is more frequent."""
        name = TRUE_POSITIVE_RATE.name(outcome=outcome.name)
        hits, hit_others = self.rates(name, made, right == 1)
        answered = misses_of(self.rates(name, made, (right == 1) & self.answered))
        alarms, alarm_others = self.rates(
            FALSE_POSITIVE_RATE.name(outcome=outcome.name), made, (right == 0) & self.answered
        )
        claims = []
        for g in self.compared:
            for rates, text in (
                (
                    ((alarms, alarm_others),),
                    f"of the texts that are not {outcome.name} are called so",
                ),
                (
                    (misses_of((hits, hit_others)), answered),
                    f"of the texts that are {outcome.name} are not called so",
                ),
            ):
                claims.append(
                    self._claim(
                        g,
                        rates,
                        lambda own, rest: most_above(difference(own, rest, "gap"), LARGE_GAP),
                        severity="critical",
                        text=text,
                    )
                )
        return Part(
            measures=(*hits.values(), *alarms.values()),
            tables=(self._error_table(outcome, (hits, hit_others), (alarms, alarm_others)),),
            claims=tuple(claims),
        )

    def _error_table(self, outcome: Decision, hits: Rates, alarms: Rates) -> Table:
        def cells(rates: Rates, g: int) -> tuple[Measure, Measure]:
            own, others = rates
            return own[g], difference(own[g], others[g], "gap of the rates")

        return Table(
            title=f"Errors about {outcome.name}, by {self.column}",
            columns=(
                self.column, "true-positive rate", "against the others", "false-positive rate",
                "against the others",
            ),
            rows=tuple((self.names[g], *cells(hits, g), *cells(alarms, g)) for g in hits[0]),
            note="By the given labels: the share of what is so that is called so, and of "
            "what is not so that is. "
            + self._failed(
                "they count as not called so in the true-positive rate, and are left out "
                "of the false-positive rate"
            )
            + self._left_out(),
        )  # fmt: skip

    def accuracy(self, context: AuditContext, known: NDArray[np.bool_]) -> Part:
        """Return accuracy and overconfidence: the mean confidence less the accuracy."""
        failed = context.unanswered
        given = [*(context.given >= 0), *(row.labels is not None for row in failed)]
        labelled = np.array(given, dtype=np.bool_)[known]
        no_answer = np.zeros(len(failed))
        right = np.concatenate([context.given == context.predicted, no_answer])[known] == 1
        confidence = np.concatenate([context.probabilities.max(axis=1), no_answer])[known]
        shares, _ = self.rates(ACCURACY.title, right, labelled)
        labelled &= self.answered
        over = {}
        claims = []
        for g in shares:
            own, rest = (
                (confidence - right)[labelled & mine]
                for mine in (self.member == g, self.member != g)
            )
            slice_ = f"{self.column} = {self.names[g]}"
            over[g] = mean(CALIBRATION_GAP.title, own.tolist(), "coefficient", slice_)
            if g in self.compared and min(len(own), len(rest)) > 1:
                claims.append(self._overconfident(over[g], own, rest))
        return Part(
            measures=(*shares.values(), *over.values()),
            tables=(
                Table(
                    title=f"Accuracy and calibration by {self.column}",
                    columns=(self.column, "accuracy", "confidence minus accuracy"),
                    rows=tuple((self.names[g], shares[g], over[g]) for g in shares),
                    note="Above zero the model is too sure of itself. "
                    + self._failed(
                        "they count as wrong, and have no confidence: the last column is of the "
                        "others"
                    )
                    + self._left_out(),
                ),
            ),
            claims=tuple(claims),
        )

    def _overconfident(
        self, gap: Measure, own: NDArray[np.float64], rest: NDArray[np.float64]
    ) -> TestedClaim:
        with warnings.catch_warnings():
            # It warns of values that are nearly all the same, as of a constant model.
            warnings.simplefilter("ignore", RuntimeWarning)
            test = stats.ttest_ind(own, rest, equal_var=False, alternative="greater")
            lower = float(test.confidence_interval(CONFIDENCE).low)
        return TestedClaim(
            float(np.nan_to_num(test.pvalue, nan=1.0)),
            lower > LARGE_CALIBRATION_GAP,
            (f"calibration {gap.slice}",),
            Finding(
                claim=f"For {gap.slice} the model's confidence exceeds its accuracy by "
                f"{estimated(gap)}, for the others by "
                f"{percent(rest.mean())} (n = {len(own):,} and {len(rest):,}).",
                severity="major",
                measure=gap,
                evidence=("fairness",),
                suggestion="Do not compare the probabilities of these groups with one threshold; "
                "calibrate each on its own.",
            ),
        )

    def _claim(
        self,
        group: int,
        rates: Sequence[Rates],
        large: Callable[[Measure, Measure], bool],
        *,
        severity: Severity,
        text: str,
        more: str = "",
    ) -> TestedClaim:
        """Return the claim that something is more frequent in a group than in the others.

        It has to hold of each of the `rates`; those that are stated come first.
        """
        pairs = [(groups[group], others[group]) for groups, others in rates]
        own, rest = pairs[0]
        topics = [f"{self.column} = {self.names[group]}"]
        if len(self.compared) == 2:  # what is more frequent in one is less so in the other
            topics.append(self.column)
        return TestedClaim(
            max(more_frequent(*pair) for pair in pairs),
            all(large(*pair) for pair in pairs),
            tuple(topics),
            Finding(
                claim=f"Where {own.slice}, {estimated(own)} {text}; elsewhere {estimated(rest)} "
                f"(n = {own.n:,} and {rest.n:,}).{more}",
                severity=severity,
                measure=own,
                evidence=("fairness",),
                suggestion="Look at the rows of this group that are decided wrongly, and add "
                "training data of it; do not use the model for decisions about people before the "
                "gap is closed or justified.",
            ),
        )

    def _failed(self, how: str) -> str:
        """Return how rows without an answer count; nothing if there are none."""
        failed = int((~self.answered).sum())
        return f"{failed:,} of {len(self.answered):,} rows got no answer: {how}. " if failed else ""

    def _left_out(self) -> str:
        more = len(self.names) - len(self.largest)
        return (
            f"Groups with fewer than {FEWEST_ROWS} rows are not tested. "
            + (f"{more:,} smaller groups are not listed. " if more > 0 else "")
            + f"{self.unknown:,} rows with no value in this column are not included."
        )
