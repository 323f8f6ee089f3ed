"""Where the model is worse than elsewhere."""

from explain.checks.slices.check import SlicesCheck

__all__ = ["SlicesCheck"]
