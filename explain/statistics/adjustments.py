"""Many tests at once: Holm, and Benjamini and Hochberg."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["benjamini_hochberg", "holm"]


def holm(p_values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values adjusted so that any false rejection among them is rare (Holm 1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values, dtype=np.float64)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def benjamini_hochberg(p_values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values adjusted so that few discoveries are false (Benjamini and Hochberg 1995).

    One that is NaN, as of a test on no text, is none: it comes back as 1 and does not count among
    the tests. The shape stays.

    Examples
    --------
    >>> benjamini_hochberg([0.01, float("nan"), 0.04]).tolist()
    [0.02, 1.0, 0.04]
    """
    p = np.asarray(p_values, dtype=np.float64)
    is_tested = ~np.isnan(p)
    adjusted = np.ones_like(p)
    if is_tested.any():
        adjusted[is_tested] = stats.false_discovery_control(p[is_tested])
    return adjusted
