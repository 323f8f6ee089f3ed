"""The Markdown summary of an audit, short enough for a pull request."""

import re
from collections.abc import Iterable, Iterator

from explain.record import AuditRecord, Finding, JudgedCriterion, Measure
from reports import summary as said
from reports.bidi import isolated_runs
from reports.languages import join_texts, translated_sentence
from reports.languages import translate as _
from reports.languages.records import translated_record
from reports.numbers import count, estimate
from reports.text import visible

__all__ = ["escape", "summary"]

_MARKS = re.compile(r"([\\`*_\[\]{}<>|~&!$]|:(?=/)|(?<=www)\.)", re.IGNORECASE)
"""What can start markup, HTML, a table cell or an automatic link."""

_CALLS = re.compile(r"([@#])")
"""What a forge turns into a call of a person or an issue, even where it is escaped."""


def summary(record: AuditRecord) -> str:
    """Return the verdict, the measures, the findings, the grades and the counts of an audit."""
    shown = translated_record(record)
    head = _head(shown, said.record_hash(record))
    parts = (_numbers, _findings, _grades, _limits)
    return "\n".join((*head, *(line for part in parts for line in part(shown))))


def escape(text: str) -> str:
    r"""Return `text` as Markdown that shows it and does nothing else.

    Examples
    --------
    >>> escape("a|b <i> *c*")
    'a\\|b \\<i\\> \\*c\\*'
    """
    return _CALLS.sub("\\1\u200b", _MARKS.sub(r"\\\1", isolated_runs(visible(text))))


def _head(record: AuditRecord, record_hash: str) -> Iterator[str]:
    verdict, counts = said.verdict(record), said.counts(record)
    title = _("{verdict}: audit of {name}", verdict=verdict.word, name=escape(record.identity.name))
    yield f"# {verdict.icon} {title}".replace("  ", " ")
    yield ""
    if record.identity.notice:
        yield f"> **{_('Notice.')}** {escape(record.identity.notice)}"
        yield ""
    if alert := said.alert(record):
        yield f"> **{_('Unsafe.')}** {escape(alert)}"
        yield ""
    if rule := record.provenance.model.decision_rule:
        yield _("Decision threshold: {rule}.", rule=escape(translated_sentence(rule)))
        yield ""
    yield _("{detail}.", detail=verdict.detail)
    yield _(
        "{scored} of {rows} rows scored, {skipped} skipped;",
        scored=counts.scored_rows,
        rows=counts.rows,
        skipped=counts.skipped,
    )
    yield _(
        "{explained} explained, {not_measured} not measured.",
        explained=counts.explained_rows,
        not_measured=counts.not_measured,
    )
    yield _("{day}, record `{hash}`.", day=said.day(record), hash=record_hash)
    yield ""


def _numbers(record: AuditRecord) -> Iterator[str]:
    if record.criteria:
        yield from _table(
            (_("criterion"), _("threshold"), _("measured [95 %]"), _("n"), _("verdict")),
            map(_criterion, record.criteria),
        )
        if frozen := said.frozen(record):
            yield escape(frozen)
            yield ""
    elif measures := said.key_measures(record):
        heads = (_("measure"), _("value [95 %]"), _("n"))
        yield from _table(heads, map(_measure, measures))


def _criterion(criterion: JudgedCriterion) -> tuple[str, ...]:
    measured = criterion.measure
    return (
        escape(said.criterion_name(criterion)),
        said.threshold(criterion),
        escape(estimate(measured)) if measured else _("not measured"),
        count(measured.n) if measured else "–",
        f"{said.ICONS[criterion.verdict]} {_(criterion.verdict)}",
    )


def _measure(measure: Measure) -> tuple[str, ...]:
    return escape(measure.name), escape(estimate(measure)), count(measure.n)


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (columns, ("---",) * len(columns), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""


def _findings(record: AuditRecord) -> Iterator[str]:
    yield f"## {_('Findings')}"
    yield ""
    if not record.findings:
        yield _("No check reported a finding. That speaks only for what was looked at.")
    yield from map(_finding, record.findings[: said.FINDINGS_SHOWN])
    if (hidden := len(record.findings) - said.FINDINGS_SHOWN) > 0:
        yield f"- {_('and {n} more, in the report', n=hidden)}"
    yield ""


def _finding(finding: Finding) -> str:
    size = said.size(finding)
    return "- " + join_texts(
        f"**{escape(finding.claim)}**",
        _("({severity})", severity=_(finding.severity)),
        _("{size}.", size=escape(size)) if size else "",
        escape(finding.suggestion),
    )


def _grades(record: AuditRecord) -> Iterator[str]:
    if grades := said.grades(record):
        yield f"## {_('Can the explanations be trusted?')}"
        yield ""
        yield from map(_grade, grades)
        yield ""


def _grade(method: said.GradeView) -> str:
    told = _(", ").join(
        f"{grade or _('not graded')}{f' × {number}' if number else ''}"
        for grade, number in method.grades
    )
    grade = _("{grades}.", grades=told)
    reasons = join_texts(grade, *map(escape, method.reasons))
    return f"- **{escape(method.method)}**{_(': ')}{reasons}"


def _limits(record: AuditRecord) -> Iterator[str]:
    if limits := said.limits(record):
        yield f"## {_('Not measured')}"
        yield ""
        yield from (f"- {escape(limit.subject)}{_(': ')}{escape(limit.reason)}" for limit in limits)
        yield ""
