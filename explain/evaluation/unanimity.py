"""What methods give for unanimity games, in closed form.

A unanimity game pays one where all of some features are there. Every game is a sum of them (its
Moebius transform), and the methods of this file are linear in the game.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from explain.attribution.methods import Explainer, Lime, Occlusion, Shap
from explain.errors import CapabilityError

__all__ = ["Limit", "Payment", "limit_of", "no_closed_form", "truth", "unanimity_games"]

FloatArray: TypeAlias = NDArray[np.float64]

Payment: TypeAlias = tuple[tuple[int, ...], float]
"""Features, and what is paid where all of them are there."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a method gives for a unanimity game of k features.

    Attributes
    ----------
    inside, outside : array, shape (n_features + 1,), float64
        The value of one of the k, and of any other feature, for a payment of one.
    """

    inside: FloatArray
    outside: FloatArray


def limit_of(explainer: Explainer, n_features: int) -> Limit:
    """Return what a method gives for unanimity games.

    Raises
    ------
    CapabilityError
        If it has no closed form.
    """
    sizes = np.arange(n_features + 1)
    none = np.zeros(n_features + 1)
    if isinstance(explainer, Shap) and explainer.algorithm != "partition":
        return Limit(1 / np.maximum(sizes, 1), none)
    if isinstance(explainer, Occlusion):
        return Limit(none + 1, none)
    if isinstance(explainer, Lime):
        return _limit_of_lime(n_features)
    raise no_closed_form(explainer)


def no_closed_form(explainer: Explainer) -> CapabilityError:
    """Return why known values of a method cannot be measured."""
    return CapabilityError(
        f"what {explainer.name} should say of planted values has no closed form here"
    )


def _limit_of_lime(n_features: int) -> Limit:
    """Return the weighted least squares fit of the neighbours that LimeTextExplainer draws.

    The number that is kept is uniform over 0 .. n - 1, the weight sqrt(exp(-d^2 / 25^2)) with d the
    cosine distance times 100 (Ribeiro, Singh and Guestrin 2016). E[prod of k features] is a number
    m_k, and the normal equations are those of a matrix with two kinds of entries.
    """
    n = n_features
    kept = np.arange(n)
    weights = np.sqrt(np.exp(-((100 * (1 - np.sqrt(kept / n))) ** 2) / 25**2))
    weights /= weights.sum()
    m = np.array([[comb(s, k) / comb(n, k) for s in kept] @ weights for k in range(n + 1)] + [0.0])
    spread = np.full((n, n), m[2] - m[1] ** 2) + (m[1] - m[2]) * np.eye(n)
    inside, outside = np.zeros(n + 1), np.zeros(n + 1)
    for k in range(1, n + 1):
        right = np.where(np.arange(n) < k, m[k], m[k + 1]) - m[1] * m[k]
        fit = np.linalg.solve(spread, right)
        inside[k], outside[k] = fit[0], fit[-1] if k < n else 0.0
    return Limit(inside, outside)


def truth(games: Sequence[Payment], n_features: int, limit: Limit) -> FloatArray:
    """Return what a method gives for a sum of unanimity games, shape (n_features,)."""
    values = np.zeros(n_features)
    for members, payment in games:
        values += payment * limit.outside[len(members)]
        values[[*members]] += payment * (limit.inside[len(members)] - limit.outside[len(members)])
    return values


def unanimity_games(values: FloatArray, n: int) -> list[Payment]:
    """Return the unanimity games that add up to a game, by its values of all coalitions."""
    payments = values.copy()
    index = np.arange(2**n)
    for feature in range(n):
        with_it = index[(index >> feature) & 1 == 1]
        payments[with_it] -= payments[with_it ^ (1 << feature)]
    return [
        (tuple(i for i in range(n) if (number >> i) & 1), float(payment))
        for number, payment in enumerate(payments)
        if number
    ]
