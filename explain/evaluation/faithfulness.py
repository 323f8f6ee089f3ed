"""Faithfulness by erasure: whether the model loses what an attribution says it rests on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from explain.engine import Engine
from explain.engine.games import AttributionRequest, Coalitions, MaskedTextGame, Masker, Plan
from explain.errors import ExplainError
from explain.record import Attribution
from explain.text.spans import Segmentation

__all__ = ["Faithfulness", "erasure", "faithfulness", "on_games", "random_rankings", "tops"]

T = TypeVar("T")

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
"""Shares of the features at which erasure is looked at (DeYoung 2020)."""

RANDOM_RANKINGS = 10
"""Random rankings of a text, shared by all methods that explain it: most of what it costs.

Of 32 texts the interval of a method's gain is as wide with 10 as with 20, since texts differ more.
"""


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """How much more a ranking moves the model than random rankings of the same text do.

    Attributes
    ----------
    comprehensiveness : array, shape (n_random,), float64
        Comprehensiveness of the ranking minus that of each random one: how much more the target's
        value falls when the top features are removed. Positive is better.
    sufficiency : array, shape (n_random,), float64
        Sufficiency of each random ranking minus that of the ranking: how much less the value falls
        when only the top features are kept. Positive is better.
    """

    comprehensiveness: NDArray[np.float64]
    sufficiency: NDArray[np.float64]


def erasure(values: Sequence[float], rng: np.random.Generator) -> Plan[Faithfulness]:
    """Return the coroutine that compares a ranking with random ones.

    Both statistics are the area over the perturbation curve (Samek 2017): means over 1, 5, 10, 20
    and 50 % of the features, one at least, ranked by value, the largest towards the target first.

    Parameters
    ----------
    values : sequence of float
        Value of each feature, one feature at least.
    rng : numpy.random.Generator
        Source of the random rankings; the same for all methods of a text, which then share them.
    """
    n_features = len(values)
    rankings = [np.argsort(-np.array(values), kind="stable"), *random_rankings(n_features, rng)]
    removed = tops(rankings)
    asked = np.vstack([np.ones((1, n_features), dtype=bool), ~removed, removed])
    full, *answered = (yield asked).values
    without, alone = np.array(answered).reshape(2, len(rankings), len(SHARES)).mean(axis=2)
    comprehensiveness, sufficiency = full - without, full - alone
    return Faithfulness(
        comprehensiveness[0] - comprehensiveness[1:], sufficiency[1:] - sufficiency[0]
    )


def faithfulness(
    engine: Engine, attributions: Sequence[Attribution], masker: Masker, seed: int
) -> list[Faithfulness | ExplainError]:
    """Return the faithfulness of each attribution, or why it could not be measured.

    Parameters
    ----------
    engine : Engine
        The way to the model.
    attributions : sequence of Attribution
        Attributions of at least one feature each.
    masker : Masker
        What stands in for a removed feature, for methods of gradients too.
    seed : int
        Seed of the random rankings.
    """
    return on_games(engine, attributions, masker, seed, erasure)


def on_games(
    engine: Engine,
    attributions: Sequence[Attribution],
    masker: Masker,
    seed: int,
    plan: Callable[[Sequence[float], np.random.Generator], Plan[T]],
) -> list[T | ExplainError]:
    """Return what a plan says of the values of each attribution, on the game of its features.

    The random stream is one of its own beside those of the methods, and the same for all
    attributions of a text, so that they share evaluations.
    """
    questions = [
        AttributionRequest(Segmentation(a.parts, a.spans, a.unread), a.target, np.zeros(0), seed)
        for a in attributions
    ]
    outcomes = engine.run(
        (MaskedTextGame(q.segmentation, masker, q.target) for q in questions),
        (plan(a.values, q.rng().spawn(2)[1]) for a, q in zip(attributions, questions, strict=True)),
    )
    return [outcome.value for outcome in outcomes]


def random_rankings(n_features: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return the random rankings of a text, the first thing that is drawn from its stream."""
    return [rng.permutation(n_features) for _ in range(RANDOM_RANKINGS)]


def tops(rankings: Sequence[NDArray[np.intp]]) -> Coalitions:
    """Return the coalitions of the top of each ranking, a row for each of `SHARES`."""
    return np.vstack([_top_only(ranking) for ranking in rankings])


def _top_only(ranking: NDArray[np.intp]) -> Coalitions:
    """Return which features are among the top of a ranking, a row for each of `SHARES`."""
    kept = np.zeros((len(SHARES), len(ranking)), dtype=bool)
    for row, share in zip(kept, SHARES, strict=True):
        row[ranking[: ceil(share * len(ranking))]] = True
    return kept
