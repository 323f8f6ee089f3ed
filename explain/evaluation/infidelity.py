"""Infidelity: how badly an attribution foretells what removing sets of features does.

Yeh et al. 2019 (arXiv:1901.09392): the expectation of ``(I'phi - (f(x) - f(x - I)))^2`` over
perturbations I. Here a perturbation removes the features outside of a coalition, so it is 1 on
them and 0 elsewhere, and ``f(x) - f(x - I)`` is v(N) - v(S). The coalitions are those of the random
rankings of `explain.evaluation.faithfulness`, which keep 1 to 50 % of the features or remove them:
their values are in the engine's cache.

The values are scaled first by the one factor that suits them best, as Yeh et al. do and
``captum.metrics.infidelity`` with ``normalize=True``: methods differ in the unit of their values,
and gradients at the text in none that compares with a removal. What is left is divided by the mean
squared change of v. So 0 is perfect, and 1 is what values of zero reach.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.engine import Engine
from explain.engine.games import Masker, Plan
from explain.errors import ExplainError
from explain.evaluation.faithfulness import on_games, random_rankings, tops
from explain.record import Attribution

__all__ = ["Infidelity", "infidelities", "infidelity"]

PERMUTATIONS = 20
"""Random attributions of a text: its own values, at features drawn at random."""


@dataclass(frozen=True, slots=True)
class Infidelity:
    """How much of what removing features does an attribution leaves unexplained.

    Attributes
    ----------
    observed : float
        Infidelity, as a share of the mean squared change of v; 0 is perfect.
    random : array, shape (n_random,), float64
        The same of the values permuted among the features.
    """

    observed: float
    random: NDArray[np.float64]


def infidelity(values: Sequence[float], rng: np.random.Generator) -> Plan[Infidelity | None]:
    """Return the coroutine that measures infidelity; None where no removal changes anything.

    Parameters
    ----------
    values : sequence of float
        Value of each feature, one feature at least.
    rng : numpy.random.Generator
        Source of the coalitions, at the same place as for
        `explain.evaluation.faithfulness.erasure`.
    """
    n_features = len(values)
    top = tops(random_rankings(n_features, rng))
    kept = np.vstack([~top, top])
    full, *answered = (yield np.vstack([np.ones((1, n_features), dtype=bool), kept])).values
    changes = full - np.array(answered)
    if not changes.any():
        return None
    own = np.array(values)
    candidates = [own, *(rng.permutation(own) for _ in range(PERMUTATIONS))]
    found = [_unexplained(~kept @ phi, changes) for phi in candidates]
    return Infidelity(found[0], np.array(found[1:]))


def infidelities(
    engine: Engine, attributions: Sequence[Attribution], masker: Masker, seed: int
) -> list[Infidelity | ExplainError | None]:
    """Return the infidelity of each attribution, or why it could not be measured.

    Parameters
    ----------
    engine : Engine
        The way to the model.
    attributions : sequence of Attribution
        Attributions of at least one feature each.
    masker : Masker
        What stands in for a removed feature, for methods of gradients too.
    seed : int
        Seed of the coalitions.
    """
    return on_games(engine, attributions, masker, seed, infidelity)


def _unexplained(predicted_changes: NDArray[np.float64], changes: NDArray[np.float64]) -> float:
    """Return the mean squared error after the best scaling, relative to that of zero."""
    power = float(predicted_changes @ predicted_changes)
    scale = float(predicted_changes @ changes) / power if power else 0.0
    errors = changes - scale * predicted_changes
    return float((errors @ errors) / (changes @ changes))
