"""Statistics with their intervals."""

import warnings
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.record import Measure, Unit

__all__ = ["bootstrap", "count", "mean", "proportion"]

CONFIDENCE = 0.95
RESAMPLES = 2_000
"""Enough for the ends of a 95 % interval to be stable to about 1 % of its width (Efron 1987)."""

BATCH = 100
"""Resamples held in memory at a time."""

MOST_JACKKNIFED = 5_000
"""Rows up to which the correction of BCa is made: it costs n squared, and fades as n grows."""

Statistic: TypeAlias = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Takes resampled row numbers, shape (..., n), and returns one number for each, shape (...)."""


def proportion(name: str, hits: int, n: int) -> Measure:
    """Return the share ``hits / n`` with its Wilson interval (Wilson 1927)."""
    if n == 0:
        return Measure(name=name, value=None, n=0)
    interval = stats.binomtest(hits, n).proportion_ci(CONFIDENCE, method="wilson")
    return Measure(
        name=name,
        value=hits / n,
        lower=float(interval.low),
        upper=float(interval.high),
        n=n,
        method="Wilson",
    )


def count(name: str, value: int, n: int) -> Measure:
    """Return a plain count out of n; it has no interval, as nothing is estimated."""
    return Measure(name=name, value=value, n=n, unit="count")


def mean(name: str, values: Sequence[float], unit: Unit) -> Measure:
    """Return the mean with Student's t interval (Student 1908); no interval below two values."""
    n = len(values)
    if n == 0:
        return Measure(name=name, value=None, n=0, unit=unit)
    centre = float(np.mean(values))
    if n == 1:
        return Measure(name=name, value=centre, n=1, unit=unit)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * stats.sem(values))
    return Measure(
        name=name,
        value=centre,
        lower=centre - half,
        upper=centre + half,
        n=n,
        method="Student t",
        unit=unit,
    )


def bootstrap(name: str, statistic: Statistic, n: int, seed: int, unit: Unit) -> Measure:
    """Return a statistic of n rows with its BCa interval (Efron 1987).

    Above 5,000 rows it is the plain percentile interval, and says so. The interval is left out
    where it is undefined, as when all resamples agree.
    """
    if n == 0:
        return Measure(name=name, value=None, n=0, unit=unit)
    value = float(statistic(np.arange(n)))
    if n == 1:
        return Measure(name=name, value=value, n=n, unit=unit)
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
        return Measure(name=name, value=value, n=n, unit=unit)
    return Measure(
        name=name,
        value=value,
        lower=float(interval.low),
        upper=float(interval.high),
        n=n,
        method=f"{kind} bootstrap, {RESAMPLES:,} resamples",
        unit=unit,
    )
