"""Statistics equal those of scipy and scikit-learn, and their intervals cover."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from explain.checks.performance.confusion import confusion_counts, f1_scores, macro_f1, matthews
from explain.statistics.bootstrap import bootstrap
from explain.statistics.intervals import mean, proportion

labels = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 3), min_size=n, max_size=n)] * 2)
)


@pytest.mark.filterwarnings("ignore:A single label was found")
@given(labels)
def test_statistics_of_a_confusion_equal_those_of_scikit_learn(
    pair: tuple[list[int], list[int]],
) -> None:
    given_labels, predicted = map(np.array, pair)
    counts = confusion_counts(given_labels, predicted, 4)
    np.testing.assert_array_equal(
        counts, metrics.confusion_matrix(given_labels, predicted, labels=range(4))
    )
    np.testing.assert_allclose(
        f1_scores(counts),
        metrics.f1_score(given_labels, predicted, labels=range(4), average=None, zero_division=0),
        atol=1e-12,
    )
    assert macro_f1(counts) == pytest.approx(
        metrics.f1_score(given_labels, predicted, average="macro", zero_division=0), abs=1e-12
    )
    assert matthews(counts) == pytest.approx(
        metrics.matthews_corrcoef(given_labels, predicted), abs=1e-12
    )


def test_confusions_of_many_resamples_are_counted_at_once() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 3, size=(2, 5, 20))
    together = confusion_counts(one, other, 3)
    for row in range(5):
        np.testing.assert_array_equal(together[row], confusion_counts(one[row], other[row], 3))


def test_wilson_is_the_published_interval() -> None:
    measure = proportion("share", 764, 872)
    assert (measure.lower, measure.upper) == pytest.approx((0.8526, 0.8964), abs=1e-4)
    assert proportion("none", 0, 0).value is None


@pytest.mark.parametrize("n", [20, 200])
def test_wilson_covers_where_it_should(n: int) -> None:
    hits = np.random.default_rng(0).binomial(n, 0.9, size=2_000)
    inside = [
        (m.lower or 0) <= 0.9 <= (m.upper or 0) for m in (proportion("p", int(h), n) for h in hits)
    ]
    assert 0.93 <= np.mean(inside) <= 0.98


def test_the_mean_has_students_interval() -> None:
    measure = mean("m", [1.0, 2.0, 3.0], "count")
    assert measure.value == 2
    assert measure.upper == pytest.approx(2 + 4.3027 / np.sqrt(3), abs=1e-4)
    assert mean("one", [1.0], "count").lower is None
    assert mean("none", [], "count").value is None


def test_the_bootstrap_agrees_with_student_on_a_mean_and_repeats_with_its_seed() -> None:
    values = np.random.default_rng(1).normal(5, 2, size=200)

    def run(seed: int) -> tuple[float | None, float | None]:
        measure = bootstrap("m", lambda rows: values[rows].mean(-1), 200, seed, "count")
        return measure.lower, measure.upper

    assert run(0) == run(0) != run(1)
    student = mean("m", values.tolist(), "count")
    assert run(0) == pytest.approx((student.lower, student.upper), abs=0.05)


def test_the_bootstrap_leaves_out_an_interval_that_is_undefined() -> None:
    measure = bootstrap("m", lambda rows: np.ones(rows.shape[:-1]), 10, 0, "coefficient")
    assert (measure.value, measure.lower) == (1, None)
