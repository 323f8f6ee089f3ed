"""Which decisions the given labels call right."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.base.decisions import Decision

__all__ = ["should_be"]


def should_be(context: AuditContext, wanted: Sequence[Decision]) -> NDArray[np.float64]:
    """Return which decisions would be right, shape (n_instances, n_outcomes), NaN if unknown."""
    given = [i.given if i.label is None else (i.label,) for i in context.instances]
    given += [row.labels for row in context.unanswered]
    found = np.full((len(given), len(wanted)), np.nan)
    if context.model.task == "regression":
        return found
    for i, labels in enumerate(given):
        if labels is not None:
            found[i] = [(outcome.label in labels) == outcome.holds for outcome in wanted]
    return found
