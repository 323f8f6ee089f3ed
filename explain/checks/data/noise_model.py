"""A model of wrong labels: how often a text of one label was given another.

A label in the table comes from the true one, and the true one from the text::

    P(given i | text) = sum_j P(j | text) T(j, i),    P(j | text) ~ exp(a log p(j | text) + b(j))

p are the probabilities of a classifier, and T(j, i) is the share of texts of label j that were
given label i: noise that depends on the label (Natarajan et al. 2013), one-sided noise included.
The temperature a and the offsets b are estimated along: a classifier may be too sure, or lean to a
label. So what tells T is not how often the classifier disagrees but how often it does where it is
surest, as the lapses of psychometric functions are told (Wichmann and Hill 2001).

Intervals are by profile likelihood: the least and the largest share that the likelihood-ratio test
does not refuse. Where temperature and wrong labels cannot be told apart, they are wide.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import comb, log
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats
from scipy.special import log_softmax

__all__ = ["MOST_PAIRED", "NoiseModel", "fit_noise_model"]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

MOST_PAIRED = 8
"""Labels up to which each ordered pair has its own rate, 56 of them; with more there is one rate
for all, as a pair would have too few rows to tell."""

MOST_WRONG = 0.5
"""Share of the texts of a label that may be given another: with more, nothing tells which of the
two is right."""

SPREAD = 0.7
"""Standard deviation of log a and of b before anything is seen: two classifiers in three are up to
twice too sure or too unsure. Without it 95 % intervals of 50 rows hold 85 % of the truths, as
classes that do not overlap by chance make the temperature what one likes; of 1,000 rows it changes
nothing."""

COLDEST, HOTTEST = 0.1, 10.0
"""Temperatures that are tried."""

STARTS = ((1.0, 0.005), (1.0, 0.1), (0.4, 0.005), (3.0, 0.1))
"""Temperature and rate to start from; the best end counts."""


class _Rates(Protocol):
    """How a vector of rates makes up T."""

    @property
    def start(self) -> Array:
        """Rates that share one unit of wrong labels, shape (n_rates,)."""
        ...

    def given(self, rates: Array, labels: Labels) -> Array:
        """Return T(j, given label) of each row, shape (n_rows, n_labels)."""
        ...

    def slopes(self, weights: Array, labels: Labels) -> Array:
        """Return the slopes by the rates of the sum of `weights` times `given`."""
        ...

    def lost(self, rates: Array, counted: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Return the share of each label that is given another, and its slopes by the rates.

        Shapes (n_labels,) and (n_rates, n_labels).
        """
        ...


@dataclass(frozen=True)
class _PairRates:
    """One rate for each ordered pair of labels."""

    n_labels: int

    @cached_property
    def pairs(self) -> NDArray[np.int64]:
        """The pairs (true, given), shape (n_rates, 2)."""
        return np.argwhere(~np.eye(self.n_labels, dtype=np.bool_))

    @property
    def start(self) -> Array:
        return np.full(len(self.pairs), 1 / (self.n_labels - 1))

    def given(self, rates: Array, labels: Labels) -> Array:
        transition = np.zeros((self.n_labels, self.n_labels))
        transition[tuple(self.pairs.T)] = rates
        np.fill_diagonal(transition, 1 - transition.sum(axis=1))
        return transition[:, labels].T

    def slopes(self, weights: Array, labels: Labels) -> Array:
        by_label = weights.T @ (labels[:, None] == np.arange(self.n_labels))
        true, given = self.pairs.T
        return np.asarray(by_label[true, given] - by_label[true, true])

    def lost(self, rates: Array, counted: NDArray[np.bool_]) -> tuple[Array, Array]:
        slopes = counted[:, None] * (self.pairs[:, :1] == np.arange(self.n_labels))
        return rates @ slopes, slopes


@dataclass(frozen=True)
class _OneRate:
    """One rate: a wrong label is any of the others alike."""

    n_labels: int

    @property
    def start(self) -> Array:
        return np.ones(1)

    def given(self, rates: Array, labels: Labels) -> Array:
        likelihood = np.full((len(labels), self.n_labels), rates[0] / (self.n_labels - 1))
        likelihood[np.arange(len(labels)), labels] = 1 - rates[0]
        return likelihood

    def slopes(self, weights: Array, labels: Labels) -> Array:
        right = weights[np.arange(len(labels)), labels].sum()
        return np.array([(weights.sum() - right) / (self.n_labels - 1) - right])

    def lost(self, rates: Array, counted: NDArray[np.bool_]) -> tuple[Array, Array]:
        slopes = np.full((1, self.n_labels), 1.0 if counted[0] else 0.0)
        return rates @ slopes, slopes


@dataclass(frozen=True)
class _Likelihood:
    """The likelihood of temperature, offsets and rates, in one vector in this order."""

    log_probs: Array
    labels: Labels
    rates: _Rates
    n_offsets: int

    def bounds(self, free: NDArray[np.bool_]) -> list[tuple[float, float]]:
        """Return the bounds of all parameters; rates that are not free are zero."""
        return [
            (log(COLDEST), log(HOTTEST)),
            *[(-10 * SPREAD, 10 * SPREAD)] * self.n_offsets,
            *[(0.0, MOST_WRONG if is_free else 0.0) for is_free in free],
        ]

    def truth(self, x: Array) -> tuple[Array, Array]:
        """Return P(j | text), and T(j, given label), each of shape (n_rows, n_labels)."""
        scores = np.exp(x[0]) * self.log_probs
        scores[:, 1 : 1 + self.n_offsets] += x[1 : 1 + self.n_offsets]
        given = self.rates.given(x[1 + self.n_offsets :], self.labels)
        return np.exp(log_softmax(scores, axis=1)), given

    def loss(self, x: Array) -> tuple[float, Array]:
        """Return minus the logarithm of the likelihood, and its slopes."""
        probabilities, given = self.truth(x)
        of_given = np.maximum((probabilities * given).sum(axis=1), np.finfo(np.float64).tiny)
        weights = probabilities / of_given[:, None]
        settings = x[: 1 + self.n_offsets] / SPREAD
        slopes = np.concatenate(
            [
                self._by_scores(weights * given - probabilities, x) - settings / SPREAD,
                self.rates.slopes(weights, self.labels),
            ]
        )
        return float(settings @ settings / 2 - np.log(of_given).sum()), -slopes

    def _by_scores(self, slopes: Array, x: Array) -> Array:
        """Return slopes by temperature and offsets from those by the scores."""
        by_temperature = np.exp(x[0]) * (slopes * self.log_probs).sum()
        return np.array([by_temperature, *slopes.sum(axis=0)[1 : 1 + self.n_offsets]])

    def wrong(self, x: Array, counted: NDArray[np.bool_]) -> tuple[float, Array]:
        """Return the share of rows with a wrong label, by the rates that count, and its slopes."""
        probabilities, _ = self.truth(x)
        lost, slopes = self.rates.lost(x[1 + self.n_offsets :], counted)
        each = probabilities @ lost
        by_scores = probabilities * (lost - each[:, None]) / len(each)
        by_rates = slopes @ probabilities.mean(axis=0)
        return float(each.mean()), np.concatenate([self._by_scores(by_scores, x), by_rates])

    def best(self, free: NDArray[np.bool_]) -> Array:
        """Return the most likely parameters."""
        bounds, ends = self.bounds(free), []
        for temperature, rate in STARTS:
            start = np.concatenate(
                [[log(temperature)], np.zeros(self.n_offsets), rate * self.rates.start * free]
            )
            ends.append(
                optimize.minimize(self.loss, start, jac=True, bounds=bounds, method="L-BFGS-B")
            )
        return np.asarray(min(ends, key=lambda end: float(end.fun)).x)

    def extreme(self, best: Array, counted: NDArray[np.bool_], allowed: float, sign: int) -> float:
        """Return the least (1) or largest (-1) share of wrong labels whose loss is allowed."""

        n_rows = len(self.labels)

        def signed(x: Array) -> tuple[float, Array]:
            share, slopes = self.wrong(x, counted)
            return sign * n_rows * share, sign * n_rows * slopes

        limit: dict[str, str | Callable[[Array], Array]] = {
            "type": "ineq",
            "fun": lambda x: np.array([allowed - self.loss(x)[0]]),
            "jac": lambda x: -self.loss(x)[1][None],
        }
        free = np.ones(len(self.rates.start), dtype=np.bool_)
        shares = [self.wrong(best, counted)[0]]
        further = best + np.concatenate([np.zeros(1 + self.n_offsets), 0.01 * self.rates.start])
        for start in (best, further):
            end = optimize.minimize(
                signed,
                start,
                jac=True,
                bounds=self.bounds(free),
                constraints=[limit],
                method="SLSQP",
                options={"maxiter": 200},
            )
            if self.loss(end.x)[0] <= allowed + TOLERANCE:
                shares.append(self.wrong(end.x, counted)[0])
        return min(shares, key=lambda share: sign * share)


TOLERANCE = 1e-3
"""What the solver may exceed the allowed loss by, a two-thousandth of what the interval allows."""


@dataclass(frozen=True)
class NoiseModel:
    """Wrong labels as the labels of a table and the probabilities of a classifier tell them.

    Attributes
    ----------
    likelihood : _Likelihood
        Of all parameters.
    best : array
        The most likely ones.
    """

    likelihood: _Likelihood
    best: Array

    @property
    def log_likelihood(self) -> float:
        """How well it explains the labels that are given."""
        return -self.likelihood.loss(self.best)[0]

    @cached_property
    def truth(self) -> Array:
        """How probable each label is the true one, given the label too; (n_rows, n_labels)."""
        probabilities, given = self.likelihood.truth(self.best)
        joint = probabilities * given
        return np.asarray(joint / joint.sum(axis=1, keepdims=True))

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The ordered pairs (true, given) that have a rate of their own."""
        rates = self.likelihood.rates
        return [*map(tuple, rates.pairs.tolist())] if isinstance(rates, _PairRates) else []

    def wrong(self, pair: tuple[int, int] | None = None) -> float:
        """Return the share of rows with a wrong label, or with that of a pair (true, given)."""
        return self.likelihood.wrong(self.best, self._counted(pair))[0]

    def interval(
        self, confidence: float, pair: tuple[int, int] | None = None
    ) -> tuple[float, float]:
        """Return the ends of the interval of `wrong`."""
        counted = self._counted(pair)
        allowed = -self.log_likelihood + float(stats.chi2.ppf(confidence, 1)) / 2
        lower, upper = (
            self.likelihood.extreme(self.best, counted, allowed, sign) for sign in (1, -1)
        )
        # At zero all rates are at their bounds, where the likelihood ratio has another law.
        return 0.0 if self.p_value(pair) > (1 - confidence) / 2 else lower, upper

    def p_value(self, pair: tuple[int, int] | None = None) -> float:
        """Return that of no wrong labels, or none of a pair (true, given).

        Rates cannot be negative, so the likelihood ratio has a mixture of chi-squared laws; its
        weights are binomial if the rates are independent (Self and Liang 1987).
        """
        counted = self._counted(pair)
        without = self.likelihood.loss(self.likelihood.best(~counted))[0]
        ratio, m = 2 * (without + self.log_likelihood), int(counted.sum())
        if ratio <= 0:
            return 1.0
        return float(sum(comb(m, d) / 2**m * stats.chi2.sf(ratio, d) for d in range(1, m + 1)))

    def _counted(self, pair: tuple[int, int] | None) -> NDArray[np.bool_]:
        n_rates = len(self.likelihood.rates.start)
        return np.array([pair in (None, own) for own in self.pairs or [None] * n_rates])


def fit_noise_model(log_probs: Array, labels: Labels) -> NoiseModel:
    """Return the most likely rates of wrong labels.

    Parameters
    ----------
    log_probs : array, shape (n_rows, n_labels), float64
        Logarithms of the probabilities that a classifier gives the labels.
    labels : array, shape (n_rows,), int64
        The labels that are given.
    """
    n_labels = log_probs.shape[1]
    is_paired = n_labels <= MOST_PAIRED
    rates: _Rates = _PairRates(n_labels) if is_paired else _OneRate(n_labels)
    centred = log_probs - log_probs.mean(axis=1, keepdims=True)
    likelihood = _Likelihood(centred, labels, rates, n_labels - 1 if is_paired else 0)
    return NoiseModel(likelihood, likelihood.best(np.ones(len(rates.start), dtype=np.bool_)))
