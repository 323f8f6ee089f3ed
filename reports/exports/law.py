"""Numbers as New York's Local Law 144 and the EU's Digital Services Act ask for them."""

from collections.abc import Iterable, Iterator, Sequence

from explain.record import AuditRecord, Measure
from reports import summary
from reports.exports.coverage import NOT_EVIDENCED
from reports.languages import translate as _
from reports.languages import translated_sentence
from reports.markdown import escape
from reports.numbers import count, estimate

__all__ = ["dsa_sheet", "ll144_summary"]

NO_ADVICE = "This sheet helps to prepare a publication. It is no statement of compliance."

LANGUAGES = ("language", "lang", "locale")
"""Names of columns that hold the language of a text."""


def ll144_summary(record: AuditRecord) -> str:
    """Return selection rates and impact ratios of groups (6 RCNY 5-301), with their intervals."""
    rates = _measures(record, "fairness.selection_rate")
    ratios = {_key(m): m for m in _measures(record, "fairness.impact_ratio")}
    sources = _(", ").join(file.path for file in record.provenance.data)
    unanswered = record.rows - record.scored_rows
    facts = (
        _("Date of the audit: {day}", day=summary.day(record)),
        _("Source of the data: {source}", source=escape(sources) or _("not stated")),
        _("Rows: {n}, of which {unanswered} had no answer", n=record.rows, unanswered=unanswered),
        _("Rows without a group are in no rate; see the section on fairness for their number"),
    )
    lines = [
        *_head(_("Selection rates and impact ratios"), record),
        *(f"- {fact}" for fact in facts),
        "",
    ]
    rows = [
        (
            escape(translated_sentence(m.name)),
            escape(m.slice),
            count(m.n),
            estimate(m),
            estimate(ratios[_key(m)]) if _key(m) in ratios else _("reference, or not measured"),
        )
        for m in rates
    ]
    missing = _("no column of groups was given; pass group= to the audit")
    heads = (_("rate"), _("group"), _("n"), _("selection rate"), _("impact ratio"))
    return _sheet(lines, heads, rows, missing)


def dsa_sheet(record: AuditRecord) -> str:
    """Return the accuracy of automated decisions for each language (DSA, Art. 42(2)(c))."""
    languages = [
        m
        for m in _measures(record, "performance.accuracy")
        if m.slice.partition(" = ")[0].casefold() in LANGUAGES
    ]
    rows = [
        (escape(m.slice.partition(" = ")[2]), count(m.n), estimate(m), _error_rate(m))
        for m in languages
    ]
    missing = _("no column of languages was given; pass slices=['language'] to the audit")
    lines = _head(_("Accuracy and possible rate of error by language"), record)
    heads = (_("language"), _("n"), _("accuracy"), _("possible rate of error"))
    return _sheet(lines, heads, rows, missing)


def _key(measure: Measure) -> tuple[str, tuple[tuple[str, str], ...]]:
    return measure.slice, tuple(sorted(measure.of.items()))


def _error_rate(measure: Measure) -> str:
    if measure.value is None:
        return _("not measured")
    ends = {"value": 1 - measure.value}
    if measure.lower is not None and measure.upper is not None:
        ends |= {"lower": 1 - measure.upper, "upper": 1 - measure.lower}
    return estimate(measure.model_copy(update=ends))


def _head(title: str, record: AuditRecord) -> list[str]:
    return [f"# {title}{_(': ')}{escape(record.identity.name)}", "", _(NO_ADVICE), ""]


def _sheet(
    lines: list[str], columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], missing: str
) -> str:
    if not rows:
        return "\n".join((*lines, _(NOT_EVIDENCED, reason=missing))) + "\n"
    table: Iterable[Iterable[str]] = (columns, ["---"] * len(columns), *rows)
    return "\n".join((*lines, *(f"| {' | '.join(row)} |" for row in table))) + "\n"


def _measures(record: AuditRecord, metric: str) -> Iterator[Measure]:
    seen = set()
    for section in record.sections:
        for measure in section.all_measures():
            if measure.metric == metric and _key(measure) not in seen:
                seen.add(_key(measure))
                yield measure
