"""Attributions of single predictions, by all methods, from one engine."""

from explain.attribution.requests import (
    UNITS,
    Setting,
    Wanted,
    added_tokens,
    answer,
    ask,
    attribute,
    segment,
)

__all__ = [
    "UNITS",
    "Setting",
    "Wanted",
    "added_tokens",
    "answer",
    "ask",
    "attribute",
    "segment",
]
