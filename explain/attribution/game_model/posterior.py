"""What the values of some coalitions tell of one half of a game, and how well it predicted them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import inf

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dtrtrs
from scipy.stats import norm, t

from explain.attribution.game_model.prior import Hypotheses, Moments, Prior

__all__ = ["RESOLUTION", "SAFETY", "Half", "ReadOut"]

FloatArray = NDArray[np.float64]

RESOLUTION = 1e-6
"""Relative to one and the largest value: float32 scores are not known better than that."""

JITTER = 1e-6
"""Share of the variance that the covariances of the data need to have an inverse."""

NEGLIGIBLE = 1e-2
"""Probability, relative to the likeliest, of hypotheses that are not looked at."""

SAFETY = 1.2
"""Factor of all errors that were put to a test.

Of 1, 1.15, 1.2 and 1.3, the smallest with which 90 % intervals cover .85 or more in all families
of games, of 15, 30 and 60 features each (decision 10). On the surprises alone it is too little:
five times as many exclusive ors of three words are missed.
"""

VARIES_MUCH = 0.2
"""Share of effects that vary with the size, the largest tried, from which on the factor is squared.

How they vary is then guessed: 90 % intervals of curves of a weighted count, steep where the last
word goes, cover from .83 without it, from .86 with it. A classifier's recorded games take 1.5 %
more evaluations for it (decision 10).
"""

FAR = 1.5
"""Distance of a size from the middle, in root n, from which on surprises are looked at apart."""

FEWEST_TESTS = 4
"""Surprises that say anything of those to come."""


@dataclass(frozen=True, slots=True)
class ReadOut:
    """Something linear in a game.

    Attributes
    ----------
    values, errors : array, shape (n_values,), float64
        Posterior mean and standard error of each number, in the unit of the target's scale.
    least_scale : float
        What errors are relative to where all values are smaller.
    """

    values: FloatArray
    errors: FloatArray
    least_scale: float = 0.0

    @property
    def relative_error(self) -> float:
        """The largest standard error, relative to the largest absolute value or `least_scale`."""
        largest = float(np.abs(self.values).max(initial=self.least_scale))
        worst = float(self.errors.max(initial=0))
        return worst / largest if largest else (inf if worst else 0.0)


@dataclass(frozen=True)
class Half:
    """The posterior of the odd or the even part of a game, averaged over the hypotheses.

    Attributes
    ----------
    prior : Prior
        What was expected.
    x : array, shape (n_data, n_features)
        The coalitions as +1 and -1, the full one first.
    noise : array, shape (n_data,)
        Variance of each datum.
    hypotheses : Hypotheses
        Those that the data do not rule out.
    probabilities, variances : array, shape (n_hypotheses,)
        How likely the data make each, and its s2.
    factors : array, shape (n_hypotheses, n_data, n_data)
        Cholesky factors of the covariances of the data, lower, for s2 of one.
    coefficients : array, shape (n_hypotheses, n_data)
        Inverse covariances times data.
    log_evidence : float
        Of the likeliest hypothesis.
    surprises : array, shape (n_data,)
        How far each datum was off what fewer data had predicted, in its standard errors; NaN for
        those that were not predicted.
    """

    prior: Prior
    x: FloatArray
    noise: FloatArray
    hypotheses: Hypotheses
    probabilities: FloatArray
    variances: FloatArray
    factors: FloatArray
    coefficients: FloatArray
    log_evidence: float
    surprises: FloatArray

    @classmethod
    def fit(
        cls,
        prior: Prior,
        data: tuple[FloatArray, FloatArray, FloatArray],
        hypotheses: Hypotheses,
        surprises: FloatArray,
    ) -> "Half":
        """Return the posterior after data: coalitions, values, and the variances of their noise."""
        x, y, noise = data
        grams = np.tensordot(
            prior.weights(hypotheses), prior.of_coalitions(x, x).covariances, axes=1
        )
        diagonals = np.einsum("hjj->hj", grams)
        diagonals += JITTER + hypotheses.tail_weights[:, None]
        if noise.any():
            scales = np.array([_likeliest_scale(gram, y, noise.mean()) for gram in grams])
            diagonals += noise / scales[:, None]
        factors = _factored(grams)
        white = _whiten(factors, [y] * len(factors))
        quadratics = np.maximum((white**2).sum(axis=1), np.finfo(float).tiny)
        if not noise.any():
            scales = quadratics / len(y)
        log_determinants = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        evidence = -0.5 * (len(y) * np.log(scales) + quadratics / scales) - log_determinants
        probabilities = np.exp(evidence - evidence.max())
        likely = np.flatnonzero(probabilities > NEGLIGIBLE)
        return cls(
            prior,
            x,
            noise,
            hypotheses[likely],
            probabilities[likely] / probabilities[likely].sum(),
            scales[likely],
            factors[likely],
            np.array([dtrtrs(factors[i].T, white[i])[0] for i in likely.tolist()]),
            float(evidence.max()),
            surprises,
        )

    def read_out(self, moments: Moments) -> ReadOut:
        """Return the posterior of numbers that have these moments, as the model has it."""
        covariances = np.tensordot(self._weights, moments.covariances, axes=1)
        explained = (_whiten(self.factors, covariances) ** 2).sum(axis=1)
        residuals = np.maximum(self._weights @ moments.prior - explained, 0)
        means = np.einsum("hj,hjv->hv", self.coefficients, covariances)
        mean = self.probabilities @ means
        spread = self.probabilities @ (self.variances[:, None] * residuals + (means - mean) ** 2)
        return ReadOut(mean, np.sqrt(spread))

    def means(self, moments: Moments) -> FloatArray:
        """Return the posterior means alone, shape (n_values,)."""
        of_kind = (self.probabilities[:, None] * self._weights).T @ self.coefficients
        posterior_means: FloatArray = np.einsum("kj,kjv->v", of_kind, moments.covariances)
        return posterior_means

    def tested_on(self, x: FloatArray, y: FloatArray, noise: FloatArray) -> FloatArray:
        """Return the surprises of the data known so far, and of further ones that are predicted."""
        n_known = len(self.x)
        predicted = self.read_out(self.prior.of_coalitions(self.x, x[n_known:]))
        unexplained = self.probabilities @ (
            self.variances * (JITTER + self.hypotheses.tail_weights)
        )
        resolution = RESOLUTION * (1 + np.abs(y).max())
        errors = np.sqrt(predicted.errors**2 + unexplained + noise[n_known:] + resolution**2)
        return np.concatenate([self.surprises, (y[n_known:] - predicted.values) / errors])

    @cached_property
    def widening(self) -> float:
        """What errors are multiplied by, from how surprising the last half of the data was.

        Surprises that are normal have a fourth moment of three. Those of few or nearly all features
        and those of middle sizes are looked at apart, and as many degrees of freedom are allowed
        for as there are (Student 1908). It is one where nothing was tested.
        """
        last = slice(len(self.x) // 2, None)
        surprises = self.surprises[last]
        is_tested = np.isfinite(surprises)
        if np.count_nonzero(is_tested) < FEWEST_TESTS:
            return 1.0
        far = np.abs(self.x[last].sum(axis=1)) > FAR * np.sqrt(self.x.shape[1])
        groups = (surprises[is_tested & group] for group in (far, ~far))
        worst = max(
            (
                float((values**4).mean() / 3) ** 0.25
                for values in groups
                if len(values) >= FEWEST_TESTS
            ),
            default=1.0,
        )
        few = float(t.ppf(0.95, np.count_nonzero(is_tested)) / norm.ppf(0.95))
        return float(SAFETY ** (1 + self._varying_probability)) * few * max(1.0, worst)

    @cached_property
    def _varying_probability(self) -> float:
        """How likely the half counts along its direction and varies much with the size."""
        varies = self.hypotheses.largest_varying >= VARIES_MUCH
        return float(self.probabilities[varies & (self.hypotheses.direction_weights > 0)].sum())

    @cached_property
    def _weights(self) -> FloatArray:
        return self.prior.weights(self.hypotheses)


def _likeliest_scale(gram: FloatArray, y: FloatArray, noise: float) -> float:
    """Return the s2 that makes data of covariance s2 times `gram` plus noise likeliest."""
    eigenvalues, vectors = np.linalg.eigh(gram)
    squares = (vectors.T @ y) ** 2
    # A decade takes forty steps: s2 is then off by 3 % at most.
    scales = float((y**2).mean() / np.diag(gram).mean()) * np.logspace(-6, 2, 321)[:, None]
    spread = scales * eigenvalues + noise
    best = int((np.log(spread) + squares / spread).sum(axis=1).argmin())
    return float(scales[best, 0])


def _factored(grams: FloatArray) -> FloatArray:
    """Turn each covariance into its lower Cholesky factor, in its place."""
    for gram in grams:
        # In place, and by columns, LAPACK takes two thirds of the time of `numpy.linalg.cholesky`.
        _, failed = dpotrf(gram.T, lower=0, clean=1, overwrite_a=1)
        if failed:
            raise np.linalg.LinAlgError("a covariance is not positive definite")
    return grams


def _whiten(factors: FloatArray, data: Iterable[FloatArray]) -> FloatArray:
    """Return the inverse of each lower factor times its data."""
    # LAPACK reads columns first, so that a transpose is read without a copy.
    return np.array([dtrtrs(f.T, d, trans=1)[0] for f, d in zip(factors, data, strict=True)])
