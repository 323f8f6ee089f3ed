"""Which evidence of an audit bears on which question of laws and standards; never compliance."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from explain.record import AuditRecord, Measure, Section
from reports import summary
from reports.exports.categories import accuracies_by_language, measures_of
from reports.languages import translate as _
from reports.languages.records import translated_record
from reports.markdown import escape
from reports.numbers import count, estimate

__all__ = ["FRAMEWORKS", "NOT_EVIDENCED", "coverage_table"]

NOT_EVIDENCED = "NOT EVIDENCED: {reason}"
"""What stands where an audit measured nothing; the capitals are what readers search for."""

FRAMEWORKS: Final = (
    "EU AI Act, Annex IV 2(g)",
    "SR 26-2",
    "NYC LL144",
    "DSA 42(2)(c)",
    "NIST AI RMF",
    "ISO/IEC 42001",
)

MARK, DASH = "●", "–"

AUDITOR = "whoever runs the audit"
OWNER = "the owner of the system, in [system] of audit.toml"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where the answer to a question is in an audit, or why it is not there."""

    text: str
    is_there: bool = True

    def __str__(self) -> str:
        """Return what a table says of it."""
        return self.text if self.is_there else _(NOT_EVIDENCED, reason=self.text)


Answer: TypeAlias = Callable[[AuditRecord], Evidence]


def _in_section(id: str, metric: str = "") -> Answer:
    """Return a section with its number of that metric, or with how much it measured."""

    def answer(record: AuditRecord) -> Evidence:
        section = next((section for section in record.sections if section.id == id), None)
        if section is None:
            return Evidence(_("not examined"), is_there=False)
        if section.skipped is not None:
            return Evidence(escape(section.skipped), is_there=False)
        return Evidence(
            _(
                "section {title}: {size}; {n} {n:finding|findings}",
                title=escape(section.title),
                size=_size_of(section, metric),
                n=len(section.findings),
            )
        )

    return answer


def _size_of(section: Section, metric: str) -> str:
    measures = [*section.all_measures()]
    headline = (m for m in measures if m.metric == metric and m.slice == "all")
    if measure := next(headline, None):
        return _(
            "{measure} {estimate}, n = {n}",
            measure=escape(measure.name),
            estimate=escape(estimate(measure)),
            n=count(measure.n),
        )
    most = max((measure.n for measure in measures), default=0)
    return _("{k} {k:measure|measures}, n up to {n}", k=len(measures), n=count(most))


def _by_language(record: AuditRecord) -> Evidence:
    return _groups(
        [measure for _language, measure in accuracies_by_language(record)],
        _("no column of languages was compared"),
    )


def _by_category(record: AuditRecord) -> Evidence:
    rates = [*measures_of(record, "fairness.selection_rate")]
    return _groups(rates, _("no column of categories was compared"))


def _groups(measures: list[Measure], missing: str) -> Evidence:
    if not measures:
        return Evidence(missing, is_there=False)
    smallest = count(min(measure.n for measure in measures))
    return Evidence(
        _("{k} {k:measure|measures}, the smallest of n = {n}", k=len(measures), n=smallest)
    )


def _criteria(record: AuditRecord) -> Evidence:
    n = len(record.criteria)
    if not n or record.criteria_set_after_run_on:
        return Evidence(_("none were set before the run"), is_there=False)
    return Evidence(_("{n} {n:criterion|criteria}", n=n))


def _statement(field: str) -> Answer:
    """Return what the identity of the system says."""

    def answer(record: AuditRecord) -> Evidence:
        text: str | None = getattr(record.identity, field)
        return Evidence(escape(text)) if text else Evidence(_("not stated"), is_there=False)

    return answer


def _signed(record: AuditRecord) -> Evidence:
    reason = _("dated {day}; whether it is signed, explain verify says", day=summary.day(record))
    return Evidence(reason, is_there=False)


def _oversight(record: AuditRecord) -> Evidence:
    return Evidence(_("an audit of a model does not see it"), is_there=False)


QUESTIONS: Final = (
    (
        "Accuracy with its uncertainty",
        (1, 1, 0, 0, 1, 1),
        _in_section("performance", "performance.accuracy"),
        AUDITOR,
    ),
    (
        "Accuracy by language",
        (0, 0, 0, 1, 0, 0),
        _by_language,
        "whoever runs the audit: --slice with a column of languages; details: export --to dsa",
    ),
    (
        "Calibration of probabilities",
        (1, 1, 0, 0, 1, 1),
        _in_section("calibration", "calibration.error"),
        AUDITOR,
    ),
    (
        "Quality of the test data",
        (1, 1, 0, 0, 1, 1),
        _in_section("data", "data.wrong_labels"),
        AUDITOR,
    ),
    ("Accuracy in parts of the data", (1, 1, 0, 1, 1, 1), _in_section("slices"), AUDITOR),
    ("Robustness to changes of the text", (1, 1, 0, 0, 1, 1), _in_section("robustness"), AUDITOR),
    ("Differences between groups", (1, 1, 0, 0, 1, 1), _in_section("fairness"), AUDITOR),
    (
        "Selection rates and impact ratios by category",
        (0, 0, 1, 0, 0, 0),
        _by_category,
        "whoever runs the audit: --group with a column of categories; details: export --to ll144",
    ),
    ("Shortcuts that the model takes", (1, 1, 0, 0, 1, 1), _in_section("shortcuts"), AUDITOR),
    (
        "Explanations, and whether they can be believed",
        (0, 1, 0, 0, 1, 1),
        _in_section("trust"),
        AUDITOR,
    ),
    ("Same input, same answer", (1, 1, 0, 0, 1, 1), _in_section("stability"), AUDITOR),
    (
        "Reviews by people",
        (0, 1, 0, 1, 1, 1),
        _in_section("reviews"),
        "reviewers, in the report; then explain review import",
    ),
    (
        "Metrics and thresholds that were set before",
        (1, 1, 0, 0, 1, 1),
        _criteria,
        "the owner of the system, in [[criteria]] of audit.toml, before the audit",
    ),
    ("Intended purpose", (0, 1, 0, 0, 1, 1), _statement("purpose"), OWNER),
    ("Use out of scope", (0, 1, 0, 0, 1, 1), _statement("out_of_scope"), OWNER),
    ("Who is responsible", (1, 1, 0, 0, 1, 1), _statement("owner"), OWNER),
    (
        "Report dated and signed",
        (1, 1, 0, 0, 0, 1),
        _signed,
        "the auditor: explain review sign; anybody: explain verify",
    ),
    (
        "Human oversight of decisions",
        (0, 1, 0, 1, 1, 1),
        _oversight,
        "the organisation that decides by the model",
    ),
)
"""A question, which of `FRAMEWORKS` it may be of use for, where its answer is, and who fills it."""


def coverage_table(record: AuditRecord) -> str:
    """Return a Markdown table of what this audit has evidence for, and what it has not."""
    record = translated_record(record)
    answers = [(_(text), uses, of(record), _(to_do)) for text, uses, of, to_do in QUESTIONS]
    there = sum(evidence.is_there for _text, _uses, evidence, _to_do in answers)
    head = (
        _("question"),
        _("evidence in this audit"),
        _("who fills the gap"),
        *map(_, FRAMEWORKS),
    )
    lines = [
        f"# {_('Evidence in the audit of {name}', name=escape(record.identity.name))}",
        "",
        _(
            "{there} of {all} questions have evidence in this audit of {rows} rows.",
            there=there,
            all=len(answers),
            rows=record.rows,
        ),
        "",
        _(
            "This table helps to find evidence. It is no legal advice and no statement of "
            "compliance. {mark}: likely to be of use for that text; check the text itself. NOT "
            "EVIDENCED: this audit measured nothing for it. Numbers stand with their 95 % "
            "interval; n is how many rows or texts they rest on.",
            mark=MARK,
        ),
        "",
        f"| {' | '.join(head)} |",
        f"| {' | '.join(['---'] * len(head))} |",
    ]
    for question, uses, evidence, to_do in answers:
        gap = DASH if evidence.is_there else to_do
        marks = (MARK if use else DASH for use in uses)
        lines.append(f"| {' | '.join((question, str(evidence), gap, *marks))} |")
    return "\n".join(lines) + "\n"
