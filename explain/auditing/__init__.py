"""An audit of a whole model: plan, run, criteria, archive."""

from explain.auditing.configuration import DEFAULT_METHODS
from explain.auditing.provenance import today
from explain.auditing.run import audit

__all__ = ["DEFAULT_METHODS", "audit", "today"]
