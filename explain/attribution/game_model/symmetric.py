"""What treats all coalitions of a size alike: averages of products of signs, and read-outs."""

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

__all__ = ["HIGHEST_ORDER", "SizeWeights", "elementary", "elementary_without", "mean_products"]

FloatArray = NDArray[np.float64]

HIGHEST_ORDER = 5
"""Features that an effect may have; those of more count as noise."""


@dataclass(frozen=True, slots=True)
class SizeWeights:
    """Something linear in a game that is told of some features, and treats the others alike.

    Attributes
    ----------
    of_size : array, shape (n_own + 1, n_features + 1), float64
        How much the mean value of the coalitions counts that keep so many of the own features
        (row) and so many features in all (column). Shapley values have one own feature,
        interactions two.
    """

    of_size: FloatArray

    @classmethod
    def shapley(cls, n_features: int) -> "SizeWeights":
        """Return those of Shapley values: the mean gain, each size before it counts alike."""
        of_size = np.zeros((2, n_features + 1))
        of_size[1, 1:], of_size[0, :-1] = 1 / n_features, -1 / n_features
        return cls(of_size)

    @classmethod
    def interaction(cls, n_features: int) -> "SizeWeights":
        """Return those of the Shapley interaction index (Grabisch and Roubens 1999)."""
        of_size = np.zeros((3, n_features + 1))
        each = 1 / (n_features - 1)
        of_size[2, 2:], of_size[1, 1:-1], of_size[0, :-2] = each, -2 * each, each
        return cls(of_size)

    def of_effect(self, order: int) -> FloatArray:
        """Return how an effect f(|x|) prod of x_i over T counts, for |T| = `order`.

        Returns
        -------
        array, shape (n_own + 1, n_features + 1)
            By how many own features T has, and by the size at which f is taken.
        """
        n_own, n = np.array(self.of_size.shape) - 1
        counted = np.zeros(self.of_size.shape)
        among_own, among_others = mean_products(n_own), mean_products(n - n_own)
        for overlap, kept in product(range(min(order, n_own) + 1), range(n_own + 1)):
            sizes = slice(kept, kept + n - n_own + 1)
            counted[overlap, sizes] += (
                self.of_size[kept, sizes] * among_own[overlap, kept] * among_others[order - overlap]
            )
        return counted


@cache
def mean_products(n_features: int) -> FloatArray:
    """Return the mean of the product of k of n signs, for each number of those that are +1.

    Returns
    -------
    array, shape (6, n_features + 1)
        By k and by the number; zero where k exceeds n. Krawtchouk polynomials, over their number of
        terms.
    """
    surplus = 2.0 * np.arange(n_features + 1) - n_features
    means = np.zeros((HIGHEST_ORDER + 1, n_features + 1))
    means[0] = 1
    if n_features:
        means[1] = surplus / n_features
    for k in range(1, min(HIGHEST_ORDER, n_features)):
        means[k + 1] = (surplus * means[k] - k * means[k - 1]) / (n_features - k)
    return means


def elementary(x: FloatArray, other: FloatArray, relevance: FloatArray) -> FloatArray:
    """Return e_0 .. e_5 of the products a_i x_i x'_i, shape (6, len(x), len(other)).

    By Newton's identities from the power sums, of which the even ones count negative and are the
    same for all.
    """
    odd = {power: (x * relevance**power) @ other.T for power in (1, 3, 5)}
    even = {power: -float((relevance**power).sum()) for power in (2, 4)}
    signed: dict[int, FloatArray | float] = {**odd, **even}
    polynomials = [np.ones_like(odd[1])]
    for k in range(1, HIGHEST_ORDER + 1):
        total = polynomials[k - 1] * signed[1]
        for power in range(2, k + 1):
            total += polynomials[k - power] * signed[power]
        polynomials.append(total / k)
    return np.array(polynomials)


def elementary_without(polynomials: FloatArray, x: FloatArray) -> FloatArray:
    """Return e_0 .. e_5 of products without one of them, from those of all and from that one."""
    reduced = [np.ones_like(x)]
    for k in range(1, HIGHEST_ORDER + 1):
        reduced.append(polynomials[k] - x * reduced[k - 1])
    return np.array(reduced)
