"""Labels of one text that contradict each other."""

from explain.checks.base import AuditContext
from explain.checks.base.excerpt import excerpt
from explain.checks.base.section_part import Part
from explain.checks.data.common import SECTION, significantly_above
from explain.checks.data.metrics import CONFLICTING_LABELS
from explain.record import Finding, InstanceLink, InstanceRecord, Sentence
from explain.statistics.intervals import proportion

__all__ = ["MOST_LISTED", "conflicting_labels", "shown_text"]

MOST_LISTED = 20

LARGE_CONFLICT = 0.02
"""Labels that contradict each other on one text in fifty bound what any model can reach."""


def shown_text(instance: InstanceRecord) -> tuple[InstanceLink, str]:
    """Return a link to an instance and the beginning of its text."""
    return InstanceLink(instance=instance.id), excerpt(instance.parts)


def conflicting_labels(context: AuditContext) -> Part:
    """Return the texts that are labelled more than once, and not alike."""
    labels: dict[tuple[str, ...], list[InstanceRecord]] = {}
    for instance in context.instances:
        if instance.labels is not None:
            labels.setdefault(instance.parts, []).append(instance)
    repeated = [same for same in labels.values() if len(same) > 1]
    if not repeated:
        return Part()
    conflicting = [same for same in repeated if len({frozenset(i.labels or ()) for i in same}) > 1]
    measure = proportion(CONFLICTING_LABELS.title, len(conflicting), len(repeated))
    rows, n = sum(map(len, conflicting)), sum(map(len, labels.values()))
    findings = []
    if significantly_above(rows, n, LARGE_CONFLICT):
        share = proportion("rows whose text has another label elsewhere", rows, n)
        findings.append(
            Finding(
                code="data.conflicting_labels",
                claim=Sentence(
                    "{rows} of {share.n} labelled rows ({share}) contradict another row with "
                    "exactly the same text.",
                    rows=rows,
                    share=share,
                ),
                severity="minor",
                size=share.distance_from(0),
                measure=share,
                evidence=(SECTION, *(same[0].id for same in conflicting[:3])),
                suggestion="Decide on one label for each of these texts before you judge the model "
                "by them.",
            )
        )
    return Part((measure,), findings=findings)
