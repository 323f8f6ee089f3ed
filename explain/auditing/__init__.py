"""An audit of a whole model: plan, run, criteria, archive."""

from explain.auditing.run import DEFAULT_METHODS, audit, today

__all__ = ["DEFAULT_METHODS", "audit", "today"]
