"""Values by the packages shap and shapiq, whose code takes seconds to compile or to import."""

import math
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.attribution.interaction import exact_interactions
from explain.attribution.methods import (
    Shap,
    sentences_then_words,
)
from explain.attribution.methods.shap import balanced_tree
from explain.engine.games import Coalitions, ObservedValues, Values
from tests.helpers import strategies
from tests.helpers.attributions import attribution
from tests.helpers.plans import random_game, run_and_record, run_plan, runs, table_game
from tests.helpers.reference import shap_package
from tests.helpers.search import examples


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("algorithm", ["kernel", "permutation", "partition"])
@examples(40)
@given(values=strategies.games(2, 6), seed=st.integers(0, 100))
def test_shap_values_sum_to_the_difference_they_explain(
    algorithm: Any, values: Values, seed: int
) -> None:
    n = len(values).bit_length() - 1
    estimate = run_plan(Shap(algorithm, budget=64).plan(n, rng(seed)), table_game(values))
    assert (estimate.empty_value, estimate.full_value) == (values[0], values[-1])
    assert estimate.values.sum() == pytest.approx(values[-1] - values[0], abs=1e-6)


@pytest.mark.parametrize("n", [2, 7, 11])
@pytest.mark.parametrize("algorithm", ["kernel", "permutation", "partition"])
def test_shap_equals_the_shap_package_called_directly(algorithm: Any, n: int) -> None:
    v = table_game(random_game(n))
    estimate = run_plan(Shap(algorithm, budget=100).plan(n, rng(3)), v)
    seed = int(rng(3).integers(2**32))
    arguments = {"partition": (balanced_tree(n),)}.get(algorithm, ())
    expected = getattr(shap_package, algorithm)(v, n, 100, seed, *arguments)
    np.testing.assert_allclose(estimate.values, expected, atol=1e-12)


@pytest.mark.parametrize("algorithm", ["kernel", "permutation", "partition"])
def test_the_same_seed_gives_the_same_values_whatever_runs_beside(algorithm: Any) -> None:
    v = table_game(random_game(10))
    alone = run_plan(Shap(algorithm, budget=60).plan(10, rng(1)), v)
    plans = [Shap(algorithm, budget=60).plan(10, rng(seed)) for seed in (1, 2)]
    questions = [next(plan) for plan in plans]
    results: dict[int, Any] = {}
    while len(results) < 2:
        for number in {0, 1} - set(results):
            np.random.normal(size=3)
            try:
                questions[number] = plans[number].send(ObservedValues.exactly(v(questions[number])))
            except StopIteration as done:
                results[number] = done.value
    np.testing.assert_array_equal(results[0].values, alone.values)
    # The randomness of partition breaks ties only.
    assert algorithm == "partition" or not np.array_equal(results[1].values, alone.values)


def test_the_bridge_leaves_the_global_random_state_as_it_was() -> None:
    np.random.seed(0)
    expected = np.random.random(3)
    np.random.seed(0)
    run_plan(Shap("kernel", budget=40).plan(8, rng()), table_game(random_game(8)))
    np.testing.assert_array_equal(np.random.random(3), expected)


def test_a_plan_closed_early_ends_its_thread() -> None:
    before = threading.active_count()
    plan = Shap("kernel", budget=40).plan(8, rng())
    next(plan)
    plan.send(ObservedValues.exactly(np.zeros(2)))
    assert threading.active_count() == before + 1
    plan.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("budget", range(4, 12))
def test_partition_never_overshoots_its_budget(budget: int) -> None:
    plan = Shap("partition", budget=budget).plan(6, rng())
    _, coalitions = run_and_record(plan, table_game(random_game(6)))
    assert len(np.unique(coalitions, axis=0)) <= budget


def test_the_words_of_an_additive_game_have_their_weights() -> None:
    groups = runs(12, 9, 11, 14, 8, 10, 3, 20)
    weights = rng().normal(size=groups[-1].stop)
    plan = sentences_then_words(Shap("permutation"), groups, rng())
    found = run_plan(plan, lambda kept: kept @ weights)
    expected = [weights[list(run)].sum() for run in found.features]
    np.testing.assert_allclose(found.estimate().values, expected, rtol=0, atol=1e-9)
    largest = np.argsort(-np.abs(found.outer.values))
    assert set(found.inner) == set(largest[: len(found.inner)].tolist())


def test_the_correction_is_what_the_drawn_contexts_left_over() -> None:
    """Here a word counts only together with two other sentences, so contexts differ."""
    groups = runs(2, *[1] * 9)

    def v(kept: Coalitions) -> Values:
        both: Values = (kept[:, 0] & kept[:, 2] & kept[:, 3]).astype(np.float64)
        return both

    found = run_plan(sentences_then_words(Shap("permutation", budget=60), groups, rng()), v)
    for number, own in found.inner.items():
        correction = own.diagnostics.correction
        assert isinstance(correction, float)
        raw = own.full_value - own.empty_value
        corrected = raw + correction * len(groups[number])
        assert corrected == pytest.approx(found.outer.values[number], abs=1e-9)
        assert own.values.sum() == pytest.approx(corrected, abs=1e-9)
    assert any(own.diagnostics.correction for own in found.inner.values())


def test_contexts_are_drawn_in_pairs_that_complement_each_other() -> None:
    """If a word counts as much as there are other sentences, a pair sees half of them."""

    def v(kept: Coalitions) -> Values:
        product: Values = kept[:, 0] * kept[:, 2:].sum(axis=1) + 100.0 * kept[:, 0]
        return product

    plan = sentences_then_words(Shap("permutation", budget=60), runs(2, *[1] * 9), rng())
    first = run_plan(plan, v).inner[0].diagnostics
    assert first.contexts != 2**9
    assert abs(first.correction or 0.0) < 1e-9


def test_the_shap_package_takes_an_attribution() -> None:
    explanation = attribution().to_shap()
    assert explanation.values.tolist() == [2.0, 1.0]
    assert explanation.base_values == -1.0
    assert list(explanation.data) == ["bad", "film"]
    total = float(explanation.base_values) + explanation.values.sum()
    assert math.isclose(total, attribution().full_value)


@pytest.mark.parametrize("n", [2, 3, 6])
def test_exact_interactions_equal_those_of_shapiq(n: int) -> None:
    shapiq = pytest.importorskip("shapiq")
    values = np.random.default_rng(n).normal(size=2**n)
    v = table_game(values)
    computer = shapiq.ExactComputer(lambda kept: v(np.asarray(kept, dtype=bool)), n_players=n)
    values_of = computer("SII", order=2)
    expected = [values_of[(int(i), int(j))] for i, j in zip(*np.triu_indices(n, 1), strict=True)]
    np.testing.assert_allclose(exact_interactions(values), expected, atol=1e-9)
