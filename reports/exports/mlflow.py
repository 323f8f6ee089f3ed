"""An audit as a run in a local file store of MLflow, without MLflow itself.

MLflow 3.13 and later open a file store only with ``MLFLOW_ALLOW_FILE_STORE=true``.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from explain.record import SEVERITIES, AuditRecord, Measure
from explain.record.run_folders import claimed
from reports import render_html, render_markdown, summary
from reports.exports.yaml_text import yaml_value

__all__ = ["metric_key", "write_mlflow"]

EXPERIMENT = "0"

LONGEST_KEY = 230
"""Letters of a key, which names a file; MLflow takes 250."""

LONGEST_NOTE = 8_000
"""Letters of a tag that MLflow takes (MAX_TAG_VAL_LENGTH)."""

FINISHED, LOCAL = 3, 4
"""Status of a run, and type of its source, as MLflow numbers them."""


def metric_key(measure: Measure) -> str:
    """Return the key of a measure, the same in every run.

    Examples
    --------
    >>> metric_key(Measure(name="accuracy", metric="performance.accuracy", value=.5, n=2))
    'performance.accuracy'
    """
    parts = [f"{name}:{value}" for name, value in sorted(measure.of.items())]
    if measure.slice != "all":
        parts.append(measure.slice)
    exact = " ".join((measure.metric or "", *parts))
    key = re.sub(r"[^\w.: -]", "_", exact, flags=re.ASCII)
    if key == exact and len(key) <= LONGEST_KEY:
        return key
    return f"{key[: LONGEST_KEY - 9]} {hashlib.sha256(exact.encode()).hexdigest()[:8]}"


def write_mlflow(record: AuditRecord, folder: Path) -> None:
    """Write a run to a folder that ``mlflow ui --backend-store-uri`` opens.

    The id of the run is the beginning of the hash of the record: the same audit is the same run.
    """
    run_id = summary.record_hash(record)[:32]
    run = folder / EXPERIMENT / run_id
    day = record.provenance.audited_on
    time = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    files = {
        "artifacts/audit.json": record.to_json(),
        "artifacts/report.html": render_html(record),
        **{f"tags/{name}": value for name, value in _tags(record).items()},
        **{f"params/{name}": value for name, value in _parameters(record).items()},
        **{f"metrics/{key}": f"{time} {value!r} 0\n" for key, value in _metrics(record)},
    }
    meta: dict[str, object] = {
        "artifact_uri": (run / "artifacts").resolve().as_uri(),
        "end_time": time,
        "entry_point_name": "",
        "experiment_id": EXPERIMENT,
        "lifecycle_stage": "active",
        "run_id": run_id,
        "run_name": record.identity.name,
        "run_uuid": run_id,
        "source_name": "",
        "source_type": LOCAL,
        "source_version": "",
        "start_time": time,
        "status": FINISHED,
        "tags": [],
        "user_id": "",
    }
    files["meta.yaml"] = _yaml(meta)
    experiment: dict[str, object] = {
        "artifact_location": (folder / EXPERIMENT).resolve().as_uri(),
        "creation_time": time,
        "experiment_id": EXPERIMENT,
        "last_update_time": time,
        "lifecycle_stage": "active",
        "name": "Default",
    }
    contents = {f"{EXPERIMENT}/{run_id}/{name}": content for name, content in files.items()}
    with claimed(folder) as out:
        if not (folder / EXPERIMENT / "meta.yaml").exists():
            contents[f"{EXPERIMENT}/meta.yaml"] = _yaml(experiment)
        out.write(contents)


def _metrics(record: AuditRecord) -> Iterator[tuple[str, float]]:
    """Yield each measure, its interval and its n, and the findings of each severity."""
    for section in record.sections:
        for measure in section.all_measures():
            if measure.metric is not None and measure.value is not None:
                key = metric_key(measure)
                yield key, measure.value
                yield f"n {key}", measure.n
                if measure.lower is not None and measure.upper is not None:
                    yield f"lower {key}", measure.lower
                    yield f"upper {key}", measure.upper
    counts = summary.severity_counts(record)
    for severity in SEVERITIES:
        yield f"findings.{severity}", counts.get(severity, 0)


def _tags(record: AuditRecord) -> dict[str, str]:
    verdict = summary.verdict(record)
    return {
        "mlflow.runName": record.identity.name,
        "mlflow.note.content": render_markdown(record)[:LONGEST_NOTE],
        "verdict": ": ".join(filter(None, (verdict.word, verdict.detail))),
    }


def _parameters(record: AuditRecord) -> dict[str, str]:
    provenance = record.provenance
    values = {
        "model": provenance.model.name,
        "version": record.identity.version,
        "rows": str(record.rows),
        "rows_sha256": provenance.rows_sha256,
        "record_sha256": summary.record_hash(record),
        "seed": str(provenance.seed),
    }
    return {name: value for name, value in values.items() if value}


def _yaml(values: dict[str, object]) -> str:
    return "".join(f"{name}: {yaml_value(value)}\n" for name, value in values.items())
