"""What the model decided about each row, and what it should have decided."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext, TableRow
from explain.checks.base.decisions import Decision, decisions, possible_decisions

__all__ = ["GroupOutcomes"]


@dataclass(frozen=True, eq=False)
class GroupOutcomes:
    """Decisions and labels of all rows: first of those with an answer, then of those without.

    Attributes
    ----------
    favourable : str or None
        The label that people want to get.
    is_binary : bool
        Whether the model gives one of two labels.
    decisions : tuple of Decision
        The decisions that are compared; of a favourable label alone where there is one.
    has_decision : array, shape (n_rows, n_decisions), bool
        Which decisions fell; a row without an answer got none.
    right : array, shape (n_rows, n_decisions), float64
        Which decisions would be right by the labels, NaN where that is unknown.
    has_answer : array, shape (n_rows,), bool
        Which rows the model answered.
    is_labelled, is_wrong : arrays, shape (n_rows,), bool
        Which rows have a label, and on which the model is wrong or without an answer.
    """

    favourable: str | None
    is_binary: bool
    decisions: tuple[Decision, ...]
    has_decision: NDArray[np.bool_]
    right: NDArray[np.float64]
    has_answer: NDArray[np.bool_]
    is_labelled: NDArray[np.bool_]
    is_wrong: NDArray[np.bool_]

    @classmethod
    def of(cls, context: AuditContext, favourable: str | None) -> "GroupOutcomes":
        """Return the outcomes of all rows."""
        rows: list[TableRow] = [*context.instances, *context.unanswered]
        failed = np.full((len(context.unanswered), len(context.model.labels)), np.nan)
        scores = np.concatenate([context.scores, failed])
        has_answer = np.arange(len(rows)) < len(context.instances)
        to_compare = [
            decision
            for decision in possible_decisions(context, favourable)
            if favourable is None or decision.holds
        ]
        every = [d for d in possible_decisions(context, None) if d.holds]
        all_made = decisions(context, scores, every) == 1
        all_right = _should_be(context, rows, every)
        is_labelled = np.array([row.labels is not None for row in rows], dtype=np.bool_)
        is_labelled &= context.model.task != "regression"
        return cls(
            favourable,
            context.model.task == "single_label" and len(context.model.labels) == 2,
            tuple(to_compare),
            decisions(context, scores, to_compare) == 1,
            _should_be(context, rows, to_compare),
            has_answer,
            is_labelled,
            is_labelled & ((all_made != (all_right == 1)).any(axis=1) | ~has_answer),
        )

    @cached_property
    def is_favoured(self) -> NDArray[np.bool_]:
        """Which rows wrongly got the favourable label, if there is one."""
        if self.favourable is None:
            return np.zeros(len(self.has_decision), dtype=np.bool_)
        favoured: NDArray[np.bool_] = (self.has_decision & (self.right == 0)).any(axis=1)
        return favoured

    def labels(self) -> Iterator[tuple[int, Decision]]:
        """Yield the decisions that a label holds, each with its column."""
        for k, decision in enumerate(self.decisions):
            if decision.holds:
                yield k, decision

    def most_frequent(self, most: int) -> list[int]:
        """Return the columns of the decisions that fall most often."""
        columns: list[int] = np.argsort(-self.has_decision.sum(axis=0), kind="stable")[
            :most
        ].tolist()
        return columns


def _should_be(
    context: AuditContext, rows: Sequence[TableRow], to_compare: Sequence[Decision]
) -> NDArray[np.float64]:
    """Return which decisions are right, shape (n_rows, n_decisions), NaN where unknown."""
    right = np.full((len(rows), len(to_compare)), np.nan)
    if context.model.task == "regression":
        return right
    for i, row in enumerate(rows):
        if row.labels is not None:
            right[i] = [(decision.label in row.labels) == decision.holds for decision in to_compare]
    return right
