"""Whether the same text gets the same answer."""

from explain.checks.stability.check import StabilityCheck

__all__ = ["StabilityCheck"]
