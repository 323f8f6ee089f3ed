"""Intervals equal those of scipy; how often those of samples hold is in `tests/statistical`."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from explain.record import Measure
from explain.statistics.bootstrap import (
    clusters_of,
    infinitesimal_jackknife,
    resample,
)
from explain.statistics.intervals import proportion, wilson

# ── Shares ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("n", [50, 200, 1_000])
def test_wilson_covers_on_average_over_all_shares(n: int) -> None:
    true = np.linspace(0.01, 0.99, 197)
    ends = np.array([wilson(hits / n, n) for hits in range(n + 1)])
    hits = np.arange(n + 1)[:, None]
    held = (ends[:, :1] <= true) & (true <= ends[:, 1:])
    coverage = (stats.binom.pmf(hits, n, true) * held).sum(axis=0)
    assert 0.93 <= coverage.mean() <= 0.97


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 7), (7, 7), (764, 872)])
def test_wilson_equals_that_of_scipy(hits: int, n: int) -> None:
    measure = proportion("share", hits, n)
    theirs = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert (measure.lower, measure.upper) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


# ── Resampling ────────────────────────────────────────────────────────────────────────────────────


def ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sums[..., 0] / sums[..., 1])


def test_bca_equals_that_of_scipy_on_the_same_draws() -> None:
    rng = np.random.default_rng(3)
    values = rng.exponential(size=30)
    resampled = resample(np.stack([values, np.ones(30)], axis=1), rng)
    measure = resampled.measure("mean", ratio, "coefficient")
    earlier: Any = SimpleNamespace(bootstrap_distribution=ratio(resampled.draws))
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=0, bootstrap_result=earlier, method="BCa"
    ).confidence_interval
    assert (measure.lower, measure.upper) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_equal_rows_may_be_drawn_as_one() -> None:
    rows = np.repeat([[0, 1], [1, 1]], [30, 70], axis=0)
    one_by_one = resample(rows, np.random.default_rng(0)).measure("m", ratio, "coefficient")
    together = resample(
        np.array([[0, 1], [1, 1]]), np.random.default_rng(0), times=np.array([30, 70])
    ).measure("m", ratio, "coefficient")
    assert (one_by_one.value, one_by_one.n) == (together.value, together.n) == (0.7, 100)
    assert one_by_one.lower == pytest.approx(together.lower, abs=0.015)
    assert one_by_one.upper == pytest.approx(together.upper, abs=0.015)


def test_rows_of_a_cluster_are_drawn_together() -> None:
    rng = np.random.default_rng(1)
    own = rng.random(40)
    rows, clusters = np.repeat(own, 25), np.repeat(np.arange(40), 25)
    terms = np.stack([rows, np.ones(1_000)], axis=1)
    apart = resample(terms, rng).measure("m", ratio, "coefficient")
    together = resample(terms, rng, clusters=clusters).measure("m", ratio, "coefficient")
    alone = resample(np.stack([own, np.ones(40)], axis=1), rng).measure("m", ratio, "coefficient")
    assert (together.n, apart.n) == (40, 1_000)
    assert _width(together) == pytest.approx(_width(alone), rel=0.1)
    assert _width(together) > 3 * _width(apart)


def _width(measure: Measure) -> float:
    assert measure.lower is not None
    assert measure.upper is not None
    return measure.upper - measure.lower


def test_few_groups_are_no_sample_of_groups() -> None:
    assert clusters_of(["a", "b"] * 50) is None
    assert clusters_of([str(i) for i in range(50)]) is None
    clusters = clusters_of([*(str(i % 25) for i in range(50)), None, None])
    assert clusters is not None
    assert clusters.tolist() == [*range(25), *range(25), 25, 26]


def test_a_statistic_that_is_undefined_has_no_value_and_no_interval() -> None:
    resampled = resample(np.zeros((10, 2)), np.random.default_rng(0))
    measure = resampled.measure("0 / 0", ratio, "coefficient")
    assert (measure.value, measure.lower) == (None, None)
    constant = resample(np.ones((10, 2)), np.random.default_rng(0))
    assert constant.measure("1", ratio, "coefficient").lower is None
    assert infinitesimal_jackknife("1", 1.0, np.zeros(9), "coefficient").lower is None
