"""Hostile texts in the pages beside that of the audit: comparisons, reviews, letters, in Chinese.

A page holds many texts at once, so that each page is opened once.
"""

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import reports
from explain.record import (
    CheckedSignature,
    Comparison,
    InstanceRecord,
    SignOff,
    Table,
    Verification,
)
from explain.record.comparison import ComparedRun
from explain.review.section import reviews_section
from reports import LanguageCode
from reports.comparison import write_comparison
from reports.letter import write_letter
from reports.verification import verification_lines
from tests.helpers import records
from tests.helpers.hostile import ACTS, AROUND, TEXTS, expected_text
from tests.helpers.recording_page import RecordingPage
from tests.helpers.reviews import review

if TYPE_CHECKING:
    from playwright.sync_api import Page

LANGUAGES: tuple[LanguageCode, ...] = ("en", "zh")

PUT = [f"{before}{act}{after} x" for act, (before, after) in zip(ACTS, AROUND * 5, strict=True)]
"""Each act once, in one way to get out after the other."""

BIDI = "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u001b]"

_BARE_CONTROLS = """pattern => {
  const bare = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const around = walker.currentNode.parentElement;
    const isShown = around.closest("script, style, template, .mark, textarea, option") === null;
    if (isShown && new RegExp(pattern).test(walker.currentNode.data))
      bare.push(around.outerHTML.slice(0, 200));
  }
  return bare;
}"""
"""Returns the elements in which a control acts on the line instead of being shown as a mark."""


def require_quiet(recording_page: RecordingPage, scripts: int) -> None:
    """Open and focus all that a page has, and require that it did nothing else."""
    page = recording_page.page
    page.evaluate("document.querySelectorAll('details').forEach(each => (each.open = true))")
    page.evaluate("document.querySelectorAll('[tabindex], a, input').forEach(e => e.focus())")
    assert recording_page.events == []
    assert page.evaluate(_BARE_CONTROLS, BIDI) == []
    assert page.locator("script:not([type])").count() == scripts
    assert page.locator("style").count() == 1
    assert page.locator("iframe, object, embed, form, base, link:not([href^='data:'])").count() == 0


def read_back(page: "Page") -> list[str]:
    return [str(t) for t in page.locator("p.text").evaluate_all("e => e.map(p => p.textContent)")]


def instance(number: int, parts: tuple[str, ...]) -> InstanceRecord:
    hostile = PUT[number % len(PUT)]
    return InstanceRecord(
        id=f"{number}{hostile}",
        row=number + 1,
        parts=parts,
        labels=(hostile,),
        predicted=hostile,
        probability=0.5,
        scores=(0.5, 0.5),
        columns={hostile: hostile},
        stratum=hostile,
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_comparison_only_shows_five_hundred_hostile_texts(
    language: LanguageCode, recording_page: RecordingPage, tmp_path: Path
) -> None:
    table = Table(title=PUT[0], columns=(PUT[1],), rows=tuple((text,) for text in TEXTS))
    section = records.hostile_record().sections[0]
    section = section.model_copy(update={"figures": (), "tables": (table,), "summary": PUT[2]})
    parts = [tuple(TEXTS[at : at + 2]) for at in range(0, len(TEXTS), 2)]
    runs = [
        ComparedRun(
            name=PUT[at], version=PUT[at + 1], model=PUT[at + 2], audited_on=date(2026, 11, 28),
            record_sha256="0" * 64,
        )
        for at in (3, 6)
    ]  # fmt: skip
    comparison = Comparison(
        first=runs[0],
        second=runs[1],
        rows=1,
        first_rows_only=0,
        second_rows_only=0,
        verdict="different",
        answer="".join(PUT),
        non_inferiority=None,
        changes=(),
        sections=(section,),
        instances=tuple(instance(number, texts) for number, texts in enumerate(parts)),
    )
    write_comparison(comparison, tmp_path / "page.html", language)
    page = recording_page.goto(tmp_path / "page.html")
    require_quiet(recording_page, 1)
    assert read_back(page) == [expected_text(text) for text in TEXTS]


@pytest.mark.parametrize("language", LANGUAGES)
def test_reviewers_and_reviewed_rows_are_only_shown(
    language: LanguageCode, recording_page: RecordingPage, tmp_path: Path
) -> None:
    shown = [instance(number, (PUT[number],)) for number in range(len(PUT))]
    record = records.hostile_record().model_copy(update={"instances": tuple(shown)})
    lines = [
        review(each, reviewer=PUT[(5 * place + number) % len(PUT)][:200]).model_copy(
            update={"note": "".join(PUT)[:10_000], "label": PUT[number]}
        )
        for number in range(5)
        for place, each in enumerate(shown)
    ][:60]
    sections = (*record.sections, reviews_section(record, lines))
    record = record.model_copy(update={"sections": sections})
    page = recording_page.goto(
        reports.write_html(record, tmp_path / "reviewed.html", records.run_log(), "full", language)
    )
    require_quiet(recording_page, 1)
    assert read_back(page)[: len(PUT)] == [expected_text(text) for text in PUT]


REVIEWER = "</script><b onclick=alert(1)>\u202e Ada"


def begin_review(page: "Page") -> None:
    page.locator("#tools").wait_for()
    page.keyboard.press("r")
    page.locator("[data-part=reviewer]").fill(REVIEWER)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_note_is_kept_and_saved_as_it_was_written(
    language: LanguageCode, recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.goto(
        reports.write_html(
            records.audit_record(), tmp_path / "a.html", records.run_log(), "short", language
        )
    )
    note = "".join(PUT).replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")[:10_000]
    begin_review(page)
    page.keyboard.press("1")
    page.locator("[data-part=note]").fill(note)
    page.keyboard.press("Escape")
    page.reload()
    assert recording_page.events.pop() == f"request: {page.url}"
    begin_review(page)
    with page.expect_download() as download:
        page.keyboard.press("d")
    saved = Path(download.value.path()).read_text(encoding="utf-8")
    lines = [json.loads(line) for line in saved.split("\n") if line]
    assert lines[0]["note"] == note
    assert lines[0]["reviewer"] == REVIEWER
    assert recording_page.events == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_is_only_a_letter(
    language: LanguageCode, recording_page: RecordingPage, tmp_path: Path
) -> None:
    record = records.audit_record()
    kind = record.instances[0]
    for number, text in enumerate(PUT[::4]):
        shown = kind.model_copy(
            update={"parts": (text,), "attributions": (records.attribution(text, label=text),)}
        )
        hostile = record.model_copy(update={"instances": (shown,)})
        path = tmp_path / f"{number}.html"
        write_letter(hostile, kind.row, path, text, text, language)
        recording_page.goto(path)
        require_quiet(recording_page, 0)


def test_a_page_in_chinese_only_shows_all_acts_at_once(
    recording_page: RecordingPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "HOSTILE", "\n".join(text for text in PUT if len(text) < 999))
    record = records.hostile_record()
    page = recording_page.goto(
        reports.write_html(record, tmp_path / "a.html", records.run_log(), "full", "zh")
    )
    require_quiet(recording_page, 1)
    assert read_back(page)[0] == expected_text(records.HOSTILE)


@pytest.mark.parametrize("text", [text for text in PUT if not set(text) & set("\r\n")])
def test_a_sign_off_is_printed_in_lines_that_no_terminal_acts_on(text: str) -> None:
    sign_off = SignOff(
        name=text[:200],
        role=text[:200],
        verdict="accepted_with_conditions",
        conditions=(text[:200],),
        signed_at=datetime(2026, 11, 28, tzinfo=UTC),
        manifest_sha256="0" * 64,
    )
    signature = CheckedSignature(
        file=text, sign_off=sign_off, fingerprint="SHA256:x", principal=text
    )
    found = Verification(
        files=1, manifest_sha256="0" * 64, problems=(), signatures=(signature,), unprotected=()
    )
    clean = found.model_copy(update={"signatures": ()})
    lines, usual = list(verification_lines(found)), list(verification_lines(clean))
    assert len(lines) <= len(usual) + 3
    # What joins emoji is no control, and stays.
    controls = re.compile(f"{BIDI}|[\x00-\x1f\x7f-\x9f\u2028\u2029]")
    assert not [line for line in lines if controls.search(line)]
