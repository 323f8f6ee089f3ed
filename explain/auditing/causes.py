"""Which finding explains another: texts with a shortcut are often a slice of their own."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from explain.auditing.accounts import accounts_of, counts_no_more_than
from explain.auditing.members import ABOUT_SLICES, comparisons_of
from explain.checks import AuditContext
from explain.checks.base.identity_terms import IdentityTerm, mentions
from explain.checks.fairness.name_groups import bearers_of
from explain.checks.shortcuts.members import texts_of_shortcut
from explain.checks.slices.members import texts_of_slices
from explain.record import Finding, Section

__all__ = ["with_causes"]

AGREEMENT = 0.8
"""Correlation (phi) of two sets of texts from which they are the same for a reader: of a hundred
texts, half of them in each, ten are in one alone."""

SHORTCUTS = "shortcuts"

NAMES = "fairness.names"

DATA, LABEL_ERRORS = "data.", "data.label_errors"


def with_causes(sections: Sequence[Section], context: AuditContext) -> list[Section]:
    """Return the sections, with the finding that explains it on each one that another explains.

    Where a feature of texts predicts both the label and how often the model is right, the model is
    worse in the texts with the feature, or in those without it, because it follows the feature.
    Where labels are wrong, the model seems to be wrong. Where the names of a group decide, one of
    them does. Where another way of asking changes answers, some are wrong for it. The checks do not
    know each other, so it is here that their findings are put together.
    """
    findings = [finding for section in sections for finding in section.findings]
    shortcuts = {
        finding.id: texts_of_shortcut(finding, context)
        for section in sections
        if section.id == SHORTCUTS
        for finding in section.findings
    }
    accounts = accounts_of(findings, context)
    of_names = {
        finding.id: bearers_of(finding.subject.partition(": ")[0])
        for finding in findings
        if finding.code == NAMES
    }

    def with_its_cause(finding: Finding) -> Finding:
        cause = finding.cause or _account(finding, accounts, context) or _name(finding, of_names)
        if cause is None and shortcuts and finding.code in ABOUT_SLICES:
            cause = _shortcut(finding, shortcuts, context)
        return finding if cause == finding.cause else finding.model_copy(update={"cause": cause})

    return [
        section.model_copy(update={"findings": tuple(map(with_its_cause, section.findings))})
        if section.findings
        else section
        for section in sections
    ]


def _account(
    finding: Finding, accounts: Mapping[str, NDArray[np.float64]], context: AuditContext
) -> str | None:
    """Return the finding that accounts for all that this one counts for certain."""
    others = {cause: shares for cause, shares in accounts.items() if cause != finding.id}
    if finding.code == LABEL_ERRORS:
        # Another model contradicts those labels: that is no matter of what this one does.
        others = {cause: shares for cause, shares in others.items() if cause.startswith(DATA)}
    comparisons = comparisons_of(finding, context) if others else ()
    enough = (
        c for c, shares in others.items() if counts_no_more_than(finding, shares, comparisons)
    )
    return next(enough, None)


def _name(finding: Finding, of_names: Mapping[str, Collection[IdentityTerm]]) -> str | None:
    """Return the finding on names of a group, if those are what decides the same answer.

    A phrase may hold other words beside a name; of names that are exchanged, all are of the group.
    """
    subject, _, decision = finding.subject.partition(": ")
    exchanged = set(subject.split(", "))
    for cause, names in of_names.items():
        if finding.code == "shortcuts.word" and any(mentions([(subject,)], names)):
            return cause
        of_same = cause.removesuffix("]").endswith(f": {decision}")
        of_group = exchanged <= {term.name for term in names}
        if finding.code == "fairness.swap" and of_same and of_group:
            return cause
    return None


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
