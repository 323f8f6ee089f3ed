"""Attributions in a terminal, as coloured text and ranked bars, and what audits and checks say.

All but the check of a model speaks the language of `reports.languages.speaking`.
"""

from collections.abc import Sequence

from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from explain.record import (
    Z95,
    Attribution,
    AuditRecord,
    Conformance,
    Finding,
    Interaction,
    Interactions,
    JudgedCriterion,
    Outcome,
)
from explain.record.wording import decimal, signed
from reports import summary
from reports.doubts import ending, error_note, warnings
from reports.highlight import LEVELS, Piece, levels, pieces, ranked
from reports.languages import join_texts, translated_sentence
from reports.languages import translate as _
from reports.languages.records import translated_record
from reports.numbers import estimate
from reports.precision import precision_warnings, repeats_note
from reports.text import shorten, visible
from reports.values import feature_name, ranks

__all__ = ["print_attribution", "print_audit", "print_conformance", "print_interactions"]

ORANGE = Style(color="#e69f00")
BLUE = Style(color="#0072b2")
TOWARDS = ORANGE + Style(underline=True)
AGAINST = BLUE + Style(underline2=True)
UNREAD = Style(dim=True, strike=True)

OUTCOMES: dict[Outcome, Style] = {
    "pass": Style(color="green"),
    "fail": Style(color="red", bold=True),
    "not applicable": Style(dim=True),
}

FEATURES_SHOWN = 20
"""Features or pairs that are listed; the rest is counted."""

TONES = {
    "pass": OUTCOMES["pass"],
    "fail": OUTCOMES["fail"],
    "inconclusive": Style(color="yellow"),
    "none": Style(),
    "critical": OUTCOMES["fail"],
    "major": OUTCOMES["fail"],
    "minor": Style(color="yellow"),
}
"""Colour of a verdict or a severity, beside its word."""

TOP_FINDINGS = 3
"""Findings of an audit that are listed; the rest is counted."""

LONGEST_LINE = 300
"""Columns of a finding or a criterion, which is one line."""

UNRESOLVED = "A rank such as 2–4 is not resolved: 95 % intervals overlap."

LONGEST = 46
"""Columns of a feature that are shown, two lines; a sentence is longer."""


def print_attribution(attribution: Attribution, console: Console) -> None:
    """Print the text with its features coloured, and the features ranked by their size.

    What speaks for the target is orange and underlined, what speaks against it blue and underlined
    twice. Control characters of the text are shown as visible marks and never reach the terminal.
    """
    attribution = translated_record(attribution)
    question = _(
        "{method}: why “{label}”?",
        method=_(attribution.method_title),
        label=attribution.target.label,
    )
    console.print(
        Text(visible(question), style="bold"),
        *_texts(attribution),
        _bars(attribution),
        *_notes(attribution),
        sep="\n",
    )


def print_audit(record: AuditRecord, console: Console) -> None:
    """Print the verdict, each criterion that was not passed, the gravest findings, and the counts.

    Each is one line, which is not broken: a log keeps it whole, and a terminal breaks it itself.
    """
    record = translated_record(record)
    verdict, counts = summary.verdict(record), summary.counts(record)
    said = f"{verdict.icon} {verdict.word}{_(': ')}{verdict.detail}".strip()
    hidden = len(record.findings) - TOP_FINDINGS
    rule = visible(translated_sentence(record.provenance.model.decision_rule))
    lines = [
        Text(said, TONES[verdict.tone]),
        *([Text(_("decision threshold: {rule}", rule=rule))] if rule else []),
        *(_criterion(each) for each in record.criteria if each.verdict != "pass"),
        Text(summary.number_of_findings(record)),
        *map(_finding, record.findings[:TOP_FINDINGS]),
        *([_more("  ", _("and {n} more", n=hidden))] if hidden > 0 else []),
        Text(
            _(
                "{scored} of {rows} rows scored, {explained} explained, {skipped} skipped, "
                "{not_measured} not measured",
                scored=counts.scored_rows,
                rows=counts.rows,
                explained=counts.explained_rows,
                skipped=counts.skipped,
                not_measured=counts.not_measured,
            )
        ),
    ]
    for line in lines:
        console.print(line, soft_wrap=True)


def _criterion(criterion: JudgedCriterion) -> Text:
    measured = f"{_(': ')}{estimate(criterion.measure)}" if criterion.measure else ""
    said = (
        f"{summary.criterion_name(criterion)} {summary.threshold(criterion)}{measured}{_('; ')}"
        f"{criterion.reason}"
    )
    return Text.assemble(
        "  ", (_(criterion.verdict), TONES[criterion.verdict]), f"  {shorten(said, LONGEST_LINE)}"
    )


def _finding(finding: Finding) -> Text:
    return Text.assemble(
        "  ",
        (_(finding.severity), TONES[finding.severity]),
        f"  {shorten(finding.claim, LONGEST_LINE)}",
    )


def _more(*texts: str) -> Text:
    """Return how many are not listed."""
    return Text("".join(texts), style="dim")


def print_interactions(interactions: Interactions, console: Console) -> None:
    """Print the pairs of features that act together, those whose sign is certain first.

    A sign is certain where the 95 % interval of the value excludes 0.
    """
    target = interactions.target.label
    pairs = sorted(interactions.pairs, key=_is_uncertain)
    n_certain = len(pairs) - sum(map(_is_uncertain, pairs))
    hidden = len(pairs) - FEATURES_SHOWN
    console.print(
        Text(
            visible(_("Interactions: which words act together for “{label}”?", label=target)),
            style="bold",
        ),
        _pairs(interactions, pairs[:FEATURES_SHOWN]),
        *([_more(_("and {n} other pairs", n=hidden))] if hidden > 0 else []),
        Text(
            _(
                "{certain} of {n} pairs have a 95 % interval that excludes 0; removed: {removal}",
                certain=n_certain,
                n=len(pairs),
                removal=visible(_(interactions.removal)),
            )
        ),
        Text(ending(interactions.diagnostics, interactions.evaluations)),
        *(Text(f"! {w}", style="bold red") for w in precision_warnings(interactions)),
        sep="\n",
    )


def print_conformance(conformance: Conformance, console: Console) -> None:
    """Print what each check of a model found, and how many passed, failed or do not apply."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in conformance.rows:
        style = OUTCOMES[row.outcome]
        table.add_row(Text(visible(row.check)), Text(row.outcome, style), Text(visible(row.detail)))
    found = [row.outcome for row in conformance.rows]
    console.print(
        Text(visible(conformance.model), style="bold"),
        table,
        Text(", ".join(f"{found.count(outcome)} {outcome}" for outcome in OUTCOMES)),
        sep="\n",
    )


def _texts(attribution: Attribution) -> list[Text]:
    cut = pieces(attribution.parts, attribution.spans, attribution.values, attribution.unread)
    return [
        Text.assemble(*((visible(piece.text), _style(piece)) for piece in part)) for part in cut
    ]


def _style(piece: Piece) -> Style:
    if piece.unread:
        return UNREAD
    return (TOWARDS if piece.level > 0 else AGAINST) if piece.level else Style()


def _bars(attribution: Attribution) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(justify="right", overflow="fold", max_width=24)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    known = ranks(attribution)
    sizes = levels(attribution.values)
    errors = attribution.standard_errors
    for place in ranked(attribution.values)[:FEATURES_SHOWN]:
        table.add_row(
            known[place],
            Text(shorten(attribution.features[place], LONGEST)),
            _bar(sizes[place]),
            signed(attribution.values[place]),
            _error(errors[place] if errors else None),
        )
    return table


def _pairs(interactions: Interactions, pairs: Sequence[Interaction]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(overflow="fold", max_width=24)
    table.add_column(overflow="fold", max_width=24)
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_column(style="dim")
    names = [feature_name(interactions.parts, span) for span in interactions.spans]
    for pair in pairs:
        table.add_row(
            Text(shorten(names[pair.first], LONGEST)),
            Text(shorten(names[pair.second], LONGEST)),
            signed(pair.value),
            _error(pair.standard_error),
            _("may be 0") if _is_uncertain(pair) else "",
        )
    return table


def _is_uncertain(pair: Interaction) -> bool:
    return abs(pair.value) <= Z95 * pair.standard_error


def _error(error: float | None) -> str:
    return f"± {decimal(error, 2)}" if error else ""


def _bar(level: int) -> Text:
    """Return a bar to the right of the middle for a value towards the target, else to the left."""
    left = ("█" * max(-level, 0)).rjust(LEVELS)
    right = ("█" * max(level, 0)).ljust(LEVELS)
    return Text.assemble((left, BLUE), "│", (right, ORANGE))


def _grade(attribution: Attribution) -> list[Text]:
    if attribution.grade is None:
        return []
    grade = _("Grade {grade}.", grade=attribution.grade)
    return [Text(join_texts(grade, *map(visible, attribution.reasons)))]


def _notes(attribution: Attribution) -> list[Text]:
    hidden = len(attribution.values) - FEATURES_SHOWN
    ends = _(
        "v(empty) {empty}, v(N) {full}, removed: {removal}; {errors}",
        empty=signed(attribution.empty_value),
        full=signed(attribution.full_value),
        removal=visible(_(attribution.removal)),
        errors=error_note(attribution),
    )
    return [
        *([_more(_("and {n} smaller ones", n=hidden))] if hidden > 0 else []),
        Text(ends),
        *map(
            Text,
            filter(
                None,
                (
                    ending(attribution.diagnostics, attribution.evaluations),
                    repeats_note(attribution.repeats),
                ),
            ),
        ),
        *(
            [Text(_(UNRESOLVED), style="dim")]
            if any("–" in rank for rank in ranks(attribution))
            else []
        ),
        *_grade(attribution),
        *(Text(f"! {warning}", style="bold red") for warning in warnings(attribution)),
    ]
