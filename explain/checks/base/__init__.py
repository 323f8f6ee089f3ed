"""What checks share: what they may look at, and the shapes of what they say."""

from explain.checks.base.check import (
    LEVEL,
    AuditContext,
    Check,
    NarrowCheck,
    TableRow,
    not_measured,
    probabilities,
)

__all__ = [
    "LEVEL",
    "AuditContext",
    "Check",
    "NarrowCheck",
    "TableRow",
    "not_measured",
    "probabilities",
]
