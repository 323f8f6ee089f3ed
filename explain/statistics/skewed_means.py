"""The interval of a mean of few and skewed values."""

from collections.abc import Sequence
from math import cbrt, sqrt

import numpy as np
from scipy import stats

from explain.record import Measure, Unit
from explain.statistics.bootstrap import CONFIDENCE
from explain.statistics.intervals import mean

__all__ = ["mean_of_skewed"]

ROUNDING = 1e-9
"""Deviation, relative to the largest value, of values that are all alike but for rounding."""

LEAST_SKEWNESS = 1e-6
"""Below it the transformation is the identity, and its formula divides by zero."""


def mean_of_skewed(name: str, values: Sequence[float], unit: Unit) -> Measure:
    """Return the mean with the wider of Student's interval and Hall's, at each end.

    Student's t covers 88 % where ten values come from an exponential distribution. The
    transformation of Hall (1992) takes out the skewness, and is too narrow where heavy tails look
    like skewness. Both together cover 93 to 97 % from five values on, of normal, uniform, Laplace,
    log-normal, gamma and exponential distributions.

    References
    ----------
    Hall, P. (1992). On the removal of skewness by transformation. JRSS B 54, 221-228.

    Parameters
    ----------
    name : str
        Name of the measure.
    values : sequence of float
        The values. Below three Student's interval stands alone.
    unit : str
        Their unit.
    """
    student = mean(name, values, unit)
    n = len(values)
    if n < 3 or student.value is None or student.lower is None or student.upper is None:
        return student
    deviation = float(np.std(values, ddof=1))
    if deviation <= ROUNDING * float(np.abs(values).max()):
        return student
    skewness = float(stats.skew(values, bias=False))
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1))
    low, high = (
        student.value - _untransformed(end, skewness, n) * deviation
        for end in (quantile, -quantile)
    )
    return student.model_copy(
        update={
            "lower": min(student.lower, low),
            "upper": max(student.upper, high),
            "method": "Student t, widened for skewness (Hall 1992)",
        }
    )


def _untransformed(quantile: float, skewness: float, n: int) -> float:
    """Return the standardised mean whose transform is a quantile of Student's distribution."""
    if abs(skewness) < LEAST_SKEWNESS:
        return quantile / sqrt(n)
    shifted = quantile / sqrt(n) - skewness / (6 * n)
    root = cbrt(1 + skewness * shifted)
    return 3 / skewness * (root - 1)
