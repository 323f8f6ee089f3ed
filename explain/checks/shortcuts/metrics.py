"""Metrics of the shortcuts check."""

from typing import Final

from explain.record import MetricSpec

__all__ = [
    "EXCHANGE",
    "INSERTION",
    "LENGTH",
    "PADDING",
    "PARTIAL_INPUT",
    "SHORTCUTS",
]

SHORTCUTS: Final = MetricSpec(
    id="shortcuts.count", title="shortcuts", unit="count", high=None, better="lower"
)
INSERTION: Final = MetricSpec(
    id="shortcuts.insertion", title="becomes {label} by inserting {words}", better="lower"
)
EXCHANGE: Final = MetricSpec(
    id="shortcuts.exchange",
    title="becomes {label} by exchanging {first} and {second}",
    better="lower",
)
PADDING: Final = MetricSpec(
    id="shortcuts.padding", title="becomes {label} by padding", better="lower"
)
LENGTH: Final = MetricSpec(
    id="shortcuts.length",
    title="rank correlation of length and {label}",
    unit="coefficient",
    low=-1.0,
)
PARTIAL_INPUT: Final = MetricSpec(
    id="shortcuts.partial_input", title="prediction kept without the {part}", better="lower"
)
