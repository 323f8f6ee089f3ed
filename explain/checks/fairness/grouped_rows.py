"""The groups of a column: their rates, and claims that a rate differs between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.checks.base.decisions import TestedClaim, difference
from explain.checks.fairness.rates import Rates, higher_share_p_value, hits_of
from explain.record import Finding, Measure, Sentence, Severity, join_sentences
from explain.statistics.intervals import proportion

__all__ = ["GroupedRows"]

FEWEST_ROWS = 30
"""Rows that a group must have to be compared: below that the intervals span half of the scale."""


@dataclass(frozen=True, slots=True)
class GroupedRows:
    """The groups of a column, the group of each row that has one, and the largest of them.

    Rates are over all rows of a group: one without an answer did not get any decision. A claim must
    hold on the rows with an answer as well, or else it is only about the rows without one.

    Attributes
    ----------
    column : str
        The column of the table.
    names : tuple of str
        The groups.
    member : array, shape (n_rows,), int64
        Number of the group of each row that has one.
    largest : tuple of int
        Numbers of the groups that are shown.
    unknown : int
        Rows that have no group.
    has_answer : array, shape (n_rows,), bool
        Which rows the model answered.
    """

    column: str
    names: tuple[str, ...]
    member: NDArray[np.int64]
    largest: tuple[int, ...]
    unknown: int
    has_answer: NDArray[np.bool_]

    @property
    def comparable_groups(self) -> list[int]:
        """The groups that have enough rows to be compared, if they are two or more."""
        sizes = np.bincount(self.member)
        enough = [group for group in self.largest if sizes[group] >= FEWEST_ROWS]
        return enough if len(enough) > 1 else []

    def condition(self, group: int) -> str:
        """Return which rows are in a group."""
        return f"{self.column} = {self.names[group]}"

    def rates(self, name: str, hits: NDArray[np.bool_], of: NDArray[np.bool_]) -> Rates:
        """Return the share of hits in each group and in all other rows, of some of the rows."""
        from fairlearn.metrics import MetricFrame, count

        counts = dict.fromkeys(range(len(self.names)), (0, 0))
        if of.any():
            frame = MetricFrame(
                metrics={"hits": hits_of, "rows": count},
                y_true=hits[of],
                y_pred=hits[of],
                sensitive_features=self.member[of],
            )
            counts |= {
                int(group): (int(row["hits"]), int(row["rows"]))
                for group, row in frame.by_group.iterrows()
            }
        all_hits, all_rows = (sum(numbers) for numbers in zip(*counts.values(), strict=True))
        groups = {g: proportion(name, *counts[g], slice_=self.condition(g)) for g in self.largest}
        rest = {
            g: proportion(
                name, all_hits - counts[g][0], all_rows - counts[g][1], slice_="all other rows"
            )
            for g in self.largest
        }
        return groups, rest

    def claim(
        self,
        group: int,
        rates: Sequence[Rates],
        large: Callable[[Measure, Measure], bool],
        *,
        code: str,
        severity: Severity,
        template: str,
        decision: str,
        details: str = "",
    ) -> TestedClaim:
        """Return the claim that something is more frequent in a group than in the other rows.

        It has to hold of each of the `rates`; those that are stated come first.
        """
        pairs = [(groups[group], rest[group]) for groups, rest in rates]
        share, rest = pairs[0]
        topics = [self.condition(group)]
        if len(self.comparable_groups) == 2:  # what is more frequent in one is less so in the other
            topics.append(self.column)
        sentence = Sentence(
            template, group=self.condition(group), decision=decision, share=share, rest=rest
        )
        return TestedClaim(
            max(higher_share_p_value(*pair) for pair in pairs),
            all(large(*pair) for pair in pairs),
            tuple(topics),
            Finding(
                code=code,
                subject=f"{self.condition(group)}: {decision}",
                claim=join_sentences(sentence, details),
                severity=severity,
                size=difference(share, rest, "difference").distance_from(0),
                measure=share,
                evidence=("fairness",),
                suggestion="Look at the rows of this group that are decided wrongly, and add "
                "training data of the group. Do not use the model for decisions about people "
                "before the gap is closed or justified.",
            ),
        )

    def note(self, meaning: str, unanswered: str) -> str:
        """Return how a table of the groups is read, and which rows do not count in it.

        `unanswered` says how rows without an answer count.
        """
        failed = int((~self.has_answer).sum())
        not_listed = len(self.names) - len(self.largest)
        return join_sentences(
            meaning,
            Sentence(
                "{failed} of {n} {n:row|rows} got no answer.", failed=failed, n=len(self.has_answer)
            )
            if failed
            else "",
            unanswered if failed else "",
            Sentence("Groups with fewer than {fewest} rows are not tested.", fewest=FEWEST_ROWS),
            Sentence("{n} smaller {n:group is|groups are} not listed.", n=not_listed)
            if not_listed > 0
            else "",
            Sentence(
                "{n} {n:row has|rows have} no value in this column and {n:is|are} not included.",
                n=self.unknown,
            ),
        )
