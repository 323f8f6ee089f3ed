"""Two audits of the same rows: two models, or one at two dates."""

from explain.comparison.compare import compare

__all__ = ["compare"]
