"""Metrics of the data check."""

from typing import Final

from explain.record import MetricSpec

__all__ = [
    "CONFLICTING_LABELS",
    "CUT_TEXTS",
    "NEAR_COPIES",
    "REPEATED_TEXTS",
    "SUSPECTED_LABELS",
    "TRAINING_OVERLAP",
    "UNKNOWN_TOKENS",
    "WRONG_LABELS",
]

CUT_TEXTS: Final = MetricSpec(
    id="data.cut_texts", title="texts that the model does not read to the end", better="lower"
)
REPEATED_TEXTS: Final = MetricSpec(
    id="data.repeated_texts", title="exact repeats of an earlier text", better="lower"
)
NEAR_COPIES: Final = MetricSpec(
    id="data.near_copies", title="texts that are almost the same as another", better="lower"
)
CONFLICTING_LABELS: Final = MetricSpec(
    id="data.conflicting_labels",
    title="repeated texts with conflicting labels",
    better="lower",
)
SUSPECTED_LABELS: Final = MetricSpec(
    id="data.suspected_labels", title="suspected label errors", better="lower"
)
WRONG_LABELS: Final = MetricSpec(
    id="data.wrong_labels", title="labels that contradict their texts", better="lower"
)
UNKNOWN_TOKENS: Final = MetricSpec(
    id="data.unknown_tokens", title="tokens that the model does not know", better="lower"
)
TRAINING_OVERLAP: Final = MetricSpec(
    id="data.training_overlap", title="texts that are in the training data", better="lower"
)
