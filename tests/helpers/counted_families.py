"""Families of games that no estimator was made for; their Shapley values are counted.

They were written after the estimator was finished. A family takes the number of features, at most
15, and a random stream, and returns what `families` returns.
"""

from collections.abc import Callable
from functools import wraps
from typing import TypeAlias

import numpy as np

from explain.attribution.methods.base import all_coalitions
from explain.attribution.methods.shap import exact_shapley_values
from explain.engine.games import Coalitions, Values
from tests.helpers.families import Family, Game, Value

Tree: TypeAlias = "float | tuple[int, Tree, Tree]"


def _counted(write: Callable[[int, np.random.Generator], Value]) -> Family:
    """Add the Shapley values to a game."""

    @wraps(write)
    def family(n: int, rng: np.random.Generator) -> Game:
        v = write(n, rng)
        return v, exact_shapley_values(v(all_coalitions(n)))

    return family


@_counted
def attention(n: int, rng: np.random.Generator) -> Value:
    """Average what is there, some features far more than others."""
    attended, weights = np.exp(rng.normal(0, 1.5, n)), rng.normal(0, 2, n)
    return lambda kept: (kept * attended) @ weights / (kept @ attended + 1e-3)


@_counted
def recurrent(n: int, rng: np.random.Generator) -> Value:
    """Read what is there with a recurrent network of six random units."""
    inputs, weights = rng.normal(size=(n, 6)), rng.normal(0, 0.6, (6, 6))
    out = rng.normal(0, 1.5, 6)

    def v(kept: Coalitions) -> Values:
        state = np.zeros((len(kept), 6))
        for place in range(n):
            state = np.where(kept[:, [place]], np.tanh(state @ weights + inputs[place]), state)
        values: Values = state @ out
        return values

    return v


@_counted
def tree(n: int, rng: np.random.Generator) -> Value:
    """Decide by a random tree of depth five."""

    def grow(depth: int) -> Tree:
        if not depth:
            return float(rng.normal(0, 2))
        return int(rng.integers(n)), grow(depth - 1), grow(depth - 1)

    def decide(branch: Tree, kept: Coalitions) -> Values:
        if isinstance(branch, float):
            return np.full(len(kept), branch)
        feature, with_it, without = branch
        return np.where(kept[:, feature], decide(with_it, kept), decide(without, kept))

    root = grow(5)
    return lambda kept: decide(root, kept)


@_counted
def contrast(n: int, rng: np.random.Generator) -> Value:
    """Let a "but" halve what stands before it and add a half to what follows."""
    place = int(rng.integers(3, n - 3))
    weights = rng.normal(size=n) * (rng.random(n) < 0.6)
    weights[place] = 0
    turned = weights * np.where(np.arange(n) < place, 0.5, 1.5)
    return lambda kept: np.where(kept[:, place], kept @ turned, kept @ weights)


@_counted
def fading(n: int, rng: np.random.Generator) -> Value:
    """Let each feature count for two fifths of the one after it that is there."""
    weights = rng.normal(0, 1.5, n)

    def v(kept: Coalitions) -> Values:
        values = np.zeros(len(kept))
        for place in range(n):
            values = np.where(kept[:, place], 0.4 * values + weights[place], values)
        return values

    return v


@_counted
def filters(n: int, rng: np.random.Generator) -> Value:
    """Add the largest response of each of four filters, as a convolution with pooling does."""
    responses, out = rng.normal(0, 1.5, (4, n)), rng.normal(0, 1.5, 4)

    def v(kept: Coalitions) -> Values:
        seen = np.where(kept[:, None, :], responses, 0.0).max(axis=2)
        values: Values = seen @ out
        return values

    return v


@_counted
def clipped(n: int, rng: np.random.Generator) -> Value:
    """Cut a sum at both ends."""
    weights = rng.normal(0, 2, n)
    return lambda kept: np.clip(kept @ weights, -3, 3)


@_counted
def vote(n: int, rng: np.random.Generator) -> Value:
    """Let the majority of five features decide."""
    voters = rng.choice(n, 5, replace=False)
    return lambda kept: 3.0 * (kept[:, voters].sum(axis=1) >= 3)


@_counted
def roots(n: int, rng: np.random.Generator) -> Value:
    """Take the root of how many of a group are there: steep where the last one goes."""
    group = rng.permutation(n)[: n // 2 + 1]
    return lambda kept: 2 * np.sqrt(kept[:, group].sum(axis=1)) - np.log1p(kept.sum(axis=1))


def _of_a_sum(
    name: str,
    curve: Callable[[Values], Values],
    weigh: Callable[[int, np.random.Generator], Values],
) -> Family:
    """Return a family of curves over a weighted sum of what is there."""

    def write(n: int, rng: np.random.Generator) -> Value:
        weights = weigh(n, rng)
        return lambda kept: curve(kept @ weights)

    write.__name__ = name
    return _counted(write)


def _group(n: int, rng: np.random.Generator) -> Values:
    return (rng.permutation(n) <= n // 2).astype(float)


def _positive(n: int, rng: np.random.Generator) -> Values:
    return rng.exponential(1, n)


def _signed(n: int, rng: np.random.Generator) -> Values:
    return rng.normal(0, 1, n)


CURVES: tuple[Family, ...] = (
    _of_a_sum("logarithm", lambda total: 2 * np.log1p(total), _group),
    _of_a_sum("hinge", lambda total: 3 * np.maximum(total - 5, 0), _group),
    _of_a_sum("weighted_root", lambda total: 2 * np.sqrt(total), _positive),
    _of_a_sum("shortfall", lambda total: 3 - 3 * np.exp(-total), _positive),
    _of_a_sum("reciprocal", lambda total: -3 / (1 + total), _positive),
    _of_a_sum("cube_root", np.cbrt, _signed),
    _of_a_sum("wave", np.sin, _signed),
)

COUNTED_FAMILIES: tuple[Family, ...] = (
    attention, recurrent, tree, contrast, fading, filters, clipped, vote, roots, *CURVES,
)  # fmt: skip
