"""Precision, recall and F1 of each label, as measures, a table and a figure."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from explain.checks.base.labelled_rows import LabelledRows
from explain.checks.performance.confusion import Totals, f1_of
from explain.checks.performance.metrics import PRECISION, RECALL
from explain.record import IntervalsFigure, Measure, MetricSpec, Sentence, Table, join_sentences
from explain.statistics.bootstrap import Resamples

__all__ = ["MOST_DRAWN", "PerClass"]

MOST_DRAWN = 16
"""Labels up to which all are drawn, and the counts of a confusion matrix can be read; with more,
those with the lowest recall are drawn, and the most frequent confusions are listed."""


@dataclass(frozen=True)
class PerClass:
    """Which labels hold for each row, and which are predicted.

    Attributes
    ----------
    sample : LabelledRows
        The rows.
    predicted : array, shape (n_rows, n_labels), bool
        Which labels the model gives.
    """

    sample: LabelledRows
    predicted: NDArray[np.bool_]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""
        return self.sample.context.model.labels

    @cached_property
    def totals(self) -> tuple[list[int], list[int], list[int]]:
        """How often each label is rightly predicted, given, and predicted."""
        truth, predicted = self.sample.truth, self.predicted
        hits, labels, predictions = (a.sum(axis=0) for a in (truth & predicted, truth, predicted))
        return hits.tolist(), labels.tolist(), predictions.tolist()

    @cached_property
    def resamples(self) -> Resamples:
        """Resamples of the rows by those counts, of all labels one kind after the other."""
        truth = self.sample.truth
        return self.sample.resample_cells(
            np.concatenate([truth & self.predicted, truth, self.predicted], axis=1)
        )

    def measure(self, name: str, score: Callable[[Totals, Totals, Totals], Totals]) -> Measure:
        """Return a statistic of the counts of all labels, with its interval."""
        n = len(self.labels)
        return self.resamples.measure(
            name,
            lambda sums: score(sums[..., :n], sums[..., n : 2 * n], sums[..., 2 * n :]),
            "coefficient",
        )

    @cached_property
    def precisions(self) -> tuple[Measure, ...]:
        """How many of the rows that get a label have it."""
        return self._shares(PRECISION, self.predicted)

    @cached_property
    def recalls(self) -> tuple[Measure, ...]:
        """How many of the rows that have a label get it."""
        return self._shares(RECALL, self.sample.truth)

    def _shares(self, metric: MetricSpec, among: NDArray[np.bool_]) -> tuple[Measure, ...]:
        right = self.sample.truth & self.predicted
        return tuple(
            self.sample.share(metric.name(label=label), right[:, i], among[:, i])
            for i, label in enumerate(self.labels)
        )

    def table(self) -> Table:
        """Return a row for each label; of many the lowest recall comes first."""
        order, note = list(range(len(self.labels))), ""
        if len(self.labels) > MOST_DRAWN:
            order, note = self._by_recall(), "The lowest recall comes first."
        _, labels, predictions = self.totals
        return Table(
            title="By label",
            columns=("label", "given", "predicted", "precision", "recall", "F1"),
            rows=tuple(
                (
                    self.labels[i],
                    labels[i],
                    predictions[i],
                    self.precisions[i],
                    self.recalls[i],
                    self._f1(i),
                )
                for i in order
            ),
            note=join_sentences(
                "Precision: share of the rows predicted as this label that have it. Recall: share "
                "of the rows with this label that are predicted as it. F1: the harmonic mean of "
                "the two.",
                note,
            ),
        )

    def _f1(self, i: int) -> Measure:
        n = len(self.labels)
        return self.resamples.of_terms([i, n + i, 2 * n + i]).measure(
            Sentence("F1 of {label}", label=self.labels[i]),
            lambda sums: f1_of(sums[..., 0], sums[..., 1], sums[..., 2]),
            "coefficient",
        )

    def _by_recall(self) -> list[int]:
        """Return the labels by recall, the lowest first, and of equal ones the most frequent."""
        return sorted(
            range(len(self.labels)),
            key=lambda i: (
                2.0 if (value := self.recalls[i].value) is None else value,
                -self.recalls[i].n,
            ),
        )

    def figure(self, overall: Measure) -> IntervalsFigure:
        """Return precision and recall of all labels, or of many the lowest recalls."""
        if len(self.labels) > MOST_DRAWN:
            return self._lowest_recalls(overall)
        pairs = zip(self.precisions, self.recalls, strict=True)
        return IntervalsFigure(
            title="Precision and recall by label",
            description="Precision and recall with 95 % intervals, two rows per label.",
            measures=tuple(measure for pair in pairs for measure in pair),
            reference=overall.value,
            reference_label=overall.name,
        )

    def _lowest_recalls(self, overall: Measure) -> IntervalsFigure:
        recalls = [self.recalls[i] for i in self._by_recall() if self.recalls[i].n]
        lowest = Sentence(
            "The lowest {shown} of {n} {n:recall|recalls} with 95 % intervals. The table by label "
            "has the others.",
            shown=min(len(recalls), MOST_DRAWN),
            n=len(recalls),
        )
        absent = Sentence(
            "{n} {n:label is|labels are} given to no row and {n:has|have} no recall.",
            n=len(self.labels) - len(recalls),
        )
        return IntervalsFigure(
            title="Labels with the lowest recall",
            description=join_sentences(lowest, absent if len(recalls) < len(self.labels) else ""),
            measures=tuple(recalls[:MOST_DRAWN]),
            reference=overall.value,
            reference_label=overall.name,
        )
