"""The game model: which pairs it asks for, closed-form games, and exact ones."""

from itertools import islice, product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from explain.attribution.game_model import GameModel, Limits, learn, pairs
from explain.attribution.game_model.threads import one_thread
from explain.attribution.interaction import exact_interactions
from explain.attribution.methods import Lime, Shap
from explain.attribution.methods.base import all_coalitions
from explain.engine.games import Coalitions, Values
from tests.helpers.learned_games import TIGHT, learn_game, mixed_game
from tests.helpers.plans import run_plan, table_game
from tests.helpers.reference.lime_package import limit_of_lime
from tests.helpers.search import examples


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 13])
def test_no_pair_is_drawn_twice_and_small_games_are_drawn_all_but_whole(n: int) -> None:
    drawn = np.array(
        list(zip(range(400), pairs(n, np.random.default_rng(0)), strict=False)), object
    )
    kept = np.array([row[1] for row in drawn])
    both = np.vstack([kept, ~kept])
    assert len(np.unique(both, axis=0)) == len(both)
    assert len(kept) >= 0.95 * min(400, 2 ** (n - 1) - 1)


def test_a_feature_alone_is_asked_first() -> None:
    first = [row for _, row in zip(range(9), pairs(9, np.random.default_rng(1)), strict=False)]
    assert sorted(int(row.argmax()) for row in first) == list(range(9))
    assert all(row.sum() == 1 for row in first)


@pytest.mark.parametrize("n", [12, 17, 40])
def test_no_change_of_a_pair_moves_it_further_from_those_before(n: int) -> None:
    """No flip of a feature does, or, of a pair of the kernel's sizes, few exchanges of two."""
    drawn = np.array(list(islice(pairs(n, np.random.default_rng(2)), n, n + 40)))
    before = np.ones((1, n))
    unmoved, exchanges = 0, []
    for x in np.where(drawn, 1, -1):
        flipped = np.where(np.eye(n, dtype=bool), -x, x)
        own = ((before @ x) ** 4).sum()
        if ((flipped @ before.T) ** 4).sum(axis=1).min() >= own:
            unmoved += 1
        else:
            kept, removed = np.flatnonzero(x > 0), np.flatnonzero(x < 0)
            swapped = [np.where(np.isin(np.arange(n), ij), -x, x) for ij in product(kept, removed)]
            exchanges.append(np.mean(((np.array(swapped) @ before.T) ** 4).sum(axis=1) < own))
        before = np.vstack([before, x])
    assert unmoved >= 24
    assert np.mean(exchanges) < 0.15


def test_two_in_five_pairs_after_the_first_round_have_the_sizes_of_the_kernel() -> None:
    n = 40
    drawn = np.array(list(islice(pairs(n, np.random.default_rng(3)), n, n + 400)))
    off = np.abs(drawn.sum(axis=1) - n / 2)
    # P(k) = 1 / (k (n - k)): about half of the pairs keep fewer than a fifth or more than four.
    assert 0.15 < np.mean(off > 0.3 * n) < 0.25


def test_pairs_confuse_effects_of_two_features_less_than_those_of_coin_tosses_do() -> None:
    n, rng = 14, np.random.default_rng(0)
    drawn = np.array(list(islice(pairs(n, rng), n, n + 64)))

    def confused(kept: Coalitions) -> float:
        x = np.where(kept, 1, -1)
        return float(((x @ x.T) ** 4).sum() - len(x) * n**4)

    assert confused(drawn) < 0.6 * confused(rng.random(drawn.shape) < 0.5)


@example(weights=[0] * 8 + [1, 1, 0], order=3, size=1, kind="xor")
@example(weights=[0, -1, 0, 0, 0, 2, 0, 0, -3, 0, 0], order=3, size=2, kind="xor")
@example(
    weights=[
        -2.234,
        0.294,
        -2.486,
        -2.876,
        2.58,
        -1.986,
        -1.422,
        -2.91,
        -1.447,
        -1.465,
        1.265,
        -0.547,
    ],
    order=3,
    size=1,
    kind="xor",
)
@examples(20)
@given(
    weights=st.lists(st.floats(-3, 3), min_size=9, max_size=12),
    order=st.integers(2, 4),
    size=st.floats(-3, 3),
    kind=st.sampled_from(["and", "or", "xor"]),
)
def test_closed_form_games_are_found_and_always_summed_to(
    weights: list[float], order: int, size: float, kind: str
) -> None:
    n = len(weights)

    def v(kept: Coalitions) -> Values:
        some = kept[:, :order]
        rule = {"and": some.all(axis=1), "or": some.any(axis=1), "xor": some.sum(axis=1) % 2}[kind]
        return np.asarray(kept @ np.array(weights) + size * rule, dtype=np.float64)

    estimate = run_plan(Shap(budget=256).plan(n, np.random.default_rng(0)), v)
    # What a rule adds in all is shared by its features alike.
    whole = size * (order % 2 if kind == "xor" else 1)
    truth = np.array(weights) + whole * (np.arange(n) < order) / order
    ends = v(all_coalitions(1).repeat(n, axis=1))
    assert estimate.values.sum() == pytest.approx(ends[1] - ends[0], abs=1e-8)
    scale = max(np.abs(truth).max(), abs(size))
    assert np.abs(estimate.values - truth).max() <= 0.15 * scale + 1e-9


@pytest.mark.parametrize("second", [0.3, 0.6, 1.0])
def test_games_of_two_exclusive_ors_end_by_tolerance(second: float) -> None:
    """No fit of one triple is exact there, so none may cast doubt."""

    def v(kept: Coalitions) -> Values:
        ors = kept[:, :3].sum(axis=1) % 2 + second * (kept[:, 3:6].sum(axis=1) % 2)
        return np.asarray(ors + kept @ np.arange(6.0), dtype=np.float64)

    estimate = run_plan(Shap("gaussian_process", budget=512).plan(6, np.random.default_rng(0)), v)
    assert estimate.diagnostics.ended_by == "tolerance"
    expected = np.arange(6) + np.repeat([1, second], 3) / 3
    np.testing.assert_allclose(estimate.values, expected, atol=0.05)


@examples(20)
@given(seed=st.integers(0, 10_000), factor=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_values_and_errors_scale_with_the_game(seed: int, factor: float, shift: float) -> None:
    values = mixed_game(8, np.random.default_rng(seed))
    one = learn_game(values, 64).read_out
    other = learn_game(factor * values + shift, 64).read_out
    np.testing.assert_allclose(other.values, factor * one.values, rtol=1e-4, atol=1e-6 * factor)
    np.testing.assert_allclose(other.errors, factor * one.errors, rtol=1e-3, atol=1e-6 * factor)


def test_the_error_of_an_additive_game_is_what_its_tests_may_not_have_shown() -> None:
    weights = np.linspace(-2, 1, 12)
    learned_game = learn_game(all_coalitions(12) @ weights, 96)
    # Of 48 pairs the full one and twelve of a feature alone test nothing.
    unseen = 2 / (2 * (48 - 13) + 2)
    np.testing.assert_allclose(learned_game.read_out.errors, unseen, rtol=0.01)


@pytest.mark.parametrize("n", [9, 12, 30])
def test_interactions_of_an_additive_game_end_soon_and_may_not_have_shown(n: int) -> None:
    """Nothing there is relative to the largest interaction, which is zero."""
    weights = np.linspace(-2, 1, n)
    plan = learn(n, np.random.default_rng(0), Limits(0.1, 512), GameModel.interactions)
    learned_game = run_plan(plan, lambda kept: kept @ weights)
    n_pairs = len(learned_game.model.kept)
    assert (learned_game.ended_by, n_pairs <= 2 * n + 15) == ("tolerance", True)
    np.testing.assert_allclose(learned_game.read_out.values, 0, atol=1e-3)
    unseen = 2 / (2 * (n_pairs - n - 1) + 2)
    errors = learned_game.read_out.errors
    assert unseen <= errors.min() <= errors.max() <= 0.1 * 2


def test_a_constant_game_has_zero_values_and_says_so_at_once() -> None:
    values_of = learn_game(np.full(2**10, 3.25), 512)
    np.testing.assert_array_equal(values_of.read_out.values, 0)


def test_exact_interactions_of_a_rule_are_the_rule() -> None:
    kept = all_coalitions(4)
    both = 2.0 * (kept[:, 1] & kept[:, 3]) + kept @ np.array([1.0, 0.0, -1.0, 0.5])
    values_of = exact_interactions(both)
    expected = np.zeros(6)
    expected[4] = 2
    np.testing.assert_allclose(values_of, expected, atol=1e-12)


@pytest.mark.parametrize("n", [9, pytest.param(10, marks=pytest.mark.nightly)])
def test_the_limit_of_lime_is_the_weighted_fit_of_all_coalitions(n: int) -> None:
    values = mixed_game(n, np.random.default_rng(n))
    plan = Lime(budget=2**n, tolerance=TIGHT).plan(n, np.random.default_rng(0))
    np.testing.assert_allclose(
        run_plan(plan, table_game(values)).values, limit_of_lime(values), atol=0.02
    )


def test_what_is_predicted_of_a_known_coalition_is_its_value() -> None:
    values = mixed_game(9, np.random.default_rng(3))
    model = learn_game(values, 128).model
    asked_for = np.vstack([model.kept, ~model.kept])
    np.testing.assert_allclose(model.score(asked_for), table_game(values)(asked_for))
    off = model.predict(all_coalitions(9)) - values
    assert np.sqrt((off**2).mean()) < 0.3 * values.std()


def test_blas_has_one_thread_as_long_as_anybody_fits_and_then_as_many_as_before() -> None:
    def threads() -> set[int]:
        return {of["num_threads"] for of in threadpool_info() if of["user_api"] == "blas"}

    with threadpool_limits(3, user_api="blas"):
        first, second = one_thread(), one_thread()
        with first:
            second.__enter__()
            assert threads() == {1}
        assert threads() == {1}
        second.__exit__(None, None, None)
        assert threads() == {3}
