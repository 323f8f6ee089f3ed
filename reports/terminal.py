"""Attributions in a terminal, as coloured text and ranked bars, and tables of checks."""

from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from explain.record import Attribution, Conformance, Outcome
from reports.highlight import LEVELS, Piece, levels, pieces, ranked
from reports.instances import error_note, method_title, warnings
from reports.numbers import decimal, signed
from reports.text import shorten, visible

__all__ = ["print_attribution", "print_conformance"]

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

SHOWN = 20
"""Features that are listed; the rest is counted."""

LONGEST = 46
"""Columns of a feature that are shown, two lines; a sentence is longer."""


def print_attribution(attribution: Attribution, console: Console) -> None:
    """Print the text with its features coloured, and the features ranked by their size.

    What speaks for the target is orange and underlined, what speaks against it blue and underlined
    twice. Control characters of the text are shown as visible marks and never reach the terminal.
    """
    question = f"{method_title(attribution.method)}: why “{attribution.target.label}”?"
    console.print(
        Text(visible(question), style="bold"),
        *_texts(attribution),
        _bars(attribution),
        *_notes(attribution),
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
    table.add_column(justify="right", overflow="fold", max_width=24)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    sizes = levels(attribution.values)
    errors = attribution.standard_errors
    for place in ranked(attribution.values)[:SHOWN]:
        table.add_row(
            Text(shorten(attribution.features[place], LONGEST)),
            _bar(sizes[place]),
            signed(attribution.values[place]),
            f"± {decimal(errors[place], 2)}" if errors and errors[place] else "",
        )
    return table


def _bar(level: int) -> Text:
    """Return a bar to the right of the middle for a value towards the target, else to the left."""
    left = ("█" * max(-level, 0)).rjust(LEVELS)
    right = ("█" * max(level, 0)).ljust(LEVELS)
    return Text.assemble((left, BLUE), "│", (right, ORANGE))


def _notes(attribution: Attribution) -> list[Text]:
    hidden = len(attribution.values) - SHOWN
    ends = (
        f"v(empty) {signed(attribution.empty_value)}, v(N) {signed(attribution.full_value)}, "
        f"removed: {visible(attribution.removal)}; {error_note(attribution)}"
    )
    return [
        *([Text(f"and {hidden} smaller ones", style="dim")] if hidden > 0 else []),
        Text(ends),
        *(Text(f"! {warning}", style="bold red") for warning in warnings(attribution)),
    ]
