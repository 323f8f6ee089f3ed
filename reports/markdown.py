"""The Markdown summary of an audit, short enough for a pull request."""

import re
from collections.abc import Iterable, Iterator

from explain.record import AuditRecord, Finding, JudgedCriterion, Measure
from reports import summary as said
from reports.numbers import count, estimate
from reports.text import visible

__all__ = ["escape", "summary"]

_MARKS = re.compile(r"([\\`*_\[\]{}<>|~&!$]|:(?=/)|(?<=www)\.)", re.IGNORECASE)
"""What can start markup, HTML, a table cell or an automatic link."""

_CALLS = re.compile(r"([@#])")
"""What a forge turns into a call of a person or an issue, even where it is escaped."""


def summary(record: AuditRecord) -> str:
    """Return the verdict, the measures, the findings, the grades and the counts of an audit."""
    parts = (_head, _numbers, _findings, _grades, _limits)
    return "\n".join(line for part in parts for line in part(record))


def escape(text: str) -> str:
    r"""Return `text` as Markdown that shows it and does nothing else.

    Examples
    --------
    >>> escape("a|b <i> *c*")
    'a\\|b \\<i\\> \\*c\\*'
    """
    return _CALLS.sub("\\1\u200b", _MARKS.sub(r"\\\1", visible(text)))


def _head(record: AuditRecord) -> Iterator[str]:
    verdict, counts = said.verdict(record), said.counts(record)
    yield f"# {verdict.icon} {verdict.word}: audit of {escape(record.identity.name)}".replace(
        "  ", " "
    )
    yield ""
    if record.identity.notice:
        yield f"> **Notice.** {escape(record.identity.notice)}"
        yield ""
    if alert := said.alert(record):
        yield f"> **Unsafe.** {escape(alert)}"
        yield ""
    if rule := record.provenance.model.decision_rule:
        yield f"Decision threshold: {escape(rule)}."
        yield ""
    yield f"{verdict.detail}."
    yield f"{counts.scored_rows} of {counts.rows} rows scored, {counts.skipped} skipped;"
    yield f"{counts.explained_rows} explained, {counts.not_measured} not measured."
    yield f"{said.day(record)}, record `{said.record_hash(record)}`."
    yield ""


def _numbers(record: AuditRecord) -> Iterator[str]:
    if record.criteria:
        yield from _table(
            ("criterion", "threshold", "measured [95 %]", "n", "verdict"),
            map(_criterion, record.criteria),
        )
        if frozen := said.frozen(record):
            yield escape(frozen)
            yield ""
    elif measures := said.key_measures(record):
        yield from _table(("measure", "value [95 %]", "n"), map(_measure, measures))


def _criterion(criterion: JudgedCriterion) -> tuple[str, ...]:
    measured = criterion.measure
    return (
        escape(said.criterion_name(criterion)),
        said.threshold(criterion),
        escape(estimate(measured)) if measured else "not measured",
        count(measured.n) if measured else "–",
        f"{said.ICONS[criterion.verdict]} {criterion.verdict}",
    )


def _measure(measure: Measure) -> tuple[str, ...]:
    return escape(measure.name), escape(estimate(measure)), count(measure.n)


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (columns, ("---",) * len(columns), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""


def _findings(record: AuditRecord) -> Iterator[str]:
    yield "## What to know"
    yield ""
    if not record.findings:
        yield "No check reported a finding. That speaks only for what was looked at."
    yield from map(_finding, record.findings[: said.FINDINGS_SHOWN])
    if (hidden := len(record.findings) - said.FINDINGS_SHOWN) > 0:
        yield f"- and {count(hidden)} more, in the report"
    yield ""


def _finding(finding: Finding) -> str:
    size = f" {escape(size)}." if (size := said.size(finding)) else ""
    return f"- **{escape(finding.claim)}** ({finding.severity}){size} {escape(finding.suggestion)}"


def _grades(record: AuditRecord) -> Iterator[str]:
    if grades := said.grades(record):
        yield "## Can the explanations be trusted?"
        yield ""
        yield from map(_grade, grades)
        yield ""


def _grade(method: said.GradeView) -> str:
    told = ", ".join(
        f"{grade or 'not graded'}{f' × {number}' if number else ''}"
        for grade, number in method.grades
    )
    return " ".join((f"- **{escape(method.method)}**: {told}.", *map(escape, method.reasons)))


def _limits(record: AuditRecord) -> Iterator[str]:
    if limits := said.limits(record):
        yield "## Not measured"
        yield ""
        yield from (f"- {escape(limit.subject)}: {escape(limit.reason)}" for limit in limits)
        yield ""
