"""How well scores rank some rows before all others."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

__all__ = ["Influence", "roc_area"]

Influence: TypeAlias = tuple[float, NDArray[np.float64]]
"""A statistic, and its derivative with respect to the weight of each row, shape (n_rows,)."""


def roc_area(holds: NDArray[np.bool_], scores: NDArray[np.float64]) -> Influence:
    """Return the area under the ROC curve, with the influences of DeLong et al. (1988).

    It is how often a text of the label has a higher score than another, ties counting half.

    Parameters
    ----------
    holds : array, shape (n_rows,), bool
        Whether the label holds; both must occur.
    scores : array, shape (n_rows,), float64
        Scores of the label.
    """
    ranks = rankdata(scores)
    n_own, n_other = int(holds.sum()), int((~holds).sum())
    won = np.empty_like(ranks)
    won[holds] = (ranks[holds] - rankdata(scores[holds])) / n_other
    won[~holds] = 1 - (ranks[~holds] - rankdata(scores[~holds])) / n_own
    area = float(won[holds].mean())
    return area, (won - area) / np.where(holds, n_own, n_other)
