"""Rows that stand in the training data too."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.base.excerpt import excerpt
from explain.checks.base.part import Part
from explain.checks.data.common import SECTION, surely_above
from explain.checks.data.duplicates import MOST_COMPARED, MOST_KNOWN, Pair, near_duplicates
from explain.checks.data.labels import MOST_LISTED, shown_text
from explain.checks.data.metrics import TRAINING_OVERLAP
from explain.record import Finding, InstanceRecord, Measure, Table
from explain.record.wording import estimated
from explain.statistics.intervals import proportion

__all__ = ["overlap_with_training"]

LARGE_OVERLAP = 0.01
"""A text in a hundred that the model was trained on makes the measured performance too good."""


def overlap_with_training(context: AuditContext) -> Part:
    """Return the texts that the model was trained on, exactly or almost, as far as is known."""
    if context.training is None:
        return Part()
    known = dict.fromkeys(row.parts for row in context.training.rows if row.problem is None)
    if not known:
        return Part()
    instances, n = context.instances, len(context.instances)
    seen = np.array([instance.parts in known for instance in instances])
    rng, training = context.rng(SECTION), list(known)
    if len(training) > MOST_KNOWN:
        drawn = rng.choice(len(training), MOST_KNOWN, replace=False)
        training = [training[i] for i in np.sort(drawn)]
    new = [number for number in range(n) if not seen[number]]
    if len(new) > MOST_COMPARED:
        new = [new[i] for i in np.sort(rng.choice(len(new), MOST_COMPARED, replace=False))]
    alike = near_duplicates([instances[i].parts for i in new], training)
    nearest = {pair.one: pair for pair in reversed(alike)}
    exact = proportion(TRAINING_OVERLAP.title, int(seen.sum()), n)
    measures = [
        exact,
        proportion(
            "texts that are almost in the training data",
            len(nearest),
            len(new),
            "not in the training data",
        ),
    ]
    apart = _accuracies(context, seen)
    judged = ""
    if all(measure.n for measure in apart):
        measures += apart
        judged = (
            f" It is right on {estimated(apart[0])} of those, and on {estimated(apart[1])} "
            "of the others."
        )
    found = []
    if surely_above(int(seen.sum()), n, LARGE_OVERLAP):
        found.append(
            Finding(
                claim=f"{estimated(exact)} of the texts are in the training data (n = {n:,})."
                + judged,
                severity="critical",
                measure=exact,
                evidence=(SECTION, *(instances[i].id for i in np.flatnonzero(seen)[:3])),
                suggestion="Measure the model again without these texts: on them it may remember "
                "rather than judge.",
            )
        )
    shown = sorted(nearest.values(), key=lambda pair: -pair.similarity)
    return Part(measures, (_almost(shown, [instances[i] for i in new], training),), found)


def _almost(
    pairs: Sequence[Pair], instances: Sequence[InstanceRecord], training: Sequence[tuple[str, ...]]
) -> Table:
    return Table(
        title="Almost in the training data",
        columns=("instance", "text", "text of the training data", "similarity"),
        rows=tuple(
            (*shown_text(instances[i]), excerpt(training[j]), similarity)
            for i, j, similarity in pairs[:MOST_LISTED]
        ),
        note=f"The {min(len(pairs), MOST_LISTED)} most similar of {len(pairs):,}; compared "
        f"with {len(training):,} texts of the training data.",
    )


def _accuracies(context: AuditContext, seen: NDArray[np.bool_]) -> list[Measure]:
    """Return how often the model is right on texts that are in the training data, and on others."""
    right, labelled = context.predicted == context.given, context.given >= 0
    return [
        proportion("accuracy", int(right[own].sum()), int(own.sum()), name)
        for name, own in (
            ("in the training data", seen & labelled),
            ("not in the training data", ~seen & labelled),
        )
    ]
