"""Proper scores, and the slope of outcomes on scores."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats
from scipy.special import expit, softmax

from explain.adapters import Scores
from explain.checks.base.labelled_rows import LabelledRows
from explain.checks.calibration.metrics import BRIER, LOG_LOSS, SLOPE
from explain.record import Measure, Task
from explain.statistics.bootstrap import CONFIDENCE

__all__ = ["proper_losses", "slope"]

MOST_SLOPE = 1e3
"""A slope beyond this is no number but a sign that all answers are right, or all wrong."""

MOST_LOGARITHM = 700.0
"""Half of an interval of logarithms beyond which its ends are no numbers of 64 bits."""


def proper_losses(sample: LabelledRows) -> tuple[Measure, Measure]:
    """Return Brier score and log loss, of single labels where several may hold.

    The Brier score (1950) is halved, so that it lies between 0 and 1.
    """
    context, truth = sample.context, sample.truth
    probabilities, scores = context.probabilities[sample.rows], context.scores[sample.rows]
    squares = (probabilities - truth) ** 2
    if context.model.task == "multi_label":
        brier = squares.mean(axis=1)
        logs = np.logaddexp(0, np.where(truth, -scores, scores)).mean(axis=1)
    else:
        brier = squares.sum(axis=1) / 2
        logs = np.logaddexp.reduce(scores, axis=1) - scores[truth]
    resampled = sample.resample(np.stack([brier, logs, np.ones_like(brier)], axis=1))

    def mean(column: int) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        return lambda sums: sums[..., column] / sums[..., 2]

    return (
        resampled.measure(BRIER.title, mean(0), "coefficient"),
        resampled.measure(LOG_LOSS.title, mean(1), "coefficient"),
    )


def slope(
    scores: Scores,
    truth: NDArray[np.bool_],
    task: Task,
    clusters: NDArray[np.int64] | None = None,
) -> Measure:
    """Return what the scores are to be multiplied by to fit the labels best (Cox 1958).

    It is one for a calibrated model, below one for an over-confident one, and the inverse of the
    temperature of Guo et al. (2017). The interval is normal, on a logarithmic scale, with the
    sandwich variance.

    Parameters
    ----------
    scores : array, shape (n_rows, n_labels), float64
        Scores on the natural-log scale.
    truth : array, shape (n_rows, n_labels), bool
        Which labels hold.
    task : {"single_label", "multi_label"}
        How the columns relate to each other.
    clusters : array, shape (n_rows,), int64, optional
        Which rows belong together, counted from zero.
    """
    name, n = SLOPE.title, len(scores)

    def score_of_rows(steepness: float) -> tuple[NDArray[np.float64], float]:
        """Return the derivative of the log-likelihood of each row, and the information of all."""
        if task == "multi_label":
            p = expit(steepness * scores)
            return (scores * (truth - p)).sum(axis=1), float((scores**2 * p * (1 - p)).sum())
        p = softmax(steepness * scores, axis=1)
        expected = (p * scores).sum(axis=1)
        information = (p * scores**2).sum() - (expected**2).sum()
        return scores[truth] - expected, float(information)

    if score_of_rows(MOST_SLOPE)[0].sum() > 0 or score_of_rows(0)[0].sum() <= 0:
        return Measure(name=name, value=None, n=n, unit="coefficient")
    value = float(optimize.brentq(lambda b: score_of_rows(b)[0].sum(), 0, MOST_SLOPE, xtol=1e-10))
    score, information = score_of_rows(value)
    if information <= 0 or value <= 0:
        return Measure(name=name, value=None, n=n, unit="coefficient")
    if clusters is not None:
        score = np.bincount(clusters, weights=score).astype(np.float64)
    m = len(score)
    if m < 2:
        return Measure(name=name, value=value, n=m, unit="coefficient")
    error = float(np.sqrt((score**2).sum() * m / (m - 1)) / information / value)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, m - 1) * error
    if not half < MOST_LOGARITHM:  # Scores that say nothing of the labels: any slope fits.
        return Measure(name=name, value=value, n=m, unit="coefficient")
    return Measure(
        name=name,
        value=value,
        lower=float(value * np.exp(-half)),
        upper=float(value * np.exp(half)),
        n=m,
        method="sandwich variance, log scale",
        unit="coefficient",
    )
