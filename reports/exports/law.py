"""Numbers as New York's Local Law 144 and the EU's Digital Services Act ask for them."""

from collections.abc import Iterator, Mapping, Sequence

from explain.record import AuditRecord, Measure
from reports import summary
from reports.exports.categories import (
    Category,
    Key,
    accuracies_by_language,
    categories_of,
    key_of,
    measures_of,
)
from reports.exports.coverage import NOT_EVIDENCED
from reports.languages import translate as _
from reports.languages import translated_sentence
from reports.markdown import escape
from reports.numbers import count, estimate

__all__ = ["dsa_sheet", "ll144_summary"]

NO_ADVICE = "This sheet helps to prepare a publication. It is no statement of compliance."

EU_LANGUAGES = {
    "bg": "Bulgarian", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "et": "Estonian", "fi": "Finnish", "fr": "French",
    "ga": "Irish", "hr": "Croatian", "hu": "Hungarian", "it": "Italian", "lt": "Lithuanian",
    "lv": "Latvian", "mt": "Maltese", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "sk": "Slovak", "sl": "Slovenian", "sv": "Swedish",
}  # fmt: skip
"""The official languages of the Union (Regulation No 1 of 1958, as amended), by ISO 639-1."""

SMALL_CATEGORY = 0.02
"""Share of the data under which a category may be left out (6 RCNY 5-301 (d))."""


def ll144_summary(record: AuditRecord) -> str:
    """Return what is published of a bias audit (6 RCNY 5-303 (a)), with intervals.

    A table for each decision by each column of categories, and by all columns together.
    """
    rates = measures_of(record, "fairness.selection_rate")
    ratios = {key_of(m): m for m in measures_of(record, "fairness.impact_ratio")}
    lines = [*_head(_("Selection rates and impact ratios"), record), *_ll144_facts(record), ""]
    tables = [*categories_of(record, rates)]
    if not tables:
        return _not_evidenced(
            lines, _("no column of groups was given; pass --group, or group= to the audit")
        )
    for title, categories in tables:
        lines += [f"## {escape(title)}", "", *_rates(record, categories, ratios), ""]
    return "\n".join(lines).rstrip() + "\n"


def _ll144_facts(record: AuditRecord) -> Iterator[str]:
    identity = record.identity
    to_add = _(NOT_EVIDENCED, reason=_("the employer adds it"))
    unanswered = record.rows - record.scored_rows
    yield from (
        f"- {fact}"
        for fact in (
            _(
                "Tool: {tool}",
                tool=escape(" ".join(filter(None, (identity.name, identity.version)))),
            ),
            _(
                "What it decides: {decision}",
                decision=_statement(identity.decision_affected) or to_add,
            ),
            _("Date of the bias audit: {day}", day=summary.day(record)),
            _("Auditor: {name}", name=_statement(identity.auditor) or to_add),
            _("Date from which the tool is used: {to_add}", to_add=to_add),
            _("Source of the data: {source}", source=_sources(record) or to_add),
            _("Historical data or test data, and how they were collected: {to_add}", to_add=to_add),
            _(
                "Applicants: {n}, one for each row of the table; {unanswered} had no answer and "
                "count as not selected",
                n=record.rows,
                unanswered=unanswered,
            ),
        )
    )


def _rates(
    record: AuditRecord, categories: Sequence[Category], ratios: Mapping[Key, Measure]
) -> Iterator[str]:
    """Yield the table of one decision by one column, and who is in none of its categories."""
    reference = max(categories, key=lambda category: category.rate.value or 0.0)
    rows = []
    small = False
    for category in categories:
        rate = category.rate
        is_small = rate.n < SMALL_CATEGORY * record.rows
        small |= is_small
        ratio = ratios.get(key_of(rate))
        rows.append(
            (
                escape(category.name) + (" \\*" if is_small else ""),
                count(rate.n),
                _("none") if rate.value is None else count(round(rate.value * rate.n)),
                estimate(rate),
                _most_selected(category, reference) if ratio is None else estimate(ratio),
            )
        )
    heads = (
        _("category"),
        _("applicants"),
        _("selected"),
        _("selection rate [95 %]"),
        _("impact ratio [95 %]"),
    )
    yield from _table(heads, rows)
    yield ""
    unknown = record.rows - sum(category.rate.n for category in categories)
    yield _("Unknown: {n} {n:applicant is|applicants are} in no category of this table.", n=unknown)
    if small:
        yield _(
            "\\* Less than 2 % of the applicants; the rule allows to leave the category out of the "
            "impact ratios."
        )


def _most_selected(category: Category, reference: Category) -> str:
    return _("1, the most selected category") if category is reference else _("not measured")


def dsa_sheet(record: AuditRecord) -> str:
    """Return the accuracy of automated decisions for each language (DSA, Art. 42(2)(c))."""
    languages = [*accuracies_by_language(record)]
    lines = _head(_("Accuracy and possible rate of error by language"), record)
    to_add = _(NOT_EVIDENCED, reason=_("the provider adds it"))
    lines += [
        "- " + _("Automated means: {tool}", tool=escape(record.identity.name)),
        "- " + _("Purpose: {purpose}", purpose=_statement(record.identity.purpose) or to_add),
        "- " + _("Date of the audit: {day}", day=summary.day(record)),
        "- " + _("Source of the data: {source}", source=_sources(record) or to_add),
        "- " + _("Safeguards that apply to the automated means: {to_add}", to_add=to_add),
        "",
    ]
    if not languages:
        missing = _(
            "no column of languages was given; name one “language”, and pass --slice language, or "
            "slices=['language'] to the audit"
        )
        return _not_evidenced(lines, missing)
    rows = [
        (escape(name), count(m.n), _wrong(m), estimate(m), _error_rate(m)) for name, m in languages
    ]
    heads = (
        _("language"),
        _("texts with a known answer"),
        _("wrong"),
        _("accuracy [95 %]"),
        _("possible rate of error [95 %]"),
    )
    absent = _absent_languages([name for name, _m in languages])
    lines += [*_table(heads, rows), ""]
    if absent:
        lines.append(
            _(
                "Official languages of the Union without a row: {codes}. {not_evidenced}",
                codes=", ".join(absent),
                not_evidenced=_(NOT_EVIDENCED, reason=_("no text of them was in the data")),
            )
        )
    return "\n".join(lines).rstrip() + "\n"


def _absent_languages(names: Sequence[str]) -> list[str]:
    """Return the codes of official languages that no name or code of the data stands for."""
    known = {name.casefold() for name in names}
    known |= {name.replace("_", "-").partition("-")[0] for name in known}
    return [
        code
        for code, language in EU_LANGUAGES.items()
        if code not in known and language.casefold() not in known
    ]


def _wrong(measure: Measure) -> str:
    if measure.value is None:
        return _("not measured")
    return count(measure.n - round(measure.value * measure.n))


def _error_rate(measure: Measure) -> str:
    if measure.value is None:
        return _("not measured")
    ends = {"value": 1 - measure.value}
    if measure.lower is not None and measure.upper is not None:
        ends |= {"lower": 1 - measure.upper, "upper": 1 - measure.lower}
    return estimate(measure.model_copy(update=ends))


def _sources(record: AuditRecord) -> str:
    return escape(_(", ").join(file.path for file in record.provenance.data))


def _statement(text: str | None) -> str:
    return escape(translated_sentence(text)) if text else ""


def _head(title: str, record: AuditRecord) -> list[str]:
    return [f"# {title}{_(': ')}{escape(record.identity.name)}", "", _(NO_ADVICE), ""]


def _not_evidenced(lines: Sequence[str], missing: str) -> str:
    return "\n".join((*lines, _(NOT_EVIDENCED, reason=missing))) + "\n"


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    for row in (columns, ("---",) * len(columns), *rows):
        yield f"| {' | '.join(row)} |"
