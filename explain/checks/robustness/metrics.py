"""Metrics of the robustness check."""

from typing import Final

from explain.record import MetricSpec

__all__ = [
    "FLIP_RATE",
    "PROBABILITY_CHANGE",
    "VALUE_CHANGE",
]

FLIP_RATE: Final = MetricSpec(
    id="robustness.flip_rate", title="flip rate, {change}", better="lower"
)
PROBABILITY_CHANGE: Final = MetricSpec(
    id="robustness.probability_change",
    title="change of the predicted probability, {change}",
    low=-1.0,
)
VALUE_CHANGE: Final = MetricSpec(
    id="robustness.value_change",
    title="change of the value, {change}",
    unit="coefficient",
    low=None,
    high=None,
)
