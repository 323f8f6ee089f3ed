"""The answers that a finding about wrong answers counts, and those that they are compared with."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from explain.checks import AuditContext
from explain.checks.selective.slices import PREDICTION
from explain.checks.slices.members import texts_of_slices
from explain.record import Finding

__all__ = ["ABOUT_SLICES", "Comparison", "comparisons_of"]


class Comparison(NamedTuple):
    """Which instances are counted, with which they are compared, and what counts as an error."""

    inside: NDArray[np.bool_]
    rest: NDArray[np.bool_]
    error: NDArray[np.bool_] | None = None
    """Which wrong answers count; None for all."""


ABOUT_SLICES: Final = ("slices.worse", "selective.slice")
"""Findings that texts of some kind get wrong answers."""

ABOUT_GROUPS: Final = ("fairness.accuracy", "fairness.over_confident")

FALSE_POSITIVES, FALSE_NEGATIVES = "fairness.false_positives", "fairness.false_negatives"
"""Findings that count some of the answers of a group: those with another label, or with this one.
What a model selects, or how it answers when a name is changed, rests on no label."""

ABOUT_ALL: Final = ("calibration.over_confident", "calibration.error", "data.label_errors")


def comparisons_of(finding: Finding, context: AuditContext) -> Sequence[Comparison]:
    """Return the answers that a finding counts as wrong too often; none if it counts others."""
    everything = np.ones(len(context.instances), dtype=np.bool_)
    if finding.code in ABOUT_ALL:
        return [Comparison(everything, ~everything)]
    if finding.code in ABOUT_SLICES:
        slices = [*texts_of_slices(finding, context), *_by_answer(finding, context)]
        return [Comparison(inside, ~inside) for inside in slices]
    if finding.code in ABOUT_GROUPS:
        members = _of_group(finding.subject, context)
        return [Comparison(members, ~members)]
    if finding.code in (FALSE_POSITIVES, FALSE_NEGATIVES):
        condition, _, label = finding.subject.rpartition(": ")
        members, due = _of_group(condition, context), _with_label(label, context)
        if finding.code == FALSE_NEGATIVES:
            return [Comparison(members & due, ~members & due)]
        is_made = np.array([i.predicted == label for i in context.instances], dtype=np.bool_)
        return [Comparison(members & ~due, ~members & ~due, is_made)]
    return []


def _by_answer(finding: Finding, context: AuditContext) -> list[NDArray[np.bool_]]:
    conditions = f", {finding.subject}, "
    return [
        context.predicted == column
        for column, label in enumerate(context.model.labels)
        if f", {PREDICTION} = {label}, " in conditions
    ]


def _with_label(label: str, context: AuditContext) -> NDArray[np.bool_]:
    return np.array([i.label == label for i in context.instances], dtype=np.bool_)


def _of_group(condition: str, context: AuditContext) -> NDArray[np.bool_]:
    """Return who is in a group of one column, or has the traits of several."""
    columns = [column for column in context.group if f", {column} = " in f", {condition}"]
    members = [
        ", ".join(f"{column} = {i.columns.get(column)}" for column in columns) == condition
        for i in context.instances
    ]
    return np.array(members, dtype=np.bool_)
