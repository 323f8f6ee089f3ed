"""Many tests at once: Holm, and Benjamini and Hochberg."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["benjamini_hochberg", "holm", "holm_where_testable"]


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


def holm_where_testable(
    p_values: Sequence[float] | NDArray[np.float64],
    least_p_values: Sequence[float] | NDArray[np.float64],
    level: float,
) -> tuple[NDArray[np.float64], int]:
    """Return p-values adjusted by `holm`, without tests that could never be significant.

    An exact test of few rows has a least p-value that it can reach. Where that is above the level,
    also after adjustment, the test cannot be rejected falsely and need not be counted among the
    others (Tarone 1990). Its own p-value becomes 1.

    Returns
    -------
    adjusted : array
        The adjusted p-values.
    n_counted : int
        How many tests were counted.

    Examples
    --------
    >>> adjusted, n_counted = holm_where_testable([0.001, 0.2, 0.3], [1e-9, 0.2, 0.3], 0.005)
    >>> adjusted.tolist(), n_counted
    ([0.001, 1.0, 1.0], 1)
    """
    p, least = np.asarray(p_values, dtype=np.float64), np.asarray(least_p_values)
    adjusted = np.ones_like(p)
    if not p.size:
        return adjusted, 0
    most = next(k for k in range(1, len(p) + 1) if (least <= level / k).sum() <= k)
    is_testable = least <= level / most
    adjusted[is_testable] = holm(p[is_testable])
    return adjusted, int(is_testable.sum())


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
