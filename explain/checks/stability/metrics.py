"""What the check of stability measures."""

from typing import Final

from explain.record import MetricSpec

__all__ = ["FLIPS", "LARGEST_CHANGE", "LARGEST_CHANGE_OF_VALUE"]

FLIPS: Final = MetricSpec(id="stability.flips", title="flip rate, {way}", better="lower")
LARGEST_CHANGE: Final = MetricSpec(
    id="stability.largest_change", title="largest change of a probability, {way}", better="lower"
)
LARGEST_CHANGE_OF_VALUE: Final = MetricSpec(
    id="stability.largest_value_change",
    title="largest change of the value, {way}",
    unit="coefficient",
    high=None,
    better="lower",
)
