"""Shapley values, slowly: the mean marginal contribution over all n! orders (Shapley 1953)."""

from collections.abc import Collection, Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from explain.engine.games import Values


def shapley_by_orders(values: Values) -> NDArray[np.float64]:
    """Return the Shapley values of a game given as v of every coalition."""
    return mean_over_orders(values, list(permutations(range(len(values).bit_length() - 1))))


def mean_over_orders(values: Values, orders: Collection[Sequence[int]]) -> NDArray[np.float64]:
    """Return what each feature adds to those before it, on average over the orders."""
    phi = np.zeros(len(values).bit_length() - 1)
    for order in orders:
        kept = 0
        for feature in order:
            phi[feature] += values[kept | (1 << feature)] - values[kept]
            kept |= 1 << feature
    return phi / len(orders)
