"""The null that every method is compared with."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from explain.explainers.base import Budget, Estimate, ends
from explain.games import Plan

__all__ = ["Random"]


@dataclass(frozen=True, slots=True)
class Random:
    """Values drawn from a standard normal distribution: they say nothing about the model.

    Parameters
    ----------
    budget : int
        Evaluations; two are used, for v(empty) and v(N).
    """

    name: ClassVar[str] = "random"
    efficient: ClassVar[bool] = False

    budget: Budget = 2

    def plan(self, n_features: int, rng: np.random.Generator) -> Plan[Estimate]:
        """Return the coroutine that draws a value for each of `n_features` features."""
        empty, full = yield ends(n_features)
        return Estimate(rng.standard_normal(n_features), float(empty), float(full))
