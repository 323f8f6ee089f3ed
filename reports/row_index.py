"""What the script of the page knows of the explained rows: to filter, sort and review them."""

import base64
import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from explain.record import AuditRecord, InstanceRecord
from reports import summary
from reports.instances import InstanceView
from reports.text import visible

__all__ = ["packed", "row_index"]

MOST_VALUES = 20
"""Values of a column up to which each can be chosen; a column of more is more like an id."""


def row_index(record: AuditRecord, rows: Sequence[tuple[InstanceRecord, InstanceView]]) -> str:
    """Return the index of the explained rows, and what a review of them refers to, packed."""
    slices = _slices([instance for instance, _ in rows])
    labels = record.provenance.model.labels
    is_single = record.provenance.model.task == "single_label"
    return packed(
        {
            "report": summary.record_hash(record),
            "labels": [{"label": x, "shown": visible(x)} for x in labels] if is_single else [],
            "rows": [
                {
                    "place": place,
                    "id": instance.id,
                    "anchor": view.anchor,
                    "name": view.row,
                    "text_sha256": _text_sha256(instance.parts),
                    "paragraphs": sum(2 if p.label else 1 for p in view.targets[0].paragraphs),
                    "predicted": [each.label for each in view.predicted],
                    "shown": ", ".join(visible(each.label) for each in view.predicted),
                    "labels": list(view.labels or ()),
                    "confidence": instance.probability,
                    "outcome": view.outcome,
                    "stratum": view.stratum,
                    "findings": list(view.cited_by),
                    "slices": [s for s in slices if instance.columns.get(s[0]) == s[1]],
                }
                for place, (instance, view) in enumerate(rows)
            ],
        }
    )


def packed(value: object) -> str:
    """Return a value as JSON, compressed, in letters that HTML leaves alone."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _slices(instances: Sequence[InstanceRecord]) -> list[tuple[str, str]]:
    """Return each column with each of its values, if these are few and some repeat."""
    values: Mapping[str, Counter[str]] = defaultdict(Counter)
    for instance in instances:
        for column, value in instance.columns.items():
            values[column][value] += 1
    return [
        (column, value)
        for column in sorted(values)
        if len(values[column]) <= MOST_VALUES and len(values[column]) < values[column].total()
        for value in sorted(values[column])
    ]


def _text_sha256(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()
