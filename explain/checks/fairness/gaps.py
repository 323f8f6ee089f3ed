"""Gaps between a group and all other rows: each is tested, whatever its size."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import LEVEL
from explain.checks.base.decisions import Decision, difference
from explain.checks.fairness.grouped_rows import GroupedRows
from explain.record import Measure, Sentence
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion
from explain.statistics.power import detectable_beside

__all__ = ["SMALLEST_GAP", "Gap", "Harm", "compare", "without_explained"]

SMALLEST_GAP = 0.05
"""Difference of two rates of errors, of which the whole interval must lie above this to be a
finding: one decision in twenty."""

Rows = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Harm:
    """What may happen to a row and is the worse for a group, the more often it happens there.

    Attributes
    ----------
    code : str
        Code of the findings about it.
    name : str
        What its share is called.
    decision : Decision or None
        The decision that it is an error of; None for any error.
    versions : tuple of pairs of arrays
        To which rows it happened, and to which it may happen. The first is what is stated; a gap
        must hold in each, such as on the answered rows alone.
    """

    code: str
    name: str
    decision: Decision | None
    versions: tuple[tuple[Rows, Rows], ...]


@dataclass(frozen=True, eq=False)
class Gap:
    """A harm in one group against all other rows.

    Attributes
    ----------
    harm, groups, group
        What happens, and to which of the groups.
    p : float
        Fisher's one-sided p-value that it is no more frequent there.
    least : float
        The p-value if as many of the same events as can be fell on the group.
    """

    harm: Harm
    groups: GroupedRows
    group: int
    p: float
    least: float

    @property
    def condition(self) -> str:
        """Which rows are in the group."""
        return self.groups.condition(self.group)

    @cached_property
    def shares(self) -> tuple[Measure, Measure]:
        """The share in the group, and that in the other rows."""
        return self._shares(*self.harm.versions[0])

    @property
    def size(self) -> Measure:
        """How much more frequent it is in the group."""
        size = difference(*self.shares, "difference from other rows")
        return size.model_copy(update={"slice": self.condition})

    @property
    def is_large(self) -> bool:
        """Whether the whole interval lies above the smallest gap, in each version."""
        sizes = (difference(*self._shares(*version), "gap") for version in self.harm.versions)
        return all((size.lower or 0) > SMALLEST_GAP for size in sizes)

    def p_without(self, rows: Rows) -> float:
        """Return the p-value without some of the rows."""
        happened, may_happen = self.harm.versions[0]
        inside, rest = (side & may_happen & ~rows for side in self.groups.sides(self.group))
        hits, rest_hits = (happened & inside).sum(), (happened & rest).sum()
        if not inside.any() or not rest.any():
            return 1.0
        return float(fisher(hits, inside.sum(), hits + rest_hits, inside.sum() + rest.sum()))

    def share_found(self, n_tests: int) -> float | None:
        """Return the share in the group from which this is reported in 80 % of audits."""
        share, rest = self.shares
        if not share.n or not rest.n:
            return None
        rest_hits = round((rest.value or 0) * rest.n)
        return detectable_beside(share.n, rest_hits, rest.n, LEVEL / max(1, n_tests), SMALLEST_GAP)

    def reason(self, adjusted: float) -> str:
        """Return why the gap is no finding by itself; empty if it is one."""
        value, upper = self.size.value or 0, self.size.upper
        if value <= 0:
            return ""
        if upper is not None and upper <= SMALLEST_GAP:
            return "the gap is too small to matter"
        if self.least > LEVEL:
            return "too few rows to tell"
        if adjusted > LEVEL:
            return Sentence("p {p:.2g}, limit {limit}", p=adjusted, limit=LEVEL)
        if not self.is_large:
            return Sentence("the gap may be less than {limit:points}", limit=SMALLEST_GAP)
        return ""

    def _shares(self, happened: Rows, may_happen: Rows) -> tuple[Measure, Measure]:
        names = (self.condition, "all other rows")
        sides = self.groups.sides(self.group)
        share, rest = (
            proportion(
                self.harm.name,
                int((happened & may_happen & side).sum()),
                int((may_happen & side).sum()),
                name,
            )
            for side, name in zip(sides, names, strict=True)
        )
        return share, rest


def compare(groups: GroupedRows, harm: Harm) -> list[Gap]:
    """Return the gap of each group that is tested."""
    p, least = (np.zeros(len(groups.names)) for _ in range(2))
    for happened, may_happen in harm.versions:
        hits, n = groups.counts(happened, may_happen)
        all_hits, all_n = hits.sum(), n.sum()
        if not all_n:
            return []
        p = np.maximum(p, fisher(hits, n, all_hits, all_n))
        least = np.maximum(least, fisher(np.minimum(n, all_hits), n, all_hits, all_n))
    return [Gap(harm, groups, g, float(p[g]), float(least[g])) for g in groups.tested_groups]


def without_explained(gaps: Sequence[Gap]) -> list[Gap]:
    """Return the gaps that hold also without the rows of those before them, the widest first.

    Old women who are harmed make women and old people look harmed; women who are harmed make old
    women look so. What is harmed has the wider gap, as its other rows are better off.
    """
    kept: list[Gap] = []
    level = LEVEL / max(1, len(gaps))
    explained: dict[tuple[str, Decision | None], Rows] = {}
    for gap in sorted(gaps, key=lambda gap: (-(gap.size.value or 0), gap.condition)):
        kind = (gap.harm.code, gap.harm.decision)
        before = explained.get(kind, np.zeros(len(gap.groups.member), dtype=np.bool_))
        if not before.any() or gap.p_without(before) <= level:
            kept.append(gap)
            explained[kind] = before | gap.groups.sides(gap.group)[0]
    return kept
