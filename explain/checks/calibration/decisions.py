"""Decisions by confidence, and how often those are right."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base.labelled_rows import LabelledRows
from explain.checks.calibration.metrics import CALIBRATION_ERROR, OVERCONFIDENCE
from explain.record import Measure
from explain.statistics.bootstrap import CONFIDENCE
from explain.statistics.intervals import clustered_proportion, mover, proportion

__all__ = ["FEWEST_FOR_INTERVAL", "SIMULATIONS", "Decisions", "NullDistribution"]

MOST_BINS = 15
"""As in Guo et al. (2017)."""

FEWEST_PER_BIN = 20
"""Decisions per bin: with fewer an accuracy says little."""

FEWEST_FOR_INTERVAL = 100
"""Decisions below which the calibration error has no interval: with 50 of an over-confident model
it held the true value in 87 of 100 simulated tables, with 100 in 93 and more."""

SIMULATIONS = 1_999
"""Tables whose labels are drawn from the model's own probabilities: enough to tell a p-value of
`LEVEL` / 2 from twice that."""

BATCH = 100
"""Tables held in memory at a time."""

DIGITS = 9
"""Digits of a confidence that count."""


@dataclass(frozen=True, slots=True)
class NullDistribution:
    """What a model that is right as often as its probabilities say would show on this table.

    Attributes
    ----------
    gaps, plain, debiased : array, shape (n_simulations,), float64
        Confidence minus accuracy, and the plain and the debiased calibration error.
    squared : array, shape (n_simulations,), float64
        The debiased squared error, which may be negative.
    """

    gaps: NDArray[np.float64]
    plain: NDArray[np.float64]
    squared: NDArray[np.float64]

    @property
    def debiased(self) -> NDArray[np.float64]:
        """The debiased calibration error, shape (n_simulations,)."""
        return np.sqrt(np.maximum(self.squared, 0))


@dataclass(frozen=True)
class Decisions:
    """Answers of a model with their confidence, the least confident first.

    Of a single-label model there is one for each text: the predicted label. Of a multi-label model
    there is one for each text and label: that it holds, or that it does not, with the probability
    of what is said.

    Attributes
    ----------
    confidence : array, shape (n_decisions,), float64
        Ascending.
    right : array, shape (n_decisions,), bool
        Whether the answer is right.
    clusters : array, shape (n_decisions,), int64, or None
        Which decisions belong together, counted from zero; None if each stands alone.
    """

    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    clusters: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, sample: LabelledRows) -> "Decisions":
        """Return the decisions on the labelled rows."""
        context, clusters = sample.context, sample.clusters
        probabilities = context.probabilities[sample.rows]
        n, n_labels = probabilities.shape
        if context.model.task == "multi_label":
            holds = sample.predicted
            confidence = np.where(holds, probabilities, 1 - probabilities).ravel()
            right = (holds == sample.truth).ravel()
            clusters = np.repeat(np.arange(n) if clusters is None else clusters, n_labels)
        else:
            confidence = context.confidence[sample.rows]
            right = context.predicted[sample.rows] == context.labels[sample.rows]
        # What differs by rounding alone belongs into one bin.
        confidence = confidence.round(DIGITS)
        order = np.argsort(confidence, kind="stable")
        return cls(confidence[order], right[order], None if clusters is None else clusters[order])

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where each bin starts, shape (n_bins,): about as many decisions in each.

        Decisions of equal confidence lie in one bin.
        """
        n = len(self.confidence)
        n_bins = int(np.clip(n // FEWEST_PER_BIN, 1, MOST_BINS))
        edges = self.confidence[np.arange(1, n_bins) * n // n_bins]
        return np.unique([0, *np.searchsorted(self.confidence, edges)])

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Decisions in each bin, shape (n_bins,)."""
        return np.diff(self.starts, append=len(self.confidence))

    @cached_property
    def residuals(self) -> NDArray[np.float64]:
        """Confidence less one where the answer is right, shape (n_decisions,)."""
        return self.confidence - self.right

    def plain(self) -> float:
        """Return the mean distance of confidence and accuracy over the bins (Guo et al. 2017)."""
        return float(_plain(self._sums(self.residuals), len(self.confidence)))

    def error(self) -> Measure:
        """Return the root of the mean squared distance of confidence and accuracy over the bins.

        Squares are debiased (Kumar et al. 2019): products of the residuals of two decisions that
        belong to different clusters, of which each pair counts. The interval of their mean is
        that of a score test, normal, with the variance of independent bins; it is cut at zero, and
        left out below a hundred decisions.
        """
        n = len(self.confidence)
        clusters = n if self.clusters is None else int(self.clusters.max()) + 1
        squares, variances = self._squares()
        weights, positive = self.sizes / n, np.maximum(squares, 0)
        square = float(weights @ squares)
        z = stats.norm.ppf((1 + CONFIDENCE) / 2)
        # The variance of the mean is noise + growth * true mean: solved for the latter.
        noise = float(2 * weights**2 @ variances**2)
        growth = float(4 * weights**2 @ (positive * variances)) / (float(weights @ positive) or 1)
        middle = square + z**2 * growth / 2
        half = z * np.sqrt(max(noise + growth * square + (z * growth) ** 2 / 4, 0))
        lower, upper = (np.sqrt(max(end, 0.0)) for end in (middle - half, middle + half))
        error = Measure(
            name=CALIBRATION_ERROR.title, value=float(np.sqrt(max(square, 0.0))), n=clusters
        )
        if clusters < FEWEST_FOR_INTERVAL:
            return error
        return error.model_copy(
            update={
                "lower": float(lower),
                "upper": float(min(upper, 1.0)),
                "method": "score test of the debiased squares",
            }
        )

    def gap(self) -> Measure:
        """Return mean confidence minus accuracy.

        The interval is made of Wilson's for the accuracy and Student's for the mean confidence
        (Zou and Donner 2008).
        """
        n = len(self.confidence)
        correlation = 0.0
        if self.clusters is None:
            accuracy, of = proportion("", int(self.right.sum()), n), self.confidence
            if np.ptp(self.confidence) and np.ptp(self.right.astype(np.float64)):
                correlation = float(np.corrcoef(self.confidence, self.right)[0, 1])
        else:
            accuracy = clustered_proportion("", self.right, self.clusters)
            size = np.bincount(self.clusters)
            centred = np.bincount(self.clusters, weights=self.confidence - self.confidence.mean())
            of = self.confidence.mean() + centred / size.mean()
        return mover(OVERCONFIDENCE.title, of, accuracy, correlation)

    def by_cluster(self) -> NDArray[np.float64]:
        """Return the sum of the residuals of each cluster, shape (n_clusters,)."""
        member = np.arange(len(self.right)) if self.clusters is None else self.clusters
        return np.bincount(member, weights=self.residuals).astype(np.float64)

    def null_distribution(self, rng: np.random.Generator) -> NullDistribution | None:
        """Return what tables whose labels are drawn from the confidence show.

        None where decisions belong together: their probabilities do not tell how.
        """
        if self.clusters is not None:
            return None
        n = len(self.confidence)
        gaps, plain, squared = [], [], []
        for start in range(0, SIMULATIONS, BATCH):
            rows = min(BATCH, SIMULATIONS - start)
            residuals = self.confidence - (rng.random((rows, n)) < self.confidence)
            sums, squares = self._sums(residuals), self._sums(residuals**2)
            gaps.append(residuals.mean(axis=1))
            plain.append(_plain(sums, n))
            squared.append(_debiased(sums, squares, self.sizes, self.sizes) @ (self.sizes / n))
        return NullDistribution(*(np.concatenate(parts) for parts in (gaps, plain, squared)))

    def squared(self) -> float:
        """Return the debiased squared error, which may be negative."""
        return float(self._squares()[0] @ self.sizes) / len(self.confidence)

    def _sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = np.add.reduceat(values, self.starts, axis=-1)
        return sums

    def _squares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the debiased squared distance of each bin, and the variance of its mean."""
        n_bins = len(self.starts)
        bins = np.repeat(np.arange(n_bins), self.sizes)
        member = np.arange(len(bins)) if self.clusters is None else self.clusters
        _, cell = np.unique(bins * (int(member.max()) + 1) + member, return_inverse=True)
        first = np.zeros(int(cell.max()) + 1, dtype=np.int64)
        first[cell] = bins

        def by_bin(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.bincount(first, weights=values, minlength=n_bins).astype(np.float64)

        size = np.bincount(cell).astype(np.float64)
        total = np.bincount(cell, weights=self.residuals).astype(np.float64)
        squares = _debiased(by_bin(total), by_bin(total**2), self.sizes, by_bin(size**2))
        mean = by_bin(total) / self.sizes
        n_cells = np.bincount(first, minlength=n_bins)
        spread = by_bin((total - mean[first] * size) ** 2)
        return squares, spread / self.sizes**2 * n_cells / np.maximum(n_cells - 1, 1)


def _plain(sums: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    return np.asarray(np.abs(sums).sum(axis=-1) / n)


def _debiased(
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
    sizes: NDArray[np.int64],
    pairs_within: NDArray[np.float64] | NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the mean product of residuals of different clusters; zero where there is one only."""
    pairs = sizes.astype(np.float64) ** 2 - pairs_within
    products: NDArray[np.float64] = (sums**2 - squares) / np.where(pairs > 0, pairs, np.inf)
    return products
