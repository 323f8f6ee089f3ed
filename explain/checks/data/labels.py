"""Labels that contradict each other, or what the other rows say."""

import warnings
from collections.abc import Sequence

import numpy as np

from explain.checks.base import LEVEL, AuditContext
from explain.checks.base.excerpt import excerpt
from explain.checks.base.section_part import Part
from explain.checks.data.common import SECTION, significantly_above
from explain.checks.data.label_noise import LabelNoise, label_noise
from explain.checks.data.metrics import CONFLICTING_LABELS, SUSPECTED_LABELS
from explain.record import Finding, InstanceLink, InstanceRecord, Sentence, Table
from explain.statistics.intervals import proportion

__all__ = ["MOST_LISTED", "conflicting_labels", "shown_text", "suspected_labels"]

MOST_LISTED = 20

LARGE_CONFLICT = 0.02
"""Labels that contradict each other on one text in fifty bound what any model can reach."""

LEAST_NOISE = 0.01
"""One label in a hundred that contradicts its text: with fewer, an accuracy is hardly off."""

FEWEST_SUSPECTED = 50
"""Labelled rows below which no label is suspected: there are too few to learn what is usual."""


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


MOST_LABELS_COMPARED = 5_000
"""Labels up to which wrong ones are looked for: memory grows with their square, to 1 GB here."""


def suspected_labels(context: AuditContext) -> Part:
    """Return the given labels that the model's probabilities speak against.

    By confident learning (Northcutt et al. 2021). On 872 sentences of SST-2 with one label in
    twenty changed it named 83 % of those, and was right in 32 % of what it named; with
    out-of-fold probabilities of a TF-IDF model instead of a fine-tuned one in 10 %. Of the labels
    as published it named 8 %. So it is a list to read; the finding is that of `label_noise`, which
    does not ask the audited model.
    """
    rows = np.flatnonzero(context.labels >= 0)
    labels = context.labels[rows]
    if len(rows) < FEWEST_SUSPECTED or len(np.unique(labels)) < 2:
        return Part()
    if (n_labels := len(context.model.labels)) > MOST_LABELS_COMPARED:
        return _too_many(n_labels)
    from cleanlab.filter import find_label_issues

    with warnings.catch_warnings():
        # It warns of labels that occur once, which it leaves alone.
        warnings.simplefilter("ignore")
        ranked = find_label_issues(
            labels,
            context.probabilities[rows],
            return_indices_ranked_by="self_confidence",
            n_jobs=1,
        )
    suspects = [context.instances[rows[i]] for i in ranked]
    noise = label_noise(
        [context.instances[row].parts for row in rows.tolist()],
        labels,
        context.rng(SECTION),
    )
    probabilities = context.probabilities[rows, labels][ranked]
    return Part(
        (proportion(SUSPECTED_LABELS.title, len(suspects), len(rows)), noise.measure),
        (
            Table(
                title="Suspected label errors",
                columns=("instance", "text", "given", "predicted", "probability of the given"),
                rows=tuple(
                    (*shown_text(instance), instance.label, instance.predicted, float(p))
                    for instance, p in zip(
                        suspects[:MOST_LISTED], probabilities[:MOST_LISTED], strict=True
                    )
                ),
                note=Sentence(
                    "The {shown} least probable of {n} labels that the model's probabilities "
                    "contradict (confident learning). A confident error of the model looks the "
                    "same, so read them.",
                    shown=min(len(suspects), MOST_LISTED),
                    n=len(suspects),
                ),
            ),
        ),
        _noise_finding(noise, suspects),
    )


def _too_many(n_labels: int) -> Part:
    reason = Sentence(
        "the model has {n} labels; at most {most} can be compared with each other",
        n=n_labels,
        most=MOST_LABELS_COMPARED,
    )
    rows = (("wrong labels", reason),)
    return Part(tables=(Table(title="Not measured", columns=("what", "reason"), rows=rows),))


def _noise_finding(noise: LabelNoise, suspects: Sequence[InstanceRecord]) -> list[Finding]:
    """Return that labels contradict their texts, if more do than can be by chance."""
    measure = noise.measure
    if noise.p_value > LEVEL / 2 or (measure.lower or 0) < LEAST_NOISE:
        return []
    return [
        Finding(
            code="data.label_errors",
            claim=Sentence(
                "About {wrong:.0f} of {share.n} labels are probably wrong ({share}). These labels "
                "contradict what the other rows say about similar texts.",
                wrong=(measure.value or 0.0) * measure.n,
                share=measure,
            ),
            severity="minor",
            size=measure.distance_from(0),
            measure=measure,
            evidence=(SECTION, *(instance.id for instance in suspects[:3])),
            suggestion="Read the suspected label errors, at least the first ones, and correct them "
            "before you judge the model by them.",
        )
    ]
