"""Which decisions are right by the labels in the data."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext, TableRow
from explain.checks.base.decisions import Decision

__all__ = ["should_be"]


def should_be(context: AuditContext, compared_decisions: Sequence[Decision]) -> NDArray[np.float64]:
    """Return which decisions would be right, shape (n_rows, n_decisions), NaN if unknown.

    The rows that the model answered come first, and then those without an answer.
    """
    rows: list[TableRow] = [*context.instances, *context.unanswered]
    row_labels = [row.labels for row in rows]
    right = np.full((len(row_labels), len(compared_decisions)), np.nan)
    if context.model.task == "regression":
        return right
    for i, labels in enumerate(row_labels):
        if labels is not None:
            right[i] = [
                (decision.label in labels) == decision.holds for decision in compared_decisions
            ]
    return right
