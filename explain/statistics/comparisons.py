"""One share against another: Fisher's exact test, and Newcombe's interval of the difference."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = ["fisher", "newcombe"]

Interval = tuple[float, float]


def fisher(
    hits: ArrayLike, n: ArrayLike, all_hits: ArrayLike, all_n: ArrayLike
) -> NDArray[np.float64]:
    """Return the one-sided p-values of Fisher's exact test that a part has more hits than the rest.

    Equal to ``scipy.stats.fisher_exact(..., "greater")``, for arrays of counts that broadcast.
    """
    n_part, n_hits, n_all = np.asarray(n), np.asarray(all_hits), np.asarray(all_n)
    p = stats.hypergeom.sf(np.asarray(hits) - 1, n_all, n_hits, n_part)
    return np.clip(np.asarray(p, dtype=np.float64), 0.0, 1.0)


def newcombe(
    share: float, interval: Interval, other_share: float, other_interval: Interval
) -> Interval:
    """Return the ends of the interval of the difference of two shares, from their own intervals.

    The square-and-add interval (Newcombe 1998, method 10).
    """
    (low, high), (other_low, other_high) = interval, other_interval
    gap = share - other_share
    return (
        max(-1.0, gap - float(np.hypot(share - low, other_high - other_share))),
        min(1.0, gap + float(np.hypot(high - share, other_share - other_low))),
    )
