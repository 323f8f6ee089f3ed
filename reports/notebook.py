"""An attribution, or a list of them, as a cell of a notebook shows it: inline, with no script.

Sanitizers of notebooks drop frames, scripts and style sheets, and some drop style attributes. What
is left is a text and a table, in the colours of the notebook's own theme.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from explain.record import Attribution
from explain.record.wording import decimal, signed
from reports.bidi import isolated
from reports.doubts import ending, error_note, warnings
from reports.environment import Verbatim, render
from reports.highlight import LEVELS, Piece, pieces, ranked
from reports.instances import target_probability
from reports.languages import join_texts
from reports.languages import translate as _
from reports.languages.records import translated_record
from reports.text import visible
from reports.values import TOP, digits_for, feature_name, ranks

__all__ = ["attribution_cell", "attributions_table"]

COLOURS = {1: (230, 159, 0), -1: (0, 114, 178)}
"""Orange towards the target, blue against it, as on the page (Okabe and Ito, 2008)."""

MOST_OPAQUE = 0.4
"""Behind text of any theme: light or dark letters keep a contrast of 4.5 to 1 before it."""

MOST_TEXTS = 50
"""Texts that a list shows: a notebook keeps in its file what it shows."""

LINES = {1: "solid", -1: "dotted"}
"""What tells the sides apart without colour."""


@dataclass(frozen=True, slots=True)
class StyledPiece:
    """A stretch of the text."""

    text: Verbatim
    style: str
    """A style attribute; nothing for what has no value."""


@dataclass(frozen=True, slots=True)
class ValueRow:
    """One feature with its value."""

    feature: Verbatim
    value: str
    error: str
    rank: str


@dataclass(frozen=True, slots=True)
class NotebookCell:
    """One attribution."""

    label: Verbatim
    probability: str
    method: str
    grade: str
    paragraphs: tuple[tuple[StyledPiece, ...], ...]
    rows: tuple[ValueRow, ...]
    notes: tuple[str, ...]
    """How exact it is, and why its grade is no better."""
    warnings: tuple[str, ...]

    @property
    def ranked(self) -> bool:
        """Whether ranks are known."""
        return any(row.rank for row in self.rows)

    @property
    def has_errors(self) -> bool:
        """Whether the method states errors."""
        return any(row.error for row in self.rows)


def attribution_cell(attribution: Attribution) -> str:
    """Return one attribution as inline HTML."""
    return render("notebook_attribution.html", cell=_cell(attribution))


def attributions_table(attributions: Sequence[Attribution]) -> str:
    """Return attributions as one table, a row for each of the first ones."""
    return render(
        "notebook_list.html",
        cells=[_cell(each) for each in attributions[:MOST_TEXTS]],
        n_hidden=max(0, len(attributions) - MOST_TEXTS),
    )


def _cell(attribution: Attribution) -> NotebookCell:
    attribution = translated_record(attribution)
    cut = pieces(attribution.parts, attribution.spans, attribution.values, attribution.unread)
    return NotebookCell(
        label=_isolated(attribution.target.label),
        probability=target_probability(attribution),
        method=attribution.method_title,
        grade=attribution.grade or "",
        paragraphs=tuple(tuple(map(_styled, part)) for part in cut),
        rows=_rows(attribution),
        notes=_notes(attribution),
        warnings=tuple(f"⚠ {visible(warning)}" for warning in warnings(attribution)),
    )


def _isolated(name: str) -> Verbatim:
    """Return a label or a feature that a number can follow; not every sanitizer keeps `<bdi>`."""
    return Verbatim(isolated(visible(name)))


def _styled(piece: Piece) -> StyledPiece:
    """Return a piece as it is shown; marks stand for what cannot be seen, line ends stay."""
    text = Verbatim("".join(bit.mark or bit.text for bit in piece.bits))
    if not piece.level:
        return StyledPiece(text, "text-decoration: line-through" if piece.unread else "")
    side = 1 if piece.level > 0 else -1
    red, green, blue = COLOURS[side]
    opacity = decimal(MOST_OPAQUE * abs(piece.level) / LEVELS, 2)
    background = f"background-color: rgba({red}, {green}, {blue}, {opacity})"
    return StyledPiece(text, f"{background}; text-decoration: underline {LINES[side]}")


def _rows(attribution: Attribution) -> tuple[ValueRow, ...]:
    digits, known_ranks = digits_for(attribution.values), ranks(attribution)
    errors = attribution.standard_errors
    return tuple(
        ValueRow(
            feature=_isolated(feature_name(attribution.parts, attribution.spans[place])),
            value=signed(attribution.values[place], digits),
            error=decimal(errors[place], digits) if errors and errors[place] else "",
            rank=known_ranks[place],
        )
        for place in ranked(attribution.values)[:TOP]
    )


def _notes(attribution: Attribution) -> tuple[str, ...]:
    """Return how exact it is, and why its grade is no better."""
    n_hidden = len(attribution.values) - TOP
    more = _("and {n} other features: to_frame() lists them", n=n_hidden)
    hidden = (more,) if n_hidden > 0 else ()
    how = join_texts(
        _("{detail}.", detail=error_note(attribution)),
        ending(attribution.diagnostics, attribution.evaluations),
    )
    return (*hidden, how, *map(visible, attribution.reasons))
