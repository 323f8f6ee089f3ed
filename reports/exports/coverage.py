"""Which evidence of an audit bears on which question of laws and standards; never compliance."""

from typing import Final

from explain.record import AuditRecord, Section
from reports.markdown import escape

__all__ = ["FRAMEWORKS", "coverage_table"]

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
    sections = {section.id: section for section in record.sections}
    head = ("question", "evidence in this audit", *FRAMEWORKS)
    lines = [
        f"# Evidence in the audit of {escape(record.identity.name)}",
        "",
        "This table helps to find evidence. It is no legal advice and no statement of compliance. "
        f"{MARK}: likely to be of use for that text; check the text itself. "
        "NOT EVIDENCED: this audit measured nothing for it.",
        "",
        f"| {' | '.join(head)} |",
        f"| {' | '.join(['---'] * len(head))} |",
    ]
    for question, id, uses in ROWS:
        marks = (MARK if use else DASH for use in uses)
        lines.append(f"| {question} | {_evidence(sections.get(id))} | {' | '.join(marks)} |")
    for question, evidence, facts in _facts(record):
        marks = (MARK if use else DASH for use in facts)
        lines.append(f"| {question} | {evidence} | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


def _evidence(section: Section | None) -> str:
    if section is None:
        return "NOT EVIDENCED: not examined"
    if section.skipped is not None:
        return f"NOT EVIDENCED: {escape(section.skipped)}"
    return f"section {escape(section.title)}"


def _facts(record: AuditRecord) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
    identity = record.identity
    criteria = f"{len(record.criteria)} criteria" if record.criteria else ""
    unknown = "NOT EVIDENCED: a record cannot say; run explain verify"
    return (
        ("Metrics and thresholds that were set before", _statement(criteria), (1, 1, 0, 0, 1, 1)),
        ("Intended purpose", _statement(identity.purpose), (0, 1, 0, 0, 1, 1)),
        ("Use out of scope", _statement(identity.out_of_scope), (0, 1, 0, 0, 1, 1)),
        ("Who is responsible", _statement(identity.owner), (1, 1, 0, 0, 1, 1)),
        ("Report dated and signed", unknown, (1, 1, 0, 0, 0, 1)),
        ("Human oversight of decisions", _statement(None), (0, 1, 0, 1, 1, 1)),
    )


def _statement(text: str | None) -> str:
    return escape(text) if text else "NOT EVIDENCED: not stated"
