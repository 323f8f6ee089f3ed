"""Which coalitions are asked for: complementary pairs that confuse few effects, of all sizes."""

from collections.abc import Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from explain.engine.games import Coalition

__all__ = ["pairs"]

FloatArray = NDArray[np.float64]

MOST_MISSES = 1_000
"""Draws in a row that were all known, at which no other coalition is looked for."""

HALF_SIZED = 16
"""Pairs asked for before any with the sizes of the Shapley kernel: a round of 32 evaluations."""

KERNEL_SIZED = 0.4
"""Share of the pairs after that. Without them averages of 60 words are off by 1.39 of their values
in the mean, with all pairs so joint effects by .17 instead of .10 (decision 10)."""


def pairs(n_features: int, rng: np.random.Generator) -> Iterator[Coalition]:
    """Yield one coalition of each complementary pair, none twice; the full one is left out.

    First each feature alone, in random order: the differences to its complement hold all that is
    additive. Then coalitions that are moved away from the full one and from each other. They are
    drawn by the toss of a coin for each feature; after the first round two in five have the sizes
    of the Shapley kernel instead, few or nearly all features kept. It ends where a thousand draws
    in a row were known.
    """
    if n_features < 2:
        return
    # Of two features each alone is the complement of the other.
    single_features = rng.permutation(n_features if n_features > 2 else 1)
    for feature in single_features:
        yield np.arange(n_features) == feature
    before = np.ones((1, n_features))
    misses = 0
    for number in count(len(single_features) + 1):
        kernel_sized = number >= HALF_SIZED and _falls_due(number - HALF_SIZED)
        draw, improve = (
            (_of_kernel_size, _exchange_features) if kernel_sized else (_toss_coins, _flip_features)
        )
        x = draw(n_features, rng)
        while _is_known(before @ x, n_features):
            misses += 1
            if misses == MOST_MISSES:
                return
            x = draw(n_features, rng)
        misses = 0
        x = improve(x, before)
        before = np.vstack([before, x])
        yield x > 0


def _falls_due(number: int) -> bool:
    """Return whether the share of `KERNEL_SIZED` calls for one more."""
    return int((number + 1) * KERNEL_SIZED) > int(number * KERNEL_SIZED)


def _toss_coins(n_features: int, rng: np.random.Generator) -> FloatArray:
    return rng.choice([-1.0, 1.0], n_features)


def _of_kernel_size(n_features: int, rng: np.random.Generator) -> FloatArray:
    """Draw a size in proportion to 1 / (k (n - k)), as Kernel SHAP weighs it, and its features."""
    sizes = np.arange(2, n_features - 1)
    if not len(sizes):
        return _toss_coins(n_features, rng)
    chances = 1 / (sizes * (n_features - sizes))
    x = np.full(n_features, -1.0)
    x[rng.permutation(n_features)[: rng.choice(sizes, p=chances / chances.sum())]] = 1.0
    return x


def _is_known(products: FloatArray, n_features: int) -> bool:
    """Return whether the pair with these inner products with those before was yielded.

    The first of those is the full coalition, and tells a feature alone.
    """
    overlaps = np.abs(products)
    return bool(overlaps.max() == n_features or overlaps[0] == n_features - 2)


def _flip_features(x: FloatArray, before: FloatArray) -> FloatArray:
    """Flip features, the best one first, while that lowers the sum of t^4 over the products t.

    Those are the inner products of x with the coalitions before. Data of which the sum is least
    confuse effects of up to two features least (orthogonal arrays of strength four; Hedayat, Sloane
    and Stufken 1999). A flip of x_i changes the sum by
    8 (3 sum t^2 + 2 len(t) - x_i sum (t^3 + 4 t) before_i).
    """
    x, t = x.copy(), before @ x
    while True:
        gains = _gains(x, t, before)
        best = int(gains.argmax())
        new_products = t - 2 * x[best] * before[:, best]
        if gains[best] <= 3 * (t @ t) + 2 * len(t) or _is_known(new_products, len(x)):
            return x
        x[best] = -x[best]
        t = new_products


def _exchange_features(x: FloatArray, before: FloatArray) -> FloatArray:
    """Exchange a kept feature for a removed one while that lowers the same sum: the size stays."""
    x, t = x.copy(), before @ x
    while True:
        gains = _gains(x, t, before)
        out, into = (int(np.where(side, gains, -np.inf).argmax()) for side in (x > 0, x < 0))
        new_products = t - 2 * before[:, out] + 2 * before[:, into]
        if (new_products**4).sum() >= (t**4).sum() or _is_known(new_products, len(x)):
            return x
        x[out], x[into] = -1.0, 1.0
        t = new_products


def _gains(x: FloatArray, t: FloatArray, before: FloatArray) -> FloatArray:
    """Return what a flip of each feature takes off the sum, but for a constant and a factor."""
    gains: FloatArray = x * ((t * (t * t + 4)) @ before)
    return gains
