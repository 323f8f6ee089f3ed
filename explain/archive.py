"""The folder that an audit leaves behind."""

import json
from collections.abc import Sequence
from pathlib import Path

from explain.errors import RecordError
from explain.files import hash_file, write_whole
from explain.record import AuditRecord, LogEntry
from explain.rendering import require_own_reports

__all__ = ["read_log", "read_record", "write_audit"]


def write_audit(record: AuditRecord, log: Sequence[LogEntry], folder: str | Path) -> Path:
    """Write an audit as HTML, JSON, JSON lines of attributions, its log, and a manifest.

    Everything is rendered before anything is written, each file is written whole, and the manifest
    with their hashes comes last: a folder whose manifest fits its files is complete.

    Returns
    -------
    Path
        The HTML file.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    require_own_reports()
    import reports

    out = Path(folder)
    attributions = [a for instance in record.instances for a in instance.attributions]
    contents = {
        "audit.html": reports.render_html(record, log),
        "audit.json": record.to_json(),
        "attributions.jsonl": "".join(a.to_json() + "\n" for a in attributions),
        "run.jsonl": "".join(entry.to_json() + "\n" for entry in log),
    }
    (out / "manifest.json").unlink(missing_ok=True)
    for name, content in contents.items():
        write_whole(out / name, content)
    manifest = {name: hash_file(out / name, out).sha256 for name in contents}
    write_whole(out / "manifest.json", json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return out / "audit.html"


def read_record(path: str | Path) -> AuditRecord:
    """Return the record in a file that `write_audit` wrote.

    Raises
    ------
    RecordError
        If the file is missing, malformed, or of another schema version.
    """
    try:
        return AuditRecord.from_json(Path(path).read_bytes())
    except OSError as error:
        raise RecordError(f"{str(path)!r} cannot be read: {error.strerror}") from error


def read_log(folder: str | Path) -> list[LogEntry]:
    """Return the log beside a record, empty if there is none.

    Raises
    ------
    RecordError
        If the log is malformed.
    """
    path = Path(folder) / "run.jsonl"
    if not path.is_file():
        return []
    return [LogEntry.from_json(line) for line in path.read_bytes().splitlines()]
