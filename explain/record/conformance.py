"""Whether an adapter keeps its contract."""

from explain.record.base import Outcome, Record

__all__ = ["Conformance", "ConformanceRow"]


class ConformanceRow(Record):
    """What one check of an adapter found."""

    check: str
    outcome: Outcome
    detail: str
    """What was measured and the bar it was held to, or why the check does not apply."""


class Conformance(Record):
    """Whether a model keeps the contract of a classifier, check by check."""

    model: str
    """Name of the model."""
    tolerance: float
    """Largest difference, relative to scores beyond one, that counts as rounding."""
    rows: tuple[ConformanceRow, ...]
    """All checks, in the order in which they were made."""

    @property
    def failed(self) -> tuple[ConformanceRow, ...]:
        """The checks that failed."""
        return tuple(row for row in self.rows if row.outcome == "fail")

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.failed
