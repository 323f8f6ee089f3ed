"""The groups that one column parts the table into, or several columns together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext, TableRow
from explain.record import Measure, Sentence, join_sentences
from explain.statistics.intervals import proportion

__all__ = ["GroupedRows", "Shares", "partitions_of"]

MOST_TESTED = 50
"""Groups that are tested, the largest ones: a column of thousands of authors is no column of
groups of people."""

MOST_LISTED = 20
"""Groups of which a table shows the figures, the largest ones; a finding lists its own."""

Shares = dict[int, Measure]
"""A share of each group, by its number."""


@dataclass(frozen=True, eq=False)
class GroupedRows:
    """The groups of a column or of several, and the group of each row.

    Arrays of rows have those that the model answered first, and then those without an answer.

    Attributes
    ----------
    columns : tuple of str
        The columns of the table; with several, a group is what has the same value in each.
    names : tuple of tuple of str
        The values of each group, one for each column.
    member : array, shape (n_rows,), int64
        Number of the group of each row; -1 of a row that lacks a value.
    has_answer : array, shape (n_rows,), bool
        Which rows the model answered.
    """

    columns: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    member: NDArray[np.int64]
    has_answer: NDArray[np.bool_]

    @classmethod
    def of(
        cls, rows: Sequence[TableRow], columns: Sequence[str], has_answer: NDArray[np.bool_]
    ) -> "GroupedRows":
        """Return the groups of some rows."""
        cells = [tuple(row.columns.get(column) for column in columns) for row in rows]
        complete = [tuple(str(value) for value in cell) if all(map(_is_given, cell)) else None
                    for cell in cells]  # fmt: skip
        names = tuple(sorted({cell for cell in complete if cell is not None}))
        number = {name: i for i, name in enumerate(names)}
        member = [-1 if cell is None else number[cell] for cell in complete]
        return cls(tuple(columns), names, np.array(member, dtype=np.int64), has_answer)

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """Which rows have a group."""
        return self.member >= 0

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Rows of each group."""
        return np.bincount(self.member[self.is_known], minlength=len(self.names))

    @property
    def tested_groups(self) -> list[int]:
        """Numbers of the groups that are tested, if they are two or more."""
        return self._largest(MOST_TESTED) if len(self.names) > 1 else []

    @property
    def listed_groups(self) -> list[int]:
        """Numbers of the groups that tables show."""
        return self._largest(MOST_LISTED)

    def _largest(self, most: int) -> list[int]:
        return sorted(np.argsort(-self.sizes, kind="stable")[:most].tolist())

    def condition(self, group: int) -> str:
        """Return which rows are in a group, as slices write it."""
        pairs = zip(self.columns, self.names[group], strict=True)
        return ", ".join(f"{column} = {value}" for column, value in pairs)

    def sides(self, group: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which rows are in a group, and which in any other one."""
        inside = self.member == group
        return inside, self.is_known & ~inside

    def counts(
        self, hits: NDArray[np.bool_], of: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the hits of each group among some rows, and those rows, shape (n_groups,)."""
        of = of & self.is_known
        n, n_hits = (
            np.bincount(self.member[rows], minlength=len(self.names)) for rows in (of, of & hits)
        )
        return n_hits, n

    def shares(self, name: str, hits: NDArray[np.bool_], of: NDArray[np.bool_]) -> Shares:
        """Return the share of hits in each group that is listed or tested, among some rows."""
        n_hits, n = self.counts(hits, of)
        return {
            g: proportion(name, int(n_hits[g]), int(n[g]), self.condition(g))
            for g in sorted({*self.listed_groups, *self.tested_groups})
        }

    def note(self, meaning: str, unanswered: str) -> str:
        """Return how a table of the groups is read, and which rows do not count in it.

        `unanswered` says how rows without an answer count.
        """
        failed = int((~self.has_answer & self.is_known).sum())
        n_known = int(self.is_known.sum())
        not_listed = len(self.names) - len(self.listed_groups)
        not_tested = len(self.names) - max(MOST_TESTED, 0)
        return join_sentences(
            meaning,
            Sentence("{failed} of {n} {n:row|rows} got no answer.", failed=failed, n=n_known)
            if failed
            else "",
            unanswered if failed else "",
            Sentence("{n} smaller {n:group is|groups are} not listed.", n=not_listed)
            if not_listed > 0
            else "",
            Sentence("{n} of them {n:is|are} not tested.", n=not_tested) if not_tested > 0 else "",
            self._unknown(len(self.member) - n_known),
        )

    def _unknown(self, n: int) -> str:
        """Return how many rows have no group: the unknown category."""
        return Sentence(
            "Unknown: {n} {n:row has|rows have} no value in this column and {n:is|are} not "
            "included."
            if len(self.columns) == 1
            else "Unknown: {n} {n:row lacks|rows lack} a value in one of these columns and "
            "{n:is|are} not included.",
            n=n,
        )


def partitions_of(context: AuditContext) -> list[GroupedRows]:
    """Return the groups of each named column, and those of all of them together.

    Columns without a value are left out, and a crossing that only repeats the groups of a column.
    """
    rows: list[TableRow] = [*context.instances, *context.unanswered]
    has_answer = np.arange(len(rows)) < len(context.instances)
    single = [GroupedRows.of(rows, [column], has_answer) for column in context.group]
    single = [groups for groups in single if groups.names]
    if len(single) < 2:
        return single
    crossed = GroupedRows.of(rows, [groups.columns[0] for groups in single], has_answer)
    repeats = any(len(crossed.names) <= len(groups.names) for groups in single)
    return single if repeats else [*single, crossed]


def _is_given(value: str | None) -> bool:
    return value is not None
