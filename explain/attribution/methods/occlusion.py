"""Leave one out (Zeiler and Fergus 2014; Li, Monroe and Jurafsky 2016)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from explain.attribution.methods.base import (
    Budget,
    Estimate,
    check_size,
    empty_and_full,
    ended_with_all,
)
from explain.engine.games import Plan
from explain.errors import BudgetError
from explain.record import Diagnostics

__all__ = ["Occlusion"]


@dataclass(frozen=True, slots=True)
class Occlusion:
    """v(N) - v(N without i): what is lost when one feature alone is removed.

    As exact as the model's answers are.

    Parameters
    ----------
    budget : int or None
        Evaluations; n_features + 2 are needed. None for as many as needed.
    """

    name: ClassVar[str] = "occlusion"
    title: ClassVar[str] = "Occlusion"
    efficient: ClassVar[bool] = False
    signed: ClassVar[bool] = True
    is_null: ClassVar[bool] = False

    budget: Budget | None = None

    def plan(self, n_features: int, rng: np.random.Generator) -> Plan[Estimate]:
        """Return the coroutine that removes each of `n_features` features in turn.

        Raises
        ------
        BudgetError
            If the budget is below n_features + 2, or the features are too many.
        """
        check_size(self.name, n_features)
        if self.budget is not None and self.budget < n_features + 2:
            raise BudgetError(
                f"occlusion needs {n_features + 2:,} evaluations for {n_features} features, the "
                f"budget is {self.budget:,}; leave budget out or pass unit='sentence'"
            )
        observed = yield np.vstack([empty_and_full(n_features), ~np.eye(n_features, dtype=bool)])
        empty, full, without = observed.values[0], observed.values[1], observed.values[2:]
        return Estimate(
            full - without,
            float(empty),
            float(full),
            np.sqrt(observed.variances[1] + observed.variances[2:]),
            Diagnostics(ended_by=ended_with_all(observed)),
        )
