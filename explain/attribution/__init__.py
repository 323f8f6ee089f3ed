"""Attributions of single predictions, by all methods, from one engine."""

from explain.attribution.requests import (
    AttributionSettings,
    TargetSpec,
    attribute,
    attribute_batch,
    features_of,
    make_requests,
)
from explain.attribution.units import UNITS, added_tokens, segment

__all__ = [
    "UNITS",
    "AttributionSettings",
    "TargetSpec",
    "added_tokens",
    "attribute",
    "attribute_batch",
    "features_of",
    "make_requests",
    "segment",
]
