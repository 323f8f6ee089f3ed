"""Families of games of any size whose Shapley values are known, from closed forms or by counting.

A family takes the number of features and a random stream. It returns the game, a function from
coalitions of shape (n_coalitions, n_features) to values, and its Shapley values.
"""

from collections.abc import Callable
from math import comb
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import beta

from explain.attribution.methods.base import all_coalitions
from explain.attribution.methods.shap import exact_shapley_values
from explain.engine.games import Coalitions, Values

Value: TypeAlias = Callable[[Coalitions], Values]
Game: TypeAlias = tuple[Value, Values]
Family: TypeAlias = Callable[[int, np.random.Generator], Game]


def additive(n: int, rng: np.random.Generator) -> Game:
    """Let each feature count for itself, three in ten not at all."""
    weights = rng.normal(size=n) * (rng.random(n) < 0.7)
    return (lambda kept: kept @ weights), weights


def joint(n: int, rng: np.random.Generator) -> Game:
    """Let features count, and sets of two, three and four if all of a set are there."""
    weights = rng.normal(size=n) * (rng.random(n) < 0.5)
    sets = [
        (rng.choice(n, order, replace=False), 1.2 * rng.normal())
        for order in (2, 3, 4)
        for _ in range(max(2, n // 6))
    ]
    shapley = weights.copy()
    for members, size in sets:
        shapley[members] += size / len(members)

    def v(kept: Coalitions) -> Values:
        return kept @ weights + sum(size * kept[:, some].all(axis=1) for some, size in sets)

    return v, shapley


def exclusive_or(n: int, rng: np.random.Generator) -> Game:
    """Let features count, and sets of three if one or three of a set are there."""
    weights = rng.normal(size=n) * (rng.random(n) < 0.5)
    sets = [(rng.choice(n, 3, replace=False), 1.5 * rng.normal()) for _ in range(max(1, n // 10))]
    shapley = weights.copy()
    for members, size in sets:
        shapley[members] += size / 3

    def v(kept: Coalitions) -> Values:
        odd = sum(size * (kept[:, some].sum(axis=1) % 2) for some, size in sets)
        values: Values = kept @ weights + odd
        return values

    return v, shapley


def saturating(n: int, rng: np.random.Generator) -> Game:
    """Take the hyperbolic tangent of a sum: a score that cannot grow further."""
    weights = _whole_weights(n, rng)
    bend = max(4.0, 0.5 * np.sqrt((weights**2).sum()))
    return _of_sums(weights, lambda _, total: 4 * np.tanh(total / bend))


def pooling(n: int, rng: np.random.Generator) -> Game:
    """Take the mean of what is there."""
    weights = _whole_weights(n, rng)
    return _of_sums(weights, lambda size, total: total / np.maximum(size, 1))


def threshold(n: int, rng: np.random.Generator) -> Game:
    """Step up where a sum exceeds a bar."""
    weights = np.abs(_whole_weights(n, rng))
    bar = weights.sum() * rng.uniform(0.2, 0.8)
    return _of_sums(weights, lambda _, total: 3.0 * (total > bar) + 0.02 * total)


def negation(n: int, rng: np.random.Generator) -> Game:
    """Let some features turn the sign of the next one that is there."""
    turns = np.isin(np.arange(n), rng.choice(n, max(1, n // 8), replace=False))
    weights = rng.normal(size=n) * (rng.random(n) < 0.5) * ~turns
    return _turned(weights, turns)


def sparse_negation(n: int, rng: np.random.Generator) -> Game:
    """Let fewer features turn signs, and two in three count for nothing: few coalitions show it."""
    turns = np.isin(np.arange(n), rng.choice(n - 1, max(2, n // 12), replace=False))
    weights = 1.5 * rng.normal(size=n) * (rng.random(n) < 0.35) * ~turns
    return _turned(weights, turns)


def order(n: int, rng: np.random.Generator) -> Game:
    """Let each feature count with the one that stands before it once others are gone."""
    return _of_neighbours(0.5 * rng.normal(size=n), rng.normal(size=(n, n)))


def repeated_words(n: int, rng: np.random.Generator) -> Game:
    """Let a word count once, however often it is there."""
    words = np.minimum(rng.geometric(0.15, n), max(2, n // 2))
    weights = {int(word): rng.normal() for word in np.unique(words)}
    shapley = np.array([weights[int(word)] / (words == word).sum() for word in words])

    def v(kept: Coalitions) -> Values:
        found = np.zeros(len(kept))
        for word, size in weights.items():
            found += size * kept[:, words == word].any(axis=1)
        return found

    return v, shapley


def largest(n: int, rng: np.random.Generator) -> Game:
    """Take the largest weight that is there, less the largest of the other sign."""
    weights = 2 * rng.normal(size=n)
    up, down = np.maximum(weights, 0), np.maximum(-weights, 0)

    def v(kept: Coalitions) -> Values:
        most: Values = (kept * up).max(axis=1) - (kept * down).max(axis=1)
        return most

    return v, _airport(up) - _airport(down)


def switched(n: int, rng: np.random.Generator) -> Game:
    """Let no feature count without one of them."""
    weights = rng.normal(size=n)
    switch = int(rng.integers(n))
    weights[switch] = 0
    shapley = weights / 2
    shapley[switch] = 1 + weights.sum() / 2
    return (lambda kept: kept[:, switch] * (1 + kept @ weights)), shapley


def lexicon(n: int, rng: np.random.Generator) -> Game:
    """Sum the valences of words by the rules of VADER (Hutto and Gilbert 2014), and squash the sum.

    A negation among the three words before one that is left turns it, a booster right before it
    makes it larger. The values are means over 4,000 orders and their reverses, within a hundredth
    of the largest; of 12 words or fewer they are exact.
    """
    kind = rng.choice(4, n, p=[0.5, 0.34, 0.08, 0.08])
    valences = np.where(kind == 1, np.clip(rng.normal(0, 2, n), -4, 4), 0.0)

    def v(kept: Coalitions) -> Values:
        total = np.zeros(len(kept))
        last = np.zeros((3, len(kept)), dtype=int)
        for word in range(n):
            here = kept[:, word]
            boost = 0.293 * np.sign(valences[word]) * (last[0] == 3)
            turned = np.where((last == 2).any(axis=0), -0.74, 1.0)
            total += here * (valences[word] + boost) * turned
            last = np.where(here, np.vstack([np.full(len(kept), kind[word]), last[:2]]), last)
        return np.asarray(4 * total / np.sqrt(total**2 + 15))

    return v, exact_shapley_values(v(all_coalitions(n))) if n <= 12 else _over_orders(v, n, rng)


FAMILIES: tuple[Family, ...] = (
    additive, joint, exclusive_or, saturating, pooling, threshold, negation, sparse_negation, order,
    repeated_words, largest, switched, lexicon,
)  # fmt: skip


def _whole_weights(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return heavy-tailed whole numbers, so that the sums of all coalitions can be counted."""
    return np.clip(np.round(3 * rng.standard_t(4, n)).astype(np.int64), -12, 12)


def _of_sums(weights: NDArray[np.int64], f: Callable[..., Values]) -> Game:
    """Return the game f(|S|, sum of the weights in S); its coalitions are counted by both."""
    n = len(weights)
    low, high = int(weights[weights < 0].sum()), int(weights[weights > 0].sum())
    totals = np.arange(low, high + 1)
    values = np.broadcast_to(f(np.arange(n + 1)[:, None], totals), (n + 1, len(totals)))
    shares = 1 / (n * np.array([comb(n - 1, size) for size in range(n)], dtype=float))
    shapley = np.zeros(n)
    for feature, weight in enumerate(weights):
        counts = np.zeros((n, len(totals)))
        counts[0, -low] = 1
        for other in np.delete(weights, feature):
            # The range holds every sum, so that nothing is rolled over an edge.
            counts[1:] += np.roll(counts[:-1], other, axis=1)
        gains = np.roll(values[1:], -weight, axis=1) - values[:-1]
        shapley[feature] = (shares[:, None] * counts * gains).sum()
    return (lambda kept: np.asarray(f(kept.sum(axis=1), kept @ weights), dtype=float)), shapley


def _turned(weights: Values, turns: NDArray[np.bool_]) -> Game:
    """Return the game in which some features turn the sign of the next one that is there."""
    return _of_neighbours(weights, np.where(turns[:, None], -2 * weights[None, :], 0.0))


def _of_neighbours(weights: Values, pairs: NDArray[np.float64]) -> Game:
    """Return the game of weights, and of pairs[i, j] where i is the one before j that is left.

    i and j are neighbours if both are there and none of those between. Of a game that asks for a
    features to be there and b to be gone, each of the a has the value (a-1)! b! / (a+b)!, and each
    of the b has -a! (b-1)! / (a+b)!.
    """
    n = len(weights)
    shapley = weights.copy()
    for first in range(n):
        for second in range(first + 1, n):
            between, size = second - first - 1, pairs[first, second]
            shapley[[first, second]] += size * beta(2, between + 1)
            if between:
                shapley[first + 1 : second] -= size * beta(3, between)

    def v(kept: Coalitions) -> Values:
        found = kept @ weights
        last = np.full(len(kept), -1)
        for place in range(n):
            here = kept[:, place]
            found = found + np.where(here & (last >= 0), pairs[last, place], 0.0)
            last = np.where(here, place, last)
        return found

    return v, shapley


def _airport(costs: Values) -> Values:
    """Return the Shapley values of the largest cost that is there (Littlechild and Owen 1973)."""
    ascending = np.argsort(costs)
    steps = np.diff(costs[ascending], prepend=0)
    shares = np.cumsum(steps / np.arange(len(costs), 0, -1))
    shapley = np.empty(len(costs))
    shapley[ascending] = shares
    return shapley


def _over_orders(v: Value, n: int, rng: np.random.Generator) -> Values:
    """Return the mean gain of each feature over orders and their reverses (Castro et al. 2009)."""
    gains = np.zeros(n)
    chunks, orders = 20, 200
    for _ in range(chunks):
        place = rng.permuted(np.tile(np.arange(n), (orders, 1)), axis=1)
        for places in (place, n - 1 - place):
            kept = places[:, None, :] < np.arange(n + 1)[:, None]
            steps = np.diff(v(kept.reshape(-1, n)).reshape(orders, n + 1), axis=1)
            gains += np.take_along_axis(steps, places, axis=1).sum(axis=0)
    return gains / (2 * chunks * orders)
