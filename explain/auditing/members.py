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

ABOUT_ALL: Final = ("calibration.over_confident", "data.label_errors")


def comparisons_of(finding: Finding, context: AuditContext) -> Sequence[Comparison]:
    """Return the answers that a finding counts as wrong too often; none if it counts others.

    Only labelled instances are counted, and compared with.
    """
    is_labelled = context.labels >= 0
    if finding.code in ABOUT_ALL:
        return [Comparison(is_labelled, np.zeros_like(is_labelled))]
    if finding.code in ABOUT_SLICES:
        worst = _worst_slice(finding)
        slices = [*texts_of_slices(worst, context), *_by_answer(worst, context)]
        return [Comparison(inside & is_labelled, ~inside & is_labelled) for inside in slices]
    if finding.code in ABOUT_GROUPS:
        members, others = _of_group(finding.subject, context)
        return [Comparison(members & is_labelled, others & is_labelled)]
    if finding.code in (FALSE_POSITIVES, FALSE_NEGATIVES):
        return _of_errors(finding, context, is_labelled)
    return []


def _of_errors(
    finding: Finding, context: AuditContext, is_labelled: NDArray[np.bool_]
) -> list[Comparison]:
    """Return who is due what a finding is about, or who is not; a label may hold a colon."""
    subject = finding.subject
    labels = [label for label in context.model.labels if subject.endswith(f": {label}")]
    if not labels:
        return []
    label = max(labels, key=len)
    members, others = _of_group(subject.removesuffix(f": {label}"), context)
    due = is_labelled & (context.labels == context.model.labels.index(label))
    if finding.code == FALSE_NEGATIVES:
        return [Comparison(members & due, others & due)]
    is_made = np.array([i.predicted == label for i in context.instances], dtype=np.bool_)
    others_due = is_labelled & ~due
    return [Comparison(members & others_due, others & others_due, is_made)]


def _worst_slice(finding: Finding) -> Finding:
    """Return the finding about that slice alone that was measured, if it says which."""
    condition = finding.measure.slice if finding.measure is not None else None
    return finding.model_copy(update={"subject": condition}) if condition else finding


def _by_answer(finding: Finding, context: AuditContext) -> list[NDArray[np.bool_]]:
    conditions = f", {finding.subject}, "
    return [
        context.predicted == column
        for column, label in enumerate(context.model.labels)
        if f", {PREDICTION} = {label}, " in conditions
    ]


def _of_group(condition: str, context: AuditContext) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return who is in a group of one column, or has the traits of several, and who is not.

    Of whom a column says nothing is in neither.
    """
    columns = [column for column in context.group if f", {column} = " in f", {condition}"]
    traits = [[i.columns.get(column) for column in columns] for i in context.instances]
    known = np.array([None not in values for values in traits], dtype=np.bool_)
    members = np.array(
        [
            ", ".join(f"{column} = {value}" for column, value in zip(columns, values, strict=True))
            == condition
            for values in traits
        ],
        dtype=np.bool_,
    )
    return members & known, ~members & known
