"""Metrics of the language model check."""

from typing import Final

from explain.record import MetricSpec

__all__ = ["FLIP_RATE", "FOLLOWED", "NO_LABEL", "NUMBER_AUROC", "NUMBER_BRIER"]

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
NUMBER_AUROC: Final = MetricSpec(
    id="language_model.auroc",
    title="AUROC of right answers by {number}",
    unit="coefficient",
    better="higher",
)
NUMBER_BRIER: Final = MetricSpec(
    id="language_model.brier",
    title="Brier score of right answers by {number}",
    unit="coefficient",
    better="lower",
)
