"""Measures of groups as publications ask for them, which a record keeps one by one."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from explain.record import AuditRecord, Measure
from reports.languages import translate as _
from reports.languages import translated_sentence

__all__ = [
    "Category",
    "Key",
    "accuracies_by_language",
    "categories_of",
    "key_of",
    "measures_of",
]

LANGUAGES = ("language", "lang", "locale")
"""Names of columns that hold the language of a text."""

Key: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]
"""Of which rows and of which decision a measure is."""


@dataclass(frozen=True, slots=True)
class Category:
    """A group of people, as what is published calls it."""

    name: str
    rate: Measure


def categories_of(
    record: AuditRecord, rates: Iterable[Measure]
) -> Iterator[tuple[str, list[Category]]]:
    """Yield the rates of each decision by each column, or by all of them, under their title."""
    rates = tuple(rates)
    columns = [
        column
        for column in _group_columns(record)
        if any(rate.slice.startswith(f"{column} = ") for rate in rates)
    ]
    tables: dict[tuple[str, tuple[str, ...]], list[Category]] = {}
    for rate in rates:
        by, name = _split(rate.slice, columns)
        tables.setdefault((translated_sentence(rate.name), by), []).append(Category(name, rate))
    for (rate_name, by), categories in tables.items():
        title = _("{rate}, by {columns:and}", rate=rate_name, columns=by)
        yield title[:1].upper() + title[1:], categories


def _group_columns(record: AuditRecord) -> list[str]:
    """Return the columns whose groups were compared."""
    named = record.provenance.arguments.get("group")
    return list(map(str, named if isinstance(named, list) else filter(None, [named])))


def _split(condition: str, columns: list[str]) -> tuple[tuple[str, ...], str]:
    """Return the columns of a condition, and the values that it asks for.

    Examples
    --------
    >>> _split("sex = F, age = 40", ["sex", "age"]), _split("sex = F", ["sex", "age"])
    ((('sex', 'age'), 'F, 40'), (('sex',), 'F'))
    """
    if len(columns) > 1:
        crossing = ", ".join(f"{re.escape(column)} = (.*)" for column in columns)
        if match := re.fullmatch(crossing, condition, re.DOTALL):
            return tuple(columns), ", ".join(match.groups())
    column, _equals, value = condition.partition(" = ")
    return (column,), value


def accuracies_by_language(record: AuditRecord) -> Iterator[tuple[str, Measure]]:
    """Yield each language with the accuracy on its texts."""
    for measure in measures_of(record, "performance.accuracy"):
        column, _equals, language = measure.slice.partition(" = ")
        if column.casefold() in LANGUAGES:
            yield language, measure


def measures_of(record: AuditRecord, metric: str) -> Iterator[Measure]:
    """Yield the measures of a metric, each once."""
    seen = set()
    for section in record.sections:
        for measure in section.all_measures():
            if measure.metric == metric and key_of(measure) not in seen:
                seen.add(key_of(measure))
                yield measure


def key_of(measure: Measure) -> Key:
    """Return of which rows and of which decision a measure is."""
    return measure.slice, tuple(sorted(measure.of.items()))
