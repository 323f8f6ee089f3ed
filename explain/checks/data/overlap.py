"""Rows that are in the training data too."""

from collections.abc import Sequence

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
from explain.record import Finding, InstanceRecord, Sentence, Table, join_sentences
from explain.statistics.intervals import proportion

__all__ = ["overlap_with_training"]

LARGE_OVERLAP = 0.01
"""A text in a hundred that the model was trained on makes the measured performance too good."""

UNLIKE = "unlike the training data"


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
    return _exact(context, seen, unlike) + _almost(context, near, unlike) + part


def _exact(context: AuditContext, copies: NDArray[np.bool_], unlike: NDArray[np.bool_]) -> Part:
    """Return the texts that are in the training data, beside those that are not even almost."""
    share = proportion(TRAINING_OVERLAP.title, int(copies.sum()), len(copies))
    gap = accuracy_gap(context, copies, unlike, ("in the training data", UNLIKE))
    findings = []
    if significantly_above(int(copies.sum()), len(copies), LARGE_OVERLAP):
        claim = Sentence(
            "{copies} of {share.n} texts ({share}) are in the training data.",
            copies=int(copies.sum()),
            share=share,
        )
        findings.append(
            Finding(
                code="data.training_overlap",
                claim=join_sentences(claim, gap.sentence() if gap else ""),
                severity="critical",
                size=share.distance_from(0),
                measure=share,
                evidence=(SECTION, *_examples(context, copies)),
                suggestion="Measure the model again without these texts: it may only remember "
                "their labels.",
            )
        )
    return Part((share,), _accuracies(gap, "Accuracy on texts of the training data"), findings)


def _almost(context: AuditContext, near: NDArray[np.bool_], unlike: NDArray[np.bool_]) -> Part:
    """Return the texts that are almost in the training data, beside those that are not."""
    hits, n = int(near.sum()), int((near | unlike).sum())
    share = proportion(NEAR_TRAINING_COPIES.title, hits, n, "not in the training data")
    gap = accuracy_gap(context, near, unlike, ("almost in the training data", UNLIKE))
    findings = []
    if significantly_above(hits, n, LARGE_OVERLAP):
        claim = Sentence(
            "{near} of {share.n} other texts ({share}) are almost the same as one of the training "
            "data.",
            near=hits,
            share=share,
        )
        findings.append(
            Finding(
                code="data.near_training_copies",
                claim=join_sentences(claim, gap.sentence() if gap else ""),
                severity="major",
                size=share.distance_from(0),
                measure=share,
                evidence=(SECTION, *_examples(context, near)),
                suggestion="Measure the model again without these texts, or split the data so that "
                "almost equal texts lie on one side.",
            )
        )
    return Part(
        (share,), _accuracies(gap, "Accuracy on near copies of the training data"), findings
    )


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
