"""Metrics of the shortcuts check."""

from typing import Final

from explain.record import MetricSpec

__all__ = [
    "EXCHANGE",
    "INSERTION",
    "LENGTH",
    "OVERLAP",
    "PADDING",
    "PARTIAL_INPUT",
    "SHORTCUTS",
    "STYLE",
]

SHORTCUTS: Final = MetricSpec(
    id="shortcuts.count", title="shortcuts", unit="count", high=None, better="lower"
)
INSERTION: Final = MetricSpec(
    id="shortcuts.insertion",
    title="texts classified as {label} after inserting {words:quoted}",
    better="lower",
)
EXCHANGE: Final = MetricSpec(
    id="shortcuts.exchange",
    title="predictions of {label} that follow the order of {first:quoted} and {second:quoted}",
    better="lower",
)
PADDING: Final = MetricSpec(
    id="shortcuts.padding", title="texts classified as {label} after padding", better="lower"
)
LENGTH: Final = MetricSpec(
    id="shortcuts.length",
    title="rank correlation of text length and probability of {label}",
    unit="coefficient",
    low=-1.0,
)
PARTIAL_INPUT: Final = MetricSpec(
    id="shortcuts.partial_input", title="predictions unchanged without the {part}", better="lower"
)
STYLE: Final = MetricSpec(
    id="shortcuts.style",
    title="texts classified as {label} after rewriting them with {style}",
    better="lower",
)
OVERLAP: Final = MetricSpec(
    id="shortcuts.overlap",
    title="pairs classified as {label} with a second text of words of {source}",
    better="lower",
)
