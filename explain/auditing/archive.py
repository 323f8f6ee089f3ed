"""The folder that an audit leaves behind."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from explain.errors import ConfigurationError, RecordError
from explain.record import PREDICTIONS, AuditRecord, Criterion, FrozenCriteria, LogEntry
from explain.record.files import hash_file, plain_bytes, write_whole
from explain.record.own_reports import require_own_reports
from explain.record.run_folders import RunFolder, claimed, read_steadily

__all__ = [
    "CRITERIA",
    "bind_criteria",
    "read_log",
    "read_record",
    "read_run",
    "write_audit",
    "write_into",
]

CRITERIA = "criteria.json"
"""Name of the file that holds the acceptance criteria of a folder."""


def bind_criteria(
    folder: str | Path, criteria: Sequence[Criterion], regression_margin: float | None = None
) -> FrozenCriteria | None:
    """Return the criteria, and the margin, as a folder keeps them; None where there are none.

    The first call freezes them in ``criteria.json``. Any later one must bring the same criteria,
    in whatever order: a folder never answers to others than it was frozen with.

    Raises
    ------
    ConfigurationError
        If the folder holds other criteria.
    RecordError
        If its file is malformed, or its hash does not fit.
    OSError
        If the folder cannot be written.
    """
    # What only reads and renders must not load what computes.
    from explain.auditing.provenance import today

    path = Path(folder) / CRITERIA
    stated = FrozenCriteria.of(criteria, today(), regression_margin)
    if path.exists():
        kept = _frozen(path)
        if kept.sha256 != stated.sha256:
            raise ConfigurationError(
                f"{str(path)!r} was frozen on {kept.frozen_on} with other criteria "
                f"(sha256 {kept.sha256[:12]}… there, {stated.sha256[:12]}… here); "
                "pass another folder, or those criteria"
            )
        return kept
    if stated.is_empty:
        return None
    write_whole(path, json.dumps(stated.model_dump(mode="json"), indent=1, sort_keys=True) + "\n")
    return stated


def _frozen(path: Path) -> FrozenCriteria:
    try:
        return FrozenCriteria.from_json(plain_bytes(path))
    except RecordError as error:
        raise RecordError(
            f"{str(path)!r} is not as it was frozen: it is malformed, or its criteria no longer "
            "fit their hash; pass another folder"
        ) from error


def write_audit(record: AuditRecord, log: Sequence[LogEntry], folder: str | Path) -> Path:
    """Write an audit to a folder that no other run writes to, as `write_into`.

    Returns
    -------
    Path
        The HTML file.

    Raises
    ------
    ConfigurationError
        If another run writes to the folder, or it holds other criteria than those of the record.
    OSError
        If the folder cannot be written; an audit that was there before still is.
    """
    with claimed(Path(folder)) as out:
        return write_into(out, record, log)


def write_into(
    out: RunFolder,
    record: AuditRecord,
    log: Sequence[LogEntry],
    report: Literal["short", "full"] = "short",
    language: Literal["en", "zh"] = "en",
) -> Path:
    """Write an audit as HTML, JSON, its attributions, predictions, log, criteria, and a manifest.

    Everything is rendered and written before any file of an audit that was there is touched: see
    `RunFolder.swap_in`. A folder whose manifest fits its files is complete. Of the HTML a printer
    gets the short form, or the full one; the language is that of the HTML alone.

    Returns
    -------
    Path
        The HTML file.

    Raises
    ------
    ConfigurationError
        If the folder holds other criteria than those of the record.
    OSError
        If the folder cannot be written; an audit that was there before still is.
    """
    require_own_reports()
    import reports

    attributions = [a for instance in record.instances for a in instance.attributions]
    contents: dict[str, str | bytes] = {
        "audit.html": reports.render_html(record, log, report, language),
        "audit.json": record.to_json(),
        "attributions.jsonl": "".join(a.to_json() + "\n" for a in attributions),
        "run.jsonl": "".join(entry.to_json() + "\n" for entry in log),
    }
    if record.has_predictions:
        from explain.auditing.predictions import to_parquet

        contents[PREDICTIONS] = to_parquet(record.predictions)
    bound = bind_criteria(out.path, record.criteria, record.regression_margin)
    kept = {CRITERIA: hash_file(out.path / CRITERIA, out.path).sha256} if bound else {}
    out.swap_in(contents, kept)
    return out.path / "audit.html"


def read_record(path: str | Path) -> AuditRecord:
    """Return the record in a file that `write_audit` wrote, with the predictions of the same run.

    Raises
    ------
    RecordError
        If the file is missing, malformed, or of another schema version.
    ConfigurationError
        If another run is moving its files into the folder.
    """
    path = Path(path)
    return read_steadily(path.parent, lambda: _read_record(path))


def read_run(path: str | Path) -> tuple[AuditRecord, list[LogEntry]]:
    """Return the record in a file that `write_audit` wrote, and the log of the same run beside it.

    Raises
    ------
    RecordError
        If the record is missing, or one of the two malformed, or of another schema version.
    ConfigurationError
        If another run is moving its files into the folder.
    """
    path = Path(path)
    return read_steadily(path.parent, lambda: (_read_record(path), read_log(path.parent)))


def _read_record(path: Path) -> AuditRecord:
    try:
        record = AuditRecord.from_json(plain_bytes(path))
        table = path.with_name(PREDICTIONS)
        return record.with_predictions(plain_bytes(table)) if table.is_file() else record
    except OSError as error:
        name = error.filename or str(path)
        raise RecordError(f"{name!r} cannot be read: {error.strerror}") from error


def read_log(folder: str | Path) -> list[LogEntry]:
    """Return the log beside a record, empty if there is none.

    Raises
    ------
    RecordError
        If the log cannot be read, or is malformed.
    """
    path = Path(folder) / "run.jsonl"
    if not path.is_file():
        return []
    try:
        return [LogEntry.from_json(line) for line in plain_bytes(path).splitlines()]
    except (OSError, RecordError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RecordError(
            f"{str(path)!r} is not the log of a run: {reason}; move it elsewhere to read the "
            "record without it"
        ) from error
