"""What is expected of a game before its values are seen: normal effects, some varying with size.

A game falls into an odd and an even half under the exchange of a coalition for its complement. In a
half, the effects of order k have the covariance

    w_k a_T / e_k(a) (1 + rho c(|x|, |x'|)),

where a_T is the product of the relevances of their features, e_k the elementary symmetric
polynomial, and c says how alike f_T is at two sizes. Besides, all features together may count in
the direction b of the values so far: f(|x|) b.x, more or less by size, and the sum over T of the
products of b_i x_i, for the orders that follow. Averages, maxima, thresholds and saturating scores
do: they are curves of a sum, which have one sign for all T.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from explain.attribution.game_model.symmetric import SizeWeights, elementary, elementary_without
from explain.attribution.game_model.variation import Variation, by_variation

__all__ = ["Hypotheses", "Moments", "OwnFeatures", "Parity", "Prior", "hypotheses"]

FloatArray = NDArray[np.float64]

OwnFeatures = NDArray[np.intp]
"""The own features of each number that is read, shape (n_own, n_values)."""

Parity = Literal["odd", "even"]

SECOND_ORDER = (1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0)
"""Weights tried of the second order of a half, relative to the first (prototype of the tables)."""

THIRD_ORDER = ((0.0, 0.0), (0.03, 0.0), (0.12, 0.0), (0.12, 0.1))
"""Weights tried of the third order, relative to the second, and what all higher ones add to theirs.

The first numbers are, of twenty sets, those whose 90 % intervals cover nearest to .9 of 59 exact
games of a classifier, words masked or deleted, and of 200 synthetic ones. Games with thresholds
need the last pair: 90 % intervals cover .69 of 15 features without it.
"""

VARYING_WEIGHTS = (0.0, 0.02, 0.2)
"""Shares tried of effects that vary with the size: free on 13 recorded games (decision 10)."""

DIRECTION_WEIGHTS = (0.0, 1.0)
"""Weights tried of the effect f(|x|) b.x: averages of 60 words off by .1, not by 1.4, with it.

The effects of higher orders along b have this share of the variance of their orders.
"""

DIRECTION_ORDERS: dict[Parity, tuple[int, ...]] = {"odd": (1, 3, 5), "even": (1, 2, 4)}
"""Orders of effects along the direction. That of order one varies with the size, in the even half
as an odd function; with those beyond it curves of a sum take half of the evaluations (decision 10).
"""

Weights: TypeAlias = tuple[Sequence[float], Sequence[float] | FloatArray, float, float]
"""What `Hypotheses` holds of one of them."""

SMALLEST_NORM = 1e-10
"""Of squares of effects along the direction: below that they are rounding errors of Newton's
identities, which are about 1e-16."""

CONSTANT = 100.0
"""Weight of the constant: its prior says next to nothing."""


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """How much of the variance of a half each kind of effect may have, a row for each hypothesis.

    Attributes
    ----------
    constant_weights : array, shape (n_hypotheses, 6)
        Weights of effects that do not vary with the size, by order.
    varying_weights : array, shape (n_hypotheses, 6)
        Weights of those that do, by order.
    direction_weights : array, shape (n_hypotheses,)
        Weight of the effects of all features together in the direction of their values.
    tail_weights : array, shape (n_hypotheses,)
        Weight of all orders beyond the fifth, which count as noise. They go on in the ratio of the
        last two.
    """

    constant_weights: FloatArray
    varying_weights: FloatArray
    direction_weights: FloatArray
    tail_weights: FloatArray

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "Hypotheses":
        return Hypotheses(
            self.constant_weights[rows],
            self.varying_weights[rows],
            self.direction_weights[rows],
            self.tail_weights[rows],
        )

    @property
    def largest_varying(self) -> FloatArray:
        """The largest weight of effects that vary with the size, shape (n_hypotheses,)."""
        largest: FloatArray = self.varying_weights.max(axis=1)
        return largest


@cache
def hypotheses(parity: Parity) -> Hypotheses:
    """Return all that are tried; those with effects along a direction need one."""
    rows = _of_odd() if parity == "odd" else _of_even()
    return Hypotheses(*(np.array(column, dtype=np.float64) for column in zip(*rows, strict=True)))


def _of_odd() -> Iterator[Weights]:
    yield (0, 1, 0, 0, 0, 0), (0,) * 6, 0, 0
    for second, (third, higher), varying, direction in product(
        SECOND_ORDER, THIRD_ORDER, VARYING_WEIGHTS, DIRECTION_WEIGHTS
    ):
        fifth = second * third
        shares = np.array([1, 1, second, second, fifth, fifth])
        constant = (0, 1, 0, second, 0, fifth)
        yield constant, varying * shares, direction, fifth * third + higher


def _of_even() -> Iterator[Weights]:
    for second, varying, direction in product(SECOND_ORDER, VARYING_WEIGHTS, DIRECTION_WEIGHTS):
        shares = np.array([1, 1, 1, second, second, second**2])
        yield (CONSTANT, 0, 1, 0, second, 0), varying * shares, direction, second**2


@dataclass(frozen=True, slots=True)
class Moments:
    """Covariances of some numbers with the data, and their variances, by kind of effect.

    Each is for a weight of one and s2 of one. The kinds are those of `Prior.weights`.

    Attributes
    ----------
    covariances : array, shape (n_kinds, n_data, n_values)
    prior : array, shape (n_kinds, n_values)
    """

    covariances: FloatArray
    prior: FloatArray


@dataclass(frozen=True)
class Prior:
    """The covariances of a half by kind of effect: steady and varying by order, then along b, too.

    Attributes
    ----------
    parity : {"odd", "even"}
        Which half.
    relevance : array, shape (n_features,)
        a_i: how much a feature is expected to matter, one in the mean.
    direction : array, shape (n_features,)
        b: of length one, or zero.
    pair_relevance : array, shape (n_features, n_features), or None
        Of each pair, one in the mean, symmetric and zero on the diagonal; None for the products of
        the relevances of its features.
    """

    parity: Parity
    relevance: FloatArray
    direction: FloatArray
    pair_relevance: FloatArray | None = None

    def weights(self, hypotheses: Hypotheses) -> FloatArray:
        """Return the weight of each kind of effect, shape (n_hypotheses, n_kinds)."""
        constant, along = hypotheses.constant_weights, hypotheses.direction_weights[:, None]
        return np.hstack(
            [
                constant[:, self._steady_orders],
                hypotheses.varying_weights[:, : len(self._norms)],
                along,
                along * constant[:, self._direction_orders[1:]],
            ]
        )

    def of_coalitions(self, data: FloatArray, x: FloatArray) -> Moments:
        """Return the moments of the values of coalitions, rows of +1 and -1."""
        products = self._divide_by_norms(elementary(data, x, self.relevance))
        if self.pair_relevance is not None:
            products[2] = _pair_products(data, self.pair_relevance) @ _pair_products(x).T
        along_data = self._products_along(data)
        along_x = along_data if x is data else self._products_along(x)
        sizes, own_sizes = _sizes(data), _sizes(x)
        similarities = {
            variation: basis[sizes] @ basis[own_sizes].T for variation, basis in self._bases.items()
        }
        variances = {
            variation: (basis[own_sizes] ** 2).sum(axis=1)
            for variation, basis in self._bases.items()
        }
        covariances, prior = [], []
        for order, variation in self._kinds:
            covariances.append(products[order] * similarities[variation])
            prior.append(variances[variation])
        for of_data, of_x, (_, variation) in zip(
            along_data, along_x, self._direction_kinds, strict=True
        ):
            covariances.append(np.outer(of_data, of_x) * similarities[variation])
            prior.append(of_x**2 * variances[variation])
        return Moments(np.array(covariances), np.array(prior))

    def of_read_out(
        self, data: FloatArray, size_weights: SizeWeights, own_features: OwnFeatures
    ) -> Moments:
        """Return the moments of numbers that are linear in the game.

        Parameters
        ----------
        data : array, shape (n_data, n_features)
            The coalitions, the full one first.
        size_weights : SizeWeights
            What is read.
        own_features : array of int, shape (n_own, n_values)
            The own features of each number.
        """
        sizes = _sizes(data)
        by_overlap = self._divide_by_norms(_by_overlap(data, self.relevance, own_features))
        if self.pair_relevance is not None:
            by_overlap[2] = _pairs_by_overlap(data, self.pair_relevance, own_features)
        effects = [size_weights.of_effect(order) for order in range(len(self._norms))]
        covariances, prior = [], []
        for order, variation in self._kinds:
            basis, parts = self._bases[variation], by_overlap[order]
            size_effects = effects[order] @ basis
            covariances.append(np.einsum("om,omv->mv", size_effects @ basis[sizes].T, parts))
            prior.append((size_effects**2).sum(axis=1) @ parts[:, 0])
        all_ones = np.ones((1, data.shape[1]))
        sums = _by_overlap(all_ones, self.direction, own_features)[:, :, 0]
        for (order, variation), along_data, norm in zip(
            self._direction_kinds, self._products_along(data), self._direction_norms, strict=True
        ):
            basis = self._bases[variation]
            size_effects = sums[order].T @ (effects[order] @ basis) / norm
            covariances.append(along_data[:, None] * (basis[sizes] @ size_effects.T))
            prior.append((size_effects**2).sum(axis=1))
        return Moments(np.array(covariances), np.array(prior))

    def _products_along(self, x: FloatArray) -> FloatArray:
        """Return the effects along the direction, by order: their mean square is one, or zero.

        Returns
        -------
        array, shape (n_direction_orders, len(x))
        """
        products = elementary(x, np.ones((1, x.shape[1])), self.direction)[:, :, 0]
        along: FloatArray = products[self._direction_orders] / self._direction_norms[:, None]
        return along

    def _divide_by_norms(self, of_order: FloatArray) -> FloatArray:
        """Return what is given by order over e_k(a), for the orders that the features allow."""
        n = len(self._norms)
        return of_order[:n] / self._norms.reshape(n, *[1] * (of_order.ndim - 1))

    @cached_property
    def _direction_orders(self) -> list[int]:
        """The orders of effects along the direction that the features allow."""
        return [order for order in DIRECTION_ORDERS[self.parity] if order < len(self._norms)]

    @cached_property
    def _direction_norms(self) -> FloatArray:
        """The roots of e_k(b^2), for those orders; infinite where there is no effect."""
        ones = np.ones((1, len(self.direction)))
        squares = elementary(ones, ones, self.direction**2)[self._direction_orders, 0, 0]
        return np.sqrt(np.where(squares > SMALLEST_NORM, squares, np.inf))

    @cached_property
    def _norms(self) -> FloatArray:
        """e_k(a), for k from 0 to 5 or the number of features."""
        ones = np.ones((1, len(self.relevance)))
        products = elementary(ones, ones, self.relevance)[:, 0, 0]
        return products[: len(self.relevance) + 1]

    @cached_property
    def _steady_orders(self) -> range:
        """The orders of effects that do not vary with the size: of the half's own parity."""
        return range(int(self.parity == "odd"), len(self._norms), 2)

    @cached_property
    def _kinds(self) -> list[tuple[int, Variation]]:
        """The order of each kind of effect, and how it varies with the size.

        An effect of an order of the half's own parity varies like an even function of the size, any
        other like an odd one.
        """
        varying: list[Variation] = ["odd"] * len(self._norms)
        for order in self._steady_orders:
            varying[order] = "even"
        return [*((order, "steady") for order in self._steady_orders), *enumerate(varying)]

    @cached_property
    def _direction_kinds(self) -> list[tuple[int, Variation]]:
        """The same of the effects along the direction."""
        first, *others = self._direction_orders
        # That f is zero at middle sizes, where x_i counts for itself, else the two are confused.
        variation: Variation = "even_but_middle" if self.parity == "odd" else "odd"
        return [(first, variation), *((order, "steady") for order in others)]

    @property
    def _bases(self) -> dict[Variation, FloatArray]:
        return by_variation(len(self.relevance))


def _sizes(x: FloatArray) -> NDArray[np.intp]:
    """Return how many features each row of +1 and -1 keeps."""
    n_kept: NDArray[np.intp] = (x > 0).sum(axis=1)
    return n_kept


def _pair_products(x: FloatArray, relevance: FloatArray | None = None) -> FloatArray:
    """Return the products of each two signs of a row, each times its relevance of all."""
    first, second = np.triu_indices(x.shape[1], 1)
    products = x[:, first] * x[:, second]
    if relevance is not None:
        products *= relevance[first, second] / relevance[first, second].sum()
    return products


def _pairs_by_overlap(
    data: FloatArray, relevance: FloatArray, own_features: OwnFeatures
) -> FloatArray:
    """Return what `_by_overlap` does of pairs, for relevances of their own.

    Returns
    -------
    array, shape (n_own + 1, n_data, n_values)
    """
    shares = 2 / relevance.sum() * relevance
    scaled = data * (data @ shares)
    of_own = scaled[:, own_features].sum(axis=1)
    both = np.zeros_like(of_own)
    if len(own_features) == 2:
        first, second = own_features
        both = shares[first, second] * data[:, first] * data[:, second]
    neither = scaled.sum(axis=1)[:, None] / 2 - of_own + both
    return np.array([neither, of_own - 2 * both, both][: len(own_features) + 1])


def _by_overlap(data: FloatArray, relevance: FloatArray, own_features: OwnFeatures) -> FloatArray:
    """Return the sums of products a_T x_T by |T| and by how many own features T has.

    Returns
    -------
    array, shape (6, n_own + 1, n_data, n_values)
    """
    scaled = data * relevance
    other_products = elementary(data, np.ones((1, data.shape[1])), relevance)
    own_products = [np.ones((len(data), own_features.shape[1]))]
    for feature in own_features:
        x = scaled[:, feature]
        other_products = elementary_without(other_products, x)
        zero = [np.zeros_like(x)]
        of_more = [x * of_fewer for of_fewer in own_products]
        own_products = [
            fewer + more for fewer, more in zip(own_products + zero, zero + of_more, strict=True)
        ]
    sums = np.zeros((len(other_products), len(own_products), *own_products[0].shape))
    for overlap, product_of_own in enumerate(own_products):
        sums[overlap:, overlap] = product_of_own * other_products[: len(other_products) - overlap]
    return sums
