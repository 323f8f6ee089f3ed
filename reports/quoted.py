"""What records quote from others than this package."""

from collections.abc import Iterator, Mapping

from explain.record import AuditRecord, Comparison, Sentence
from explain.record.base import Record

__all__ = ["quoted_in", "quoted_of_audit", "quoted_of_comparison"]


def quoted_in(*values: object) -> Iterator[str]:
    """Yield the texts among what is said; of a sentence those of its values.

    Examples
    --------
    >>> [*quoted_in(Sentence("{n} – “{label}”", n=2, label="spam"), "a – b")]
    ['spam', 'a – b']
    """
    for value in values:
        if isinstance(value, Sentence):
            yield from quoted_in(*value.values.values())
        elif isinstance(value, str):
            yield value
        elif isinstance(value, Record):
            yield from quoted_in(*(getattr(value, name) for name in type(value).model_fields))
        elif isinstance(value, Mapping):
            yield from quoted_in(*value, *value.values())
        elif isinstance(value, tuple | list):
            yield from quoted_in(*value)


def quoted_of_audit(record: AuditRecord) -> Iterator[str]:
    """Yield the texts in what a terminal shows of an audit."""
    model = record.provenance.model
    yield from quoted_in(model.labels, model.decision_rule, record.criteria, record.findings)


def quoted_of_comparison(comparison: Comparison) -> Iterator[str]:
    """Yield the texts in what a terminal shows of a comparison."""
    titles = [change.title for change in comparison.changes]
    yield from quoted_in(comparison.first, comparison.second, comparison.answer, *titles)
