"""Records in the language that is spoken: what they say to readers, and nothing else."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

from explain.record import AuditRecord, Measure, Sentence, SystemIdentity, Table
from explain.record.base import Record
from reports import DISTRIBUTION
from reports.languages import is_english, translated_sentence, without_translation

__all__ = ["OWN_COLUMNS", "translated_record", "translated_slice"]

RecordT = TypeVar("RecordT", bound=Record)

OWN_COLUMNS = frozenset(
    {
        "another label", "baseline", "blinded", "change", "chosen", "chosen as", "compared with",
        "confidence at least", "error", "from", "kind", "largest completeness gap", "measure",
        "method",
        "name in the answers", "names common among", "not reported because", "note", "outcome",
        "property", "reason", "removed features become", "resolved", "rule", "scored", "side",
        "stratum", "style", "under four fifths", "value", "values inside their 90 % intervals",
        "verdict", "what", "what was explained", "why no better, and what was not measured",
        "with standard errors",
    }
)  # fmt: skip
"""Heads of columns whose texts are names of the checks, where other columns hold data."""


OWN_METHODS = frozenset(
    {
        "DeepLift", "GradientSHAP", "SHAP", "LIME", "Gradient x input", "Gradient L2 norm",
        "Integrated gradients", "Linear weights", "Occlusion", "Random values",
    }
)  # fmt: skip
"""Titles of the methods of this package, which are translated; a user's own method is not."""

DEMO_FIELDS = frozenset({"purpose", "decision_affected", "out_of_scope", "notice"})
"""What a system says that this package owns: the demo; of other systems users wrote it."""


def translated_record(record: RecordT) -> RecordT:
    """Return a record whose sentences are translated; names, ids and data are not.

    What it is made of is not validated again, and it is only shown: its hash is another one.
    """
    if is_english():
        return record
    with without_translation(_words_of_user(record) if isinstance(record, AuditRecord) else ()):
        return _record(record)


def translated_slice(measure: Measure) -> str:
    """Return of which rows a measure is; a label that stands there stays as it is."""
    rows = measure.slice
    return rows if rows in measure.of.values() else translated_sentence(rows)


def _words_of_user(record: AuditRecord) -> Iterator[str]:
    """Yield labels, methods of a user, and names and values of columns that a user chose."""
    yield from record.provenance.model.labels
    explained = (each for row in record.instances for each in row.attributions)
    yield from {each.method_title for each in explained} - OWN_METHODS
    columns: set[str] = set()
    for argument in ("group", "slices"):
        names = record.provenance.arguments.get(argument)
        columns |= {names} if isinstance(names, str) else set(map(str, _as_list(names)))
    yield from columns
    for section in record.sections:
        for measure in section.all_measures():
            column, _, value = measure.slice.partition(" = ")
            if column in columns:
                yield value


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _record(record: RecordT) -> RecordT:
    says, shown = _says(type(record)), frozenset[str]()
    if isinstance(record, SystemIdentity) and record.owner == DISTRIBUTION:
        shown = DEMO_FIELDS
    update = {
        name: _value(value, is_said=says[name] or name in shown)
        for name in type(record).model_fields
        if not isinstance(value := getattr(record, name), int | float | None)
    }
    if isinstance(record, Table):
        own = [column in OWN_COLUMNS for column in record.columns]
        update["rows"] = tuple(
            tuple(_value(cell, is_said=is_own) for cell, is_own in zip(row, own, strict=True))
            for row in record.rows
        )
    return record.model_copy(update=update)


def _value(value: Any, *, is_said: bool) -> Any:
    """Return a value with its sentences translated.

    `is_said` says that also a text without a template is one: the title of a section.
    """
    if isinstance(value, Record):
        return _record(value)
    if isinstance(value, str):
        return translated_sentence(value) if is_said or isinstance(value, Sentence) else value
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(_value(each, is_said=is_said) for each in value)
    if isinstance(value, Mapping):
        return {name: _value(each, is_said=False) for name, each in value.items()}
    return value


@cache
def _says(kind: type[Record]) -> Mapping[str, bool]:
    """Return of each field whether all of its texts are said to readers."""
    return {
        name: Sentence in info.metadata or _is_said(info.annotation)
        for name, info in kind.model_fields.items()
    }


def _is_said(annotation: Any) -> bool:
    """Tell whether a type is a sentence, several of them, or none; cells can also be data."""
    if Sentence in getattr(annotation, "__metadata__", ()):
        return True
    inner = [each for each in get_args(annotation) if each not in (type(None), Ellipsis)]
    return get_origin(annotation) is not None and len(inner) == 1 and _is_said(inner[0])
