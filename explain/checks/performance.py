"""How often the model is right, by label, with intervals."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.intervals import bootstrap, proportion
from explain.record import (
    ConfusionFigure,
    InstanceLink,
    InstanceRecord,
    IntervalsFigure,
    Measure,
    Section,
    Table,
)
from explain.spans import words

__all__ = ["PerformanceCheck", "f1_scores", "macro_f1", "matthews"]

MOST_LISTED = 20
FEWEST_PER_LABEL = 20
"""Rows per label below which macro-F1 over many labels has no interval: it is biased then, and in
25 samples from CLINC150 (150 labels) BCa held the true value in 19 with 4 rows per label, in 21
with 10."""

LONGEST_EXCERPT = 200
"""Characters of a text in a table; its instance shows all of it."""

MOST_DRAWN = 16
"""Labels up to which all are drawn, and the counts of a confusion matrix can be read; with more,
those with the lowest recall are drawn, and the most frequent confusions are listed."""


@dataclass(frozen=True, slots=True)
class PerformanceCheck:
    """Accuracy, precision, recall and F1 by label, confusion, and the most confident errors."""

    id: ClassVar[str] = "performance"
    title: ClassVar[str] = "Performance"
    metrics: ClassVar[tuple[str, ...]] = (
        "accuracy",
        "macro-F1",
        "Matthews correlation",
        "precision of *",
        "recall of *",
    )

    def run(self, context: AuditContext) -> Section:
        """Return the statistics of the labelled rows."""
        labelled = [instance for instance in context.instances if instance.label is not None]
        if reason := _reason_to_skip(context, len(labelled)):
            return Section(
                id=self.id, title=self.title, summary="Nothing was measured.", skipped=reason
            )
        labels = context.model.labels
        given = np.array([labels.index(str(i.label)) for i in labelled])
        predicted = np.array([labels.index(i.predicted) for i in labelled])
        counts = confusion_counts(given, predicted, len(labels))
        n = len(labelled)
        accuracy = proportion("accuracy", int(np.trace(counts)), n)
        majority = proportion("always the most frequent label", int(counts.sum(1).max()), n)

        def resampled(
            name: str, score: Callable[[NDArray[np.int64]], NDArray[np.float64]]
        ) -> Measure:
            return bootstrap(
                name,
                lambda rows: score(confusion_counts(given[rows], predicted[rows], len(labels))),
                n,
                context.seed,
                "coefficient",
            )

        def f1(i: int) -> Measure:
            own, called = (given == i).astype(np.int64), (predicted == i).astype(np.int64)
            return bootstrap(
                f"F1 of {labels[i]}",
                lambda rows: f1_scores(confusion_counts(own[rows], called[rows], 2))[..., 1],
                n,
                context.seed,
                "coefficient",
            )

        by_label = [_label_measures(label, i, counts) for i, label in enumerate(labels)]
        return Section(
            id=self.id,
            title=self.title,
            summary=_summary(accuracy, majority, len(context.instances), len(labels)),
            measures=(
                accuracy,
                Measure(name="macro-F1", value=float(macro_f1(counts)), n=n, unit="coefficient")
                if _too_sparse(len(labels), n)
                else resampled("macro-F1", macro_f1),
                resampled("Matthews correlation", matthews),
                majority,
            ),
            figures=_figures(labels, counts, by_label, accuracy),
            tables=(
                *([_confusions(labelled)] if len(labels) > MOST_DRAWN else []),
                _label_table(labels, counts, by_label, f1),
                _worst_errors(labelled),
            ),
        )


def confusion_counts(
    given: NDArray[np.int64], predicted: NDArray[np.int64], n_labels: int
) -> NDArray[np.int64]:
    """Return counts of given (rows) against predicted (columns) labels.

    Parameters
    ----------
    given, predicted : array, shape (..., n)
        Label indices.
    n_labels : int
        Number of labels.

    Returns
    -------
    array, shape (..., n_labels, n_labels)
    """
    cells = given * n_labels + predicted
    flat = cells.reshape(-1, cells.shape[-1])
    size = n_labels * n_labels
    offset = np.arange(len(flat))[:, None] * size
    counts = np.bincount((flat + offset).ravel(), minlength=len(flat) * size)
    return counts.reshape(*cells.shape[:-1], n_labels, n_labels)


def f1_scores(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return F1 of each label, shape (..., n_labels); zero for a label that never occurs."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    total = counts.sum(-1) + counts.sum(-2)
    f1: NDArray[np.float64] = 2 * hits / np.maximum(total, 1)
    return f1


def macro_f1(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean F1 of the labels that are given or predicted at all, shape (...)."""
    occurs = (counts.sum(-1) + counts.sum(-2)) > 0
    mean: NDArray[np.float64] = f1_scores(counts).sum(-1) / np.maximum(occurs.sum(-1), 1)
    return mean


def matthews(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return Matthews' correlation for several labels (Gorodkin 2004), shape (...)."""
    n = counts.sum((-2, -1), dtype=np.float64)
    hits = np.trace(counts, axis1=-2, axis2=-1)
    given, predicted = counts.sum(-1, dtype=np.float64), counts.sum(-2, dtype=np.float64)
    covariance = hits * n - (given * predicted).sum(-1)
    spread = np.sqrt((n**2 - (given**2).sum(-1)) * (n**2 - (predicted**2).sum(-1)))
    correlation: NDArray[np.float64] = covariance / np.where(spread > 0, spread, 1)
    return correlation


def _reason_to_skip(context: AuditContext, n_labelled: int) -> str | None:
    if context.model.task != "single_label":
        return (
            "accuracy is defined for one label per text, this is a "
            f"{context.model.task.replace('_', '-')} model; no statistic for it is built in yet"
        )
    if not context.dataset.labelled:
        return "no label column was named"
    if not n_labelled:
        return "no scored row has a label"
    return None


def _too_sparse(n_labels: int, n: int) -> bool:
    """Tell whether there are many labels with few rows each."""
    return n_labels > MOST_DRAWN and n < FEWEST_PER_LABEL * n_labels


def _summary(accuracy: Measure, majority: Measure, n_instances: int, n_labels: int) -> str:
    sentence = (
        f"The model is right on {accuracy.value:.1%} of {accuracy.n:,} labelled rows "
        f"(95 % interval {accuracy.lower:.1%} to {accuracy.upper:.1%}); always answering the most "
        f"frequent label would be right on {majority.value:.1%}."
    )
    if unlabelled := n_instances - accuracy.n:
        sentence += f" {unlabelled:,} rows have no label and do not count."
    if _too_sparse(n_labels, accuracy.n):
        sentence += (
            f" With {accuracy.n / n_labels:.0f} rows for each of {n_labels} labels, macro-F1 tends "
            "to be too low, and no interval for it can be relied on."
        )
    return sentence


def _label_measures(label: str, i: int, counts: NDArray[np.int64]) -> tuple[Measure, Measure]:
    hits = int(counts[i, i])
    return (
        proportion(f"precision of {label}", hits, int(counts[:, i].sum())),
        proportion(f"recall of {label}", hits, int(counts[i].sum())),
    )


def _label_table(
    labels: Sequence[str],
    counts: NDArray[np.int64],
    by_label: Sequence[tuple[Measure, Measure]],
    f1: Callable[[int], Measure],
) -> Table:
    order, note = list(range(len(labels))), ""
    if len(labels) > MOST_DRAWN:
        order, note = _by_recall(by_label), " The lowest recall first."
    return Table(
        title="By label",
        columns=("label", "given", "predicted", "precision", "recall", "F1"),
        rows=tuple(
            (
                labels[i],
                int(counts[i].sum()),
                int(counts[:, i].sum()),
                *by_label[i],
                f1(i),
            )
            for i in order
        ),
        note="Precision: of the rows called so, how many are. Recall: of those that are, how many "
        f"are called so. F1: their harmonic mean.{note}",
    )


def _by_recall(by_label: Sequence[tuple[Measure, Measure]]) -> list[int]:
    """Return the labels by recall, the lowest first, and of equal ones that with the most rows."""
    recalls = [recall for _, recall in by_label]
    return sorted(
        range(len(recalls)),
        key=lambda i: (2.0 if (value := recalls[i].value) is None else value, -recalls[i].n),
    )


def _figures(
    labels: Sequence[str],
    counts: NDArray[np.int64],
    by_label: Sequence[tuple[Measure, Measure]],
    accuracy: Measure,
) -> tuple[IntervalsFigure | ConfusionFigure, ...]:
    if len(labels) > MOST_DRAWN:
        return (_lowest_recalls(by_label, accuracy),)
    return (
        IntervalsFigure(
            title="Precision and recall by label",
            description="Share of right answers with 95 % intervals, one row per label and kind.",
            measures=tuple(measure for pair in by_label for measure in pair),
            reference=accuracy.value,
            reference_label="accuracy",
        ),
        ConfusionFigure(
            title="Given against predicted labels",
            description="Number of rows for each pair of given and predicted label.",
            labels=tuple(labels),
            counts=tuple(tuple(row) for row in counts.tolist()),
        ),
    )


def _lowest_recalls(
    by_label: Sequence[tuple[Measure, Measure]], accuracy: Measure
) -> IntervalsFigure:
    known = [by_label[i][1] for i in _by_recall(by_label) if by_label[i][1].n]
    absent = len(by_label) - len(known)
    left_out = f" Labels that are given to no row, and so have none: {absent}." if absent else ""
    return IntervalsFigure(
        title="Labels with the lowest recall",
        description=f"The lowest {min(len(known), MOST_DRAWN)} of {len(known)} recalls with 95 % "
        f"intervals; the table by label has the others.{left_out}",
        measures=tuple(known[:MOST_DRAWN]),
        reference=accuracy.value,
        reference_label="accuracy",
    )


def _confusions(labelled: Sequence[InstanceRecord]) -> Table:
    """Return the most frequent pairs of given and predicted label that differ."""
    given = Counter(str(instance.label) for instance in labelled)
    wrong: dict[tuple[str, str], list[InstanceRecord]] = defaultdict(list)
    for instance in labelled:
        if not instance.right:
            wrong[str(instance.label), instance.predicted].append(instance)
    ranked = sorted(wrong, key=lambda pair: (-len(wrong[pair]), pair))[:MOST_LISTED]
    shown = sum(len(wrong[pair]) for pair in ranked)
    return Table(
        title="Most frequent confusions",
        columns=("given", "called", "rows", "share of the rows given so", "most confident"),
        rows=tuple(
            (
                label,
                called,
                len(wrong[label, called]),
                proportion(f"{label} called {called}", len(wrong[label, called]), given[label]),
                InstanceLink(instance=min(wrong[label, called], key=_doubt).id),
            )
            for label, called in ranked
        ),
        note=f"{len(ranked)} of {len(wrong):,} pairs of labels that are confused, with {shown:,} "
        f"of {sum(map(len, wrong.values())):,} wrong predictions.",
    )


def _doubt(instance: InstanceRecord) -> tuple[float, str]:
    """Return a key that sorts the most confident prediction first."""
    return -(instance.probability or 0), instance.id


def _worst_errors(labelled: Sequence[InstanceRecord]) -> Table:
    wrong = sorted(
        (instance for instance in labelled if not instance.right),
        key=_doubt,
    )
    return Table(
        title="Most confident errors",
        columns=("instance", "text", "given", "predicted", "probability"),
        rows=tuple(
            (
                InstanceLink(instance=instance.id),
                " ‖ ".join(map(_excerpt, instance.parts)),
                str(instance.label),
                instance.predicted,
                instance.probability,
            )
            for instance in wrong[:MOST_LISTED]
        ),
        note=f"The {min(len(wrong), MOST_LISTED)} of {len(wrong)} wrong predictions that the model "
        "is most sure of.",
    )


def _excerpt(part: str) -> str:
    """Return the words with which a text begins."""
    if len(part) <= LONGEST_EXCERPT:
        return part
    ends = (span.end for span in words((part[: 2 * LONGEST_EXCERPT],)))
    end = max((end for end in ends if end <= LONGEST_EXCERPT), default=LONGEST_EXCERPT)
    return f"{part[:end]} …"
