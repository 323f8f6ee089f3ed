"""Rows that are in the training data too."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.base.excerpt import excerpt
from explain.checks.base.section_part import Part
from explain.checks.data.accuracy_gap import AccuracyGap, accuracy_gap
from explain.checks.data.common import SECTION, significantly_above
from explain.checks.data.duplicates import MOST_COMPARED, MOST_TRAINING, Pair, near_duplicates
from explain.checks.data.labels import MOST_LISTED, shown_text
from explain.checks.data.metrics import NEAR_TRAINING_COPIES, TRAINING_OVERLAP
from explain.record import (
    Finding,
    InstanceRecord,
    MetricSpec,
    Sentence,
    Severity,
    Table,
    join_sentences,
)
from explain.statistics.intervals import proportion

__all__ = ["overlap_with_training"]

LARGE_OVERLAP = 0.01
"""A text in a hundred that the model was trained on makes the measured performance too good."""

UNLIKE = "unlike the training data"


@dataclass(frozen=True, slots=True)
class _Copies:
    """How copies of one kind are told of."""

    code: str
    metric: MetricSpec
    among: str
    """The slice of which they are a share."""
    place: str
    """Where they are, as a side of a comparison."""
    title: str
    """Of the table of accuracies."""
    claim: str
    severity: Severity
    suggestion: str


EXACT = _Copies(
    code="data.training_overlap",
    metric=TRAINING_OVERLAP,
    among="all",
    place="in the training data",
    title="Accuracy on texts of the training data",
    claim="{copies} of {share.n} texts ({share}) are in the training data.",
    severity="critical",
    suggestion="Measure the model again without these texts: it may only remember their labels.",
)

NEAR = _Copies(
    code="data.near_training_copies",
    metric=NEAR_TRAINING_COPIES,
    among="texts not in the training data",
    place="almost in the training data",
    title="Accuracy on near copies of the training data",
    claim="{copies} of {share.n} other texts ({share}) are almost the same as one of the training "
    "data.",
    severity="major",
    suggestion="Measure the model again without these texts, or split the data so that almost "
    "equal texts lie on one side.",
)


def overlap_with_training(context: AuditContext) -> Part:
    """Return the texts that the model was trained on, exactly or almost, as far as is known."""
    if context.training is None:
        return Part()
    texts = dict.fromkeys(row.parts for row in context.training.rows if row.problem is None)
    if not texts:
        return Part()
    instances, n = context.instances, len(context.instances)
    seen = np.array([instance.parts in texts for instance in instances])
    rng, training = context.rng(SECTION), list(texts)
    if len(training) > MOST_TRAINING:
        drawn = rng.choice(len(training), MOST_TRAINING, replace=False)
        training = [training[i] for i in np.sort(drawn)]
    new = [number for number in range(n) if not seen[number]]
    if len(new) > MOST_COMPARED:
        new = [new[i] for i in np.sort(rng.choice(len(new), MOST_COMPARED, replace=False))]
    pairs = near_duplicates([instances[i].parts for i in new], training)
    nearest = {pair.first: pair for pair in reversed(pairs)}
    listed = sorted(nearest.values(), key=lambda pair: -pair.similarity)
    near = np.zeros(n, dtype=np.bool_)
    near[[new[pair.first] for pair in listed]] = True
    unlike = np.isin(np.arange(n), new) & ~near
    part = Part(tables=(_near_copies(listed, [instances[i] for i in new], training),))
    exact = _copies(context, EXACT, seen, ~seen, unlike)
    return exact + _copies(context, NEAR, near, unlike, unlike) + part


def _copies(
    context: AuditContext,
    kind: _Copies,
    members: NDArray[np.bool_],
    other_rows: NDArray[np.bool_],
    unlike: NDArray[np.bool_],
) -> Part:
    """Return the copies of one kind, as a share of these rows, and the accuracy on them.

    Their accuracy stands beside that on texts that are not even almost in the training data.
    """
    hits, n = int(members.sum()), int((members | other_rows).sum())
    share = proportion(kind.metric.title, hits, n, kind.among)
    gap = accuracy_gap(context, members, unlike, (kind.place, UNLIKE))
    findings = []
    if significantly_above(hits, n, LARGE_OVERLAP):
        findings.append(
            Finding(
                code=kind.code,
                claim=join_sentences(
                    Sentence(kind.claim, copies=hits, share=share), gap.sentence() if gap else ""
                ),
                severity=kind.severity,
                size=share.distance_from(0),
                measure=share,
                evidence=(SECTION, *_examples(context, members)),
                suggestion=kind.suggestion,
            )
        )
    return Part((share,), _accuracies(gap, kind.title), findings)


def _accuracies(gap: AccuracyGap | None, title: str) -> tuple[Table, ...]:
    if gap is None:
        return ()
    return (
        gap.table(
            title,
            "The others are neither in the training data nor almost the same as one of its texts.",
        ),
    )


def _examples(context: AuditContext, members: NDArray[np.bool_]) -> list[str]:
    return [context.instances[i].id for i in np.flatnonzero(members)[:3]]


def _near_copies(
    pairs: Sequence[Pair], instances: Sequence[InstanceRecord], training: Sequence[tuple[str, ...]]
) -> Table:
    return Table(
        title="Texts that are almost the same as one of the training data",
        columns=("instance", "text", "text of the training data", "similarity"),
        rows=tuple(
            (*shown_text(instances[i]), excerpt(training[j]), similarity)
            for i, j, similarity in pairs[:MOST_LISTED]
        ),
        note=Sentence(
            "The {shown} most similar of {pairs} {pairs:pair|pairs}. We compared with {texts} "
            "texts of the training data.",
            shown=min(len(pairs), MOST_LISTED),
            pairs=len(pairs),
            texts=len(training),
        ),
    )
