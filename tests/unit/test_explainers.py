"""Methods are right on games that are tables of numbers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.attribution.methods import METHODS, Lime, Occlusion, Random, Shap, make_explainer
from explain.attribution.methods.callbacks_as_plans import GameFunction, as_plan
from explain.attribution.methods.lime import draw_neighbours, held_out_rows, neighbour_distances
from explain.attribution.methods.shap import balanced_tree, exact_shapley_values
from explain.engine.games import Values
from explain.errors import BudgetError, ConfigurationError
from explain.record import Diagnostics
from tests.helpers import strategies
from tests.helpers.plans import random_game, run_and_record, run_plan, table_game
from tests.helpers.reference import lime_package
from tests.helpers.reference.shapley import shapley_by_orders
from tests.helpers.search import examples


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(strategies.games())
def test_exact_equals_the_definition_over_all_orders(values: Values) -> None:
    n = len(values).bit_length() - 1
    estimate = run_plan(Shap("exact").plan(n, rng()), table_game(values))
    np.testing.assert_allclose(estimate.values, shapley_by_orders(values), atol=1e-9)
    assert estimate.standard_errors is not None
    assert not estimate.standard_errors.any()


@examples(200)
@given(strategies.games(), strategies.games())
def test_exact_is_linear_and_symmetric_and_ignores_dummies(one: Values, other: Values) -> None:
    if len(one) != len(other):
        other = np.resize(other, len(one))
    total = exact_shapley_values(2 * one + other)
    np.testing.assert_allclose(
        total, 2 * exact_shapley_values(one) + exact_shapley_values(other), atol=1e-8
    )
    with_dummy = exact_shapley_values(np.concatenate([one, one]))
    assert with_dummy[-1] == 0
    np.testing.assert_allclose(with_dummy[:-1], exact_shapley_values(one), atol=1e-8)
    # A game plus the same with its last two features exchanged: the two count alike.
    twins = np.concatenate([one, one[::-1]])
    swapped = twins.reshape(2, 2, -1).swapaxes(0, 1).ravel()
    alike = exact_shapley_values(twins + swapped)
    assert alike[-1] == pytest.approx(alike[-2], abs=1e-8)


@pytest.mark.parametrize("algorithm", ["exact", "gaussian_process"])
@examples(40)
@given(values=strategies.games(2, 6), seed=st.integers(0, 100))
def test_shap_values_sum_to_the_difference_they_explain(
    algorithm: Any, values: Values, seed: int
) -> None:
    n = len(values).bit_length() - 1
    estimate = run_plan(Shap(algorithm, budget=64).plan(n, rng(seed)), table_game(values))
    assert (estimate.empty_value, estimate.full_value) == (values[0], values[-1])
    assert estimate.values.sum() == pytest.approx(values[-1] - values[0], abs=1e-6)


@pytest.mark.parametrize(
    ("n", "budget", "algorithm"),
    [(8, 256, "exact"), (8, 128, "gaussian_process"), (9, 512, "gaussian_process"),
     (300, 64, "gaussian_process"), (1, 2, "exact"), (0, 2, "exact")],
)  # fmt: skip
def test_auto_picks_what_the_budget_allows_and_says_which(
    n: int, budget: int, algorithm: str
) -> None:
    weights = np.arange(n) + 1.0
    estimate, coalitions = run_and_record(Shap(budget=budget).plan(n, rng()), lambda s: s @ weights)
    assert estimate.diagnostics.algorithm == algorithm
    assert len(np.unique(coalitions, axis=0)) <= budget


@pytest.mark.parametrize(("algorithm", "n"), [("exact", 10), ("kernel", 256), ("permutation", 256)])
def test_a_budget_too_small_for_the_algorithm_is_refused(algorithm: Any, n: int) -> None:
    with pytest.raises(BudgetError, match=r"pass budget=\d+ or algorithm='auto'"):
        run_plan(Shap(algorithm).plan(n, rng()), lambda s: s.sum(axis=1))


def test_a_budget_too_small_for_every_algorithm_is_refused() -> None:
    with pytest.raises(BudgetError, match="needs 4 evaluations for 9 features, the budget is 3"):
        run_plan(Shap(budget=3).plan(9, rng()), lambda s: s.sum(axis=1))


def test_the_bridge_passes_on_what_the_method_raises() -> None:
    def method(game: GameFunction) -> None:
        game(np.ones((1, 2)))
        raise ZeroDivisionError("in the method")

    with pytest.raises(ZeroDivisionError, match="in the method"):
        run_plan(as_plan(method, 0), lambda s: s.sum(axis=1))


@pytest.mark.parametrize("n", [1, 2, 5, 13])
def test_a_balanced_tree_joins_all_features_once(n: int) -> None:
    tree = balanced_tree(n)
    assert len(tree) == n - 1
    if n > 1:
        assert tree[-1, 3] == n
        joined = tree[:, :2].ravel().astype(int).tolist()
        assert sorted(joined) == list(range(2 * n - 2))


@pytest.mark.parametrize("n", [2, 6, 12])
def test_lime_equals_limebase_on_the_same_coalitions(n: int) -> None:
    v = table_game(random_game(n))
    estimate, coalitions = run_and_record(Lime("sampling", budget=200).plan(n, rng(4)), v)
    drawn = coalitions[1:]
    fitted = drawn[~held_out_rows(drawn)]
    coefficients, r2 = lime_package.lime_by_hand(fitted, v(fitted))
    np.testing.assert_allclose(estimate.values, coefficients, atol=1e-10)
    assert estimate.diagnostics.r2 == pytest.approx(r2, abs=1e-10)


@pytest.mark.parametrize("algorithm", ["sampling", "auto"])
def test_lime_finds_an_additive_game_and_its_held_out_fit_says_so(algorithm: Any) -> None:
    weights = np.array([3.0, -2.0, 0.0, 1.0, 0.5, 1.0, -1.0, 0.2, 0.1, 0.0])
    estimate = run_plan(Lime(algorithm, budget=200).plan(10, rng()), lambda s: s @ weights)
    np.testing.assert_allclose(estimate.values, weights, atol=0.2)
    assert estimate.diagnostics.held_out_r2 is not None
    assert estimate.diagnostics.held_out_r2 > 0.99


@pytest.mark.parametrize("algorithm", ["sampling", "auto"])
def test_lime_says_nothing_of_a_fit_where_there_is_nothing_to_explain(algorithm: Any) -> None:
    estimate = run_plan(Lime(algorithm).plan(10, rng()), lambda s: np.ones(len(s)))
    assert estimate.diagnostics.r2 is None
    assert estimate.diagnostics.held_out_r2 is None


@given(st.integers(1, 20), st.integers(2, 300), st.integers(0, 9))
def test_neighbours_are_drawn_as_lime_draws_them(n: int, budget: int, seed: int) -> None:
    drawn = draw_neighbours(n, budget, rng(seed))
    assert drawn[0].all()
    assert not drawn[1:].all(axis=1).any()
    assert len(np.unique(drawn, axis=0)) <= budget


@given(st.integers(1, 12), st.integers(2, 300), st.integers(0, 9))
def test_what_is_held_out_was_never_fitted(n: int, budget: int, seed: int) -> None:
    drawn = draw_neighbours(n, budget, rng(seed))
    held_out = held_out_rows(drawn)
    fitted = {row.tobytes() for row in drawn[~held_out]}
    assert not held_out[0]
    assert not fitted & {row.tobytes() for row in drawn[held_out]}


def test_lime_refuses_a_budget_that_fits_nothing() -> None:
    with pytest.raises(BudgetError, match="needs 16 evaluations"):
        run_plan(Lime(budget=5).plan(6, rng()), lambda s: s.sum(axis=1))


def test_the_number_of_removed_features_is_uniform() -> None:
    removed = (~draw_neighbours(4, 10_000, rng())[1:]).sum(axis=1)
    shares = np.bincount(removed, minlength=5)[1:] / len(removed)
    np.testing.assert_allclose(shares, 0.25, atol=0.03)


def test_distances_are_cosine_distances_times_100() -> None:
    rows = np.array([[True, True, True], [True, False, False], [False, False, False]])
    np.testing.assert_allclose(
        neighbour_distances(rows), [0, 100 * (1 - np.sqrt(1 / 3)), 100], atol=1e-12
    )


@given(strategies.games())
def test_occlusion_is_what_is_lost_when_one_feature_goes(values: Values) -> None:
    n = len(values).bit_length() - 1
    estimate, coalitions = run_and_record(Occlusion().plan(n, rng()), table_game(values))
    full = 2**n - 1
    expected = [values[full] - values[full ^ (1 << i)] for i in range(n)]
    np.testing.assert_array_equal(estimate.values, expected)
    assert len(coalitions) == n + 2


@pytest.mark.parametrize("explainer", [Shap(), Lime()])
def test_a_game_too_large_to_sample_is_refused(explainer: Any) -> None:
    with pytest.raises(BudgetError, match="cannot sample a text of 20,000 features"):
        run_plan(explainer.plan(20_000, rng()), lambda s: s.sum(axis=1))


def test_occlusion_refuses_a_budget_that_does_not_suffice() -> None:
    with pytest.raises(BudgetError, match="needs 7 evaluations"):
        run_plan(Occlusion(budget=6).plan(5, rng()), lambda s: s.sum(axis=1))


def test_random_values_know_nothing_of_the_game() -> None:
    one = run_plan(Random().plan(5, rng(1)), table_game(random_game(5, seed=1)))
    other = run_plan(Random().plan(5, rng(1)), table_game(random_game(5, seed=2)))
    np.testing.assert_array_equal(one.values, other.values)


@pytest.mark.parametrize("method", [name for name in METHODS if hasattr(METHODS[name], "plan")])
def test_a_text_without_features_has_an_empty_attribution(method: str) -> None:
    explainer: Any = make_explainer(method)
    estimate = run_plan(explainer.plan(0, rng()), lambda s: np.full(len(s), 2.5))
    assert estimate.values.shape == (0,)
    assert (estimate.empty_value, estimate.full_value) == (2.5, 2.5)


def test_every_method_is_known_under_its_name() -> None:
    assert all(make_explainer(name).name == name for name in METHODS)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("shapley", {}, "did you mean 'shap'"),
        ("shap", {"algoritm": "exact"}, "did you mean 'algorithm'"),
        ("shap", {"algorithm": "fast"}, "algorithm='fast'"),
        ("shap", {"budget": 1}, "budget=1"),
        ("lime", {"budget": "many"}, "budget='many'"),
        ("integrated_gradients", {"tolerance": -1.0}, "tolerance=-1.0"),
        (Lime(), {"budget": 5}, "set budget there"),
    ],
)
def test_unknown_methods_and_options_are_refused(
    method: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_explainer(method, **options)


@pytest.mark.parametrize("algorithm", ["auto", "sampling"])
def test_lime_of_a_lone_feature_is_its_effect(algorithm: Any) -> None:
    plan = Lime(algorithm).plan(1, np.random.default_rng(0))
    found = run_plan(plan, lambda kept: np.where(kept[:, 0], 3.0, 1.0))
    assert 0 < found.values[0] <= 2 + 1e-9
    if algorithm == "auto":
        assert found.values[0] == pytest.approx(2)


def test_diagnostics_read_as_a_dict_of_what_is_stated_as_they_did() -> None:
    stated = Diagnostics(ended_by="tolerance", rounds=3)
    assert dict(stated.items()) == {"ended_by": "tolerance", "rounds": 3} == {**stated}
    assert stated["rounds"] == stated.get("rounds") == stated.rounds
    assert "draws" not in stated
    assert stated.get("draws") is None
    with pytest.raises(KeyError):
        stated["draws"]
