"""Metrics of the shortcuts check."""

from typing import Final

from explain.record import MetricSpec

__all__ = [
    "CONTRAST_MISSED",
    "CONTRAST_RIGHT",
    "CUT_TO_LENGTH",
    "EXCHANGE",
    "INSERTION",
    "LENGTH",
    "MOVED_AWAY",
    "MOVED_THERE",
    "OVERLAP",
    "PADDING",
    "PARTIAL_INPUT",
    "RESTYLED",
    "SHARED_WORDS",
    "SHORTCUTS",
    "STYLED",
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
STYLED: Final = MetricSpec(
    id="shortcuts.styled",
    title="texts classified as {label} after being given {style:quoted}",
    better="lower",
)
RESTYLED: Final = MetricSpec(
    id="shortcuts.restyled",
    title="texts no longer classified as {label} after losing {style:quoted}",
    better="lower",
)
OVERLAP: Final = MetricSpec(
    id="shortcuts.overlap",
    title="rank correlation of shared words and probability of {label}",
    unit="coefficient",
    low=-1.0,
)
SHARED_WORDS: Final = MetricSpec(
    id="shortcuts.shared_words",
    title="pairs classified as {label} after their words are shared",
    better="lower",
)
MOVED_THERE: Final = MetricSpec(
    id="shortcuts.moved_there",
    title="texts classified as {label} after moving {word:quoted} to the {end}",
    better="lower",
)
MOVED_AWAY: Final = MetricSpec(
    id="shortcuts.moved_away",
    title="texts no longer classified as {label} after moving {word:quoted} from the {end}",
    better="lower",
)
CONTRAST_RIGHT: Final = MetricSpec(
    id="shortcuts.contrast_right", title="contrast sets with all answers right", better="higher"
)
CONTRAST_MISSED: Final = MetricSpec(
    id="shortcuts.contrast_missed", title="contrast sets that get one answer", better="lower"
)
CUT_TO_LENGTH: Final = MetricSpec(
    id="shortcuts.cut_to_length",
    title="texts classified as {label} after cutting, by their length",
    better="lower",
)
