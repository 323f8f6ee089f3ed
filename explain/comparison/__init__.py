"""Two audits of the same rows: two models, or one at two dates."""

from explain.comparison.compare import compare
from explain.comparison.compare_calls import compare_calls
from explain.comparison.drift import drift_between

__all__ = ["compare", "compare_calls", "drift_between"]
