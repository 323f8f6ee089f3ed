"""Metrics that several checks measure."""

from typing import Final

from explain.record import MetricSpec

__all__ = [
    "ACCURACY",
    "MEAN_SQUARED_ERROR",
    "SUBSET_ACCURACY",
]

ACCURACY: Final = MetricSpec(id="performance.accuracy", title="accuracy", better="higher")
SUBSET_ACCURACY: Final = MetricSpec(
    id="performance.subset_accuracy", title="subset accuracy", better="higher"
)
MEAN_SQUARED_ERROR: Final = MetricSpec(
    id="performance.mean_squared_error",
    title="mean squared error",
    unit="coefficient",
    high=None,
    better="lower",
    counts_failures=False,
)
