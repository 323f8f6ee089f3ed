"""What the prior says of a read-out is what it says of all coalitions, read out by counting."""

import numpy as np
import pytest

from explain.attribution.game_model import SizeWeights
from explain.attribution.game_model.prior import Parity, Prior
from explain.attribution.interaction import exact_interactions
from explain.attribution.methods.base import all_coalitions
from explain.attribution.methods.shap import exact_shapley_values

N = 7
SINGLE, PAIRS = np.arange(N)[None], np.array(np.triu_indices(N, 1))
READ_OUTS = {
    "shapley": (SizeWeights.shapley(N), SINGLE, exact_shapley_values),
    "interaction": (SizeWeights.interaction(N), PAIRS, exact_interactions),
}


@pytest.mark.parametrize("name", READ_OUTS)
@pytest.mark.parametrize("parity", ["odd", "even"])
@pytest.mark.parametrize("n_in_direction", [0, 1, 2, N])
def test_moments_of_a_read_out_are_counted_from_those_of_coalitions(
    name: str, parity: Parity, n_in_direction: int
) -> None:
    size_weights, own_features, count = READ_OUTS[name]
    rng = np.random.default_rng(n_in_direction)
    direction = rng.normal(size=N) * (np.arange(N) < n_in_direction)
    if direction.any():
        direction /= np.linalg.norm(direction)
    prior = Prior(parity, rng.uniform(0.3, 2, N), direction)
    x = np.where(all_coalitions(N), 1.0, -1.0)[::-1]
    of_all = prior.of_coalitions(x, x)
    counted = np.array([count(coalition) for coalition in np.eye(len(x))[::-1]])
    stated = prior.of_read_out(x, size_weights, own_features)
    expected = of_all.covariances @ counted
    np.testing.assert_allclose(stated.covariances, expected, atol=1e-10)
    spread = np.einsum("sv,ksv->kv", counted, expected)
    np.testing.assert_allclose(stated.prior, spread, atol=1e-10)
    np.testing.assert_allclose(
        of_all.prior, np.diagonal(of_all.covariances, axis1=1, axis2=2), atol=1e-10
    )


@pytest.mark.parametrize("name", READ_OUTS)
def test_pairs_that_are_products_of_their_features_need_no_relevance_of_their_own(
    name: str,
) -> None:
    size_weights, own_features, _ = READ_OUTS[name]
    rng = np.random.default_rng(0)
    relevance = rng.uniform(0.3, 2, N)
    of_pairs = np.outer(relevance, relevance) * (1 - np.eye(N))
    plain = Prior("even", relevance, np.zeros(N))
    by_pair = Prior("even", relevance, np.zeros(N), pair_relevance=7 * of_pairs)
    x = np.where(all_coalitions(N), 1.0, -1.0)[::3]
    for one, other in (
        (plain.of_coalitions(x, x), by_pair.of_coalitions(x, x)),
        (plain.of_read_out(x, size_weights, own_features),
         by_pair.of_read_out(x, size_weights, own_features)),
    ):  # fmt: skip
        np.testing.assert_allclose(other.covariances, one.covariances, atol=1e-12)
        np.testing.assert_allclose(other.prior, one.prior, atol=1e-12)


@pytest.mark.parametrize("parity", ["odd", "even"])
def test_effects_along_the_direction_are_of_one_size_and_turn_with_their_half(
    parity: Parity,
) -> None:
    direction = np.random.default_rng(0).normal(size=N)
    prior = Prior(parity, np.ones(N), direction / np.linalg.norm(direction))
    x = np.where(all_coalitions(N), 1.0, -1.0)
    *_, third, fourth = prior.of_coalitions(x, x).covariances
    for kind in (third, fourth):
        assert np.trace(kind) == pytest.approx(len(x))
        assert np.linalg.matrix_rank(kind, tol=1e-8) == 1
        sign = -1 if parity == "odd" else 1
        np.testing.assert_allclose(kind, sign * kind[:, ::-1], atol=1e-10)
