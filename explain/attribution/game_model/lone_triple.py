"""A second opinion on the odd half, which may overlook one joint effect of three features.

The prior spreads what is left after the features' own effects over all triples, and is too sure of
itself where a single one holds all of it: an exclusive or of three words is one.
"""

from collections.abc import Iterator
from heapq import nlargest
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from explain.attribution.game_model.model import GameModel
from explain.attribution.game_model.posterior import RESOLUTION

__all__ = ["overlooks_a_triple"]

FloatArray = NDArray[np.float64]

SCREENED = 8
"""Triples that agree best with what is left, each of which is fitted."""

LEAST_EXPLAINED = 0.99
"""Share of what the own effects leave that the triple must explain: then the fit is exact but for
little. A game of several triples has no such fit, and contradicts none."""

LEVEL = 1e-9
"""Probability, times the number of triples, below which one is no coincidence.

At 1e-9 no run on the 13 recorded games is any longer, at 1e-6 by 1 %, at 1e-3 by 13 %; all that the
rule is for have less than 1e-80 (decision 10).
"""

FAR_OFF = 2.5
"""Standard errors from which on a value contradicts the model's."""


def overlooks_a_triple(model: GameModel) -> bool:
    """Return whether one triple explains what is left, and the model's values contradict it."""
    x, y = np.where(model.kept, 1.0, -1.0), (model.values[:, 0] - model.values[:, 1]) / 2
    n_data, n_features = x.shape
    n_left = n_data - n_features
    if n_features < 3 or n_left < 3:
        return False
    own = np.linalg.lstsq(x, y)[0]
    residuals = y - x @ own
    unresolved = RESOLUTION * (1 + np.abs(y).max())
    if np.abs(residuals).max() <= unresolved:
        return False
    fits = [_fit(x, y, triple) for triple in _likeliest(x, residuals)]
    triple, effects, remainder = min(fits, key=lambda fit: fit[2])
    explained = 1 - remainder / (residuals @ residuals)
    coincidence = comb(n_features, 3) * beta.sf(min(explained, 1), 1 / 2, (n_left - 1) / 2)
    if explained < LEAST_EXPLAINED or coincidence > LEVEL:
        return False
    # The Shapley values of a product of three signs are a third each of its two, from -1 to 1.
    values = 2 * effects[:n_features]
    values[triple] += 2 / 3 * effects[n_features]
    read_out = model.shapley()
    return bool((np.abs(values - read_out.values) > FAR_OFF * read_out.errors + unresolved).any())


def _likeliest(x: FloatArray, residuals: FloatArray) -> list[list[int]]:
    """Return the triples whose products agree best with what is left."""
    return [triple for _, triple in nlargest(SCREENED, _agreements(x, residuals))]


def _agreements(x: FloatArray, residuals: FloatArray) -> Iterator[tuple[float, list[int]]]:
    """Yield, for each first feature, the best triples with their sums of products."""
    for first in range(x.shape[1] - 2):
        others = x[:, first + 1 :]
        sums = np.abs(np.triu((others * (x[:, first] * residuals)[:, None]).T @ others, 1))
        for place in np.argsort(sums, axis=None)[-SCREENED:]:
            second, third = divmod(int(place), sums.shape[1])
            if second < third:
                yield float(sums[second, third]), [first, first + 1 + second, first + 1 + third]


def _fit(x: FloatArray, y: FloatArray, triple: list[int]) -> tuple[list[int], FloatArray, float]:
    """Return a triple, the effects of all features and its own, and the squares that remain."""
    design = np.column_stack([x, x[:, triple].prod(axis=1)])
    effects = np.linalg.lstsq(design, y)[0]
    remaining = y - design @ effects
    return triple, effects, float(remaining @ remaining)
