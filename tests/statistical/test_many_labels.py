"""A table of very many labels is measured as one of few."""

import pytest
from sklearn import metrics

from tests.helpers.audit_helpers import (
    audit_scores,
    measures_of,
    noisy,
)


def test_150_labels_are_measured_with_intervals() -> None:
    scores, labels = noisy(3_000, 150, 0)
    measures = measures_of(audit_scores(scores, labels, "performance"))
    assert measures["macro-F1"].lower is not None
    assert measures["macro-F1"].value == pytest.approx(
        metrics.f1_score(labels, scores.argmax(axis=1), average="macro"), abs=1e-12
    )
