"""How far two methods say the same of one prediction."""

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from math import ceil, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from explain.record import Z95, Agreement, Attribution

__all__ = ["agreement", "agreements"]

TOP_SHARE = 0.2
"""Share of the features that count as the top, one at least."""

EXACT_NULL = 60
"""Features up to which the null is exact; the normal one is then within .002 of it."""

UNSIGNED = frozenset({"gradient_l2"})
"""Methods whose values have no sign to dispute."""


def agreements(attributions: Sequence[Attribution]) -> tuple[Agreement, ...]:
    """Return the agreement of each pair of methods that explain one label by the same features."""
    return tuple(
        agreement(one, other)
        for one, other in combinations(attributions, 2)
        if one.target == other.target and one.spans == other.spans and len(one.spans) > 1
    )


def agreement(one: Attribution, other: Attribution) -> Agreement:
    """Return how far two attributions of the same features agree.

    Rank correlation is Kendall's tau-b (Kendall 1945). The top features are a fifth of all by
    absolute value; those are disputed to which the two give opposite signs, each beyond 1.96 of
    its standard errors where it states them.
    """
    first, second = np.array(one.values), np.array(other.values)
    top = ceil(TOP_SHARE * len(first))
    tops = [set(np.argsort(-np.abs(v), kind="stable")[:top].tolist()) for v in (first, second)]
    tau = float(kendalltau(first, second).statistic)
    opposed = _certain_signs(one) * _certain_signs(other) < 0
    signed = not UNSIGNED & {one.method, other.method}
    return Agreement(
        methods=(one.method, other.method),
        target=one.target.label,
        tau=tau if np.isfinite(tau) else None,
        null_upper=_null_upper(len(first)) if np.isfinite(tau) else None,
        overlap=len(tops[0] & tops[1]) / top,
        top=top,
        disputed=tuple(sorted(f for f in tops[0] | tops[1] if signed and opposed[f])),
    )


def _certain_signs(attribution: Attribution) -> NDArray[np.float64]:
    """Return the sign of each value, zero where its interval holds zero."""
    values = np.array(attribution.values)
    errors = np.array(attribution.standard_errors or (0.0,) * len(values))
    return np.where(np.abs(values) > Z95 * errors, np.sign(values), 0.0)


@cache
def _null_upper(n_features: int) -> float:
    """Return the 95th percentile of tau between unrelated rankings without ties.

    The number of discordant pairs of a random permutation is the sum of independent uniform
    numbers 0 .. k - 1 for k = 1 .. n (Kendall 1938); above 60 features it is as good as normal.
    """
    n_pairs = n_features * (n_features - 1) // 2
    if n_features > EXACT_NULL:
        spread = sqrt(2 * (2 * n_features + 5) / (9 * n_features * (n_features - 1)))
        return NormalDist(0, spread).inv_cdf(0.95)
    chance = np.ones(1)
    for k in range(2, n_features + 1):
        chance = np.convolve(chance, np.full(k, 1 / k))
    discordant = int(np.searchsorted(chance.cumsum(), 0.05))
    return 1 - 2 * discordant / n_pairs
