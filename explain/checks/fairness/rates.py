"""Rates of groups, and how they are compared."""

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.stats.contingency import relative_risk

from explain.checks.base.decisions import Decision
from explain.checks.fairness.metrics import FALSE_NEGATIVE_RATE, IMPACT_RATIO
from explain.record import Measure, Sentence
from explain.statistics.bootstrap import CONFIDENCE
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FOUR_FIFTHS",
    "Rates",
    "count_of",
    "due_decisions",
    "entirely_above",
    "entirely_below",
    "four_fifths_verdict",
    "higher_share_p_value",
    "hits_of",
    "impact_ratio",
    "misses_of",
    "ratio_of",
    "ratio_sentence",
]

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


Shares: TypeAlias = dict[int, Measure]
"""A rate of each group, by its number."""

Rates: TypeAlias = tuple[Shares, Shares]
"""A rate of each group, and that of all other rows."""


def hits_of(_: object, hits: "pd.Series[bool]") -> int:
    """Count the hits of a group."""
    return int(hits.sum())


def higher_share_p_value(share: Measure, rest: Measure) -> float:
    """Return the p-value of hits being no more frequent in a group than in the other rows."""
    hits, n, rest_hits, m = count_of(share), share.n, count_of(rest), rest.n
    if not n or not m:
        return 1.0
    return float(fisher(hits, n, hits + rest_hits, n + m))


def misses_of(rates: Rates, decision: Decision) -> Rates:
    """Return the complements of true-positive rates."""
    name = FALSE_NEGATIVE_RATE.name(outcome=decision.name)
    groups, rest = (
        {
            g: proportion(name, share.n - count_of(share), share.n, share.slice)
            for g, share in part.items()
        }
        for part in rates
    )
    return groups, rest


def entirely_above(measure: Measure, size: float) -> bool:
    """Tell whether a whole interval lies above a size."""
    return measure.lower is not None and measure.lower > size


def entirely_below(measure: Measure, size: float) -> bool:
    """Tell whether a whole interval lies below a size."""
    return measure.upper is not None and measure.upper < size


def count_of(share: Measure) -> int:
    """Return how many a share stands for."""
    return round((share.value or 0) * share.n)


def ratio_of(share: Measure, most: Measure, decision: Decision) -> Measure:
    """Return the ratio of two selection rates."""
    name = IMPACT_RATIO.name(outcome=decision.name)
    return impact_ratio(count_of(share), share.n, count_of(most), most.n, name, share.slice)


def ratio_sentence(ratio: Measure) -> str:
    """Say what a ratio is, if it could be measured."""
    if ratio.value is None:
        return ""
    return Sentence("The impact ratio of the other texts to these is {ratio:.2f}.", ratio=ratio)


def four_fifths_verdict(ratio: Measure) -> str:
    """Tell whether a ratio lies below four fifths, or whether that is unclear."""
    if ratio.value is None or ratio.upper is None or ratio.value >= FOUR_FIFTHS:
        return "no"
    return "yes" if ratio.upper < FOUR_FIFTHS else "unclear: the interval reaches above"


def due_decisions(right: NDArray[np.float64], members: NDArray[np.bool_]) -> str:
    """Return what the labels say of the shares of a group and of the other rows."""
    if np.isnan(right[members]).all() or np.isnan(right[~members]).all():
        return ""
    return Sentence(
        "By the labels in the data, it should be {due:percent} and {due_elsewhere:percent}.",
        due=float(np.nanmean(right[members])),
        due_elsewhere=float(np.nanmean(right[~members])),
    )
