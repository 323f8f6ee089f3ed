"""Where an audit comes from, as tables."""

import json
from collections.abc import Iterable, Mapping, Sequence

from pydantic import JsonValue

from explain.record import Attribution, AuditRecord, FileHash, LogEntry, ModelDescription
from explain.record.wording import decimal, percent, signed
from reports import summary
from reports.numbers import count
from reports.tables import CellView, TableView, table

__all__ = [
    "Facts",
    "attribution_facts",
    "decision_rule",
    "provenance_facts",
    "provenance_tables",
    "settings_of",
]

Facts = tuple[tuple[str, str], ...]
"""Names with what is known of them."""


def provenance_facts(record: AuditRecord) -> Facts:
    """Return where an audit comes from, in short."""
    provenance = record.provenance
    return (
        ("Record, sha256", summary.record_hash(record)),
        ("Schema version", str(record.schema_version)),
        ("Audited on", f"{provenance.audited_on.isoformat()} (UTC)"),
        *_model(provenance.model),
        ("Rows as read, sha256", provenance.rows_sha256),
        *((("Criteria", summary.frozen(record)),) if record.criteria else ()),
        *_margin(record),
        ("Seed", str(provenance.seed)),
        ("Python", provenance.python),
        ("Platform", provenance.platform),
    )


def _margin(record: AuditRecord) -> Facts:
    if record.regression_margin is None:
        return ()
    on = (record.criteria_frozen_on or record.provenance.audited_on).isoformat()
    said = (
        f"{percent(record.regression_margin)} of the rows, frozen on {on} before anything was "
        f"scored: sha256 {record.criteria_sha256}"
    )
    return (("Loss of accuracy that a comparison tolerates", said),)


def _model(model: ModelDescription) -> Facts:
    return (
        ("Model", model.name),
        ("Adapter", model.adapter),
        ("Source", model.source or "a live object"),
        ("Task", model.task.replace("_", " ")),
        ("Labels", ", ".join(model.labels)),
        *decision_rule(model),
    )


def decision_rule(model: ModelDescription) -> Facts:
    """Return the thresholds by which a model decides, if it has any."""
    return (("Decision threshold", model.decision_rule),) if model.decision_rule else ()


def provenance_tables(record: AuditRecord, run: Sequence[LogEntry]) -> list[TableView]:
    """Return where an audit comes from, in full."""
    provenance = record.provenance
    shown = [
        settings_of("What is known of the model", provenance.model.facts),
        _files("Files of the model", provenance.model.files),
        _files("Files of the data", provenance.data),
        settings_of("Arguments as resolved", provenance.arguments),
        settings_of("Packages", provenance.packages),
        _log(run),
    ]
    return [view for view in shown if view.rows]


def settings_of(title: str, settings: Mapping[str, JsonValue]) -> TableView:
    """Return settings as a table."""
    return table(
        title,
        ("name", "value"),
        ((CellView(name), CellView(_json(settings[name]))) for name in sorted(settings)),
    )


def _json(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _files(title: str, files: Iterable[FileHash]) -> TableView:
    return table(
        title,
        ("file", "bytes", "sha256"),
        (
            (CellView(file.path), CellView(count(file.bytes), numeric=True), CellView(file.sha256))
            for file in files
        ),
    )


def _log(run: Sequence[LogEntry]) -> TableView:
    return table(
        "Log of the run",
        ("at", "event", "seconds", "detail"),
        (
            (
                CellView(entry.at.isoformat(timespec="seconds")),
                CellView(entry.event),
                CellView("" if entry.seconds is None else decimal(entry.seconds, 2), numeric=True),
                CellView(", ".join(f"{k} {_json(v)}" for k, v in sorted(entry.detail.items()))),
            )
            for entry in run
        ),
    )


def attribution_facts(attribution: Attribution) -> Facts:
    """Return where an attribution comes from."""
    return (
        ("Method", attribution.method_title),
        ("Target", f"{attribution.target.label} (column {attribution.target.index})"),
        ("Removed features become", attribution.removal),
        ("v(empty)", signed(attribution.empty_value)),
        ("v(N)", signed(attribution.full_value)),
        ("Completeness gap", signed(attribution.completeness_gap, 4)),
        ("Sums to v(N) − v(empty)", "promised" if attribution.efficient else "not promised"),
        ("Evaluations", count(attribution.evaluations)),
        ("Seed", str(attribution.seed)),
        ("Grade", attribution.grade or "not graded"),
        ("Record, sha256", summary.record_hash(attribution)),
    )
