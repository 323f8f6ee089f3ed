"""The card of a model, with its results as the model index of the Hugging Face Hub."""

from collections.abc import Iterator

from explain.record import AuditRecord, Measure
from reports import markdown, summary
from reports.exports.yaml_text import yaml_value

__all__ = ["model_card"]


def model_card(record: AuditRecord) -> str:
    """Return a README.md: the model index as YAML, and the summary of the audit below it.

    JSON is YAML, and its strings need no rule of their own.
    """
    index = {
        "model-index": [
            {
                "name": record.provenance.model.name,
                "results": [
                    {
                        "task": {"type": "text-classification"},
                        "dataset": _dataset(record),
                        "metrics": [_metric(measure) for measure in _measures(record)],
                    }
                ],
            }
        ],
        "tags": ["text-classification"],
    }
    lines = (f"{key}: {yaml_value(value)}" for key, value in index.items())
    return "\n".join(("---", *lines, "---", "", markdown.summary(record)))


def _dataset(record: AuditRecord) -> dict[str, object]:
    rows = record.provenance.rows_sha256
    names = ", ".join(file.path for file in record.provenance.data)
    hashes = {"rows_sha256": rows, "record_sha256": summary.record_hash(record)}
    return {
        "name": names or f"table with sha256 {rows[:12]}",
        "type": "private",
        "args": {"rows": record.rows, **hashes},
    }


def _measures(record: AuditRecord) -> Iterator[Measure]:
    for section in record.sections:
        for measure in section.measures:
            if measure.metric is not None and measure.value is not None:
                yield measure


def _metric(measure: Measure) -> dict[str, object]:
    where = "" if measure.slice == "all" else f", {measure.slice}"
    return {
        "type": measure.metric,
        "name": f"{measure.name}{where} (n = {measure.n})",
        "value": measure.value,
        "args": {"n": measure.n, **_interval(measure), "slice": measure.slice},
    }


def _interval(measure: Measure) -> dict[str, object]:
    if measure.lower is None or measure.upper is None:
        return {}
    method = f", {measure.method}" if measure.method else ""
    ends = {"lower": measure.lower, "upper": measure.upper}
    return {**ends, "interval": f"95 %{method}"}
