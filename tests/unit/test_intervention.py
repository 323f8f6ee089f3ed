"""Edits of texts: what flips, by how much a probability moves, and with which interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from explain.adapters.decision_rule import DecisionRule
from explain.checks.base.intervention import Intervention
from explain.statistics.intervals import clustered_proportion, wilson
from tests.helpers.search import examples


@examples(200)
@given(n=st.integers(1, 500), share=st.floats(0, 1))
def test_wilson_equals_scipy(n: int, share: float) -> None:
    hits = round(share * n)
    expected = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert wilson(hits / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_trials_that_repeat_one_another_count_once() -> None:
    hits = np.random.default_rng(0).random(50) < 0.3
    once = clustered_proportion("flips", hits, np.arange(50))
    thrice = clustered_proportion("flips", hits.repeat(3), np.arange(50).repeat(3))
    assert (thrice.value, thrice.n) == (once.value, 50)
    assert (thrice.lower, thrice.upper) == pytest.approx((once.lower, once.upper), abs=0.01)
    assert clustered_proportion("none", np.zeros(0, bool), np.zeros(0, int)).value is None
    assert (
        clustered_proportion("no flip", np.zeros(9, bool), np.arange(9) // 3).upper
        == (wilson(0, 3)[1])
    )


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_clustered_intervals_cover(rho: float) -> None:
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(1_000):
        common = rng.random(100) < 0.2
        own = rng.random((100, 4)) < 0.2
        hits = np.where(rng.random((100, 1)) < rho, common[:, None], own)
        m = clustered_proportion("p", hits.ravel(), np.arange(100).repeat(4))
        assert m.lower is not None
        assert m.upper is not None
        inside.append(m.lower <= 0.2 <= m.upper)
    assert 0.93 <= np.mean(inside) <= 0.97


def test_a_text_counts_once_in_the_mean_change() -> None:
    before = np.log([[0.5, 0.5], [0.5, 0.5], [0.9, 0.1]])
    after = np.log([[0.3, 0.7], [0.1, 0.9], [0.9, 0.1]])
    done = Intervention(np.array([0, 0, 1]), before, after, DecisionRule("single_label"), failed=0)
    measure = done.mean_change("change", 1)
    assert measure.value == pytest.approx(0.15)
    assert measure.n == 2
    assert done.flips.tolist() == [True, True, False]


def test_a_flip_of_several_labels_is_a_change_of_any() -> None:
    before, after = np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([[2.0, -0.5], [1.0, -1.0]])
    done = Intervention(np.array([0, 1]), before, after, DecisionRule("multi_label"), failed=0)
    assert done.flips.tolist() == [False, True]
