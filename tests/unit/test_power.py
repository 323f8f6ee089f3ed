"""An effect that is called detectable is found in 80 % of samples, by brute force and by chance."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from explain.record import Measure
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion, wilson
from explain.statistics.power import (
    POWER,
    detectable_by_binomial,
    detectable_by_fisher,
    detectable_by_wilson,
    rows_to_settle,
)
from tests.helpers.search import examples

SIZES = (50, 200, 1_000)
SAMPLES = 2_000
shares = st.floats(0.02, 0.98)


# ── One share against another ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("level", [0.05, 0.005, 0.00005])
@pytest.mark.parametrize("base", [0.0, 0.07, 0.5])
@pytest.mark.parametrize("n", SIZES)
def test_a_detectable_share_is_found_in_four_samples_of_five(
    n: int, base: float, level: float
) -> None:
    rng = np.random.default_rng(n)
    share = detectable_by_fisher(n, 1_000, base, level)
    assert share is not None
    hits, other = rng.binomial(n, share, SAMPLES), rng.binomial(1_000, base, SAMPLES)
    found = fisher(hits, n, hits + other, n + 1_000) <= level
    assert 0.75 <= found.mean() <= 0.85


@pytest.mark.parametrize(("n", "other_n", "base"), [(6, 20, 0.2), (12, 9, 0.4), (20, 25, 0.1)])
def test_the_power_at_a_detectable_share_is_that_of_all_outcomes(
    n: int, other_n: int, base: float
) -> None:
    share = detectable_by_fisher(n, other_n, base, 0.05)
    assert share is not None
    power = 0.0
    for hits, other in product(range(n + 1), range(other_n + 1)):
        table = np.array([[hits, n - hits], [other, other_n - other]])
        if stats.fisher_exact(table, "greater").pvalue <= 0.05:
            power += stats.binom.pmf(hits, n, share) * stats.binom.pmf(other, other_n, base)
    assert power == pytest.approx(POWER, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "other_n", "base", "level"),
    [(0, 100, 0.1, 0.05), (3, 100, 0.5, 0.005), (100, 0, 0.5, 0.05), (50, 50, 1.0, 0.05)],
)
def test_what_no_outcome_could_show_is_not_detectable(
    n: int, other_n: int, base: float, level: float
) -> None:
    assert detectable_by_fisher(n, other_n, base, level) is None


@examples(30)
@given(n=st.integers(1, 80), other_n=st.integers(1, 300), base=shares)
def test_more_rows_and_more_error_make_smaller_shares_detectable(
    n: int, other_n: int, base: float
) -> None:
    share = detectable_by_fisher(n, other_n, base, 0.01) or 2.0
    # Tests of whole numbers saw up and down from one row to the next, but not over twice as many.
    assert (detectable_by_fisher(2 * n + 5, 2 * other_n + 5, base, 0.01) or 2.0) <= share + 0.01
    assert (detectable_by_fisher(n, other_n, base, 0.02) or 2.0) <= share
    assert share > base


# ── A share against a threshold ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("threshold", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("n", SIZES)
def test_wilson_lies_above_a_threshold_in_four_samples_of_five(n: int, threshold: float) -> None:
    share = detectable_by_wilson(n, threshold)
    assert share is not None
    hits = np.random.default_rng(n).binomial(n, share, SAMPLES)
    lower = np.array([wilson(hits / n, n)[0] for hits in range(n + 1)])
    assert 0.75 <= (lower[hits] > threshold).mean() <= 0.85


@pytest.mark.parametrize("size", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("n", SIZES)
def test_the_binomial_test_finds_a_detectable_share_in_four_samples_of_five(
    n: int, size: float
) -> None:
    share = detectable_by_binomial(n, size, 0.005)
    assert share is not None
    hits = np.random.default_rng(n).binomial(n, share, SAMPLES)
    # P(X >= hits), as binomtest has it.
    assert 0.75 <= (stats.binom.sf(hits - 1, n, size) <= 0.005).mean() <= 0.85


@examples(50)
@given(n=st.integers(1, 400), size=shares, level=st.sampled_from([0.05, 0.005, 0.0005]))
def test_one_hit_less_than_the_binomial_test_needs_is_not_found(
    n: int, size: float, level: float
) -> None:
    share = detectable_by_binomial(n, size, level)
    p_values = [stats.binomtest(hits, n, size, "greater").pvalue for hits in (n - 1, n)]
    if share is None:
        assert p_values[1] > level
        return
    fewest = next(
        hits for hits in range(n + 1) if stats.binomtest(hits, n, size, "greater").pvalue <= level
    )
    assert stats.binom.sf(fewest - 1, n, share) == pytest.approx(POWER)


def test_too_few_rows_show_no_share_above_a_threshold() -> None:
    assert detectable_by_wilson(0, 0.5) is None
    assert detectable_by_wilson(10, 0.9) is None
    assert detectable_by_binomial(0, 0.5, 0.05) is None
    assert detectable_by_binomial(3, 0.5, 0.005) is None


# ── Rows that settle a verdict ────────────────────────────────────────────────────────────────────


@given(value=st.floats(0, 1), threshold=shares)
def test_so_many_rows_put_wilson_on_one_side_and_one_fewer_do_not(
    value: float, threshold: float
) -> None:
    measure = Measure(name="m", value=value, lower=0, upper=1, n=10, method="Wilson")
    rows = rows_to_settle(measure, threshold)
    if rows is None or rows > 10**9:
        return
    lower, upper = wilson(value, rows)
    assert not lower < threshold - 1e-9 < threshold + 1e-9 < upper
    if rows > 1:
        lower, upper = wilson(value, rows - 1)
        assert lower - 1e-9 <= threshold <= upper + 1e-9


def test_an_interval_of_another_kind_shrinks_with_the_root_of_the_rows() -> None:
    measure = Measure(name="F1", value=0.8, lower=0.6, upper=0.9, n=100, method="BCa bootstrap")
    assert rows_to_settle(measure, 0.7) == pytest.approx(400, abs=1)
    assert rows_to_settle(measure, 0.85) == pytest.approx(400, abs=1)
    assert (rows_to_settle(measure, 0.7, level=0.01) or 0) == pytest.approx(
        400 * (stats.norm.isf(0.005) / stats.norm.isf(0.025)) ** 2, abs=1
    )


def test_no_number_of_rows_settles_an_estimate_that_equals_the_threshold() -> None:
    assert rows_to_settle(proportion("accuracy", 90, 100), 0.9) is None
    assert rows_to_settle(Measure(name="accuracy", value=0.9, n=100), 0.8) is None
    assert rows_to_settle(Measure(name="accuracy", value=None, n=0), 0.8) is None
