"""The error rates of reviews hold what is true as often as they say."""

import numpy as np
import pytest

from explain.record import Measure
from explain.review.section import reviews_section
from explain.statistics.reviewer_agreement import cohens_kappa, krippendorffs_alpha
from tests.helpers.reviews import instances, record_of, review

TABLES, ROWS = 400, 60
RATES = (0.05, 0.1, 0.2, 0.35)


def holds(measure: Measure, truth: float) -> bool:
    assert measure.lower is not None
    assert measure.upper is not None
    return measure.lower <= truth <= measure.upper


def test_intervals_of_the_errors_of_model_and_labels_hold_the_truth() -> None:
    rng = np.random.default_rng(0)
    shown = instances(ROWS)
    record = record_of(shown)
    n_held = np.zeros(2)
    for rate in RATES:
        for _ in range(TABLES):
            truth = np.where(rng.random(ROWS) < rate, "negative", "positive").tolist()
            reviews = [
                review(i, "correct" if i.predicted == label else "wrong_label", label=label)
                for i, label in zip(shown, truth, strict=True)
            ]
            rates = reviews_section(record, reviews).measures[:2]
            n_held += [holds(measure, rate) for measure in rates]
    coverage = n_held / (TABLES * len(RATES))
    assert (coverage > 0.93).all()
    assert (coverage < 0.97).all()


@pytest.mark.parametrize("accuracy", [0.7, 0.85])
def test_intervals_of_agreement_hold_the_agreement_of_all_rows(accuracy: float) -> None:
    """Two reviewers who are each right by that chance, and say any of three codes otherwise."""
    rng = np.random.default_rng(1)
    # Both know a row by that chance, or agree by chance of three equal codes.
    truth = accuracy**2
    n_held = np.zeros(2)
    for _ in range(TABLES):
        codes = rng.integers(0, 3, ROWS)
        first, second = (
            np.where(rng.random(ROWS) < accuracy, codes, rng.integers(0, 3, ROWS)).astype(str)
            for _ in range(2)
        )
        kappa = cohens_kappa("kappa", first.tolist(), second.tolist())
        pairs = np.stack([first, second], axis=1).tolist()
        alpha = krippendorffs_alpha("alpha", pairs, rng)
        n_held += [holds(kappa, truth), holds(alpha, truth)]
    assert (n_held / TABLES > 0.92).all()
    assert (n_held / TABLES < 0.98).all()
