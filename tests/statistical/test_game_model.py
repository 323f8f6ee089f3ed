"""The game model on many games: intervals cover what they say, and errors are small."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.attribution.interaction import exact_interactions
from explain.attribution.methods import Lime, Shap
from explain.attribution.methods.base import all_coalitions
from explain.attribution.methods.lime import draw_neighbours
from explain.attribution.methods.shap import exact_shapley_values
from explain.engine.games import Values
from tests.helpers.learned_games import TIGHT, learn_game, mixed_game
from tests.helpers.plans import run_and_record, run_plan, table_game
from tests.helpers.reference.lime_package import lime_by_hand, limit_of_lime
from tests.helpers.search import examples, seeds


@pytest.mark.parametrize("budget", [32, 64, 128])
def test_ninety_percent_intervals_cover_at_least_that_on_synthetic_games(budget: int) -> None:
    inside = []
    for seed in seeds(200, 50):
        values = mixed_game(10, np.random.default_rng(seed))
        found = learn_game(values, budget, seed).read_out
        inside.append(np.abs(found.values - exact_shapley_values(values)) <= 1.645 * found.errors)
    assert np.mean(inside) >= 0.9


def test_intervals_cover_where_the_tolerance_ended_the_run() -> None:
    inside = []
    for seed in seeds(200, 50):
        values = mixed_game(10, np.random.default_rng(seed))
        found = learn_game(values, 512, seed, tolerance=0.05).read_out
        inside.append(np.abs(found.values - exact_shapley_values(values)) <= 1.645 * found.errors)
    assert np.mean(inside) >= 0.9


@pytest.fixture(scope="module")
def exact_games(shared: Path) -> list[tuple[Values, Values]]:
    found = [np.load(path) for path in sorted((shared / "games").glob("*.npz"))]
    return [(game["values"].astype(float), game["shapley"]) for game in found]


@pytest.mark.parametrize(
    ("budget", "short", "long"), [(32, 0.307, 0.380), (64, 0.117, 0.170), (128, 0.065, 0.090)]
)
def test_errors_on_real_games_beat_the_prototype(
    exact_games: list[tuple[Values, Values]], budget: int, short: float, long: float
) -> None:
    errors: dict[bool, list[float]] = {True: [], False: []}
    inside = []
    for values, truth in exact_games:
        found = learn_game(values, budget).read_out
        off = found.values - truth
        errors[len(truth) > 12].append(float(np.linalg.norm(off) / np.linalg.norm(truth)))
        inside.append(np.abs(off) <= 1.645 * found.errors)
    assert np.mean(errors[False]) < short
    assert np.mean(errors[True]) < long
    assert np.mean(np.concatenate(inside)) >= 0.9


@pytest.mark.parametrize("tolerance", [0.2, 0.05])
def test_a_run_ends_at_its_tolerance(
    exact_games: list[tuple[Values, Values]], tolerance: float
) -> None:
    ended = learn_game(exact_games[-1][0], 4_096, tolerance=tolerance)
    assert ended.ended_by == "tolerance"
    assert ended.read_out.relative_error <= tolerance


def test_a_run_ends_at_its_budget_or_its_seconds(
    exact_games: list[tuple[Values, Values]],
) -> None:
    values, _ = exact_games[-1]
    n = len(values).bit_length() - 1
    plan = Shap(tolerance=TIGHT, budget=50).plan(n, np.random.default_rng(0))
    estimate, coalitions = run_and_record(plan, table_game(values))
    assert estimate.diagnostics.ended_by == "budget"
    assert len(np.unique(coalitions, axis=0)) == 50
    plan = Shap(tolerance=TIGHT, seconds=1e-6).plan(n, np.random.default_rng(0))
    assert run_plan(plan, table_game(values)).diagnostics.ended_by == "seconds"


def test_lime_asks_first_what_shap_has_asked(exact_games: list[tuple[Values, Values]]) -> None:
    values, _ = exact_games[0]
    n = len(values).bit_length() - 1
    _, by_shap = run_and_record(
        Shap(budget=64, tolerance=TIGHT).plan(n, np.random.default_rng(0)), table_game(values)
    )
    _, by_lime = run_and_record(
        Lime(budget=88, tolerance=TIGHT).plan(n, np.random.default_rng(0)), table_game(values)
    )
    assert {row.tobytes() for row in by_shap} <= {row.tobytes() for row in by_lime[:72]}


def test_interactions_are_found_within_their_errors(
    exact_games: list[tuple[Values, Values]],
) -> None:
    inside = []
    for values, _ in exact_games[:8]:
        found = learn_game(values, 256).model.interactions()
        inside.append(np.abs(found.values - exact_interactions(values)) <= 1.645 * found.errors)
    assert 0.8 <= np.mean(np.concatenate(inside)) <= 1


def test_lime_is_nearer_to_its_limit_than_5000_draws_for_a_sixteenth_of_them(
    exact_games: list[tuple[Values, Values]],
) -> None:
    ours, draws, evaluations = [], [], []
    for values, _ in exact_games:
        n, limit = len(values).bit_length() - 1, limit_of_lime(values)
        plan = Lime(tolerance=0.025).plan(n, np.random.default_rng(0))
        estimate, coalitions = run_and_record(plan, table_game(values))
        kept = draw_neighbours(n, 10**6, np.random.default_rng(0))
        drawn, _ = lime_by_hand(kept, table_game(values)(kept))
        assert len(kept) == 5_000
        ours.append(np.linalg.norm(estimate.values - limit) / np.linalg.norm(limit))
        draws.append(np.linalg.norm(drawn - limit) / np.linalg.norm(limit))
        evaluations.append(len(coalitions))
    assert np.mean(ours) < np.mean(draws)
    assert np.mean(evaluations) < 5_000 / 16


@examples(20)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(6)))
def test_with_nearly_all_pairs_known_the_axioms_hold(seed: int, order: list[int]) -> None:
    one, other = (mixed_game(6, np.random.default_rng([seed, which])) for which in (0, 1))
    kept = all_coalitions(6)

    def values_of(values: Values) -> Values:
        return learn_game(values, 64).read_out.values

    def close(values: Values, expected: Values) -> None:
        np.testing.assert_allclose(values, expected, atol=0.1)

    own = values_of(one)
    close(own, exact_shapley_values(one))
    close(values_of(one + other), own + values_of(other))
    # Dummy: the last feature never counts. Symmetry: the first two count alike.
    assert abs(values_of(table_game(one)(kept & (np.arange(6) < 5)))[5]) < 0.1
    symmetric = values_of((one + table_game(one)(kept[:, [1, 0, 2, 3, 4, 5]])) / 2)
    close(symmetric[:1], symmetric[1:2])
    # Another order of the features is another order of their values.
    close(values_of(table_game(one)(kept[:, np.argsort(order)])), own[order])
