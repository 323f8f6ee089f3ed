"""Which evidence of an audit bears on which question of laws and standards; never compliance."""

from typing import Final

from explain.record import AuditRecord, Section
from reports.languages import translate as _
from reports.languages.records import translated_record
from reports.markdown import escape

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

ROWS: Final = (
    ("Accuracy with its uncertainty", "performance", (1, 1, 0, 1, 1, 1)),
    ("Calibration of probabilities", "calibration", (1, 1, 0, 0, 1, 1)),
    ("Quality of the test data", "data", (1, 1, 0, 0, 1, 1)),
    ("Accuracy in parts of the data", "slices", (1, 1, 0, 1, 1, 1)),
    ("Robustness to changes of the text", "robustness", (1, 1, 0, 0, 1, 1)),
    ("Differences between groups", "fairness", (1, 1, 1, 0, 1, 1)),
    ("Shortcuts that the model takes", "shortcuts", (1, 1, 0, 0, 1, 1)),
    ("Explanations, and whether they can be believed", "trust", (0, 1, 0, 0, 1, 1)),
    ("Same input, same answer", "stability", (1, 1, 0, 0, 1, 1)),
    ("Reviews by people", "reviews", (0, 1, 0, 1, 1, 1)),
)
"""A question, the section with evidence, and which of `FRAMEWORKS` it may be of use for."""


def coverage_table(record: AuditRecord) -> str:
    """Return a Markdown table of what this audit has evidence for, and what it has not."""
    record = translated_record(record)
    sections = {section.id: section for section in record.sections}
    head = (_("question"), _("evidence in this audit"), *map(_, FRAMEWORKS))
    lines = [
        f"# {_('Evidence in the audit of {name}', name=escape(record.identity.name))}",
        "",
        _(
            "This table helps to find evidence. It is no legal advice and no statement of "
            "compliance. {mark}: likely to be of use for that text; check the text itself. NOT "
            "EVIDENCED: this audit measured nothing for it.",
            mark=MARK,
        ),
        "",
        f"| {' | '.join(head)} |",
        f"| {' | '.join(['---'] * len(head))} |",
    ]
    for question, id, uses in ROWS:
        marks = (MARK if use else DASH for use in uses)
        lines.append(f"| {_(question)} | {_evidence(sections.get(id))} | {' | '.join(marks)} |")
    for question, evidence, facts in _facts(record):
        marks = (MARK if use else DASH for use in facts)
        lines.append(f"| {question} | {evidence} | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


def _evidence(section: Section | None) -> str:
    if section is None:
        return _(NOT_EVIDENCED, reason=_("not examined"))
    if section.skipped is not None:
        return _(NOT_EVIDENCED, reason=escape(section.skipped))
    return _("section {title}", title=escape(section.title))


def _facts(record: AuditRecord) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
    identity = record.identity
    n = len(record.criteria)
    criteria = _("{n} {n:criterion|criteria}", n=n) if n else ""
    unknown = _(NOT_EVIDENCED, reason=_("a record cannot say; run explain verify"))
    return (
        (
            _("Metrics and thresholds that were set before"),
            _statement(criteria),
            (1, 1, 0, 0, 1, 1),
        ),
        (_("Intended purpose"), _statement(identity.purpose), (0, 1, 0, 0, 1, 1)),
        (_("Use out of scope"), _statement(identity.out_of_scope), (0, 1, 0, 0, 1, 1)),
        (_("Who is responsible"), _statement(identity.owner), (1, 1, 0, 0, 1, 1)),
        (_("Report dated and signed"), unknown, (1, 1, 0, 0, 0, 1)),
        (_("Human oversight of decisions"), _statement(None), (0, 1, 0, 1, 1, 1)),
    )


def _statement(text: str | None) -> str:
    return escape(text) if text else _(NOT_EVIDENCED, reason=_("not stated"))
