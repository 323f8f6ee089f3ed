"""Prints a page as a browser does, and reads the paper back."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from explain.record import AuditRecord

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["Paper", "missing_of", "paper_of"]

RIGHT_MARGIN = 14 / 25.4 * 72
"""Points of the margin of the style sheet, 14 mm."""

BREAKS = "-\u00ad\x02\ufffe"
"""Hyphens, and what the reader of a PDF makes of one at the end of a line."""


@dataclass(frozen=True)
class Paper:
    """What stands on the sheets of a printed page."""

    sheets: int
    text: str
    """All letters, without white space and hyphens: lines break anywhere."""
    beyond: str
    """Letters that reach into the right margin."""


def paper_of(browser: "Browser", path: Path) -> Paper:
    """Print the page at `path`, and read all sheets."""
    pdfium: Any = pytest.importorskip("pypdfium2")
    page = browser.new_page()
    page.goto(path.as_uri())
    sheets = list(pdfium.PdfDocument(page.pdf(prefer_css_page_size=True)))
    page.close()
    texts = [sheet.get_textpage() for sheet in sheets]
    return Paper(
        len(sheets),
        _letters(
            "".join(
                text.get_text_bounded().removeprefix(f"{number} / {len(sheets)}")
                for number, text in enumerate(texts, start=1)
            )
        ),
        "".join(
            text.get_text_range(place, 1)
            for sheet, text in zip(sheets, texts, strict=True)
            for place in range(text.count_chars())
            if text.get_charbox(place)[2] > sheet.get_width() - RIGHT_MARGIN + 1
        ).strip(),
    )


def missing_of(record: AuditRecord, paper: Paper) -> list[str]:
    """Return the findings, criteria and limits of a record, and the signature, not on paper."""
    must = ["Signature"]
    for finding in record.findings:
        must += [finding.claim, finding.suggestion]
    for criterion in record.criteria:
        must += [criterion.title, criterion.reason]
    must += [skipped.reason for skipped in record.skipped]
    must += [section.skipped or "" for section in record.sections]
    must += [entry.remedy for entry in record.omitted]
    return [text for text in must if _letters(text) not in paper.text]


def _letters(text: str) -> str:
    return "".join(letter for letter in text if letter not in BREAKS and not letter.isspace())
