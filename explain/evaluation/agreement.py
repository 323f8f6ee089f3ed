"""How far two methods say the same of one prediction."""

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from explain.record import Z95, Agreement, Attribution

__all__ = [
    "FEWEST_FEATURES",
    "agreement",
    "agreements",
    "chance_taus",
    "common_values",
    "rank_correlation",
    "top_features",
]

TOP_SHARE = 0.2
"""Share of the features that count as the top, one at least."""

PERMUTATIONS = 2_000
"""Of the null: its 95th percentile is then known to about .02 for ten features."""

FEWEST_FEATURES = 3
"""Of two features all rank correlations are 1 or -1."""


def agreements(attributions: Sequence[Attribution]) -> tuple[Agreement, ...]:
    """Return the agreement of each pair of methods that explain one label by the same features."""
    return tuple(
        agreement(first, second)
        for first, second in combinations(attributions, 2)
        if first.target == second.target and first.spans == second.spans and len(first.spans) > 1
    )


def agreement(first: Attribution, second: Attribution) -> Agreement:
    """Return how far two attributions of the same features agree.

    Rank correlation is Kendall's tau-b (Kendall 1945). The top features are a fifth of all by
    absolute value; those are disputed to which the two give opposite signs, each beyond 1.96 of
    its standard errors where it states them.
    """
    tops = [top_features(first.values), top_features(second.values)]
    top = len(tops[0])
    tau = rank_correlation(first.values, second.values)
    opposed = _certain_signs(first) * _certain_signs(second) < 0
    disputed = tuple(feature for feature in sorted(tops[0] | tops[1]) if opposed[feature])
    null = next((a.method for a in (first, second) if a.is_null), None)
    return Agreement(
        methods=(first.method, second.method),
        titles=(first.method_title, second.method_title),
        target=first.target.label,
        tau=tau,
        null_upper=None if tau is None else _null_upper(len(first.values)),
        overlap=len(tops[0] & tops[1]) / top,
        top=top,
        disputed=disputed if first.signed and second.signed and null is None else None,
        null=null,
    )


def _certain_signs(attribution: Attribution) -> NDArray[np.float64]:
    """Return the sign of each value, zero where its interval holds zero."""
    values = np.array(attribution.values)
    errors = np.array(attribution.standard_errors or (0.0,) * len(values))
    return np.where(np.abs(values) > Z95 * errors, np.sign(values), 0.0)


def common_values(
    first: Attribution, second: Attribution
) -> tuple[list[float], list[float]] | None:
    """Return the values of the features that two attributions of a text share; None below three.

    Long texts may be cut into sentences and words in different ways.
    """
    values = dict(zip(second.spans, second.values, strict=True))
    both = [
        (value, values[span])
        for span, value in zip(first.spans, first.values, strict=True)
        if span in values
    ]
    if len(both) < FEWEST_FEATURES:
        return None
    return [value for value, _ in both], [value for _, value in both]


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Kendall's tau-b; None where it is undefined, as for values that are all the same."""
    if len(first) < 2:
        return None
    tau = float(kendalltau(first, second).statistic)
    return tau if np.isfinite(tau) else None


def top_features(values: Sequence[float]) -> set[int]:
    """Return a fifth of the features, one at least: those with the largest absolute values."""
    top = ceil(TOP_SHARE * len(values))
    return set(np.argsort(-np.abs(np.array(values)), kind="stable")[:top].tolist())


@cache
def chance_taus(n_features: int) -> NDArray[np.float64]:
    """Return tau between unrelated rankings without ties, shape (n_permutations,).

    The inversions of a random permutation are a sum of independent uniform numbers, the i-th from
    0 to i (Kendall 1938), and tau is one minus their share of all pairs, twice.
    """
    rng = np.random.default_rng(n_features)
    inversions = np.zeros(PERMUTATIONS)
    for largest in range(1, n_features):
        inversions += rng.integers(largest + 1, size=PERMUTATIONS)
    taus: NDArray[np.float64] = 1 - 4 * inversions / (n_features * (n_features - 1))
    return taus


@cache
def _null_upper(n_features: int) -> float:
    """Return the 95th percentile of tau between unrelated rankings without ties."""
    return float(np.quantile(chance_taus(n_features), 0.95))
