"""LimeBase called by hand, with the distances of LimeTextExplainer."""

import numpy as np
from lime.lime_base import LimeBase
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances

from explain.games import Coalitions, Values


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
