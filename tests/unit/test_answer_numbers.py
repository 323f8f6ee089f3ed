"""Which number ranks answers: areas and errors against their definitions, and what is certain."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, roc_auc_score

from explain.checks.language_model.numbers import (
    FEWEST,
    STATED_CONFIDENCE,
    AnswerNumber,
    NumberComparison,
    numbers_table,
    of_same_answers,
    worse_number,
)
from explain.record import Sentence
from tests.helpers.search import examples


def number(values: object, is_right: object, title: str = "number") -> AnswerNumber:
    return AnswerNumber(Sentence(title), np.array(values, float), np.array(is_right, bool))


def drawn(seed: int, n: int = 200, says: float = 2.0) -> tuple[AnswerNumber, AnswerNumber]:
    """Return a number that says something of the answers, and one that says nothing."""
    rng = np.random.default_rng(seed)
    is_right = rng.random(n) < 0.8
    says_much = 1 / (1 + np.exp(-says * is_right - rng.normal(size=n)))
    return number(says_much, is_right, "first"), number(rng.random(n), is_right, "second")


@examples(40)
@given(st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=30, max_size=80))
def test_areas_and_brier_scores_are_those_of_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    values, is_right = zip(*((value / 10, right) for value, right in pairs), strict=True)
    judged = number(values, is_right)
    if not judged.can_be_judged:
        assert min(sum(is_right), len(is_right) - sum(is_right)) < FEWEST
        return
    assert judged.auroc.value == pytest.approx(roc_auc_score(is_right, values))
    assert judged.brier is not None
    assert judged.brier.value == pytest.approx(brier_score_loss(is_right, values))


def test_intervals_of_an_area_hold_it() -> None:
    """The area of two normal distributions that are 2 apart is Phi(sqrt 2)."""
    areas = [drawn(seed)[0].auroc for seed in range(200)]
    held = [area.lower <= 0.9214 <= area.upper for area in areas if area.lower and area.upper]
    assert len(held) == 200
    assert 0.90 <= np.mean(held) <= 0.99


def test_the_error_of_a_difference_is_that_of_resampled_answers() -> None:
    first, second = drawn(0)
    n, is_right = len(first.values), first.is_right
    times = np.random.default_rng(1).multinomial(n, np.full(n, 1 / n), 1_000)

    def areas(values: NDArray[np.float64]) -> NDArray[np.float64]:
        """By definition: how many pairs of a right and a wrong answer are in order."""
        in_order = values[is_right][:, None] > values[~is_right]
        right, wrong = times[:, is_right], times[:, ~is_right]
        pairs = right.sum(axis=1) * wrong.sum(axis=1)
        return np.asarray(((right @ in_order) * wrong).sum(axis=1) / pairs)

    differences = areas(first.values) - areas(second.values)
    middle = np.mean(differences)
    lower = NumberComparison(first, second).difference
    assert middle - lower == pytest.approx(1.96 * np.std(differences), rel=0.15)


def test_a_number_that_says_nothing_is_told_and_equals_are_not() -> None:
    for seed in range(20):
        first, second = drawn(seed)
        comparison = worse_number([first, second])
        assert comparison is not None
        assert (str(comparison.better.title), str(comparison.worse.title)) == ("first", "second")
        assert comparison.difference >= 0.05
        assert worse_number([first, first]) is None
    noise = [worse_number([drawn(seed, says=0)[0], drawn(seed)[1]]) for seed in range(100)]
    assert sum(comparison is not None for comparison in noise) <= 5


def test_too_few_wrong_answers_judge_nothing() -> None:
    is_right = np.arange(100) >= FEWEST - 1
    assert not number(np.linspace(0, 1, 100), is_right).can_be_judged
    assert worse_number([number(np.linspace(0, 1, 100), is_right)] * 2) is None
    assert numbers_table([]) == ()


def test_numbers_are_compared_on_the_answers_that_have_them_all() -> None:
    first, second = drawn(0)
    partial = AnswerNumber(
        second.title, np.where(np.arange(200) < 100, second.values, np.nan), first.is_right
    )
    assert [number.auroc.n for number in of_same_answers([first, partial])] == [100, 100]
    none = AnswerNumber(
        second.title, np.where(np.arange(200) < 5, second.values, np.nan), first.is_right
    )
    assert of_same_answers([first, none]) == []


def test_a_number_that_separates_all_pairs_has_an_interval_that_holds_the_true_area() -> None:
    """Ten wrong answers below ten right ones are no proof of an area of one."""
    area = number(np.arange(20), np.arange(20) >= 10).auroc
    assert area.value == area.upper == 1
    assert area.lower == pytest.approx(0.025 ** (1 / 10))
    other = number(-np.arange(20), np.arange(20) >= 10).auroc
    assert other.value == other.lower == 0
    assert other.upper == pytest.approx(1 - 0.025 ** (1 / 10))


def test_equal_numbers_count_as_half() -> None:
    same = number(np.full(200, 0.9), np.arange(200) >= 40).auroc
    assert (same.value, same.lower, same.upper) == (0.5, None, None)


def test_a_stated_confidence_is_no_probability() -> None:
    first, _ = drawn(0)
    stated = AnswerNumber(STATED_CONFIDENCE, first.values, first.is_right)
    assert stated.brier is None
    assert str(numbers_table([stated])[0].rows[0][2]) == "not a probability"
