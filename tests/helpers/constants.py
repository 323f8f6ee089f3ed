"""What checks say to a reader: constants of the code, filled with typed values."""

import re
from collections.abc import Iterator
from functools import cache

from explain.record import Section, Sentence
from tests.helpers.messages import FIELD, pages, sentences

__all__ = ["not_constant", "said"]

JOINED = re.compile(r"\{s0\}(\W+\{s\d+\})+")
"""The template of sentences that are joined: their fields and what stands between."""


@cache
def constants() -> frozenset[str]:
    """Return all that the catalogues of translations have, and what has no letters."""
    return frozenset({*sentences(), *pages(), ""})


def said(section: Section) -> Iterator[str]:
    """Yield what a section says to a reader, without cells, which may be data."""
    yield from (section.title, section.summary, section.skipped or "")
    for finding in section.findings:
        yield from (finding.claim, finding.suggestion)
    for table in section.tables:
        yield from (table.title, *table.columns, table.note or "")
    for figure in section.figures:
        yield from (figure.title, figure.description)
        yield getattr(figure, "axis", "")
        yield getattr(figure, "reference_label", None) or ""
        yield from (bin.accuracy.name for bin in getattr(figure, "bins", ()))
    for measure in section.all_measures():
        # In a figure of slices, a measure bears the condition that a user wrote.
        yield from (measure.name if measure.name != measure.slice else "", measure.method or "")


def not_constant(sentence: str) -> Iterator[str]:
    """Yield the parts of a sentence that are not in the code: somebody has put a value in them."""
    template = sentence.template if isinstance(sentence, Sentence) else sentence
    is_data = not re.search(r"[^\W\d_]", FIELD.sub("", template))
    if template not in constants() and not JOINED.fullmatch(template) and not is_data:
        yield template
    if isinstance(sentence, Sentence):
        for value in sentence.values.values():
            if isinstance(value, Sentence):
                yield from not_constant(value)
