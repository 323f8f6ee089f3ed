"""Scores on the natural-log scale, checked."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from explain.errors import ConfigurationError, PredictionError
from explain.record import Task

__all__ = ["Row", "Scores", "check_scores", "log_odds_of", "log_odds_scores"]

Scores: TypeAlias = NDArray[np.float64]
"""Scores, shape (n_texts, n_labels), on the natural-log scale and never squashed.

Logits where the model has them, log p (log p/(1-p) for multi-label) where it has only p, plain
values for regression.
"""

Row: TypeAlias = NDArray[np.float64]
"""Scores of one text, shape (n_labels,)."""

PROBABILITY_FLOOR = float(np.finfo(np.float64).eps)
"""Probabilities are floored here before the logarithm, so log-odds stay within ±36."""

SUM_TOLERANCE = 1e-3
"""How far the probabilities of a row may be from summing to one: float16 rounding."""


def check_scores(scores: object, n_texts: int, labels: Sequence[str], name: str) -> Scores:
    """Return `scores` as float64.

    Raises
    ------
    PredictionError
        If the shape is not (n_texts, n_labels), or a score is NaN or infinite.
    """
    try:
        array = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PredictionError(
            f"{name} returned {type(scores).__name__} that is no array of numbers: {error}"
        ) from error
    if array.shape != (n_texts, len(labels)):
        raise PredictionError(
            f"{name} returned scores of shape {array.shape} for {n_texts} texts and {len(labels)} "
            f"labels ({', '.join(labels[:5])}{', …' if len(labels) > 5 else ''}); "
            f"expected ({n_texts}, {len(labels)})"
        )
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise PredictionError(
            f"{name} returned NaN or infinite scores for {int(bad.sum())} of {n_texts} texts; "
            "scores must be finite: look at the weights, or at what is special in the text"
        )
    return array


def log_odds_scores(
    probabilities: Scores, task: Task, name: str, decimals: int | None = None
) -> Scores:
    """Return probabilities as scores on the natural-log scale.

    log p for single-label tasks and log p/(1-p) for multi-label ones, p floored at 2.2e-16. Rows
    that are rounded to `decimals` may be off their sum of one by half a step for each label.

    Raises
    ------
    ConfigurationError
        If the task is a regression, which has no probabilities.
    PredictionError
        If a value is outside of [0, 1], or the rows of a single-label task do not sum to one.
    """
    if task == "regression":
        raise ConfigurationError("a regression has no probabilities; pass output='scores'")
    if (probabilities < -SUM_TOLERANCE).any() or (probabilities > 1 + SUM_TOLERANCE).any():
        raise PredictionError(
            f"{name} returned {probabilities.min():.4g} to {probabilities.max():.4g} where "
            "probabilities were expected; pass output='scores' if these are logits"
        )
    sums = probabilities.sum(axis=1)
    rounding = 0 if decimals is None else 0.5 * 10.0**-decimals * probabilities.shape[1]
    allowed = max(SUM_TOLERANCE, 1.001 * rounding)
    if task == "single_label" and not (np.abs(sums - 1) <= allowed).all():
        raise PredictionError(
            f"{name} returned probabilities that sum to {sums.min():.4g} to {sums.max():.4g}, not "
            "to 1; pass task='multi_label' if several labels can hold at once, or decimals=2 if "
            "they are rounded to two"
        )
    p = np.clip(probabilities, PROBABILITY_FLOOR, 1)
    log_p: Scores = np.log(p)
    if task == "multi_label":
        log_p -= np.log(np.clip(1 - p, PROBABILITY_FLOOR, 1))
    return log_p


def log_odds_of(scores: Scores, column: int) -> NDArray[np.float64]:
    """Return ``z_c - logsumexp(z_others)`` of rows of scores, shape (n_texts,).

    These are the log-odds of the softmax probability; probabilities saturate, log-odds do not.
    """
    others: NDArray[np.float64] = np.logaddexp.reduce(np.delete(scores, column, axis=1), axis=1)
    return scores[:, column] - others
