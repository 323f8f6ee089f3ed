"""Whether groups of people are treated alike."""

from explain.checks.fairness.check import FairnessCheck

__all__ = ["FairnessCheck"]
