"""Intervals hold the true value as often as they say.

Each coverage is simulated with a seed; a test allows 93 to 97 %, and beyond that what chance makes
of so many tables once in a hundred.
"""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit

from explain.checks.calibration.decisions import Decisions
from explain.checks.calibration.scores import slope
from explain.checks.performance.confusion import macro_f1, macro_f1_of, matthews, matthews_of
from explain.checks.performance.roc import ranking_measures
from explain.record import Measure
from explain.statistics.bootstrap import (
    paired_difference,
    resample,
)
from explain.statistics.intervals import SHARES, mean

SIZES = (50, 200, 1_000)


def assert_covers(measures: list[Measure], truth: float | list[float], n: int) -> None:
    truths = np.broadcast_to(truth, len(measures))
    assert all(m.lower is not None for m in measures), n
    inside = sum(
        (m.lower or 0.0) <= true <= (m.upper or 0.0)
        for m, true in zip(measures, truths, strict=True)
    )
    share, tables = inside / len(measures), len(measures)
    assert stats.binomtest(inside, tables, 0.93, alternative="less").pvalue > 0.01, (n, share)
    assert stats.binomtest(inside, tables, 0.97, alternative="greater").pvalue > 0.01, (n, share)


@pytest.mark.parametrize("n", [3, 8, 30])
def test_the_interval_of_a_mean_stays_where_the_mean_can_lie_and_covers_as_before(n: int) -> None:
    rng = np.random.default_rng(n)
    inside = free = 0
    for _ in range(2_000):
        values = rng.beta(8, 1, n).tolist()
        cut, whole = (mean("", values, "proportion", within=w) for w in (SHARES, (-9.0, 9.0)))
        assert 0 <= (cut.lower or 0.0) <= (cut.value or 0) <= (cut.upper or 0) <= 1
        inside += (cut.lower or 0.0) <= 8 / 9 <= (cut.upper or 0)
        free += (whole.lower or 0.0) <= 8 / 9 <= (whole.upper or 0)
    assert inside == free > 0.85 * 2_000


@pytest.mark.parametrize("n", SIZES)
def test_the_difference_of_two_classifiers_on_the_same_rows_is_covered(n: int) -> None:
    rng = np.random.default_rng(n)
    measures = []
    for _ in range(1_000):
        kind = rng.choice(4, n, p=[0.7, 0.12, 0.08, 0.1])
        measures.append(paired_difference("d", kind < 2, (kind == 0) | (kind == 2)))
    assert_covers(measures, 0.04, n)


CELLS = np.array([[0.30, 0.05, 0.05], [0.06, 0.20, 0.04], [0.02, 0.03, 0.25]])


@pytest.mark.parametrize("n", SIZES)
def test_macro_f1_and_matthews_correlation_are_covered(n: int) -> None:
    rng = np.random.default_rng(n)
    of_f1, of_matthews = [], []
    for _ in range(200):
        counts = rng.multinomial(n, CELLS.ravel())
        cells = np.flatnonzero(counts)
        own, called = (part[:, None] == np.arange(3) for part in np.divmod(cells, 3))
        resampled = resample(
            np.concatenate([own & called, own, called], axis=1), rng, times=counts[cells]
        )
        of_f1.append(
            resampled.measure("F1", lambda s: macro_f1_of(*np.split(s, 3, -1)), "coefficient")
        )
        of_matthews.append(
            resampled.measure("MCC", lambda s: matthews_of(*np.split(s, 3, -1)), "coefficient")
        )
    exact = np.rint(CELLS * 100).astype(np.int64)
    assert_covers(of_f1, float(macro_f1(exact)), n)
    assert_covers(of_matthews, float(matthews(exact)), n)


def ranked(n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    holds = rng.random(n) < 0.3
    return rng.normal(1.2 * holds)[:, None], holds[:, None]


@pytest.mark.parametrize("n", SIZES)
def test_auroc_and_auprc_are_covered(n: int) -> None:
    rng = np.random.default_rng(n)
    area, precision = (m.value or 0.0 for m in ranking_measures(*ranked(300_000, rng)))
    found = [ranking_measures(*ranked(n, rng)) for _ in range(400)]
    assert_covers([one for one, _ in found], area, n)
    known = [two for _, two in found if two.lower is not None]
    if n > 100:
        assert len(known) == len(found)
        assert_covers(known, precision, n)
    else:
        # Of fifty rows about fifteen are of the label: too few, and the report shows no interval.
        assert not known


def decisions(
    n: int, accuracy: Callable[[NDArray[np.float64]], NDArray[np.float64]], rng: np.random.Generator
) -> tuple[Decisions, float]:
    """Return simulated decisions, and how far off they are in the bins."""
    sure = expit(rng.normal(1.5, 1.5, n))
    confidence = np.sort(np.maximum(sure, 1 - sure))
    found = Decisions(confidence, rng.random(n) < accuracy(confidence))
    apart = np.add.reduceat(confidence - accuracy(confidence), found.starts) / found.sizes
    return found, float(np.sqrt(found.sizes / n @ apart**2))


def too_sure(confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(expit(0.5 * np.log(confidence / (1 - confidence))))


def wavy(confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(confidence + 0.1 * np.sin(12 * confidence), 0, 1)


@pytest.mark.parametrize("n", [100, 200, 1_000])
@pytest.mark.parametrize("accuracy", [np.copy, too_sure, wavy])
def test_the_calibration_error_is_covered(
    n: int, accuracy: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    rng = np.random.default_rng(n)
    found = [decisions(n, accuracy, rng) for _ in range(400)]
    assert_covers([one.error() for one, _ in found], [true for _, true in found], n)


def test_the_calibration_error_of_few_rows_has_no_interval() -> None:
    # With fifty it would hold the true value in 87 of 100 tables.
    found, _ = decisions(50, too_sure, np.random.default_rng(0))
    assert found.error().value is not None
    assert found.error().lower is None


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("accuracy", [np.copy, too_sure])
def test_confidence_minus_accuracy_is_covered(
    n: int, accuracy: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    rng = np.random.default_rng(n)
    large, _ = decisions(300_000, accuracy, rng)
    true = float((large.confidence - accuracy(large.confidence)).mean())
    assert_covers([decisions(n, accuracy, rng)[0].gap() for _ in range(500)], true, n)


@pytest.mark.parametrize("n", SIZES)
def test_the_slope_of_the_scores_is_covered(n: int) -> None:
    rng = np.random.default_rng(n)
    measures = []
    for _ in range(300):
        scores = rng.normal(0, 2, (n, 2))
        second = rng.random(n) < expit(0.5 * (scores[:, 1] - scores[:, 0]))
        measures.append(slope(scores, np.stack([~second, second], axis=1), "single_label"))
    assert_covers(measures, 0.5, n)
