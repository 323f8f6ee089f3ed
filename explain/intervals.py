"""Statistics with their intervals."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.record import Measure, Unit

__all__ = [
    "bootstrap",
    "clustered_proportion",
    "count",
    "holm",
    "mean",
    "proportion",
    "wilson",
]

CONFIDENCE = 0.95
RESAMPLES = 2_000
"""Enough for the ends of a 95 % interval to be stable to about 1 % of its width (Efron 1987)."""

BATCH = 100
"""Resamples held in memory at a time."""

MOST_JACKKNIFED = 5_000
"""Rows up to which the correction of BCa is made: it costs n squared, and fades as n grows."""

Statistic: TypeAlias = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Takes resampled row numbers, shape (..., n), and returns one number for each, shape (...)."""


def wilson(share: float, n: float) -> tuple[float, float]:
    """Return the ends of the Wilson interval (Wilson 1927) of a share of n, which may be no whole.

    Equal to ``scipy.stats.binomtest(hits, n).proportion_ci(method="wilson")`` for whole numbers.
    """
    z = stats.norm.ppf((1 + CONFIDENCE) / 2)
    centre = share + z**2 / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
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
    residuals = np.bincount(member, weights=hits - share)
    variance = float((residuals**2).sum()) / n**2 * m / max(m - 1, 1)
    effective = share * (1 - share) / variance if variance > 0 else m
    lower, upper = wilson(share, min(effective, n))
    return Measure(
        name=name,
        value=share,
        lower=lower,
        upper=upper,
        n=m,
        method="Wilson, clustered by text",
        slice=slice_,
    )


def count(name: str, value: int, n: int) -> Measure:
    """Return a plain count out of n; it has no interval, as nothing is estimated."""
    return Measure(name=name, value=value, n=n, unit="count")


def mean(name: str, values: Sequence[float], unit: Unit, slice_: str = "all") -> Measure:
    """Return the mean with Student's t interval (Student 1908); no interval below two values."""
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
        lower=centre - half,
        upper=centre + half,
        n=n,
        method="Student t",
        unit=unit,
        slice=slice_,
    )


def bootstrap(
    name: str, statistic: Statistic, n: int, seed: int, unit: Unit, slice_: str = "all"
) -> Measure:
    """Return a statistic of n rows with its BCa interval (Efron 1987).

    Above 5,000 rows it is the plain percentile interval, and says so. The interval is left out
    where it is undefined, as when all resamples agree.
    """
    if n == 0:
        return Measure(name=name, value=None, n=0, unit=unit, slice=slice_)
    value = float(statistic(np.arange(n)))
    if n == 1:
        return Measure(name=name, value=value, n=n, unit=unit, slice=slice_)
    kind: Literal["BCa", "percentile"] = "BCa" if n <= MOST_JACKKNIFED else "percentile"
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        interval = stats.bootstrap(
            (np.arange(n),),
            lambda rows, axis: statistic(np.moveaxis(rows, axis, -1)),
            n_resamples=RESAMPLES,
            batch=BATCH,
            vectorized=True,
            confidence_level=CONFIDENCE,
            method=kind,
            rng=np.random.default_rng(seed),
        ).confidence_interval
    if not np.isfinite([interval.low, interval.high]).all():
        return Measure(name=name, value=value, n=n, unit=unit, slice=slice_)
    return Measure(
        name=name,
        value=value,
        lower=float(interval.low),
        upper=float(interval.high),
        n=n,
        method=f"{kind} bootstrap, {RESAMPLES:,} resamples",
        unit=unit,
        slice=slice_,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that any false rejection among them is rare (Holm 1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    found: list[float] = adjusted.tolist()
    return found
