"""What an audit leaves behind: immutable, versioned data from which every report is rendered.

A record is made of general parts (`Measure`, `Figure`, `Table`, `Section`, `Finding`), so that a
new check needs no new template. Records are frozen pydantic models; equal records give equal bytes.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, JsonValue, PrivateAttr, ValidationError, model_validator

from explain.errors import RecordError
from explain.record.base import SCHEMA_VERSION, Record
from explain.record.frames import FrameKind, frame_of_audit
from explain.record.gates import Gates
from explain.record.instances import InstanceRecord, SelectionPlan, Truncation
from explain.record.measures import Measure
from explain.record.own_reports import require_own_reports
from explain.record.provenance import Provenance, SystemIdentity
from explain.record.sections import (
    Finding,
    JudgedCriterion,
    MethodTrust,
    Omitted,
    Section,
    Skipped,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PREDICTIONS", "AuditRecord"]

PREDICTIONS: Final = "predictions.parquet"
"""Name of the file in the folder of an audit that holds the predictions of all rows."""


class AuditRecord(Record):
    """A whole audit. It alone suffices to render every report."""

    schema_version: Literal[2] = SCHEMA_VERSION
    identity: SystemIdentity
    provenance: Provenance
    rows: int
    """Rows of the table: scored plus skipped before scoring."""
    scored_rows: int
    """Rows to which the model gave an answer."""
    sections: tuple[Section, ...]
    criteria: tuple[JudgedCriterion, ...] = ()
    criteria_sha256: str | None = None
    """Hash of the criteria, and of the margin, as they were frozen before anything was scored; None
    without any."""
    criteria_frozen_on: date | None = None
    """Day on which a file froze them, in UTC; None if only the run itself did."""
    regression_margin: float | None = None
    """Loss of accuracy that a comparison with another run tolerates, as a share; frozen with the
    criteria and part of their hash."""
    criteria_set_after_run_on: date | None = None
    """Day on which they were set, when the results were known; None if they were before."""
    gates: Gates = Gates()
    """Which findings fail the audit."""
    trust: tuple[MethodTrust, ...] = ()
    """Each method that explained something, with its grade."""
    plan: SelectionPlan
    instances: tuple[InstanceRecord, ...]
    """The scored rows that are explained, or that a section or finding points to, in the order of
    the table. The predictions of all rows are in `predictions`."""
    truncation: Truncation | None = None
    """Texts that were longer than the model reads; None if none was."""
    skipped: tuple[Skipped, ...] = ()
    omitted: tuple[Omitted, ...] = ()
    """Checks that were not chosen, and inputs that were not given."""
    _predictions: "pd.DataFrame | bytes | None" = PrivateAttr(None)

    @model_validator(mode="after")
    def _has_distinct_ids(self) -> Self:
        for kind, ids in (
            ("section", [section.id for section in self.sections]),
            ("instance", [instance.id for instance in self.instances]),
        ):
            if len(set(ids)) != len(ids):
                raise ValueError(f"two {kind}s have the same id")
        return self

    def __eq__(self, other: object) -> bool:
        """Tell whether two records say the same; the table of predictions has a file of its own."""
        return isinstance(other, AuditRecord) and dict(self) == dict(other)

    __hash__ = Record.__hash__

    @property
    def predictions(self) -> "pd.DataFrame":
        """The predictions of all scored rows, in the order of the table.

        Columns: ``id``, ``row``, ``labels`` (what the table says, a list; None if nothing),
        ``predicted``, ``probability``, ``stratum``, ``unread`` (characters that the model never
        read), ``score.LABEL`` for each label (natural-log scale, or the plain output), and
        ``column.NAME`` for each column that names the row's own id, its group and its slices.

        Raises
        ------
        RecordError
            If the record was read without its folder, or the file of the predictions is damaged.
        """
        if self._predictions is None:
            raise RecordError(
                "this record comes without the predictions of all rows; they are in "
                f"{PREDICTIONS} of its folder: read it with explain.archive.read_record"
            )
        if isinstance(self._predictions, bytes):
            return _read_parquet(self._predictions)
        return self._predictions

    @property
    def has_predictions(self) -> bool:
        """Whether the record knows the predictions of all rows."""
        return self._predictions is not None

    def with_predictions(self, table: "pd.DataFrame | bytes") -> Self:
        """Return the record with the predictions of all rows, or what their file holds."""
        record = self.model_copy()
        record._predictions = table
        return record

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the record that `to_json` wrote.

        Raises
        ------
        RecordError
            If the text is no JSON, follows another version of the schema, or none.
        """
        try:
            return super().from_json(text)
        except RecordError as error:
            if (other := _Version.of(text)) is not None:
                raise RecordError(
                    f"explain-audit {other.writer} wrote this record, with version "
                    f"{other.schema_version} of the schema; this one reads version "
                    f"{SCHEMA_VERSION}; render it with the one that wrote it, or audit again"
                ) from error
            raise

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all sections, each once: the most severe first, then the largest.

        What another finding explains follows it, and lifts it to its own rank.
        """
        findings = dict.fromkeys(f for section in self.sections for f in section.findings)
        by_id = {finding.id: finding for finding in findings}
        chains = {finding: _causes(by_id, finding) for finding in findings}
        families: dict[str, list[_Weight]] = defaultdict(list)
        for finding, chain in chains.items():
            families[chain[-1].id].append(_weight(finding))

        def rank(finding: Finding) -> tuple[_Weight, str, int, _Weight]:
            root = chains[finding][-1].id
            return min(families[root]), root, len(chains[finding]), _weight(finding)

        return tuple(sorted(findings, key=rank))

    @property
    def refused_findings(self) -> tuple[Finding, ...]:
        """The findings that fail the audit, the most severe first."""
        return tuple(filter(self.gates.refuses, self.findings))

    @property
    def fails(self) -> bool:
        """Whether a gating criterion or a finding fails the audit."""
        failed = any(one.gating and one.verdict == "fail" for one in self.criteria)
        return failed or bool(self.refused_findings)

    def measure(self, metric: str, *, slice: str = "all", **of: str) -> Measure:
        """Return what was measured of a metric.

        Parameters
        ----------
        metric : str
            Id of the metric: ``performance.recall``.
        slice : str
            Which instances: ``all``, or a condition such as ``language = de``.
        **of : str
            What the metric is of: ``label="positive"``.

        Raises
        ------
        KeyError
            If that was not measured.
        """
        for section in self.sections:
            for measure in section.all_measures():
                if measure.measures(metric, slice, of):
                    return measure
        raise KeyError(f"{metric!r} of {of or 'all'} on {slice!r} was not measured")

    def to_frame(self, kind: FrameKind) -> "pd.DataFrame":
        """Return a part of the audit as a table.

        Parameters
        ----------
        kind : {"findings", "measures", "criteria", "attributions", ...}
            The findings, the most severe first; all measures of all sections; the criteria with
            their verdicts; a row for each feature of each attribution; or
            `predictions`. ``counterfactuals`` has two rows for each `Counterfactual`: what is
            necessary, and what is sufficient.

        Raises
        ------
        ValueError
            If there is no such table.
        RecordError
            If the predictions are asked for and not at hand.
        """
        return frame_of_audit(self, kind)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON schema of ``audit.json``."""
        return cls.model_json_schema()

    def _repr_html_(self) -> str:
        require_own_reports()
        from reports import notebook_html

        return notebook_html(self)


class _Version(BaseModel):
    """What a record of any version of the schema says of itself."""

    schema_version: int
    provenance: dict[str, JsonValue]

    @classmethod
    def of(cls, text: str | bytes) -> "_Version | None":
        """Return the version of a record that is not of this version; None if it is, or is none."""
        try:
            version = cls.model_validate_json(text)
        except ValidationError:
            return None
        return None if version.schema_version == SCHEMA_VERSION else version

    @property
    def writer(self) -> str:
        packages = self.provenance.get("packages")
        return str(packages.get("explain-audit", "?")) if isinstance(packages, dict) else "?"


def _read_parquet(content: bytes) -> "pd.DataFrame":
    import pandas as pd

    try:
        return pd.read_parquet(BytesIO(content), engine="pyarrow")
    except (OSError, ValueError) as error:
        raise RecordError(
            f"{PREDICTIONS} of the audit cannot be read: {error}; take it from the folder of the "
            "audit"
        ) from error


_Weight: TypeAlias = tuple[int, float, str]


def _causes(by_id: Mapping[str, Finding], finding: Finding) -> list[Finding]:
    """Return a finding, the one that explains it, the one that explains that, and so on."""
    chain = [finding]
    while (cause := by_id.get(chain[-1].cause or "")) is not None and cause not in chain:
        chain.append(cause)
    return chain


def _weight(finding: Finding) -> _Weight:
    return (*finding.rank, finding.id)
