"""Where an audit comes from, as tables."""

import json
from collections.abc import Iterable, Mapping, Sequence

from pydantic import JsonValue

from explain.record import Attribution, AuditRecord, FileHash, LogEntry, ModelDescription
from explain.record.base import Task
from explain.record.wording import decimal, signed
from reports import summary
from reports.languages import translate as _
from reports.languages import translated_sentence
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

TASKS: dict[Task, str] = {
    "single_label": "single label",
    "multi_label": "multi label",
    "regression": "regression",
}

Facts = tuple[tuple[str, str], ...]
"""Names with what is known of them."""


def provenance_facts(record: AuditRecord, record_hash: str) -> Facts:
    """Return where an audit comes from, in short."""
    provenance = record.provenance
    return (
        (_("Record, sha256"), record_hash),
        (_("Schema version"), str(record.schema_version)),
        (_("Audited on"), f"{provenance.audited_on.isoformat()} (UTC)"),
        *_model(provenance.model),
        (_("Rows as read, sha256"), provenance.rows_sha256),
        *(((_("Criteria"), summary.frozen(record)),) if record.criteria else ()),
        *_margin(record),
        (_("Seed"), str(provenance.seed)),
        ("Python", provenance.python),
        (_("Platform"), provenance.platform),
    )


def _margin(record: AuditRecord) -> Facts:
    if record.regression_margin is None or record.criteria_set_after_run_on is not None:
        return ()
    said = _(
        "{margin} % of the rows, frozen on {day} before anything was scored: {hash}",
        margin=100 * record.regression_margin,
        day=(record.criteria_frozen_on or record.provenance.audited_on).isoformat(),
        hash=f"sha256 {record.criteria_sha256}",
    )
    return ((_("Loss of accuracy that a comparison tolerates"), said),)


def _model(model: ModelDescription) -> Facts:
    return (
        (_("Model"), model.name),
        (_("Adapter"), model.adapter),
        (_("Source"), model.source or _("a live object")),
        (_("Task"), _(TASKS[model.task])),
        (_("Labels"), ", ".join(model.labels)),
        *decision_rule(model),
    )


def decision_rule(model: ModelDescription) -> Facts:
    """Return the thresholds by which a model decides, if it has any."""
    rule = model.decision_rule
    return ((_("Decision threshold"), translated_sentence(rule)),) if rule else ()


def provenance_tables(record: AuditRecord, run: Sequence[LogEntry]) -> list[TableView]:
    """Return where an audit comes from, in full."""
    provenance = record.provenance
    shown = [
        settings_of(_("What is known of the model"), provenance.model.facts),
        _files(_("Files of the model"), provenance.model.files),
        _files(_("Files of the data"), provenance.data),
        settings_of(_("Arguments as resolved"), provenance.arguments),
        settings_of(_("Packages"), provenance.packages),
        _log(run),
    ]
    return [view for view in shown if view.rows]


def settings_of(title: str, settings: Mapping[str, JsonValue]) -> TableView:
    """Return settings as a table."""
    return table(
        title,
        (_("name"), _("value")),
        ((CellView(name), CellView(_json(settings[name]))) for name in sorted(settings)),
    )


def _json(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _files(title: str, files: Iterable[FileHash]) -> TableView:
    return table(
        title,
        (_("file"), _("bytes"), "sha256"),
        (
            (CellView(file.path), CellView(count(file.bytes), numeric=True), CellView(file.sha256))
            for file in files
        ),
    )


def _log(run: Sequence[LogEntry]) -> TableView:
    return table(
        _("Log of the run"),
        (_("at"), _("event"), _("seconds"), _("detail")),
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


def attribution_facts(attribution: Attribution, record_hash: str) -> Facts:
    """Return where an attribution comes from."""
    return (
        (_("Method"), attribution.method_title),
        (
            _("Target"),
            _(
                "{label} (column {index})",
                label=attribution.target.label,
                index=attribution.target.index,
            ),
        ),
        (_("Removed features become"), attribution.removal),
        ("v(empty)", signed(attribution.empty_value)),
        ("v(N)", signed(attribution.full_value)),
        (_("Completeness gap"), signed(attribution.completeness_gap, 4)),
        (
            _("Sums to v(N) − v(empty)"),
            _("promised") if attribution.efficient else _("not promised"),
        ),
        (_("Evaluations"), count(attribution.evaluations)),
        (_("Seed"), str(attribution.seed)),
        (_("Grade"), attribution.grade or _("not graded")),
        (_("Record, sha256"), record_hash),
    )
