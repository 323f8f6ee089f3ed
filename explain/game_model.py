"""A Gaussian process on coalitions: what a game is, as far as its values so far tell.

Write a coalition as x in {-1, +1}^n and the game as v(x) = sum over T of c_T prod_{i in T} x_i. The
coefficients have independent normal priors with variance s2 w_k a_T / e_k(a) for |T| = k, where
a_T is the product of the relevances a_i of its features and e_k the elementary symmetric
polynomial. So the covariance of two values is

    K(x, x') = s2 sum_k w_k e_k(a x x') / e_k(a),

and whatever is linear in v (Shapley values, interactions, the fit of LIME) has a posterior mean and
a standard error in closed form. Coalitions come in complementary pairs, which part the game into an
odd half, on which alone Shapley values depend, and an even half.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import islice, product
from math import inf

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtrtrs
from threadpoolctl import ThreadpoolController

from explain.errors import ConfigurationError
from explain.games import Coalitions, Kept, Plan, Values

__all__ = ["RESOLUTION", "GameModel", "Learned", "Limits", "ReadOut", "learn", "pairs"]

FloatArray = NDArray[np.float64]

SECOND = (1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0)
"""Weights tried of the second order of a half, relative to the first (prototype of the tables)."""

THIRD = (0.0, 0.03, 0.12)
"""Weights tried of the third order, relative to the second.

Of twenty sets, the one whose 90 % intervals cover nearest to .9 of 59 exact games of a classifier,
words masked or deleted, and of 200 synthetic ones.
"""

JITTER = 1e-6
"""Share of the variance that the covariances of the data need to have an inverse."""

NEGLIGIBLE = 1e-2
"""Probability of weights that are not looked at again."""

CONSTANT = 100.0
"""Weight of the constant: its prior says next to nothing."""

SMALLEST_RELEVANCE = 0.3
"""Added to the size of a feature, relative to their root mean square, so that none is ruled out.

Of .1, .3 and 1.5th powers tried on 13 exact games, the one whose 90 % intervals cover best.
"""

MOST_MISSES = 1_000
"""Draws in a row that were all known, at which no other coalition is looked for."""

SMALLEST_ROUND = 8
"""Evaluations that a further round asks for at least: a batch that is worth a fit."""

FIRST_ROUND = 32
"""Evaluations asked for first."""

RESOLUTION = 1e-6
"""Relative to one and the largest value: float32 scores are not known better than that."""

CHUNK = 1_000
"""Coalitions whose covariances are held at a time."""


@dataclass(frozen=True, slots=True)
class ReadOut:
    """Something linear in a game.

    Attributes
    ----------
    values, errors : array, shape (n_values,), float64
        Posterior mean and standard error of each number, in the unit of the target's scale.
    """

    values: FloatArray
    errors: FloatArray

    @property
    def relative_error(self) -> float:
        """The largest standard error, relative to the largest absolute value."""
        largest = float(np.abs(self.values).max(initial=0))
        worst = float(self.errors.max(initial=0))
        return worst / largest if largest else (inf if worst else 0.0)


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop asking.

    Attributes
    ----------
    tolerance : float
        Largest standard error, relative to the largest absolute value.
    budget : int
        Evaluations, the empty and the full coalition included.
    seconds : float or None
        Wall-clock seconds after the first question.

    Raises
    ------
    ConfigurationError
        If a limit is not positive.
    """

    tolerance: float
    budget: int
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.tolerance <= 0 or self.budget < 2 or (self.seconds or 1) <= 0:
            raise ConfigurationError(
                f"tolerance={self.tolerance}, budget={self.budget}, seconds={self.seconds} end "
                "nothing; tolerance and seconds must be positive, the budget two or more"
            )


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned of a game until a read-out was certain enough.

    Attributes
    ----------
    model : GameModel
        The game.
    found : ReadOut
        The read-out that decided when to stop.
    ended_by : {"tolerance", "budget", "seconds"}
        Why no further question was asked.
    rounds : int
        How often values were asked for.
    """

    model: "GameModel"
    found: ReadOut
    ended_by: str
    rounds: int


def pairs(n_features: int, rng: np.random.Generator) -> Iterator[Kept]:
    """Yield one coalition of each complementary pair, none twice; the full one is left out.

    First each feature alone, in random order: the differences to its complement hold all that is
    additive. Then coalitions that are drawn by the toss of a coin for each feature, and are moved
    away from the full one and from each other. It ends where a thousand draws in a row were known.
    """
    if n_features < 2:
        return
    # Of two features each alone is the complement of the other.
    for feature in rng.permutation(n_features if n_features > 2 else 1):
        yield np.arange(n_features) == feature
    before = np.ones((1, n_features))
    misses = 0
    while misses < MOST_MISSES:
        x = rng.choice([-1.0, 1.0], n_features)
        if _is_known(before @ x, n_features):
            misses += 1
            continue
        misses = 0
        x = _moved_away(x, before)
        before = np.vstack([before, x])
        yield x > 0


def _is_known(products: FloatArray, n_features: int) -> bool:
    """Return whether the pair with these inner products with those before was yielded.

    The first of those is the full coalition, and tells a feature alone.
    """
    met = np.abs(products)
    return bool(met.max() == n_features or met[0] == n_features - 2)


def _moved_away(x: FloatArray, before: FloatArray) -> FloatArray:
    """Flip features, the best one first, while that lowers the sum of t^4 over the products t.

    Those are the inner products of x with the coalitions before. Data of which the sum is least
    confuse effects of up to two features least (orthogonal arrays of strength four; Hedayat, Sloane
    and Stufken 1999). A flip of x_i changes the sum by
    8 (3 sum t^2 + 2 len(t) - x_i sum (t^3 + 4 t) before_i).
    """
    x, t = x.copy(), before @ x
    while True:
        gains = x * ((t * (t * t + 4)) @ before)
        best = int(gains.argmax())
        flipped = t - 2 * x[best] * before[:, best]
        if gains[best] <= 3 * (t @ t) + 2 * len(t) or _is_known(flipped, len(x)):
            return x
        x[best] = -x[best]
        t = flipped


def learn(
    n_features: int,
    rng: np.random.Generator,
    limits: Limits,
    read: Callable[["GameModel"], ReadOut],
) -> Plan[Learned]:
    """Return the coroutine that asks for pairs in rounds until a read-out is certain enough.

    Whoever starts from the same random stream asks for the same coalitions in the same order.

    Parameters
    ----------
    n_features : int
        Number of features, two or more.
    rng : numpy.random.Generator
        Source of the design.
    limits : Limits
        When to stop.
    read : callable
        Takes a `GameModel` and returns what is to become certain.
    """
    started = time.monotonic()
    design = pairs(n_features, rng)
    kept = np.ones((1, n_features), dtype=bool)
    values: FloatArray = np.zeros((0, 2))
    last: Learned | None = None
    rounds, wanted = 0, FIRST_ROUND
    while True:
        room = (min(wanted, limits.budget) - 2 * len(values)) // 2
        with _one_thread():
            asked = list(islice(design, room - (not rounds)))
        if last is not None and not asked:
            return last
        fresh = np.array(asked if rounds else [kept[0], *asked])
        answered = (yield np.vstack([fresh, ~fresh])).values
        values = np.vstack([values, answered.reshape(2, -1).T])
        kept = np.vstack([kept, fresh]) if rounds else fresh
        rounds += 1
        with _one_thread():
            model = GameModel.fit(kept, values, None if last is None else last.model)
            found = read(model)
        last = Learned(model, found, "budget", rounds)
        unresolved = RESOLUTION * (1 + float(np.abs(values).max()))
        if found.relative_error <= limits.tolerance or found.errors.max(initial=0) <= unresolved:
            return replace(last, ended_by="tolerance")
        if limits.seconds is not None and time.monotonic() - started >= limits.seconds:
            return replace(last, ended_by="seconds")
        if 2 * len(values) + 2 > limits.budget:
            return last
        wanted = _next(2 * len(values), found.relative_error / limits.tolerance)


def _next(n: int, excess: float) -> int:
    """Return how many evaluations to have next, after n whose error is `excess` times too large.

    The error falls about as n^-1.25, so the last round asks for little more than it needs.
    """
    return int(min(2 * n, max(n + SMALLEST_ROUND, n * excess**0.8)))


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def _one_thread() -> AbstractContextManager[object]:
    """Keep small matrices on one thread: several cost thirty times as much on a busy machine."""
    limited: AbstractContextManager[object] = _threads().limit(limits=1, user_api="blas")
    return limited


@dataclass(frozen=True, slots=True)
class _Weights:
    """How much each order may have of the variance of a half, and all higher ones together.

    The higher ones count as noise. They go on in the ratio of the last two.
    """

    of_order: dict[int, float]
    beyond: float


@dataclass(frozen=True)
class _Half:
    """The posterior of the odd or the even part of a game, averaged over the weights.

    Attributes
    ----------
    x : array, shape (n_data, n_features)
        The coalitions as +1 and -1, the full one first.
    relevance : array, shape (n_features,)
        a_i, one in the mean.
    norms : array, shape (6,)
        e_k(a).
    weights : list of _Weights
        The hypotheses: those weights of the orders that the data do not rule out.
    probabilities, variances : array, shape (n_hypotheses,)
        How likely the data make each, and its s2.
    factors : array, shape (n_hypotheses, n_data, n_data)
        Cholesky factors of the covariances of the data, lower, for s2 of one.
    coefficients : array, shape (n_hypotheses, n_data)
        Inverse covariances times data.
    log_evidence : float
        Of the likeliest hypothesis.
    """

    x: FloatArray
    relevance: FloatArray
    norms: FloatArray
    weights: list[_Weights]
    probabilities: FloatArray
    variances: FloatArray
    factors: FloatArray
    coefficients: FloatArray
    log_evidence: float

    @classmethod
    def fit(
        cls, x: FloatArray, y: FloatArray, relevance: FloatArray, weights: Sequence[_Weights]
    ) -> "_Half":
        every = _elementary(x, x, relevance)
        norms = np.array([e[0, 0] for e in every])
        grams = _weighted(weights, {k: every[k] / norms[k] for k in weights[0].of_order})
        grams += np.array([JITTER + one.beyond for one in weights])[:, None, None] * np.eye(len(y))
        factors = np.asarray(np.linalg.cholesky(grams), dtype=np.float64)
        white = _whitened(factors, [y] * len(factors))
        quadratics = np.maximum((white**2).sum(axis=1), np.finfo(float).tiny)
        log_determinants = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        evidence = -0.5 * len(y) * np.log(quadratics / len(y)) - log_determinants
        probabilities = np.exp(evidence - evidence.max())
        likely = np.flatnonzero(probabilities > NEGLIGIBLE * probabilities.sum())
        return cls(
            x,
            relevance,
            norms,
            [weights[i] for i in likely.tolist()],
            probabilities[likely] / probabilities[likely].sum(),
            quadratics[likely] / len(y),
            factors[likely],
            np.array([dtrtrs(factors[i].T, white[i])[0] for i in likely.tolist()]),
            float(evidence.max()),
        )

    def read(self, crossed: dict[int, FloatArray], prior: dict[int, FloatArray]) -> ReadOut:
        """Return the posterior of read-outs.

        `crossed[k]`, shape (n_data, n_values), and `prior[k]`, shape (n_values,), are their
        covariances with the data and their variances if only order k had weight one.
        """
        covariances = _weighted(self.weights, crossed)
        explained = (_whitened(self.factors, covariances) ** 2).sum(axis=1)
        left = np.maximum(_weighted(self.weights, prior) - explained, 0)
        means = np.einsum("hj,hjv->hv", self.coefficients, covariances)
        mean = self.probabilities @ means
        spread = self.probabilities @ (self.variances[:, None] * left + (means - mean) ** 2)
        return ReadOut(mean, np.sqrt(spread))

    def features(self, inside: FloatArray, outside: FloatArray) -> ReadOut:
        """Return the posterior of one number per feature that treats all features alike.

        An effect c_T counts ``inside[|T|]`` times in the numbers of the features of T, and
        ``outside[|T|]`` times in those of the others.
        """
        own = self.relevance * self.x
        data = _without_one(self.x, self.relevance)
        alone = [of_order[0] for of_order in data]
        crossed, prior = {}, {}
        for k in self.orders:
            crossed[k] = outside[k] * data[k]
            prior[k] = outside[k] ** 2 * alone[k]
            if k:
                crossed[k] = crossed[k] + inside[k] * own * data[k - 1]
                prior[k] = prior[k] + inside[k] ** 2 * self.relevance * alone[k - 1]
            crossed[k] /= self.norms[k]
            prior[k] /= self.norms[k]
        return self.read(crossed, prior)

    @property
    def orders(self) -> list[int]:
        return list(self.weights[0].of_order)

    @property
    def coefficients_of_order(self) -> dict[int, FloatArray]:
        """What turns e_k of the data and a coalition into the part of order k of its value."""
        return {
            k: np.array([one.of_order[k] for one in self.weights])
            * self.probabilities
            @ self.coefficients
            / self.norms[k]
            for k in self.orders
        }


@dataclass(frozen=True)
class GameModel:
    """The posterior of a game after some complementary pairs.

    Attributes
    ----------
    kept : array, shape (n_pairs, n_features), bool
        One coalition of each pair; the first is the full one.
    values : array, shape (n_pairs, 2), float64
        Values of each coalition and of its complement.
    relevance : array, shape (n_features,), float64
        a_i: how much a feature is expected to matter, one in the mean.
    odd : _Half
        What Shapley values depend on.
    even_weights : list of _Weights
        The weights that `even` tries.
    """

    kept: Coalitions
    values: FloatArray
    relevance: FloatArray
    odd: _Half
    even_weights: list[_Weights]

    @classmethod
    def fit(
        cls, kept: Coalitions, values: FloatArray, before: "GameModel | None" = None
    ) -> "GameModel":
        """Return the posterior after some pairs.

        The relevances, and which weights of the orders are tried, come from the model of fewer
        pairs. Without one, the relevance that these very pairs teach is taken if it makes them
        more likely than an equal one (empirical Bayes; MacKay 1992), and all weights are tried.
        """
        x = np.where(kept, 1.0, -1.0)
        difference = (values[:, 0] - values[:, 1]) / 2

        def under(
            relevance: FloatArray, odd: Sequence[_Weights], even: list[_Weights]
        ) -> "GameModel":
            half = _Half.fit(x, difference, relevance, odd)
            return cls(kept, values, relevance, half, even)

        if before is not None:
            return under(before.learned_relevance(), before.odd.weights, before.likely_even_weights)
        weights = _odd_weights(kept.shape[1]), _even_weights(kept.shape[1])
        equal = under(np.ones(kept.shape[1]), *weights)
        learned = under(equal.learned_relevance(), *weights)
        return max(equal, learned, key=lambda model: model.odd.log_evidence)

    @property
    def empty_value(self) -> float:
        """v(empty)."""
        return float(self.values[0, 1])

    @property
    def full_value(self) -> float:
        """v(N)."""
        return float(self.values[0, 0])

    def shapley(self) -> ReadOut:
        """Return the Shapley values, which sum to v(N) - v(empty).

        phi_i = sum over T with i and |T| odd of 2 c_T / |T|. What the posterior means lack to the
        sum is shared in proportion to their variances.
        """
        inside = np.array([2 / k if k % 2 else 0.0 for k in range(len(self.odd.norms))])
        found = self.odd.features(inside, np.zeros(len(inside)))
        lacking = self.full_value - self.empty_value - found.values.sum()
        variances = found.errors**2
        total = variances.sum()
        shares = variances / total if total > 0 else np.full(len(variances), 1 / len(variances))
        return ReadOut(found.values + lacking * shares, found.errors)

    def features(self, inside: FloatArray, outside: FloatArray) -> ReadOut:
        """Return numbers of the features that treat all features alike, with standard errors.

        Parameters
        ----------
        inside, outside : array, shape (6,), float64
            How much an effect c_T counts in the number of a feature of T, and of any other, for
            each size of T.
        """
        odd, even = (half.features(inside, outside) for half in (self.odd, self.even))
        return ReadOut(odd.values + even.values, np.hypot(odd.errors, even.errors))

    def interactions(self) -> ReadOut:
        """Return the Shapley interaction index of all pairs (Grabisch and Roubens 1999).

        In the order of ``numpy.triu_indices(n_features, 1)``. I_ij is the sum over T with i and j
        and |T| even of 4 c_T / (|T| - 1).
        """
        half = self.even
        first, second = np.triu_indices(half.x.shape[1], 1)
        crossed, prior = {}, {}
        data = _without_two(half.x, half.relevance, first, second)
        both = half.relevance[first] * half.relevance[second]
        for k in half.orders:
            if k == 0:
                crossed[0], prior[0] = np.zeros((len(half.x), len(first))), np.zeros(len(first))
                continue
            factor = 4 / (k - 1)
            signs = half.x[:, first] * half.x[:, second]
            crossed[k] = factor * both * signs * data[k - 2] / half.norms[k]
            prior[k] = factor**2 * both * data[k - 2][0] / half.norms[k]
        return half.read(crossed, prior)

    def predict(self, kept: Coalitions) -> Values:
        """Return the expected value of each coalition, shape (n_coalitions,)."""
        x = np.where(kept, 1.0, -1.0)
        predicted = np.zeros(len(x))
        for start in range(0, len(x), CHUNK):
            chunk = slice(start, start + CHUNK)
            for half in (self.odd, self.even):
                with _one_thread():
                    covariances = _elementary(half.x, x[chunk], half.relevance)
                for k, coefficients in half.coefficients_of_order.items():
                    predicted[chunk] += covariances[k].T @ coefficients
        return predicted

    def score(self, kept: Coalitions) -> Values:
        """Return the value of each coalition: the true one where it is known, else `predict`'s."""
        distinct, place = np.unique(kept, axis=0, return_inverse=True)
        known = [self._known.get(row.tobytes()) for row in distinct]
        predicted = self.predict(distinct)
        values = np.array(
            [p if v is None else v for v, p in zip(known, predicted, strict=True)], dtype=np.float64
        )
        return values[place.reshape(-1)]

    def knows(self, kept: Coalitions) -> NDArray[np.bool_]:
        """Return of which coalitions the value is known, shape (n_coalitions,)."""
        return np.array([row.tobytes() in self._known for row in kept], dtype=bool)

    @cached_property
    def even(self) -> _Half:
        """The even half, which Shapley values do not depend on."""
        return _Half.fit(self.odd.x, self.values.mean(axis=1), self.relevance, self.even_weights)

    @property
    def likely_even_weights(self) -> list[_Weights]:
        """Those that the data do not rule out, as far as the even half was looked at."""
        return self.even.weights if "even" in vars(self) else self.even_weights

    @cached_property
    def _known(self) -> dict[bytes, float]:
        """The values that were given, by coalition."""
        both = zip(np.vstack([self.kept, ~self.kept]), self.values.T.reshape(-1), strict=True)
        return {row.tobytes(): float(value) for row, value in both}

    def learned_relevance(self) -> FloatArray:
        """Return what the Shapley values so far say of how much each feature matters."""
        found = self.shapley()
        size = np.hypot(found.values, found.errors)
        scale = np.sqrt((size**2).mean())
        if not scale:
            return np.ones(len(size))
        relevance = size / scale + SMALLEST_RELEVANCE
        learned: FloatArray = relevance / relevance.mean()
        return learned


def _odd_weights(n_features: int) -> list[_Weights]:
    """Return all weights of orders 1, 3 and 5 that are tried."""
    return [
        _Weights(_possible({1: 1.0, 3: second, 5: second * third}, n_features), second * third**2)
        for second, third in product(SECOND, THIRD)
    ]


def _even_weights(n_features: int) -> list[_Weights]:
    """Return all weights of orders 0, 2 and 4 that are tried."""
    return [
        _Weights(_possible({0: CONSTANT, 2: 1.0, 4: second}, n_features), second**2)
        for second in SECOND
    ]


def _possible(of_order: dict[int, float], n_features: int) -> dict[int, float]:
    return {k: weight for k, weight in of_order.items() if k <= n_features}


def _weighted(weights: Sequence[_Weights], of_order: dict[int, FloatArray]) -> FloatArray:
    """Return the sum over the orders under each hypothesis, shape (n_hypotheses, ...)."""
    table = np.array([[one.of_order[k] for k in of_order] for one in weights])
    summed: FloatArray = np.tensordot(table, np.array(list(of_order.values())), axes=1)
    return summed


def _whitened(factors: FloatArray, data: Iterable[FloatArray]) -> FloatArray:
    """Return the inverse of each lower factor times its data."""
    # LAPACK reads columns first, so that a transpose is read without a copy.
    return np.array([dtrtrs(f.T, d, trans=1)[0] for f, d in zip(factors, data, strict=True)])


def _elementary(x: FloatArray, other: FloatArray, relevance: FloatArray) -> list[FloatArray]:
    """Return e_0 .. e_5 of the products a_i x_i x'_i, each of shape (len(x), len(other)).

    By Newton's identities from the power sums, of which the even ones count negative and are the
    same for all.
    """
    odd = {power: (x * relevance**power) @ other.T for power in (1, 3, 5)}
    even = {power: -float((relevance**power).sum()) for power in (2, 4)}
    signed: dict[int, FloatArray | float] = {**odd, **even}
    found = [np.ones_like(odd[1])]
    for k in range(1, 6):
        total = found[k - 1] * signed[1]
        for power in range(2, k + 1):
            total += found[k - power] * signed[power]
        found.append(total / k)
    return found


def _without_one(x: FloatArray, relevance: FloatArray) -> list[FloatArray]:
    """Return e_0 .. e_5 of a_j x_j over j != i, each of shape (len(x), n_features)."""
    every = _elementary(x, np.ones((1, x.shape[1])), relevance)
    own = relevance * x
    found = [np.ones_like(own)]
    for k in range(1, 6):
        found.append(every[k] - own * found[k - 1])
    return found


def _without_two(
    x: FloatArray, relevance: FloatArray, first: NDArray[np.intp], second: NDArray[np.intp]
) -> list[FloatArray]:
    """Return e_0 .. e_2 of a_k x_k over k other than i and j, each of shape (len(x), n_pairs)."""
    without = _without_one(x, relevance)
    own = (relevance * x)[:, second]
    found = [np.ones_like(own)]
    for k in range(1, 3):
        found.append(without[k][:, first] - own * found[k - 1])
    return found
