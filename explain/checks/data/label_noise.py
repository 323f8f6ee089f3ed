"""How many labels contradict what the rest of the table says of such texts.

A calibrated model is wrong where it is unsure. If it is wrong where it is sure as well, some labels
are drawn by another rule than the texts tell. So labels are taken to come from a mixture: with
probability 1 - e from the model's own distribution, at a temperature that is estimated along, and
with probability e from all labels alike, as the lapses of psychometric functions are (Wichmann and
Hill 2001). The model is a baseline model that has not seen the row, not the audited one,
whose confident errors would look the same.
"""

from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats
from scipy.special import log_softmax, logsumexp

from explain.checks.base.baseline_model import baseline_log_probs
from explain.checks.data.metrics import WRONG_LABELS
from explain.record import Measure
from explain.statistics.bootstrap import CONFIDENCE

__all__ = ["LabelNoise", "label_noise"]

REPEATS = 3
"""Foldings of the table whose predictions are averaged: one alone moves the statistic by half."""

MOST = 0.5
"""Share of drawn labels beyond which a table says nothing."""

COLDEST, HOTTEST = 0.1, 10.0
"""Factors on the log-probabilities that are tried."""


@dataclass(frozen=True, slots=True)
class LabelNoise:
    """The share of labels that contradict their texts.

    Attributes
    ----------
    measure : Measure
        The share with its profile-likelihood interval: drawn labels that differ from what the text
        tells, e (k - 1) / k for k labels.
    p_value : float
        Of no such labels: half of that of the likelihood ratio, as the share cannot be negative
        (Self and Liang 1987).
    """

    measure: Measure
    p_value: float


def label_noise(
    texts: list[tuple[str, ...]], labels: NDArray[np.int64], rng: np.random.Generator
) -> LabelNoise:
    """Return the share of labels that contradict what a baseline model learns from other rows.

    Parameters
    ----------
    texts : list of tuple of str
        The texts of the table.
    labels : array, shape (n_texts,), int64
        Their labels, at least two different ones.
    rng : Generator
        Source of the folds.
    """
    log_probs = np.mean([baseline_log_probs(texts, labels, rng) for _ in range(REPEATS)], axis=0)
    likelihood = _Likelihood(log_probs, labels)
    drawn, best = likelihood.best()
    ratio = max(0.0, 2 * (best - likelihood.at(0.0)))
    k = log_probs.shape[1]
    lower, upper = (end * (k - 1) / k for end in likelihood.interval(drawn, best))
    measure = Measure(
        name=WRONG_LABELS.title,
        value=drawn * (k - 1) / k,
        lower=lower,
        upper=upper,
        n=len(labels),
        method="profile likelihood",
    )
    return LabelNoise(measure, float(stats.chi2.sf(ratio, 1)) / 2)


@dataclass(frozen=True, slots=True)
class _Likelihood:
    """The likelihood of a share of drawn labels, at the temperature that suits it best."""

    log_probs: NDArray[np.float64]
    labels: NDArray[np.int64]

    def at(self, share: float) -> float:
        """Return the log-likelihood of a share."""
        rows, n_labels = np.arange(len(self.labels)), self.log_probs.shape[1]

        def negative(log_factor: float) -> float:
            by_model = log_softmax(exp(log_factor) * self.log_probs, axis=1)[rows, self.labels]
            by_chance = np.full_like(by_model, -log(n_labels))
            weights = np.array([[1 - share], [share]])
            return -float(logsumexp(np.stack([by_model, by_chance]), axis=0, b=weights).sum())

        optimum = optimize.minimize_scalar(
            negative, bounds=(log(COLDEST), log(HOTTEST)), method="bounded"
        )
        return -float(optimum.fun)

    def best(self) -> tuple[float, float]:
        """Return the most likely share, and its log-likelihood."""
        optimum = optimize.minimize_scalar(
            lambda share: -self.at(share), bounds=(0, MOST), method="bounded"
        )
        at_zero = self.at(0.0)
        if at_zero >= -optimum.fun:
            return 0.0, at_zero
        return float(optimum.x), -float(optimum.fun)

    def interval(self, share: float, best: float) -> tuple[float, float]:
        """Return the shares that a likelihood-ratio test does not refuse."""
        allowed = float(stats.chi2.ppf(CONFIDENCE, 1)) / 2

        def excess(end: float) -> float:
            return best - self.at(end) - allowed

        lower = optimize.brentq(excess, 0, share, xtol=1e-3) if excess(0.0) > 0 else 0.0
        upper = optimize.brentq(excess, share, MOST, xtol=1e-3) if excess(MOST) > 0 else MOST
        return float(lower), float(upper)
