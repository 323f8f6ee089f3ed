"""Rows that are in the training data too."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.base.excerpt import excerpt
from explain.checks.base.section_part import Part
from explain.checks.data.common import SECTION, significantly_above
from explain.checks.data.duplicates import MOST_COMPARED, MOST_TRAINING, Pair, near_duplicates
from explain.checks.data.labels import MOST_LISTED, shown_text
from explain.checks.data.metrics import TRAINING_OVERLAP
from explain.record import Finding, InstanceRecord, Measure, Sentence, Table, join_sentences
from explain.statistics.intervals import proportion

__all__ = ["overlap_with_training"]

LARGE_OVERLAP = 0.01
"""A text in a hundred that the model was trained on makes the measured performance too good."""


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
    near_copies = near_duplicates([instances[i].parts for i in new], training)
    nearest = {pair.first: pair for pair in reversed(near_copies)}
    exact = proportion(TRAINING_OVERLAP.title, int(seen.sum()), n)
    measures = [
        exact,
        proportion(
            "texts that are almost the same as one of the training data",
            len(nearest),
            len(new),
            "not in the training data",
        ),
    ]
    accuracies = _accuracies(context, seen)
    if all(measure.n for measure in accuracies):
        measures += accuracies
    examples = [instances[i].id for i in np.flatnonzero(seen)[:3]]
    findings = []
    if significantly_above(int(seen.sum()), n, LARGE_OVERLAP):
        findings.append(_finding(int(seen.sum()), exact, *accuracies, examples))
    pairs = sorted(nearest.values(), key=lambda pair: -pair.similarity)
    return Part(measures, (_near_copies(pairs, [instances[i] for i in new], training),), findings)


def _finding(
    n_seen: int, share: Measure, on_seen: Measure, on_unseen: Measure, examples: Sequence[str]
) -> Finding:
    """Return that texts are in the training data, with the accuracies on them and on others."""
    claim = Sentence(
        "{seen} of {share.n} texts ({share}) are in the training data.", seen=n_seen, share=share
    )
    comparison = Sentence(
        "The model is right on {seen} of those, and on {unseen} of the others.",
        seen=on_seen,
        unseen=on_unseen,
    )
    return Finding(
        code="data.training_overlap",
        claim=join_sentences(claim, comparison if on_seen.n and on_unseen.n else ""),
        severity="critical",
        size=share.distance_from(0),
        measure=share,
        evidence=(SECTION, *examples),
        suggestion="Measure the model again without these texts: it may only remember their "
        "labels.",
    )


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


def _accuracies(context: AuditContext, in_training: NDArray[np.bool_]) -> tuple[Measure, Measure]:
    """Return how often the model is right on texts that are in the training data, and on others."""
    right, labelled = context.predicted == context.labels, context.labels >= 0
    on_seen, on_unseen = (
        proportion("accuracy", int(right[members].sum()), int(members.sum()), name)
        for name, members in (
            ("in the training data", in_training & labelled),
            ("not in the training data", ~in_training & labelled),
        )
    )
    return on_seen, on_unseen
