"""Intervals by resampling, of rows or of clusters of rows."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit

from explain.record import Measure, Sentence, Unit, join_sentences

__all__ = [
    "CONFIDENCE",
    "Resamples",
    "bootstrap",
    "clusters_of",
    "infinitesimal_jackknife",
    "paired_difference",
    "resample",
]

CONFIDENCE = 0.95

RESAMPLES = 2_000
"""Enough for the ends of a 95 % interval to be stable to about 1 % of its width (Efron 1987)."""

BATCH = 100
"""Resamples held in memory at a time."""

MOST_JACKKNIFED = 5_000
"""Rows up to which the correction of BCa is made: it costs n squared, and fades as n grows."""

FEWEST_CLUSTERS = 20
"""Groups of rows below which they are no sample of groups: with fewer than about twenty, intervals
from clusters are too narrow (Cameron, Gelbach & Miller 2008)."""

Statistic: TypeAlias = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Takes resampled row numbers, shape (..., n), and returns one number for each, shape (...)."""

Sums: TypeAlias = NDArray[np.float64]
"""What the rows of a sample add up to, shape (..., n_terms)."""


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
        method=_method(kind, RESAMPLES),
        unit=unit,
        slice=slice_,
    )


def _method(kind: str, resamples: int, *, by_cluster: bool = False) -> str:
    """Return what made an interval, in a reader's words."""
    drawn = "clusters" if by_cluster else "rows"
    return Sentence(
        "{kind} bootstrap, {resamples} resamples of {drawn}",
        kind=kind,
        resamples=resamples,
        drawn=drawn,
    )


def clusters_of(groups: Sequence[str | None]) -> NDArray[np.int64] | None:
    """Return the number of the group of each row, a row without one standing alone.

    None where the rows are to count as independent: there are fewer than 20 groups, which are then
    kinds of rows rather than a sample of groups, or no group has two rows.
    """
    number_of_cluster: dict[object, int] = {}
    numbers = [
        number_of_cluster.setdefault(("row", i) if group is None else group, len(number_of_cluster))
        for i, group in enumerate(groups)
    ]
    n_groups = len(set(groups) - {None})
    if n_groups < FEWEST_CLUSTERS or len(number_of_cluster) == len(groups):
        return None
    return np.array(numbers, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Resamples:
    """Samples of the rows of a table, by what the rows of each add up to.

    A statistic of sums (a mean, a count, F1) takes one matrix product for all resamples, and its
    jackknife another, so that a table of any size has a BCa interval.

    Attributes
    ----------
    whole : array, shape (n_terms,), float64
        Sums of the table itself.
    draws : array, shape (n_resamples, n_terms), float64
        Sums of each resample.
    terms : array, shape (n_units, n_terms), float64
        What each unit adds: one row, all rows of a cluster, or one of several equal rows.
    times : array, shape (n_units,), int64
        How often the unit occurs in the table.
    by_cluster : bool
        Whether clusters were drawn rather than rows.
    """

    whole: NDArray[np.float64]
    draws: NDArray[np.float64]
    terms: NDArray[np.float64]
    times: NDArray[np.int64]
    by_cluster: bool

    def of_terms(self, columns: Sequence[int]) -> "Resamples":
        """Return the same samples by some of their terms."""
        return replace(
            self,
            whole=self.whole[[*columns]],
            draws=self.draws[:, [*columns]],
            terms=self.terms[:, [*columns]],
        )

    def measure(
        self,
        name: str,
        statistic: Callable[[Sums], NDArray[np.float64]],
        unit: Unit,
        *,
        confidence: float = CONFIDENCE,
    ) -> Measure:
        """Return a statistic of the sums with its BCa interval (Efron 1987).

        Value and interval are left out where they are undefined, the latter as when all resamples
        agree. `n` counts clusters where those were drawn.
        """
        n = int(self.times.sum())
        with np.errstate(all="ignore"):
            value = float(statistic(self.whole))
            if not np.isfinite(value):
                return Measure(name=name, value=None, n=n, unit=unit)
            interval = _bca(
                value,
                statistic(self.draws),
                statistic(self.whole - self.terms) if n > 1 else np.array([np.nan]),
                self.times,
                confidence,
            )
        if not np.isfinite(interval).all():
            return Measure(name=name, value=value, n=n, unit=unit)
        return Measure(
            name=name,
            value=value,
            lower=interval[0],
            upper=interval[1],
            n=n,
            method=_method("BCa", len(self.draws), by_cluster=self.by_cluster),
            unit=unit,
        )


def resample(
    terms: NDArray[Any],
    rng: np.random.Generator,
    *,
    times: NDArray[np.int64] | None = None,
    clusters: NDArray[np.int64] | None = None,
) -> Resamples:
    """Return resamples of a table whose rows each add some terms.

    Parameters
    ----------
    terms : array, shape (n_rows, n_terms)
        What each row adds.
    rng : Generator
        Source of the draws.
    times : array, shape (n_rows,), int64, optional
        How many rows of the table are like each of these; one of each by default.
    clusters : array, shape (n_rows,), int64, optional
        Which rows belong together and are drawn together, counted from zero.
    """
    added = np.asarray(terms, dtype=np.float64)
    if clusters is not None:
        sums = np.zeros((int(clusters.max()) + 1, added.shape[1]))
        np.add.at(sums, clusters, added)
        added = sums
    n = len(added)
    often = np.ones(n, dtype=np.int64) if times is None else times
    total = int(often.sum())
    draws = np.empty((RESAMPLES, added.shape[1]))
    for start in range(0, RESAMPLES, BATCH):
        if times is None:
            rows = rng.integers(0, n, (BATCH, n)) + np.arange(BATCH)[:, None] * n
            weights = np.bincount(rows.ravel(), minlength=BATCH * n).reshape(BATCH, n)
        else:
            weights = rng.multinomial(total, often / total, BATCH)
        draws[start : start + BATCH] = weights.astype(np.float64) @ added
    return Resamples(often @ added, draws, added, often, clusters is not None)


def _bca(
    value: float,
    draws: NDArray[np.float64],
    without: NDArray[np.float64],
    times: NDArray[np.int64],
    confidence: float,
) -> tuple[float, float]:
    """Return the ends of the BCa interval; NaN where they are undefined.

    Equal to ``scipy.stats.bootstrap(method="BCa")`` on the same draws. `without` holds the
    statistic with one row left out, `times` how many rows would leave the same.
    """
    share_below = (np.mean(draws < value) + np.mean(draws <= value)) / 2
    bias = stats.norm.ppf(share_below)
    pull = np.average(without, weights=times) - without
    skew = (times @ pull**3) / (6 * (times @ pull**2) ** 1.5)
    tail = stats.norm.ppf((1 - confidence) / 2)
    places = [stats.norm.cdf(bias + (bias + z) / (1 - skew * (bias + z))) for z in (tail, -tail)]
    if not np.isfinite(places).all():
        return np.nan, np.nan
    lower, upper = np.quantile(draws, places)
    return float(lower), float(upper)


def infinitesimal_jackknife(
    name: str,
    value: float,
    influence: NDArray[np.float64],
    unit: Unit,
    *,
    clusters: NDArray[np.int64] | None = None,
) -> Measure:
    """Return a statistic between 0 and 1 with the interval of its infinitesimal jackknife.

    The standard error is the root of the summed squares of the influences (Jaeckel 1972), those of
    a cluster summed first; for AUROC it is that of DeLong et al. (1988). The interval is normal on
    the logit scale, and left out at 0 and 1, where that has no end.

    Parameters
    ----------
    name : str
        Name of the measure.
    value : float
        The statistic.
    influence : array, shape (n_rows,)
        Derivative of the statistic with respect to the weight of each row.
    unit : str
        Unit of the statistic.
    clusters : array, shape (n_rows,), int64, optional
        Which rows belong together, counted from zero.
    """
    influences = influence if clusters is None else np.bincount(clusters, weights=influence)
    n = len(influences)
    variance = float((influences**2).sum()) * n / max(n - 1, 1)
    if not 0 < value < 1 or variance <= 0:
        return Measure(name=name, value=value, n=n, unit=unit)
    half = stats.norm.ppf((1 + CONFIDENCE) / 2) * np.sqrt(variance) / (value * (1 - value))
    return Measure(
        name=name,
        value=value,
        lower=float(expit(logit(value) - half)),
        upper=float(expit(logit(value) + half)),
        n=n,
        method=join_sentences(
            "infinitesimal jackknife, logit scale",
            "clustered" if n < len(influence) else "",
            by=", ",
        ),
        unit=unit,
    )


def paired_difference(
    name: str, first: NDArray[np.bool_], second: NDArray[np.bool_], confidence: float = CONFIDENCE
) -> Measure:
    """Return how much more often `first` hits than `second` on the same rows.

    The interval is that of Bonett and Price (2012), which holds for few rows and rare differences.
    """
    n = len(first)
    if n == 0:
        return Measure(name=name, value=None, n=0)
    n_first_only, n_second_only = int((first & ~second).sum()), int((second & ~first).sum())
    more, less = (n_first_only + 1) / (n + 2), (n_second_only + 1) / (n + 2)
    z = stats.norm.ppf((1 + confidence) / 2)
    half = float(z * np.sqrt((more + less - (more - less) ** 2) / (n + 2)))
    return Measure(
        name=name,
        value=(n_first_only - n_second_only) / n,
        lower=max(-1.0, more - less - half),
        upper=min(1.0, more - less + half),
        n=n,
        method="Bonett-Price",
    )
