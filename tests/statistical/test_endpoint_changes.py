"""A model that changes behind its address in the middle of a run, through the whole client."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import explain
from explain.adapters.remote import EndpointObservations, RemoteClassifier, canaries
from tests.helpers.endpoint import QUESTIONS, Server, logits_of_words, often_tested

pytestmark = pytest.mark.nightly

N = 600
SEEDS = range(20)


@pytest.fixture(scope="module", autouse=True)
def _often_tested() -> Iterator[None]:
    with often_tested(100):
        yield


def alias(seed: int, noise: float, change: int) -> Callable[[Any], NDArray[np.float64]]:
    """Return a noisy model whose words weigh more from a call on: about 1.5 logits a text."""
    rng = np.random.default_rng(seed)
    weights: dict[str, float] = {}
    calls = 0

    def logits(text: Any) -> NDArray[np.float64]:
        nonlocal calls
        calls += 1
        moved = noise * rng.normal()
        if calls >= change:
            for word in text.split():
                weights.setdefault(word, float(rng.normal(0.3, 0.1)))
            moved += sum(weights[word] for word in text.split())
        return np.asarray(logits_of_words(text) + np.array([-moved / 2, moved / 2]))

    return logits


def observed(seed: int, noise: float, change: int) -> EndpointObservations:
    """Return what a run shows of an endpoint that changes at a call."""
    server = Server("systemone", alias(seed, noise, change))
    model = explain.load(
        "http://endpoint.test/x", kind="systemone", transport=server.transport, concurrency=1,
        **QUESTIONS["systemone"],
    )  # fmt: skip
    assert isinstance(model, RemoteClassifier)
    model.predict([f"text {n} is good and {'not ' * (n % 3)}dull" for n in range(N)])
    return model.observations()


@pytest.mark.parametrize("noise", [0.05, 0.3])
def test_the_part_of_the_run_where_the_weights_change_is_named_in_19_of_20_seeds(
    noise: float,
) -> None:
    n_right = 0
    for seed in SEEDS:
        change = int(np.random.default_rng(seed).integers(60, 480))
        shifts = observed(seed, noise, change).shifts
        # Calls are the texts and the canaries asked before them.
        n_canaries = canaries.canary_calls(change)
        n_right += (
            len(shifts) == 1 and shifts[0].since - 1 <= change <= shifts[0].after + n_canaries
        )
    assert n_right >= 19


@pytest.mark.parametrize("noise", [0.05, 0.3])
def test_a_model_that_is_only_noisy_is_taken_for_a_changed_one_in_one_of_20_seeds_at_most(
    noise: float,
) -> None:
    assert sum(observed(seed, noise, 10**9).is_mixed for seed in SEEDS) <= 1
