"""How many labels are wrong, as the model and the rest of the table tell.

Two classifiers are asked: the audited model, and a baseline model that has not seen the row. The
one that explains the given labels better says how many are wrong (`noise_model`). A confident error
of the audited model would look like a wrong label, so the baseline model is heard on those that it
contradicts: are they texts like others of the label that the model says, or like those of the label
that is given? In the second case the model is not believed, and the baseline model says how many.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explain.checks.base.baseline_model import baseline_log_probs
from explain.checks.data.common import NOISE_LEVEL
from explain.checks.data.noise_model import Array, Labels, NoiseModel, fit_noise_model
from explain.record import Measure
from explain.statistics.bootstrap import CONFIDENCE

__all__ = ["LabelNoise", "label_noise"]

REPEATS = 3
"""Foldings of the table whose predictions are averaged: one alone moves the statistic by half."""

LIKE_OTHERS = 0.85
"""How far texts must have gone from those of the given label (0) to those of the label that the
model says (1), as the baseline model sees them, within a standard error. In 28 tables with planted
wrong labels they were at 0.94 or above, in 44 with a shortcut that the model follows against right
labels at 0.77 or below, mostly near 0.5."""


HALF_WAY = 0.5
"""How far they must have gone, beyond a standard error, for a finding: a model that answers at
random now and then, as sure as ever, looks like wrong labels to itself alone."""

SURE = 0.9
"""Probability of a label from which a text tells it almost surely."""


@dataclass(frozen=True)
class LabelNoise:
    """The labels that are probably wrong.

    Attributes
    ----------
    fit : NoiseModel
        Over the labels in use.
    columns : array, shape (n_used,), int64
        The labels in use, as columns of the model.
    log_probs : array, shape (n_rows, n_used), float64
        What the probabilities of the labels in use were taken to be.
    labels : array, shape (n_rows,), int64
        The given labels, as places in `columns`.
    baseline : array, shape (n_rows, n_used), float64
        Log-probabilities by the baseline model.
    by_model : bool
        Whether the audited model says so, or the baseline model.
    """

    fit: NoiseModel
    columns: Labels
    log_probs: Array
    labels: Labels
    baseline: Array
    by_model: bool

    @property
    def method(self) -> str:
        """How the intervals are made, and what must be true for them to hold."""
        if self.by_model:
            return "profile likelihood, if the model is right where it is surest"
        return "profile likelihood, if texts of the same words have the same label"

    def measure(self, name: str, confidence: float = CONFIDENCE) -> Measure:
        """Return the share of labels that are wrong."""
        lower, upper = self.fit.interval(confidence)
        return Measure(
            name=name,
            value=self.fit.wrong(),
            lower=lower,
            upper=upper,
            n=len(self.labels),
            method=self.method,
        )

    def of_pair(self, name: str, true_label: int, given_label: int) -> Measure:
        """Return the share of the texts with one label that are of another, both as columns."""
        places = (self._place(true_label), self._place(given_label))
        n = int((self.labels == places[1]).sum())
        per_label = len(self.labels) / n
        lower, upper = self.fit.interval(CONFIDENCE, places)
        value, lower, upper = (
            min(1.0, share * per_label) for share in (self.fit.wrong(places), lower, upper)
        )
        return Measure(name=name, value=value, lower=lower, upper=upper, n=n, method=self.method)

    def pairs(self) -> list[tuple[int, int, float]]:
        """Return true label, given label and number of rows of each pair, the most rows first."""
        pairs = [
            (int(self.columns[true]), int(self.columns[given]), self.fit.wrong((true, given)))
            for true, given in self.fit.pairs
        ]
        n = len(self.labels)
        return sorted(
            ((true, given, share * n) for true, given, share in pairs), key=lambda pair: -pair[2]
        )

    def is_refuted(self, among: NDArray[np.bool_]) -> bool:
        """Whether the baseline model takes the doubted labels of some rows for right."""
        closeness, error = _closeness(self.fit, self.labels, self.baseline, among)
        return closeness + error < LIKE_OTHERS

    def is_confirmed(self, among: NDArray[np.bool_]) -> bool:
        """Whether the baseline model, too, takes the doubted labels of some rows for wrong."""
        closeness, error = _closeness(self.fit, self.labels, self.baseline, among)
        return closeness - error > HALF_WAY

    @property
    def share_sure(self) -> float:
        """Share of the texts that tell their label almost surely."""
        probabilities, _ = self.fit.likelihood.truth(self.fit.best)
        return float((probabilities.max(axis=0) > SURE).mean())

    def _place(self, column: int) -> int:
        return int(np.searchsorted(self.columns, column))


def label_noise(
    texts: Sequence[tuple[str, ...]],
    labels: Labels,
    log_probs: Array,
    rng: np.random.Generator,
) -> LabelNoise:
    """Return the labels of a table that are probably wrong.

    Parameters
    ----------
    texts : sequence of tuple of str
        The texts of the table.
    labels : array, shape (n_texts,), int64
        Their labels, at least two different ones.
    log_probs : array, shape (n_texts, n_labels), float64
        The audited model's log-probabilities.
    rng : Generator
        Source of the folds.
    """
    baseline = np.mean([baseline_log_probs(texts, labels, rng) for _ in range(REPEATS)], axis=0)
    columns = np.union1d(labels, log_probs.argmax(axis=1))
    unknown = np.full((len(labels), log_probs.shape[1] - baseline.shape[1]), baseline.min())
    baseline = np.concatenate([baseline, unknown], axis=1)[:, columns]
    log_probs, places = log_probs[:, columns], np.searchsorted(columns, labels)
    by_model, by_baseline = (fit_noise_model(p, places) for p in (log_probs, baseline))
    if by_model.log_likelihood > by_baseline.log_likelihood:
        noise = LabelNoise(by_model, columns, log_probs, places, baseline, by_model=True)
        if not noise.is_refuted(np.ones(len(labels), dtype=np.bool_)):
            return _with_more_power(noise)
    return LabelNoise(by_baseline, columns, baseline, places, baseline, by_model=False)


def _with_more_power(noise: LabelNoise) -> LabelNoise:
    """Return what the baseline model says, where it alone can tell that labels are wrong.

    A model that is often wrong where it is surest hides wrong labels, and a rate for each pair of
    many labels takes many of them to see. One rate for all, by a model that has not seen the row,
    is then the sharper test.
    """
    if noise.fit.p_value() <= NOISE_LEVEL:
        return noise
    one_rate = fit_noise_model(noise.baseline, noise.labels, most_paired=0)
    if one_rate.p_value() > NOISE_LEVEL / 2:
        return noise
    return replace(noise, fit=one_rate, log_probs=noise.baseline, by_model=False)


def _closeness(
    fit: NoiseModel, labels: Labels, baseline: Array, among: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return how far the texts with a doubted label have gone from that label to the other.

    Of each such text the baseline model's log-odds of the two labels are compared with those of the
    texts whose label is not doubted, of the one and of the other. With its standard error, which is
    large where the baseline model cannot tell the labels apart, and infinite where none is doubted.
    """
    truth = fit.truth.argmax(axis=1)
    gone = whole = variance = 0.0
    for given, true in np.unique(
        np.stack([labels, truth], axis=1)[among & (truth != labels)], axis=0
    ):
        margin = baseline[:, true] - baseline[:, given]
        ends = [margin[(labels == label) & (truth == label)] for label in (given, true)]
        if all(len(end) for end in ends):
            here = margin[among & (labels == given) & (truth == true)]
            gone += float((here - ends[0].mean()).sum())
            whole += float(ends[1].mean() - ends[0].mean()) * len(here)
            variance += float(ends[1].var()) * len(here)
    return (gone / whole, float(np.sqrt(variance)) / whole) if whole > 0 else (1.0, np.inf)
