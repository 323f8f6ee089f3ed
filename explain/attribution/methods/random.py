"""The null that every method is compared with."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from explain.attribution.methods.base import Budget, Estimate, empty_and_full
from explain.engine.games import Plan
from explain.errors import BudgetError

__all__ = ["Random"]


@dataclass(frozen=True, slots=True)
class Random:
    """Values drawn from a standard normal distribution: they say nothing about the model.

    Parameters
    ----------
    budget : int or None
        Evaluations; two of a game are used, v(empty) and v(N). None for as many as needed.
    """

    name: ClassVar[str] = "random"
    title: ClassVar[str] = "Random values"
    efficient: ClassVar[bool] = False
    signed: ClassVar[bool] = True
    is_null: ClassVar[bool] = True

    budget: Budget | None = None

    def plan(self, n_features: int, rng: np.random.Generator) -> Plan[Estimate]:
        """Return the coroutine that draws a value for each of `n_features` features.

        Raises
        ------
        BudgetError
            If the budget is below 2.
        """
        if self.budget is not None and self.budget < 2:
            raise BudgetError(
                f"random needs 2 evaluations, v(empty) and v(N), the budget is {self.budget}; "
                "leave budget out"
            )
        empty, full = (yield empty_and_full(n_features)).values
        return Estimate(rng.standard_normal(n_features), float(empty), float(full))
