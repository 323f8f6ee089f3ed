"""Metrics of the data check."""

from typing import Final

from explain.record import MetricSpec

__all__ = [
    "ACCURACY_GAP",
    "CONFLICTING_LABELS",
    "CUT_TEXTS",
    "NEAR_COPIES",
    "NEAR_TRAINING_COPIES",
    "REPEATED_TEXTS",
    "TRAINING_OVERLAP",
    "UNKNOWN_TOKENS",
    "WRONG_LABELS",
    "WRONG_LABELS_GAP",
    "WRONG_LABELS_OF",
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
WRONG_LABELS: Final = MetricSpec(
    id="data.wrong_labels", title="labels that are probably wrong", better="lower"
)
WRONG_LABELS_OF: Final = MetricSpec(
    id="data.wrong_labels_of",
    title="texts labelled {given} that are probably {true}",
    better="lower",
)
WRONG_LABELS_GAP: Final = MetricSpec(
    id="data.wrong_labels_gap",
    title="wrong labels, more than in the other rows",
    low=-1.0,
    better="lower",
)
UNKNOWN_TOKENS: Final = MetricSpec(
    id="data.unknown_tokens", title="tokens that the model does not know", better="lower"
)
TRAINING_OVERLAP: Final = MetricSpec(
    id="data.training_overlap", title="texts that are in the training data", better="lower"
)
NEAR_TRAINING_COPIES: Final = MetricSpec(
    id="data.near_training_copies",
    title="texts that are almost the same as one of the training data",
    better="lower",
)
ACCURACY_GAP: Final = MetricSpec(
    id="data.accuracy_gap", title="accuracy, more than on the other rows", low=-1.0
)
