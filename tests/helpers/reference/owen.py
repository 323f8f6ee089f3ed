"""Owen values, slowly: the mean over all orders that keep each union together (Owen 1977)."""

from collections.abc import Iterator, Sequence
from itertools import chain, permutations, product

import numpy as np
from numpy.typing import NDArray

from explain.engine.games import Values
from tests.helpers.reference.shapley import mean_over_orders


def owen_by_orders(values: Values, groups: Sequence[range]) -> NDArray[np.float64]:
    """Return the Owen values of a game given as v of every coalition."""
    return mean_over_orders(values, list(_orders(groups)))


def _orders(groups: Sequence[range]) -> Iterator[list[int]]:
    for of_groups in permutations(groups):
        for within in product(*map(permutations, of_groups)):
            yield list(chain(*within))
