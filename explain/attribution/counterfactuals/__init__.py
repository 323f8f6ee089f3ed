"""What would have led to another answer: the fewest features that change it, or keep it."""

from explain.attribution.counterfactuals.requests import (
    Question,
    counterfactual,
    counterfactual_batch,
)

__all__ = ["Question", "counterfactual", "counterfactual_batch"]
