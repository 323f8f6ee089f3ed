"""What fails an audit besides its criteria: findings that nobody has accepted."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from explain.record.base import SEVERITIES, Record, Severity
from explain.record.sections import Finding

__all__ = ["AcceptedFinding", "Gates"]


class AcceptedFinding(Record):
    """A finding that somebody knows of and accepts."""

    finding: Annotated[str, Field(min_length=1)]
    """Id of the finding: ``slices.worse[language = de]``."""
    reason: Annotated[str, Field(min_length=1)]
    """Why it is accepted."""


class Gates(Record):
    """Which findings fail an audit."""

    fail_on: Severity | None = None
    """Findings of this severity or a higher one fail it; None if no finding does."""
    accepted: tuple[AcceptedFinding, ...] = ()
    """Findings that do not fail it."""

    def reason(self, finding: Finding) -> str:
        """Return why a finding is accepted; empty if it is not."""
        return next((entry.reason for entry in self.accepted if entry.finding == finding.id), "")

    def refuses(self, finding: Finding) -> bool:
        """Tell whether a finding fails the audit."""
        if self.fail_on is None or self.reason(finding):
            return False
        return SEVERITIES.index(finding.severity) <= SEVERITIES.index(self.fail_on)

    def without(self, findings: Iterable[Finding]) -> tuple[str, ...]:
        """Return the ids that are accepted and are not among the findings."""
        found = {finding.id for finding in findings}
        return tuple(e.finding for e in self.accepted if e.finding not in found)
