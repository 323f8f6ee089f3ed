"""How effects may vary with the number of features that are kept."""

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Variation", "by_variation"]

FloatArray = NDArray[np.float64]

Variation = Literal["steady", "even", "odd", "even_but_middle"]
"""Functions of the size that are like each other at like sizes; steady ones are constants."""

SPACING = 0.5
"""Log-odds between the places from which functions of the size are interpolated."""


@cache
def by_variation(n_features: int) -> dict[Variation, FloatArray]:
    """Return B of each variation, with B B' how alike effects are by their sizes.

    Shapes (n_features + 1, rank).
    """
    return {
        "steady": np.ones((n_features + 1, 1)),
        "even": _by_size(n_features, "even"),
        "odd": _by_size(n_features, "odd"),
        "even_but_middle": _by_size_but_the_middle(n_features),
    }


def _by_size(n_features: int, parity: Literal["even", "odd"]) -> FloatArray:
    """Return B, shape (n_features + 1, rank), with B B' how alike effects are by their sizes.

    A Gaussian in the log-odds of the size, of which the part is taken that is even or odd under the
    exchange of kept and removed. It grows towards few and many features.
    """
    basis = _gaussian(_log_odds(n_features), n_features)
    mirrored = basis[::-1] if parity == "even" else -basis[::-1]
    scaled: FloatArray = _growth(n_features) * (basis + mirrored) / 2
    return scaled


def _by_size_but_the_middle(n_features: int) -> FloatArray:
    """Return the same of even functions that are known to be zero where half of all are kept."""
    basis = _gaussian(_log_odds(n_features), n_features)
    middle = _gaussian(np.zeros(1), n_features)
    even = (basis + basis[::-1]) / 2
    scaled: FloatArray = _growth(n_features) * (even - (even @ middle.T) @ middle)
    return scaled


def _log_odds(n_features: int) -> FloatArray:
    """Return the log-odds of each size, half a feature added to either side."""
    sizes = np.arange(n_features + 1) + 0.5
    log_odds: FloatArray = np.log(sizes / sizes[::-1])
    return log_odds


def _growth(n_features: int) -> FloatArray:
    """Return how large effects are by the size, one at the middle, shape (n_features + 1, 1)."""
    sizes = np.arange(n_features + 1) + 0.5
    growth: FloatArray = (n_features + 1) / 2 / np.sqrt(sizes * sizes[::-1])
    return growth[:, None]


def _gaussian(places: FloatArray, n_features: int) -> FloatArray:
    """Return B with B B' = exp(-(z - z')^2 / 2), to 1e-5, for places among the sizes."""
    end = np.ceil(_log_odds(n_features)[-1] / SPACING) * SPACING
    grid = np.arange(-end, end + SPACING / 2, SPACING)

    def similarity_of(first: FloatArray, second: FloatArray) -> FloatArray:
        similarity: FloatArray = np.exp(-((first[:, None] - second) ** 2) / 2)
        return similarity

    factor = np.linalg.cholesky(similarity_of(grid, grid) + 1e-10 * np.eye(len(grid)))
    basis: FloatArray = np.linalg.solve(factor, similarity_of(grid, places)).T
    return basis
