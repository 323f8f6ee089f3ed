"""Checks: is this model any good? One small class each, all in one registry."""

from explain.checks.base import AuditContext, Check
from explain.checks.data import DataCheck
from explain.checks.explanations import ExplanationsCheck
from explain.checks.performance import PerformanceCheck

__all__ = ["CHECKS", "AuditContext", "Check"]

CHECKS: tuple[Check, ...] = (DataCheck(), PerformanceCheck(), ExplanationsCheck())
"""The registry, in the order of the report."""
