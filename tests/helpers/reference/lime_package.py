"""LimeBase called by hand, with the distances of LimeTextExplainer, and what it converges to."""

from math import comb

import numpy as np
from lime.lime_base import LimeBase
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.metrics import pairwise_distances

from explain.attribution.methods.base import all_coalitions
from explain.attribution.methods.lime import kernel, neighbour_distances
from explain.engine.games import Coalitions, Values


def lime_by_hand(neighbours: Coalitions, values: Values) -> tuple[NDArray[np.float64], float]:
    """Return coefficients and weighted R2; the first neighbour is the full coalition."""
    data = neighbours.astype(float)
    distances = pairwise_distances(data, data[:1], metric="cosine").ravel() * 100
    _, pairs, score, _ = LimeBase(
        lambda d: np.sqrt(np.exp(-(d**2) / 25**2))
    ).explain_instance_with_data(
        data, values[:, None], distances, 0, data.shape[1], feature_selection="none"
    )
    coefficients = np.zeros(data.shape[1])
    for feature, coefficient in pairs:
        coefficients[feature] = coefficient
    return coefficients, float(score)


def limit_of_lime(values: Values) -> Values:
    """Return the fit of all coalitions, weighted by how often LIME draws each and its kernel."""
    n = len(values).bit_length() - 1
    kept = all_coalitions(n)[:-1]
    # LIME draws the number of removed features first, and then which.
    often = 1 / np.array([comb(n, int(size)) for size in kept.sum(axis=1)])
    weights = often * kernel(neighbour_distances(kept))
    return np.asarray(Ridge(alpha=1e-9).fit(kept, values[:-1], sample_weight=weights).coef_)
