"""How many labels contradict what the rest of the table says of such texts.

A calibrated model is wrong where it is unsure. If it is wrong where it is sure as well, some labels
are drawn by another rule than the texts tell. So labels are taken to come from a mixture: with
probability 1 - e from the model's own distribution, at a temperature that is estimated along, and
with probability e from all labels alike, as the lapses of psychometric functions are (Wichmann and
Hill 2001). The model is a challenger that has not seen the row, not the audited one, whose
confident errors would look the same.
"""

from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats
from scipy.special import log_softmax, logsumexp

from explain.checks.base.baseline_model import challenge
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
    texts: list[tuple[str, ...]], given: NDArray[np.int64], rng: np.random.Generator
) -> LabelNoise:
    """Return the share of labels that contradict what a challenger learns of the other rows.

    Parameters
    ----------
    texts : list of tuple of str
        The texts of the table.
    given : array, shape (n_texts,), int64
        Their labels, at least two different ones.
    rng : Generator
        Source of the folds.
    """
    thought = np.mean([challenge(texts, given, rng) for _ in range(REPEATS)], axis=0)
    likelihood = _Likelihood(thought, given)
    drawn, best = likelihood.best()
    ratio = max(0.0, 2 * (best - likelihood.at(0.0)))
    k = thought.shape[1]
    lower, upper = (end * (k - 1) / k for end in likelihood.interval(drawn, best))
    measure = Measure(
        name=WRONG_LABELS.title,
        value=drawn * (k - 1) / k,
        lower=lower,
        upper=upper,
        n=len(given),
        method="profile likelihood",
    )
    return LabelNoise(measure, float(stats.chi2.sf(ratio, 1)) / 2)


@dataclass(frozen=True, slots=True)
class _Likelihood:
    """The likelihood of a share of drawn labels, at the temperature that suits it best."""

    thought: NDArray[np.float64]
    given: NDArray[np.int64]

    def at(self, drawn: float) -> float:
        """Return the log-likelihood of a share."""
        rows, n_labels = np.arange(len(self.given)), self.thought.shape[1]

        def lacking(log_factor: float) -> float:
            told = log_softmax(exp(log_factor) * self.thought, axis=1)[rows, self.given]
            chance = np.full_like(told, -log(n_labels))
            weights = np.array([[1 - drawn], [drawn]])
            return -float(logsumexp(np.stack([told, chance]), axis=0, b=weights).sum())

        found = optimize.minimize_scalar(
            lacking, bounds=(log(COLDEST), log(HOTTEST)), method="bounded"
        )
        return -float(found.fun)

    def best(self) -> tuple[float, float]:
        """Return the most likely share, and its log-likelihood."""
        found = optimize.minimize_scalar(lambda e: -self.at(e), bounds=(0, MOST), method="bounded")
        at_zero = self.at(0.0)
        return (0.0, at_zero) if at_zero >= -found.fun else (float(found.x), -float(found.fun))

    def interval(self, drawn: float, best: float) -> tuple[float, float]:
        """Return the shares that a likelihood-ratio test does not refuse."""
        allowed = float(stats.chi2.ppf(CONFIDENCE, 1)) / 2

        def beyond(share: float) -> float:
            return best - self.at(share) - allowed

        lower = optimize.brentq(beyond, 0, drawn, xtol=1e-3) if beyond(0.0) > 0 else 0.0
        upper = optimize.brentq(beyond, drawn, MOST, xtol=1e-3) if beyond(MOST) > 0 else MOST
        return float(lower), float(upper)
