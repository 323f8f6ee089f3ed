"""Statistics of given against predicted labels, of many resamples at once."""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Totals",
    "confusion_counts",
    "f1_of",
    "f1_scores",
    "macro_f1",
    "macro_f1_of",
    "margins",
    "matthews",
    "matthews_of",
]

Totals: TypeAlias = NDArray[np.float64]
"""How many rows of each label, shape (..., n_labels)."""


def confusion_counts(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], n_labels: int
) -> NDArray[np.int64]:
    """Return counts of given (rows) against predicted (columns) labels.

    Parameters
    ----------
    labels, predicted : array, shape (..., n)
        Label indices.
    n_labels : int
        Number of labels.

    Returns
    -------
    array, shape (..., n_labels, n_labels)
    """
    cells = labels * n_labels + predicted
    flat = cells.reshape(math.prod(cells.shape[:-1]), cells.shape[-1])
    size = n_labels * n_labels
    offset = np.arange(len(flat))[:, None] * size
    counts = np.bincount((flat + offset).ravel(), minlength=len(flat) * size)
    return counts.reshape(*cells.shape[:-1], n_labels, n_labels)


def f1_scores(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return F1 of each label, shape (..., n_labels); zero for a label that never occurs."""
    return f1_of(*margins(counts))


def macro_f1(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean F1 of the labels that are given or predicted at all, shape (...)."""
    return macro_f1_of(*margins(counts))


def matthews(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return Matthews' correlation for several labels (Gorodkin 2004), shape (...)."""
    return matthews_of(*margins(counts))


def margins(counts: NDArray[np.int64]) -> tuple[Totals, Totals, Totals]:
    """Return how often each label is rightly predicted, given, and predicted."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    return (
        hits.astype(np.float64),
        counts.sum(-1, dtype=np.float64),
        counts.sum(-2, dtype=np.float64),
    )


def f1_of(hits: Totals, labels: Totals, predicted: Totals) -> NDArray[np.float64]:
    """Return F1 from how often a label is rightly predicted, given, and predicted."""
    f1: NDArray[np.float64] = 2 * hits / np.maximum(labels + predicted, 1)
    return f1


def macro_f1_of(hits: Totals, labels: Totals, predicted: Totals) -> NDArray[np.float64]:
    """Return `macro_f1` of the margins of its counts."""
    occurs = ((labels + predicted) > 0).sum(-1)
    mean: NDArray[np.float64] = f1_of(hits, labels, predicted).sum(-1) / np.maximum(occurs, 1)
    return mean


def matthews_of(hits: Totals, labels: Totals, predicted: Totals) -> NDArray[np.float64]:
    """Return `matthews` of the margins of its counts.

    Rows without an answer, which no label is predicted for, are a label of their own.
    """
    n = labels.sum(-1)
    unanswered = n - predicted.sum(-1)
    covariance = hits.sum(-1) * n - (labels * predicted).sum(-1)
    spread = np.sqrt((n**2 - (labels**2).sum(-1)) * (n**2 - (predicted**2).sum(-1) - unanswered**2))
    correlation: NDArray[np.float64] = covariance / np.where(spread > 0, spread, 1)
    return correlation
