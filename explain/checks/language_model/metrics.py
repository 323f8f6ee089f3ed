"""Metrics of the language model check."""

from typing import Final

from explain.record import MetricSpec

__all__ = ["FLIP_RATE", "FOLLOWED", "NO_LABEL"]

FLIP_RATE: Final = MetricSpec(
    id="language_model.flip_rate", title="answers that change, {change}", better="lower"
)
NO_LABEL: Final = MetricSpec(
    id="language_model.no_label",
    title='texts for which the model prefers "none of these"',
    better="lower",
)
FOLLOWED: Final = MetricSpec(
    id="language_model.followed",
    title="texts that get the label that an inserted sentence names, {sentence}",
    better="lower",
)
