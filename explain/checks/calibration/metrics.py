"""Metrics of the calibration check."""

from typing import Final

from explain.record import MetricSpec

__all__ = [
    "BRIER",
    "CALIBRATION_ERROR",
    "LOG_LOSS",
    "OVERCONFIDENCE",
    "SLOPE",
]

CALIBRATION_ERROR: Final = MetricSpec(
    id="calibration.error",
    title="calibration error (debiased)",
    better="lower",
    counts_failures=False,
)
BRIER: Final = MetricSpec(
    id="calibration.brier",
    title="Brier score",
    unit="coefficient",
    better="lower",
    counts_failures=False,
)
LOG_LOSS: Final = MetricSpec(
    id="calibration.log_loss",
    title="log loss",
    unit="coefficient",
    high=None,
    better="lower",
    counts_failures=False,
)
OVERCONFIDENCE: Final = MetricSpec(
    id="calibration.overconfidence",
    title="confidence minus accuracy",
    low=-1.0,
    counts_failures=False,
)
SLOPE: Final = MetricSpec(
    id="calibration.slope",
    title="calibration slope",
    unit="coefficient",
    low=None,
    high=None,
    counts_failures=False,
)
