"""Owen values, slowly: the mean over all orders that keep each union together (Owen 1977)."""

from collections.abc import Iterator, Sequence
from itertools import chain, permutations, product

import numpy as np
from numpy.typing import NDArray

from explain.games import Values


def owen_by_orders(values: Values, groups: Sequence[range]) -> NDArray[np.float64]:
    """Return the Owen values of a game given as v of every coalition."""
    phi = np.zeros(len(values).bit_length() - 1)
    orders = list(_orders(groups))
    for order in orders:
        kept = 0
        for feature in order:
            phi[feature] += values[kept | (1 << feature)] - values[kept]
            kept |= 1 << feature
    return phi / len(orders)


def _orders(groups: Sequence[range]) -> Iterator[list[int]]:
    for of_groups in permutations(groups):
        for within in product(*map(permutations, of_groups)):
            yield list(chain(*within))
