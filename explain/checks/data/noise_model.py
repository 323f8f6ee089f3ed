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

from dataclasses import dataclass
from functools import cached_property
from math import comb, log
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

__all__ = ["MOST_PAIRED", "NoiseModel", "fit_noise_model"]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

MOST_PAIRED = 8
"""Labels up to which each ordered pair has its own rate, 56 of them; with more there is one rate
for all, as a pair would have too few rows to tell."""

SPREAD = 0.7
"""Standard deviation of log a and of b before anything is seen: two classifiers in three are up to
twice too sure or too unsure. Without it 95 % intervals of 50 rows hold 85 % of the truths, as
classes that do not overlap by chance make the temperature what one likes; of 1,000 rows it changes
nothing."""

COLDEST, HOTTEST = 0.1, 10.0
"""Temperatures that are tried."""

FARTHEST = 7.0
"""Offsets that are tried: a label a thousand times too probable."""

PART_SPREAD = 0.25
"""The same for some rows of a table beside the other rows: of two groups, one model is seldom more
than a quarter surer. With less knowledge, wrong labels in both directions look like a model that is
too sure in that group."""

SMALLEST = 1e-100
"""Probability that a label is given at least: its inverse must not overflow."""

STARTS = ((1.0, 0.005), (1.0, 0.1), (0.4, 0.005), (3.0, 0.1))
"""Temperature and rate to start from; the best end counts."""


class _Rates(Protocol):
    """How T is made up of rates between 0 and 1.

    A rate is the odds of a wrong label against the right one, so that no T(j, j) is exceeded by
    another T(j, i): with more wrong labels than right ones, nothing tells which is which.
    """

    @property
    def start(self) -> Array:
        """Rates that share one unit of wrong labels, shape (n_rates,)."""
        ...

    def label_likelihoods(self, rates: Array, labels: Labels) -> Array:
        """Return T(j, given label) of each row, shape (n_labels, n_rows)."""
        ...

    def slopes(self, rates: Array, weights: Array, labels: Labels) -> Array:
        """Return the slopes by the rates of the sum of `weights` times these."""
        ...

    def wrong_shares(self, rates: Array, is_counted: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Return the share of each label that is given another, and its slopes by the rates.

        Shapes (n_labels,) and (n_rates, n_labels).
        """
        ...


@dataclass(frozen=True)
class _PairRates:
    """One rate for each ordered pair of labels."""

    n_labels: int

    @cached_property
    def pairs(self) -> Labels:
        """The pairs (true, given), shape (n_rates, 2)."""
        return np.argwhere(~np.eye(self.n_labels, dtype=np.bool_))

    @property
    def start(self) -> Array:
        return np.full(len(self.pairs), 1 / (self.n_labels - 1))

    def transition(self, rates: Array) -> tuple[Array, Array]:
        """Return T, and the odds of any label against the right one."""
        odds = np.eye(self.n_labels)
        odds[self.pairs[:, 0], self.pairs[:, 1]] = rates
        total = odds.sum(axis=1)
        return odds / total[:, None], total

    def label_likelihoods(self, rates: Array, labels: Labels) -> Array:
        return self.transition(rates)[0][:, labels]

    def slopes(self, rates: Array, weights: Array, labels: Labels) -> Array:
        transition, total = self.transition(rates)
        true, given = self.pairs.T
        by_label = weights @ (labels[:, None] == np.arange(self.n_labels))
        whole = (by_label * transition).sum(axis=1)
        return np.asarray((by_label[true, given] - whole[true]) / total[true])

    def wrong_shares(self, rates: Array, is_counted: NDArray[np.bool_]) -> tuple[Array, Array]:
        transition, total = self.transition(rates)
        true, given = self.pairs.T
        is_true = true[:, None] == np.arange(self.n_labels)
        shares = (is_counted * transition[true, given]) @ is_true
        return shares, (is_counted[:, None] - shares) / total * is_true


@dataclass(frozen=True)
class _OneRate:
    """One rate: a wrong label is any of the others alike."""

    n_labels: int

    @property
    def start(self) -> Array:
        return np.ones(1)

    def label_likelihoods(self, rates: Array, labels: Labels) -> Array:
        share = rates[0] / (1 + rates[0])
        likelihood = np.full((self.n_labels, len(labels)), share / (self.n_labels - 1))
        likelihood[labels, np.arange(len(labels))] = 1 - share
        return likelihood

    def slopes(self, rates: Array, weights: Array, labels: Labels) -> Array:
        right = weights[labels, np.arange(len(labels))].sum()
        by_share = (weights.sum() - right) / (self.n_labels - 1) - right
        return np.asarray(by_share / (1 + rates) ** 2)

    def wrong_shares(self, rates: Array, is_counted: NDArray[np.bool_]) -> tuple[Array, Array]:
        each = np.full((1, self.n_labels), float(is_counted[0]))
        return (rates / (1 + rates)) @ each, each / (1 + rates[0]) ** 2


@dataclass(frozen=True)
class _Likelihood:
    """The likelihood of temperature, offsets and rates, in one vector in this order."""

    log_probs: Array
    """Shape (n_labels, n_rows); the other way round a fit takes up to twice as long."""
    labels: Labels
    rates: _Rates
    centre: Array
    """Temperature, as its logarithm, and offsets before anything is seen."""
    spread: float

    @property
    def n_offsets(self) -> int:
        """Number of offsets."""
        return len(self.centre) - 1

    def bounds(self, free: NDArray[np.bool_]) -> list[tuple[float, float]]:
        """Return the bounds of all parameters; rates that are not free are zero."""
        return [
            (log(COLDEST), log(HOTTEST)),
            *[(-FARTHEST, FARTHEST)] * self.n_offsets,
            *[(0.0, float(is_free)) for is_free in free],
        ]

    def truth(self, x: Array) -> tuple[Array, Array]:
        """Return P(j | text), and T(j, given label), each of shape (n_labels, n_rows)."""
        n_settings = len(self.centre)
        scores = np.exp(x[0]) * self.log_probs
        scores[1:n_settings] += x[1:n_settings, None]
        given = self.rates.label_likelihoods(x[n_settings:], self.labels)
        # As softmax of scipy, whose checks of the array take as long again.
        exponentials = np.exp(scores - scores.max(axis=0))
        return exponentials / exponentials.sum(axis=0), given

    def loss(self, x: Array) -> tuple[float, Array]:
        """Return minus the logarithm of the likelihood, and its slopes."""
        return self._loss(x, *self.truth(x))

    def _loss(self, x: Array, probabilities: Array, likelihoods: Array) -> tuple[float, Array]:
        n_settings = len(self.centre)
        of_given = np.maximum((probabilities * likelihoods).sum(axis=0), SMALLEST)
        weights = probabilities / of_given
        settings = (x[:n_settings] - self.centre) / self.spread
        slopes = np.concatenate(
            [
                self._by_scores(weights * likelihoods - probabilities, x) - settings / self.spread,
                self.rates.slopes(x[n_settings:], weights, self.labels),
            ]
        )
        return float(settings @ settings / 2 - np.log(of_given).sum()), -slopes

    def _by_scores(self, slopes: Array, x: Array) -> Array:
        """Return slopes by temperature and offsets from those by the scores."""
        by_temperature = np.exp(x[0]) * (slopes * self.log_probs).sum()
        return np.array([by_temperature, *slopes[1 : len(self.centre)].sum(axis=1)])

    def wrong(self, x: Array, is_counted: NDArray[np.bool_]) -> tuple[float, Array]:
        """Return the share of rows with a wrong label, by the rates that count, and its slopes."""
        return self._wrong(x, self.truth(x)[0], is_counted)

    def _wrong(
        self, x: Array, probabilities: Array, is_counted: NDArray[np.bool_]
    ) -> tuple[float, Array]:
        lost, slopes = self.rates.wrong_shares(x[len(self.centre) :], is_counted)
        each = lost @ probabilities
        by_scores = probabilities * (lost[:, None] - each) / len(each)
        by_rates = slopes @ probabilities.mean(axis=1)
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

    def minimum(self, penalty: float, is_counted: NDArray[np.bool_], start: Array) -> Array:
        """Return what minimises the loss and a penalty on each row with a wrong label."""
        weight = penalty * len(self.labels)

        def penalised(x: Array) -> tuple[float, Array]:
            probabilities, given = self.truth(x)
            loss, slopes = self._loss(x, probabilities, given)
            share, by_x = self._wrong(x, probabilities, is_counted)
            return loss + weight * share, slopes + weight * by_x

        bounds = self.bounds(np.ones(len(self.rates.start), dtype=np.bool_))
        end = optimize.minimize(penalised, start, jac=True, bounds=bounds, method="L-BFGS-B")
        return np.asarray(end.x)

    def extreme(self, best: Array, is_counted: NDArray[np.bool_], drop: float, sign: int) -> float:
        """Return the least (-1) or largest (1) share of wrong labels that costs so much likelihood.

        With a penalty on each wrong label, no other parameters of the same loss have fewer. The
        loss rises with the square of the penalty, about. Where it jumps, the end lies on the chord,
        which is never inside of the true end.
        """
        x, lost, penalty = best, self.loss(best)[0], FIRST_PENALTY
        inside, outside = (0.0, self.wrong(best, is_counted)[0], 0.0), (np.inf, np.nan, np.inf)
        for _ in range(MOST_STEPS):
            end = self.minimum(-sign * penalty, is_counted, x)
            point = (penalty, self.wrong(end, is_counted)[0], self.loss(end)[0] - lost)
            if point[2] > drop:
                outside = point
            else:
                inside, x = point, end
            if abs(point[2] - drop) <= TOLERANCE or (sign < 0 and inside[1] == 0):
                return point[1]
            penalty *= float(np.clip(np.sqrt(drop / max(point[2], TOLERANCE)), 0.25, 4))
            if not inside[0] < penalty < outside[0]:
                penalty = (inside[0] + min(outside[0], 4 * inside[0] + 1)) / 2
        if not np.isfinite(outside[0]):
            return inside[1]
        part = (drop - inside[2]) / (outside[2] - inside[2])
        return inside[1] + part * (outside[1] - inside[1])


FIRST_PENALTY = 0.25
"""What is tried first; in 15 tables the end of the interval lay between 0.1 and 0.6."""

MOST_STEPS = 20
"""Penalties that are tried for one end of an interval."""

TOLERANCE = 0.01
"""How far the loss may be from what is allowed: 0.3 % of the length of an interval."""


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
        return np.asarray((joint / joint.sum(axis=0)).T)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The ordered pairs (true, given) that have a rate of their own."""
        rates = self.likelihood.rates
        return [*map(tuple, rates.pairs.tolist())] if isinstance(rates, _PairRates) else []

    def wrong(self, pair: tuple[int, int] | None = None) -> float:
        """Return the share of rows with a wrong label, or with that of a pair (true, given)."""
        return self.likelihood.wrong(self.best, self._mask(pair))[0]

    def interval(
        self, confidence: float, pair: tuple[int, int] | None = None
    ) -> tuple[float, float]:
        """Return the ends of the interval of `wrong`."""
        if (confidence, pair) not in self._intervals:  # Groups ask for it again.
            is_counted = self._mask(pair)
            drop = float(stats.chi2.ppf(confidence, 1)) / 2
            lower, upper = (
                self.likelihood.extreme(self.best, is_counted, drop, sign) for sign in (-1, 1)
            )
            # At zero all rates are at their bounds, where the likelihood ratio has another law.
            lower = 0.0 if self.p_value(pair) > (1 - confidence) / 2 else lower
            self._intervals[confidence, pair] = lower, upper
        return self._intervals[confidence, pair]

    def p_value(self, pair: tuple[int, int] | None = None) -> float:
        """Return that of no wrong labels, or none of a pair (true, given).

        Rates cannot be negative, so the likelihood ratio has a mixture of chi-squared laws; its
        weights are binomial if the rates are independent (Self and Liang 1987).
        """
        if pair not in self._p_values:  # Intervals ask for it again.
            self._p_values[pair] = self._ratio_test(self._mask(pair))
        return self._p_values[pair]

    @cached_property
    def _p_values(self) -> dict[tuple[int, int] | None, float]:
        return {}

    @cached_property
    def _intervals(self) -> dict[tuple[float, tuple[int, int] | None], tuple[float, float]]:
        return {}

    def _ratio_test(self, is_counted: NDArray[np.bool_]) -> float:
        without = self.likelihood.loss(self.likelihood.best(~is_counted))[0]
        ratio, m = 2 * (without + self.log_likelihood), int(is_counted.sum())
        if ratio <= 0:
            return 1.0
        return float(sum(comb(m, d) / 2**m * stats.chi2.sf(ratio, d) for d in range(1, m + 1)))

    def _mask(self, pair: tuple[int, int] | None) -> NDArray[np.bool_]:
        if pair is None:
            return np.ones(len(self.likelihood.rates.start), dtype=np.bool_)
        return np.array([other == pair for other in self.pairs])


def fit_noise_model(
    log_probs: Array,
    labels: Labels,
    other_rows: NoiseModel | None = None,
    most_paired: int = MOST_PAIRED,
) -> NoiseModel:
    """Return the most likely rates of wrong labels.

    Parameters
    ----------
    log_probs : array, shape (n_rows, n_labels), float64
        Logarithms of the probabilities that a classifier gives the labels.
    labels : array, shape (n_rows,), int64
        The labels that are given.
    other_rows : NoiseModel, optional
        That of other rows of the same table, whose temperature and offsets will not be far away.
    most_paired : int
        Labels up to which each pair has a rate; with more labels there is one rate for all.
    """
    n_labels = log_probs.shape[1]
    is_paired = n_labels <= most_paired
    rates: _Rates = _PairRates(n_labels) if is_paired else _OneRate(n_labels)
    centred = np.ascontiguousarray((log_probs - log_probs.mean(axis=1, keepdims=True)).T)
    centre, spread = np.zeros(n_labels if is_paired else 1), SPREAD
    if other_rows is not None:
        centre, spread = other_rows.best[: len(centre)], PART_SPREAD
    likelihood = _Likelihood(centred, labels, rates, centre, spread)
    return NoiseModel(likelihood, likelihood.best(np.ones(len(rates.start), dtype=np.bool_)))
