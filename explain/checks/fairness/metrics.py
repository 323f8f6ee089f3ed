"""Metrics of the fairness check."""

from typing import Final

from explain.record import MetricSpec

__all__ = [
    "ACCURACY_GAP",
    "CALIBRATION_GAP",
    "FALSE_NEGATIVE_RATE",
    "FALSE_POSITIVE_RATE",
    "IMPACT_RATIO",
    "NAMED_SHARE",
    "SELECTION_RATE",
    "SWAP_FLIP_RATE",
    "TRUE_POSITIVE_RATE",
]

ACCURACY_GAP: Final = MetricSpec(
    id="fairness.accuracy_gap", title="accuracy gap", low=-1.0, better="lower"
)
SELECTION_RATE: Final = MetricSpec(id="fairness.selection_rate", title="selection rate, {outcome}")
IMPACT_RATIO: Final = MetricSpec(
    id="fairness.impact_ratio",
    title="impact ratio, {outcome}",
    unit="coefficient",
    high=None,
    better="higher",
)
TRUE_POSITIVE_RATE: Final = MetricSpec(
    id="fairness.true_positive_rate", title="true-positive rate, {outcome}", better="higher"
)
FALSE_POSITIVE_RATE: Final = MetricSpec(
    id="fairness.false_positive_rate",
    title="false-positive rate, {outcome}",
    better="lower",
    counts_failures=False,
)
CALIBRATION_GAP: Final = MetricSpec(
    id="fairness.calibration_gap",
    title="calibration gap",
    unit="coefficient",
    low=-1.0,
    counts_failures=False,
)
SWAP_FLIP_RATE: Final = MetricSpec(
    id="fairness.swap_flip_rate", title="flip rate, {kind} swapped", better="lower"
)
FALSE_NEGATIVE_RATE: Final = MetricSpec(
    id="fairness.false_negative_rate", title="false-negative rate, {outcome}", better="lower"
)
NAMED_SHARE: Final = MetricSpec(
    id="fairness.named_share",
    title="share of neutral sentences with first names, {outcome}",
    counts_failures=False,
)
