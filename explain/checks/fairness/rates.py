"""The impact ratio of two selection rates, and what could have been found of one."""

import numpy as np
from scipy import special, stats
from scipy.stats.contingency import relative_risk

from explain.record import Measure
from explain.statistics.bootstrap import CONFIDENCE
from explain.statistics.comparisons import fisher
from explain.statistics.power import POWER

__all__ = ["FOUR_FIFTHS", "count_of", "impact_ratio", "ratio_found"]

FOUR_FIFTHS = 0.8
"""The four-fifths rule (29 CFR 1607.4 D): a selection rate under four fifths of the highest is
generally regarded as evidence of adverse impact."""


def impact_ratio(
    hits: int, n: int, most_hits: int, most_n: int, name: str, slice_: str = "all"
) -> Measure:
    """Return the ratio of two selection rates with the interval of its logarithm.

    Katz, Baptista, Azen and Pike (1978), by scipy. Where that has no width or no end, as of no
    hits, half a hit and half a miss are added to both (as Haldane 1956 does for odds).
    """
    if n == 0 or most_n == 0 or most_hits == 0:
        return Measure(name=name, value=None, n=n + most_n, unit="coefficient", slice=slice_)
    value = (hits / n) / (most_hits / most_n)
    method = "log ratio (Katz)"
    if hits == 0 or (hits == n and most_hits == most_n):
        a, b, m, most_m = hits + 0.5, most_hits + 0.5, n + 1, most_n + 1
        error = np.sqrt(1 / a - 1 / m + 1 / b - 1 / most_m)
        half = stats.norm.ppf((1 + CONFIDENCE) / 2) * error
        centre = np.log((a / m) / (b / most_m))
        lower, upper = (float(np.exp(centre + side)) for side in (-half, half))
        lower = min(lower, value)
        method = "log ratio, half a hit and half a miss added"
    else:
        interval = relative_risk(hits, n, most_hits, most_n).confidence_interval(CONFIDENCE)
        lower, upper = float(interval.low), float(interval.high)
    return Measure(
        name=name,
        value=value,
        lower=lower,
        upper=upper,
        n=n + most_n,
        method=method,
        unit="coefficient",
        slice=slice_,
    )


def ratio_found(n: int, most: Measure, level: float) -> float | None:
    """Return the selection rate up to which a group is found to be under four fifths.

    The most selected group is taken as it is. The rate is that of which the test finds 80 % of
    samples of `n` rows; None if it would not find even a group of which nobody is selected.

    Parameters
    ----------
    n : int
        Rows of the group.
    most : Measure
        Selection rate of the most selected group.
    level : float
        Highest p-value that counts as found.
    """
    most_hits = count_of(most)

    def is_found(hits: int) -> bool:
        p = float(fisher(most_hits, most.n, hits + most_hits, n + most.n))
        upper = impact_ratio(hits, n, most_hits, most.n, "").upper
        return p <= level and upper is not None and upper < FOUR_FIFTHS

    low, high = -1, n
    while low < high:
        hits = (low + high + 1) // 2
        low, high = (hits, high) if is_found(hits) else (low, hits - 1)
    return float(special.betaincinv(low + 1, n - low, 1 - POWER)) if low >= 0 else None


def count_of(share: Measure) -> int:
    """Return how many a share stands for."""
    return round((share.value or 0) * share.n)
