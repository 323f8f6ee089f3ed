"""Attributions of single predictions, by all methods, from one engine."""

from explain.attribution.requests import AttributionSettings, TargetSpec, answer, ask, attribute
from explain.attribution.segmenting import UNITS, added_tokens, segment

__all__ = [
    "UNITS",
    "AttributionSettings",
    "TargetSpec",
    "added_tokens",
    "answer",
    "ask",
    "attribute",
    "segment",
]
