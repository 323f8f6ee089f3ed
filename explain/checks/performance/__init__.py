"""How often the model is right, per label too, and beside simple models."""

from explain.checks.performance.check import PerformanceCheck

__all__ = ["PerformanceCheck"]
