"""Statistics with their intervals."""

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.record import Measure, Sentence, Unit
from explain.statistics.bootstrap import CONFIDENCE

__all__ = [
    "CHANGES",
    "NOT_NEGATIVE",
    "SHARES",
    "clustered_proportion",
    "count",
    "effective_size",
    "mean",
    "mover",
    "proportion",
    "wilson",
]

Z = float(stats.norm.ppf((1 + CONFIDENCE) / 2))
"""Standard errors of half a normal interval; a module's, as thousands of labels ask for it."""


def wilson(share: float, n: float) -> tuple[float, float]:
    """Return the ends of the Wilson interval (Wilson 1927) of a share of n, which may be no whole.

    Equal to ``scipy.stats.binomtest(hits, n).proportion_ci(method="wilson")`` for whole numbers.
    """
    centre = share + Z**2 / (2 * n)
    half = Z * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    scale = 1 + Z**2 / n
    return max(0.0, float((centre - half) / scale)), min(1.0, float((centre + half) / scale))


def proportion(name: str, hits: int, n: int, slice_: str = "all") -> Measure:
    """Return the share ``hits / n`` with its Wilson interval (Wilson 1927)."""
    if n == 0:
        return Measure(name=name, value=None, n=0, slice=slice_)
    lower, upper = wilson(hits / n, n)
    return Measure(
        name=name,
        value=hits / n,
        lower=lower,
        upper=upper,
        n=n,
        method="Wilson",
        slice=slice_,
    )


def clustered_proportion(
    name: str, hits: NDArray[np.bool_], clusters: NDArray[Any], slice_: str = "all"
) -> Measure:
    """Return the share of hits among trials of which several belong together.

    The interval is Wilson's for the number of independent trials that would vary as much (Korn and
    Graubard 1998): at least the number of clusters where trials of one differ from one another no
    more than trials of several, never more than there are trials. `n` counts clusters.

    Parameters
    ----------
    name : str
        Name of the measure.
    hits : array, shape (n_trials,), bool
        Which trials hit.
    clusters : array, shape (n_trials,)
        What each trial belongs to: the text that it was made from.
    slice_ : str
        Which instances these are.
    """
    distinct, member = np.unique(clusters, return_inverse=True)
    n, m = len(hits), len(distinct)
    if n == m or n == 0:
        return proportion(name, int(hits.sum()), n, slice_)
    share = float(hits.mean())
    lower, upper = wilson(share, effective_size(hits, member))
    return Measure(
        name=name,
        value=share,
        lower=lower,
        upper=upper,
        n=m,
        method="Wilson, clustered by text",
        slice=slice_,
    )


def effective_size(hits: NDArray[np.bool_], member: NDArray[np.int64]) -> float:
    """Return how many independent trials would vary as much (Korn and Graubard 1998).

    Parameters
    ----------
    hits : array, shape (n_trials,), bool
        Which trials hit, at least one trial.
    member : array, shape (n_trials,), int64
        The cluster of each trial, counted from zero.
    """
    n, m, share = len(hits), int(member.max()) + 1, float(hits.mean())
    residuals = np.bincount(member, weights=hits - share)
    variance = float((residuals**2).sum()) / n**2 * m / max(m - 1, 1)
    return min(share * (1 - share) / variance if variance > 0 else m, n)


def count(name: str, value: int, n: int) -> Measure:
    """Return a plain count out of n; it has no interval, as nothing is estimated."""
    return Measure(name=name, value=value, n=n, unit="count")


SHARES, CHANGES, NOT_NEGATIVE = (0.0, 1.0), (-1.0, 1.0), (0.0, inf)
"""Ranges of means: of shares, of differences of shares, of losses."""


def mean(
    name: str,
    values: Sequence[float],
    unit: Unit,
    slice_: str = "all",
    *,
    within: tuple[float, float] = (-inf, inf),
) -> Measure:
    """Return the mean with Student's t interval (Student 1908); no interval below two values.

    The interval is cut where the mean itself cannot lie, which leaves out no true value.
    """
    n = len(values)
    if n == 0:
        return Measure(name=name, value=None, n=0, unit=unit, slice=slice_)
    centre = float(np.mean(values))
    if n == 1:
        return Measure(name=name, value=centre, n=1, unit=unit, slice=slice_)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * stats.sem(values))
    return Measure(
        name=name,
        value=centre,
        lower=min(centre, max(within[0], centre - half)),
        upper=max(centre, min(within[1], centre + half)),
        n=n,
        method="Student t",
        unit=unit,
        slice=slice_,
    )


def mover(
    name: str, values: NDArray[np.float64], share: Measure, correlation: float = 0.0
) -> Measure:
    """Return the mean of some values minus a share of the same rows.

    The interval is made of the two of its parts (Zou and Donner 2008). Where value and hit rise
    together, a correlation of zero makes it too wide rather than too narrow.
    """
    centre = mean(name, values.tolist(), "proportion")
    if centre.value is None or share.value is None:
        return Measure(name=name, value=None, n=share.n)
    value = centre.value - share.value
    ends = (centre.lower, centre.upper, share.lower, share.upper)
    if None in ends:
        return Measure(name=name, value=value, n=share.n)
    low, high, share_low, share_high = (end or 0.0 for end in ends)

    def joint(first: float, second: float) -> float:
        return float(np.sqrt(first**2 + second**2 - 2 * correlation * first * second))

    below = joint(centre.value - low, share_high - share.value)
    above = joint(high - centre.value, share.value - share_low)
    return Measure(
        name=name,
        value=value,
        lower=value - below,
        upper=value + above,
        n=share.n,
        method=Sentence("MOVER of Student t and {method}", method=share.method),
    )
