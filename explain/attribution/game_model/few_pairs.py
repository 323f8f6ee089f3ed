"""The prior by which few pairs hold what the even half varies, as "not good" does in a long text.

The prior of a half spreads what is left over all pairs by how much their features matter. Where one
of 780 pairs holds all of it, that pair is shrunk to half of its size, and the stated error does not
allow for it.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from explain.attribution.game_model.posterior import Half
from explain.attribution.game_model.prior import Prior
from explain.attribution.game_model.symmetric import SizeWeights

__all__ = ["prior_of_few_pairs"]

FloatArray = NDArray[np.float64]

SMALLEST = 0.1
"""Added to each relevance, relative to their mean, so that no pair and no feature is ruled out."""


def prior_of_few_pairs(prior: Prior, half: Half) -> Prior:
    """Return the prior by which the interactions of pairs are as large as they seem to be.

    Each pair has a variance of its own, as in sparse Bayesian learning (Tipping 2001). Effects of
    more features have the relevances of features that follow from it.

    Parameters
    ----------
    prior : Prior
        Of the even half, all pairs alike.
    half : Half
        The even half, as far as it is known.
    """
    n = half.x.shape[1]
    first, second = pairs = np.array(np.triu_indices(n, 1))
    found = half.read_out(half.prior.of_read_out(half.x, SizeWeights.interaction(n), pairs))
    variances = found.values**2 + found.errors**2
    if not variances.any():
        return prior
    of_pairs = np.zeros((n, n))
    of_pairs[first, second] = of_pairs[second, first] = _relevances(variances / variances.mean())
    of_features = np.sqrt(of_pairs.sum(axis=1))
    return replace(
        prior,
        relevance=_relevances(of_features / np.sqrt((of_features**2).mean())),
        pair_relevance=of_pairs,
    )


def _relevances(sizes: FloatArray) -> FloatArray:
    """Return relevances that are one in the mean, none of them nearly zero."""
    relevances = sizes + SMALLEST
    normed: FloatArray = relevances / relevances.mean()
    return normed
