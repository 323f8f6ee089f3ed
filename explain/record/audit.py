"""What an audit leaves behind: immutable, versioned data from which every report is rendered.

A record is made of general parts (`Measure`, `Figure`, `Table`, `Section`, `Finding`), so that a
new check needs no new template. Records are frozen pydantic models; equal records give equal bytes.
"""

from datetime import date
from typing import Any, Final, Literal, Self

from pydantic import model_validator

from explain.record.base import SCHEMA_VERSION, Record, Severity
from explain.record.instances import InstanceRecord, SelectionPlan
from explain.record.provenance import Provenance, SystemIdentity
from explain.record.rendering import require_own_reports
from explain.record.sections import Finding, JudgedCriterion, MethodTrust, Omitted, Section, Skipped

__all__ = ["AuditRecord"]

_SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "major", "minor")


class AuditRecord(Record):
    """A whole audit. It alone suffices to render every report."""

    schema_version: Literal[1] = SCHEMA_VERSION
    identity: SystemIdentity
    provenance: Provenance
    rows: int
    """Rows of the table: scored plus skipped before scoring."""
    sections: tuple[Section, ...]
    criteria: tuple[JudgedCriterion, ...] = ()
    criteria_sha256: str | None = None
    """Hash of the criteria as they were frozen before anything was scored; None without any."""
    criteria_frozen_on: date | None = None
    """Day on which a file froze them, in UTC; None if only the run itself did."""
    trust: tuple[MethodTrust, ...] = ()
    """Each method that explained something, with its grade."""
    plan: SelectionPlan
    instances: tuple[InstanceRecord, ...]
    """All scored rows, in the order of the table."""
    skipped: tuple[Skipped, ...] = ()
    omitted: tuple[Omitted, ...] = ()
    """Checks that were not chosen, and inputs that were not given."""

    @model_validator(mode="after")
    def _has_distinct_ids(self) -> Self:
        for kind, ids in (
            ("section", [section.id for section in self.sections]),
            ("instance", [instance.id for instance in self.instances]),
        ):
            if len(set(ids)) != len(ids):
                raise ValueError(f"two {kind}s have the same id")
        return self

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all sections, the most severe first, and then the largest."""
        found = [finding for section in self.sections for finding in section.findings]
        return tuple(sorted(found, key=_weight))

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON schema of ``audit.json``."""
        return cls.model_json_schema()

    def _repr_html_(self) -> str:
        require_own_reports()
        from reports import notebook_html

        return notebook_html(self)


def _weight(finding: Finding) -> tuple[int, float, str]:
    """Return what findings are ranked by; the size is that of the end nearer to zero."""
    size, measure = 0.0, finding.measure
    if measure is not None and measure.unit == "proportion" and measure.value is not None:
        size = min(
            abs(measure.value if end is None else end) for end in (measure.lower, measure.upper)
        )
    return _SEVERITIES.index(finding.severity), -size, finding.claim
