"""Checks: is this model any good? One small class each, all in one registry."""

from dataclasses import asdict
from typing import Any

from explain.checks.base import LEVEL, AuditContext, Check, NarrowCheck, not_measured
from explain.checks.calibration import CalibrationCheck
from explain.checks.data import DataCheck
from explain.checks.explanations import ExplanationsCheck
from explain.checks.fairness import FairnessCheck
from explain.checks.language_model import LanguageModelCheck
from explain.checks.performance import PerformanceCheck
from explain.checks.robustness import RobustnessCheck
from explain.checks.selective import SelectiveCheck
from explain.checks.shortcuts import ShortcutsCheck
from explain.checks.slices import SlicesCheck
from explain.checks.stability import StabilityCheck
from explain.errors import ConfigurationError
from explain.registry import make

__all__ = ["CHECKS", "LEVEL", "AuditContext", "Check", "NarrowCheck", "make_check", "not_measured"]

CHECKS: dict[str, type[Any]] = {
    check.id: check
    for check in (
        DataCheck,
        PerformanceCheck,
        CalibrationCheck,
        SelectiveCheck,
        SlicesCheck,
        ExplanationsCheck,
        ShortcutsCheck,
        RobustnessCheck,
        FairnessCheck,
        StabilityCheck,
        LanguageModelCheck,
    )
}
"""The registry, in the order of the report."""


def make_check(check: str | Check, **options: object) -> Check:
    """Return the check of that name with the given options, or the check itself.

    Raises
    ------
    ConfigurationError
        If there is no such check, it has no such option, or a value is out of range.
    """
    if isinstance(check, str):
        made: Check = make("check", CHECKS, check, options)
        return made
    if options:
        raise ConfigurationError(
            f"{check.id} is an instance with options of its own; set {', '.join(options)} there"
        )
    return make_check(check.id, **asdict(check)) if type(check) is CHECKS.get(check.id) else check
