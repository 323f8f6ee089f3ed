"""How many wrong answers a finding accounts for, and whether they are what another one counts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from explain.auditing.members import Comparison
from explain.checks import AuditContext
from explain.checks.base.decisions import Decision
from explain.checks.base.identity_terms import mentions
from explain.checks.fairness.name_groups import bearers_of
from explain.record import Finding, Measure

__all__ = ["accounts_of", "counts_no_more_than"]

Shares: TypeAlias = NDArray[np.float64]
"""For each instance, how much of its wrong answer is accounted for, from 0 to 1."""


def accounts_of(findings: Sequence[Finding], context: AuditContext) -> dict[str, Shares]:
    """Return for each finding that can cause others, by id, what it accounts for at most.

    Where labels are wrong, answers that contradict them are right as often as that. Where names
    decide, what they decide wrongly is wrong by them. Where the way of asking changes answers, as
    many are wrong by it. What is about some texts comes before what is about all.
    """
    if context.model.task != "single_label":
        return {}
    return {
        finding.id: account(finding, context)
        for code, account in _ACCOUNTS.items()
        for finding in findings
        if finding.code == code
    }


def counts_no_more_than(
    finding: Finding, shares: Shares, comparisons: Sequence[Comparison]
) -> bool:
    """Return whether the certain size of a finding is no larger than what is accounted for."""
    size = finding.size or 0.0
    return any(_excess(shares, sides) >= size for sides in comparisons)


def _excess(shares: Shares, sides: Comparison) -> float:
    """Return how much more of the answers is accounted for inside than in the rest."""
    inside, rest, error = sides
    if error is not None:
        shares = shares * error
    if not inside.any():
        return -1.0
    return float(shares[inside].mean() - (shares[rest].mean() if rest.any() else 0.0))


def _is_wrong(context: AuditContext) -> NDArray[np.bool_]:
    return np.asarray((context.labels >= 0) & (context.predicted != context.labels))


def _spread(most: float, rows: NDArray[np.bool_]) -> Shares:
    """Return a number of wrong labels, spread over the rows that may have them."""
    return rows.astype(np.float64) * min(1.0, most / max(1, int(rows.sum())))


def _wrong_labels(finding: Finding, context: AuditContext) -> Shares:
    """Spread the wrong labels of each pair over the answers that contradict them in that way."""
    names = context.model.labels
    shares = np.zeros(len(context.instances))
    for given, right, _, share in finding.members.rows if finding.members else ():
        if isinstance(share, Measure) and given in names and right in names:
            rows = (context.labels == names.index(str(given))) & (
                context.predicted == names.index(str(right))
            )
            shares += _spread((share.upper or 0.0) * share.n, rows)
    return shares


def _wrong_labels_of_group(finding: Finding, context: AuditContext) -> Shares:
    """Spread the wrong labels that a group has more than others over what contradicts them."""
    column, _, group = finding.subject.partition(" = ")
    members = np.array([i.columns.get(column) == group for i in context.instances], dtype=np.bool_)
    gap = finding.measure.upper if finding.measure is not None else None
    labelled = members & (context.labels >= 0)
    return _spread((gap or 0.0) * int(labelled.sum()), members & _is_wrong(context))


def _names(finding: Finding, context: AuditContext) -> Shares:
    """Return the texts with a name of the group that wrongly got what its names get."""
    people, _, decision = finding.subject.partition(": ")
    texts = [instance.parts for instance in context.instances]
    has_name = np.array([bool(row) for row in mentions(texts, bearers_of(people))], dtype=np.bool_)
    made = [
        (context.predicted == one.column) == one.holds
        for column, label in enumerate(context.model.labels)
        for one in (Decision(column, label), Decision(column, label, holds=False))
        if one.name == decision
    ]
    of_decision = made[0] if made else np.zeros_like(has_name)
    return (has_name & of_decision & _is_wrong(context)).astype(np.float64)


def _changed_answers(finding: Finding, context: AuditContext) -> Shares:
    """Spread the answers that another way of asking changes over the wrong ones."""
    most = finding.measure.upper if finding.measure is not None else None
    n_labelled = int((context.labels >= 0).sum())
    return _spread((most or 0.0) * n_labelled, _is_wrong(context))


_ACCOUNTS: Final[Mapping[str, Callable[[Finding, AuditContext], Shares]]] = {
    "fairness.names": _names,
    "data.label_errors_in_group": _wrong_labels_of_group,
    "data.label_errors": _wrong_labels,
    "language-model.order": _changed_answers,
    "language-model.names": _changed_answers,
    "language-model.instruction": _changed_answers,
}
"""How the wrong answers are counted that a finding accounts for."""
