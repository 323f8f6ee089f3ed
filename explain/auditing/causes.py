"""Which finding explains another: texts with a shortcut are often a slice of their own."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from explain.checks import AuditContext
from explain.checks.shortcuts.members import texts_of_shortcut
from explain.checks.slices.members import texts_of_slices
from explain.record import Finding, Section

__all__ = ["with_causes"]

AGREEMENT = 0.8
"""Correlation (phi) of two sets of texts from which they are the same for a reader: of a hundred
texts, half of them in each, ten are in one alone."""

SHORTCUTS = "shortcuts"

ABOUT_SLICES: Final = ("slices.worse", "selective.slice")
"""Findings that texts of some kind get wrong answers, which a shortcut may explain."""

NOISE_IN_GROUP = "data.label_errors_in_group"

ABOUT_ERRORS: Final = (
    *ABOUT_SLICES,
    "fairness.accuracy",
    "fairness.false_positives",
    "fairness.false_negatives",
    "fairness.over_confident",
)
"""Findings that count as wrong what contradicts the labels, so that wrong labels may explain them.
What a model selects, or how it answers when a name is changed, rests on no label."""


def with_causes(sections: Sequence[Section], context: AuditContext) -> list[Section]:
    """Return the sections, with the finding that explains it on each one that another explains.

    Where a feature of texts predicts both the label and how often the model is right, the model is
    worse in the texts with the feature, or in those without it, because it follows the feature.
    Where the labels of a group are wrong, the model seems to be wrong about the group. The checks
    do not know each other, so it is here that their findings are put together.
    """
    findings = [finding for section in sections for finding in section.findings]
    shortcuts = {
        finding.id: texts_of_shortcut(finding, context)
        for section in sections
        if section.id == SHORTCUTS
        for finding in section.findings
    }
    noise = [finding for finding in findings if finding.code == NOISE_IN_GROUP]

    def with_its_cause(finding: Finding) -> Finding:
        cause = finding.cause or _wrong_labels(finding, noise)
        if cause is None and shortcuts and finding.code in ABOUT_SLICES:
            cause = _shortcut(finding, shortcuts, context)
        return finding if cause == finding.cause else finding.model_copy(update={"cause": cause})

    return [
        section.model_copy(update={"findings": tuple(map(with_its_cause, section.findings))})
        if section.findings
        else section
        for section in sections
    ]


def _wrong_labels(finding: Finding, noise: Sequence[Finding]) -> str | None:
    """Return the wrong labels of the very group that a finding is about, if they are enough.

    They are if the certain size of what is found is no larger than what they may be.
    """
    if finding.code not in ABOUT_ERRORS:
        return None
    enough = (
        cause.id
        for cause in noise
        if cause.measure is not None
        and _is_about(finding, cause.subject)
        and (finding.size or 0.0) <= (cause.measure.upper or 0.0)
    )
    return next(enough, None)


def _is_about(finding: Finding, group: str) -> bool:
    """Return whether a finding, or the worst slice of one, is about a group or a decision on it."""
    worst = finding.measure.slice if finding.measure is not None else None
    of_decision = finding.code.startswith("fairness.") and finding.subject.startswith(f"{group}: ")
    return group in (finding.subject, worst) or of_decision


def _shortcut(
    finding: Finding, shortcuts: dict[str, NDArray[np.bool_]], context: AuditContext
) -> str | None:
    """Return the shortcut whose texts agree best with a slice that a finding names."""
    slices = texts_of_slices(finding, context)
    agreements = {
        cause: max((abs(_phi(texts, s)) for texts in sets for s in slices), default=0.0)
        for cause, sets in shortcuts.items()
    }
    best = max(agreements, key=lambda cause: agreements[cause], default=None)
    return best if best is not None and agreements[best] >= AGREEMENT else None


def _phi(first_set: NDArray[np.bool_], second_set: NDArray[np.bool_]) -> float:
    """Return the correlation of two sets of the same rows; zero if one holds all or none."""
    if len(set(first_set.tolist())) < 2 or len(set(second_set.tolist())) < 2:
        return 0.0
    return float(np.corrcoef(first_set, second_set)[0, 1])
