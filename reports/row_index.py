"""What the script of the page knows of the explained rows: to filter, sort and review them."""

import base64
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from explain.record import AuditRecord, InstanceRecord, text_sha256
from reports.bidi import isolated
from reports.instances import given_labels, outcome, predicted_labels, row_name
from reports.languages import translate as _
from reports.tables import anchor
from reports.text import visible

__all__ = ["packed", "row_index"]

MOST_VALUES = 20
"""Values of a column up to which each can be chosen; a column of more is more like an id."""

GZIP = 16 + zlib.MAX_WBITS
"""The format that browsers unpack, without a time in it."""

SHORT_BLOCKS = 5
"""Blocks of 2,048 letters and copies, each with a code of its own: texts and numbers take turns.
Pages are 2.7 % smaller than with blocks of 16,384, the default."""

LETTERS = bytes(code for code in range(ord("("), ord("~") + 1) if chr(code) not in "<>")
"""85 letters that HTML leaves alone, in or outside of a script."""

FROM_BASE_85 = bytes.maketrans(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~",
    LETTERS,
)
"""From the letters of Python's own base 85 (RFC 1924), which hold < and &."""

ID_DIGITS = 12
"""Digits of the hash of a text that are its id, unless the text is repeated."""

CONFIDENCE_DIGITS = 4
"""Decimals that rows are sorted by."""


def row_index(
    record: AuditRecord,
    instances: Sequence[InstanceRecord],
    cited_by: Mapping[str, tuple[int, ...]],
    packed_nodes: Mapping[str, int],
    record_hash: str,
) -> str:
    """Return the index of the explained rows, and what a review of them refers to, packed.

    Parameters
    ----------
    record : AuditRecord
        The audit.
    instances : sequence of InstanceRecord
        Its explained rows.
    cited_by : mapping of str to tuple of int
        Places of the findings that cite a row, by its id.
    packed_nodes : mapping of str to int
        How many pieces of text the script makes of each row that is packed, by its id.
    record_hash : str
        Hash of the record, to which reviews refer.
    """
    model = record.provenance.model
    numbers = {id: number for number, id in enumerate(packed_nodes)}
    slices = _slices(instances)
    return packed(
        {
            "report": record_hash,
            "is_reviewed": any(section.id == "reviews" for section in record.sections),
            "labels": [{"label": label, "shown": visible(label)} for label in model.labels]
            if model.task == "single_label"
            else [],
            # In columns, as like compresses well with like.
            "columns": _in_columns(
                _row(instance, is_packed=instance.id in numbers)
                | {
                    "findings": cited_by.get(instance.id, ()),
                    "packed": numbers.get(instance.id),
                    "nodes": packed_nodes.get(instance.id, 0),
                    "slices": [s for s in slices if instance.columns.get(s[0]) == s[1]],
                }
                for instance in instances
            ),
        }
    )


def _in_columns(rows: Iterable[Mapping[str, object]]) -> Mapping[str, list[object]]:
    columns: dict[str, list[object]] = defaultdict(list)
    for row in rows:
        for name, value in row.items():
            columns[name].append(value)
    return columns


def _row(instance: InstanceRecord, *, is_packed: bool) -> dict[str, object]:
    """Return what is said of one row; what the script can tell is left out.

    Of a packed row that is the hash of its text: ten thousand are half a megabyte.
    """
    predicted, confidence = predicted_labels(instance), instance.probability
    digest, link = text_sha256(instance.parts), anchor(instance.id)
    return {
        "text_sha256": "" if is_packed else digest,
        "id": "" if instance.id == digest[:ID_DIGITS] and not is_packed else instance.id,
        "anchor": "" if link == f"i-{instance.id}" else link,
        "name": row_name(instance),
        "paragraphs": 2 * len(instance.parts) if len(instance.parts) > 1 else 1,
        "predicted": [each.label for each in predicted],
        "shown": _(", ").join(
            f"{isolated(visible(each.label))} {each.number}" for each in predicted
        ),
        "labels": given_labels(instance) or (),
        "confidence": None if confidence is None else round(confidence, CONFIDENCE_DIGITS),
        "outcome": outcome(instance),
        "stratum": _(instance.stratum) if instance.stratum else "",
    }


def packed(value: object) -> str:
    """Return a value as JSON, compressed, in letters that HTML leaves alone.

    In base 85, since base 64 takes a fifteenth more.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    packer = zlib.compressobj(9, wbits=GZIP, memLevel=SHORT_BLOCKS)
    data = packer.compress(text.encode()) + packer.flush()
    return base64.b85encode(data).translate(FROM_BASE_85).decode()


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
