"""Certified thresholds hold on new rows, and intervals of selective use cover the truth."""

import numpy as np
import pytest
from scipy.special import expit

from explain.checks.selective.answers import Answers
from explain.checks.selective.thresholds import Threshold, certified
from explain.record import Measure
from tests.helpers.search import seeds

POPULATION = 400_000

REPEATS = len(seeds(1_000, 100))


def draw(kind: str, n: int, rng: np.random.Generator) -> Answers:
    """Return answers of a calibrated, an over-confident and a useless confidence."""
    signal = rng.normal(2, 1.5, n)
    truth = expit(np.abs(signal))
    confidence = {
        "calibrated": truth,
        "overconfident": expit(2.2 * np.abs(signal)),
        "useless": rng.random(n),
    }[kind]
    return Answers(confidence.round(9), rng.random(n) < truth)


def covers(measure: Measure, truth: float) -> bool:
    return (measure.lower or 0.0) <= truth <= (1.0 if measure.upper is None else measure.upper)


@pytest.mark.parametrize("n", [50, 200, 1_000])
@pytest.mark.parametrize("kind", ["calibrated", "overconfident", "useless"])
def test_certified_thresholds_hold_in_95_of_100_tables(kind: str, n: int) -> None:
    population = draw(kind, POPULATION, np.random.default_rng(99))
    rng = np.random.default_rng(n)
    errors = (0.05, 0.1, 0.2, 0.3)
    broken = np.zeros(len(errors))
    shares = []
    for _ in range(REPEATS):
        answers = draw(kind, n, rng)
        half = rng.permutation(n) < n // 2
        for i, error in enumerate(errors):
            threshold = certified(answers, half, error)
            if isinstance(threshold, Threshold):
                above = population.confidence >= threshold.confidence
                broken[i] += (~population.right[above]).mean() > error
                shares.append(covers(threshold.share, float(above.mean())))
    slack = 3 * np.sqrt(0.05 * 0.95 / REPEATS)
    assert (broken / REPEATS <= 0.05 + slack).all()
    if n > 50:
        assert np.mean(shares) >= 0.93 - slack


@pytest.mark.parametrize("n", [200, 1_000])
@pytest.mark.parametrize("kind", ["calibrated", "overconfident", "useless"])
def test_intervals_of_both_areas_cover_the_truth(kind: str, n: int) -> None:
    population = draw(kind, POPULATION, np.random.default_rng(98))
    truths = population.aurc().value, population.auroc().value
    rng = np.random.default_rng(n)
    hits = []
    for _ in range(REPEATS):
        answers = draw(kind, n, rng)
        measured = answers.aurc(), answers.auroc()
        if measured[0].lower is not None:
            hits.append([covers(m, t or 0.0) for m, t in zip(measured, truths, strict=True)])
    assert len(hits) > REPEATS / 2
    slack = 3 * np.sqrt(0.05 * 0.95 / len(hits))
    assert (np.abs(np.mean(hits, axis=0) - 0.95) <= 0.02 + slack).all()
