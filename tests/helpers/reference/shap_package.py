"""The shap package's explainers called directly, as its documentation does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import shap
from numpy.typing import NDArray

from tests.helpers.plans import Game

FloatArray = NDArray[np.float64]


def _function(v: Game) -> Callable[[Any], FloatArray]:
    return lambda rows: v(np.asarray(rows) > 0.5)


def kernel(v: Game, n: int, budget: int, seed: int) -> FloatArray:
    np.random.seed(seed)
    explainer = shap.KernelExplainer(_function(v), np.zeros((1, n)))
    values: FloatArray = explainer.shap_values(
        np.ones(n), nsamples=budget - 2, l1_reg=False, silent=True
    )
    return values


def permutation(v: Game, n: int, budget: int, seed: int) -> FloatArray:
    explainer = shap.explainers.Permutation(
        _function(v), shap.maskers.Independent(np.zeros((1, n))), seed=seed
    )
    values: FloatArray = explainer(np.ones((1, n)), max_evals=budget, silent=True).values[0]
    return values


def partition(v: Game, n: int, budget: int, seed: int, tree: FloatArray) -> FloatArray:
    np.random.seed(seed)
    explainer = shap.explainers.Partition(
        _function(v), shap.maskers.Partition(np.zeros((1, n)), clustering=tree)
    )
    values: FloatArray = explainer(np.ones((1, n)), max_evals=budget, silent=True).values[0]
    return values
