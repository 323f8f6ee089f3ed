"""What a sample of this size could have shown: the other half of "nothing was found".

An effect is called detectable if a test finds it in `POWER` of all samples. All shares here are the
exact ones under binomial sampling: the power of a test is summed over its outcomes, not taken from
a normal curve, so they hold for three rows as for three thousand. Where even a share of 1 is found
too seldom there is none, and None says so.

A test looks for a share that is too high. For one that is too low take the other answers: an
accuracy below that of the other rows is an error rate above theirs.
"""

from functools import lru_cache
from math import floor

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from explain.record import Measure
from explain.statistics.bootstrap import CONFIDENCE
from explain.statistics.comparisons import fisher, newcombe
from explain.statistics.intervals import wilson

__all__ = [
    "POWER",
    "detectable_beside",
    "detectable_by_binomial",
    "detectable_by_fisher",
    "detectable_by_wilson",
    "detectable_mean",
    "rows_to_settle",
    "share_found_from",
]

POWER = 0.8
"""Share of samples in which a detectable effect is found (Cohen 1988, section 2.4)."""

MOST_ROWS = 1_000_000_000
"""Rows beyond which a number of them is no advice."""

NEGLIGIBLE = 1e-9
"""Chance of outcomes that are left out of a sum."""


@lru_cache(10_000)
def detectable_by_fisher(n: int, other_n: int, other_share: float, level: float) -> float | None:
    """Return the share of a part from which Fisher's exact test finds it higher than the rest's.

    Parameters
    ----------
    n, other_n : int
        Rows of the part, and of the rest.
    other_share : float
        Share of hits in the rest.
    level : float
        Highest one-sided p-value that counts as found: `LEVEL` divided by the number of tests, as
        the first of Holm's steps asks for.

    Returns
    -------
    float or None
        The share; None if the test finds even n hits of n in less than `POWER` of samples.

    Examples
    --------
    A group of 25 rows beside 847 of which 7 % are wrong:

    >>> round(detectable_by_fisher(25, 847, 0.07, 0.005), 2)
    0.33
    """
    within = stats.binom.interval(1 - NEGLIGIBLE, other_n, other_share)
    other_hits = np.arange(int(within[0]), int(within[1]) + 1)
    weights = stats.binom.pmf(other_hits, other_n, other_share)
    fewest = _fewest_hits(n, other_n, other_hits, level)

    def shortfall(share: float) -> float:
        return float(weights @ stats.binom.sf(fewest - 1, n, share)) - POWER

    return float(optimize.brentq(shortfall, 0, 1)) if shortfall(1.0) >= 0 else None


def _fewest_hits(
    n: int, other_n: int, other_hits: NDArray[np.int64], level: float
) -> NDArray[np.int64]:
    """Return the fewest hits of a part that the test finds too many, n + 1 if it finds none.

    Beside the same hits of the rest, p falls with each further hit of the part (Barnard 1947), so
    that a bisection finds them.
    """
    low, high = np.zeros_like(other_hits), np.full_like(other_hits, n + 1)
    while (low < high).any():
        middle = (low + high) // 2
        is_found = fisher(middle, n, middle + other_hits, n + other_n) <= level
        high = np.where(is_found, middle, high)
        low = np.where(is_found, low, np.minimum(middle + 1, high))
    return high


def detectable_by_binomial(n: int, size: float, level: float) -> float | None:
    """Return the share from which the exact binomial test finds it above a size.

    Parameters
    ----------
    n : int
        Rows.
    size : float
        The share that is compared with.
    level : float
        Highest one-sided p-value that counts as found.

    Examples
    --------
    >>> round(detectable_by_binomial(200, 0.05, 0.005), 3)
    0.117
    """
    # The fewest hits c with P(X >= c) <= level.
    return share_found_from(int(stats.binom.isf(level, n, size)) + 1, n)


def detectable_by_wilson(n: int, threshold: float) -> float | None:
    """Return the share whose 95 % Wilson interval lies wholly above a threshold.

    For one below it, take one minus that of ``1 - threshold``.

    Examples
    --------
    An accuracy of 90 % or more is asked for, and 200 rows are there:

    >>> round(detectable_by_wilson(200, 0.9), 3), round(1 - detectable_by_wilson(200, 0.1), 3)
    (0.955, 0.835)
    """
    low, high = 0, n + 1
    while low < high:
        middle = (low + high) // 2
        if n and wilson(middle / n, n)[0] > threshold:
            high = middle
        else:
            low = middle + 1
    return share_found_from(high, n)


def detectable_beside(
    n: int, other_hits: int, other_n: int, level: float, bar: float
) -> float | None:
    """Return the share from which a part is found to have more hits than a rest that is as it is.

    It is found if Fisher's one-sided p is at most `level` and Newcombe's whole interval of the
    difference lies above a bar.

    Parameters
    ----------
    n : int
        Rows of the part.
    other_hits, other_n : int
        Hits in the rest, and its rows.
    level : float
        Highest one-sided p-value that counts as found.
    bar : float
        What the lower end of the interval of the difference must exceed.

    Returns
    -------
    float or None
        The share; None if even n hits of n would not be found.
    """
    low, high = 0, n + 1
    while low < high:
        hits = (low + high) // 2
        p = float(fisher(hits, n, hits + other_hits, n + other_n))
        share, other = hits / n, other_hits / other_n
        lower, _ = newcombe(share, wilson(share, n), other, wilson(other, other_n))
        if p <= level and lower > bar:
            high = hits
        else:
            low = hits + 1
    return share_found_from(high, n)


def share_found_from(fewest: int, n: int) -> float | None:
    """Return the share of which n rows have so many hits or more with a chance of `POWER`."""
    if fewest > n:
        return None
    return float(special.betaincinv(fewest, n - fewest + 1, POWER)) if fewest else 0.0


def detectable_mean(measure: Measure, bar: float, level: float) -> float | None:
    """Return the mean that is found above zero, with its whole interval above a bar.

    A normal estimate with the standard error that this one has.

    Parameters
    ----------
    measure : Measure
        A mean with its 95 % interval.
    bar : float
        What the lower end of the interval must exceed.
    level : float
        Highest two-sided p-value that counts as found.

    Returns
    -------
    float or None
        The mean; None without an interval.
    """
    if measure.lower is None or measure.upper is None:
        return None
    z = stats.norm.ppf((1 + CONFIDENCE) / 2)
    error = (measure.upper - measure.lower) / 2 / z
    fewest = max(bar + z * error, stats.norm.isf(level / 2) * error)
    return float(fewest + stats.norm.ppf(POWER) * error)


def rows_to_settle(measure: Measure, threshold: float, level: float = 1 - CONFIDENCE) -> int | None:
    """Return how many rows put the interval on one side, if the estimate stays what it is.

    Of a share with Wilson's interval the exact number, as the interval inverts the score test: the
    threshold t is outside of it from ``n (p - t)^2 > z^2 t (1 - t)``. Of any other interval its end
    on the side of the threshold is taken to come nearer with the square root of n.

    Parameters
    ----------
    measure : Measure
        What was measured.
    threshold : float
        What it is compared with.
    level : float
        Two-sided p-value that is asked for; less than .05 where several verdicts are adjusted.

    Returns
    -------
    int or None
        The rows; None if no number up to `MOST_ROWS` settles it, as where the estimate equals the
        threshold, or there is no interval.

    Examples
    --------
    >>> from explain.statistics.intervals import proportion
    >>> rows_to_settle(proportion("accuracy", 176, 200), 0.85)
    545
    """
    value, lower, upper = measure.value, measure.lower, measure.upper
    if value is None or lower is None or upper is None or value == threshold:
        return None
    z = stats.norm.isf(level / 2)
    if measure.method == "Wilson" and 0 <= threshold <= 1:
        squared_error = z**2 * threshold * (1 - threshold)
    else:
        half = abs(value - (lower if threshold < value else upper))
        squared_error = measure.n * (half * z / stats.norm.ppf((1 + CONFIDENCE) / 2)) ** 2
    squared_gap = (value - threshold) ** 2
    if not squared_error < MOST_ROWS * squared_gap:
        return None
    return floor(squared_error / squared_gap) + 1
