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
                        "dataset": {
                            "name": f"table with sha256 {record.provenance.rows_sha256[:12]}",
                            "type": "private",
                            "args": {"record_sha256": summary.record_hash(record)},
                        },
                        "metrics": [_metric(measure) for measure in _measures(record)],
                    }
                ],
            }
        ],
        "tags": ["text-classification"],
    }
    lines = (f"{key}: {yaml_value(value)}" for key, value in index.items())
    return "\n".join(("---", *lines, "---", "", markdown.summary(record)))


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
        "args": {
            "n": measure.n,
            "lower": measure.lower,
            "upper": measure.upper,
            "interval": None if measure.method is None else str(measure.method),
            "slice": measure.slice,
        },
    }
