"""Texts, labels and words that are written from right to left stand where a reader expects them."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

import reports
from reports.bidi import CLOSE, OPEN, isolated, isolated_runs
from reports.letter import write_letter
from tests.helpers.recording_page import RecordingPage
from tests.helpers.records import attribution
from tests.helpers.right_to_left import ARABIC, HEBREW, LABELS, left_edges, right_to_left_record

if TYPE_CHECKING:
    from playwright.sync_api import Page


def _edges(page: "Page", within: str, *texts: str) -> list[float]:
    """Return where some texts stand that follow each other in the first element that has all."""
    rows = page.evaluate(left_edges, [within, texts])
    return next(row for row in rows if None not in row)


def _leftwards(edges: list[float]) -> bool:
    return edges == sorted(edges, reverse=True)


def _rightwards(edges: list[float]) -> bool:
    return edges == sorted(edges)


@pytest.fixture
def page(recording_page: RecordingPage, tmp_path: Path) -> "Page":
    """Return the page of an audit of Arabic and Hebrew texts."""
    page = recording_page.open(right_to_left_record(), tmp_path)
    page.locator("#tools").wait_for()
    return page


def test_the_first_word_of_a_text_is_the_rightmost(page: "Page") -> None:
    assert _leftwards(_edges(page, "p.text", "الهاتف", "مدهش", "في", "القاهرة", "مصر", "250"))
    assert _leftwards(_edges(page, "p.text", "הסרט", "נהדר", "שכתב", "IMDb", "2023"))
    ends = page.locator("p.text").evaluate_all(
        "all => all.map(p => { const range = document.createRange(); range.selectNodeContents(p);"
        "return p.getBoundingClientRect().right - range.getBoundingClientRect().right; })"
    )
    assert max(ends) < 1


def test_highlights_are_beneath_the_words_that_they_are_of(page: "Page") -> None:
    spans = page.locator("p.text").first.locator("span")
    boxes = [box for span in spans.all() if (box := span.bounding_box())]
    assert spans.all_inner_texts()[:2] == ["الهاتف", "مدهش"]
    assert boxes[1]["x"] + boxes[1]["width"] < boxes[0]["x"]


def test_a_sentence_keeps_its_order_around_such_words(page: "Page") -> None:
    page.locator(".findings li").first.evaluate("li => { li.style.whiteSpace = 'nowrap'; }")
    order = ("Adding", "مدهش", "נהדר מאוד", "IMDb", "changes", LABELS[1], "38", "42", "اللغة")
    assert _rightwards(_edges(page, ".findings li", *order))
    # A quotation that begins with Latin letters runs as these do.
    assert _rightwards(_edges(page, ".findings li", "IMDb", "הסרט"))


def test_what_stands_above_a_text_keeps_its_order(page: "Page") -> None:
    head = ".instance header"
    assert _rightwards(_edges(page, head, "predicted", LABELS[1], ".864", "labelled", LABELS[0]))
    assert _rightwards(_edges(page, head, "اللغة", "العربية"))


def test_a_long_feature_is_cut_at_its_end(recording_page: RecordingPage, tmp_path: Path) -> None:
    sentences = (f"{ARABIC} {HEBREW}.", "A film.")
    path = tmp_path / "page.html"
    reports.write_html(attribution(*sentences, values=None), path)
    page = recording_page.goto(path)
    cell = page.locator(".values th[scope=row]").first
    assert cell.evaluate("th => getComputedStyle(th).direction") == "rtl"
    assert cell.evaluate("th => getComputedStyle(th).textAlign") == "right"


def test_a_review_shows_labels_and_boxes_in_order(page: "Page") -> None:
    page.evaluate("window.print = () => {}")
    page.keyboard.press("r")
    page.get_by_role("button", name="Print a review sheet").click()
    page.locator(".sheet article").first.wait_for(state="attached")
    page.emulate_media(media="print")
    assert _rightwards(_edges(page, ".boxes", "☐", LABELS[0], "☐", LABELS[1], "☐", "Ambiguous"))
    assert _rightwards(_edges(page, ".answers li", "row 1", LABELS[1], ".864"))
    assert _leftwards(_edges(page, ".sheet .text", "הסרט", "נהדר"))


def test_words_stay_beside_their_values_in_a_notebook(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    cells = [attribution(ARABIC, label=LABELS[0], grade="B", errors=(0.25,) * 10)]
    path = tmp_path / "notebook.html"
    path.write_text(f'<meta charset="utf-8">{reports.notebook_html(cells)}', encoding="utf-8")
    page = recording_page.goto(path)
    assert _rightwards(_edges(page, "td", LABELS[0], "grade"))
    assert _rightwards(_edges(page, "td", "الهاتف", "+1.00", "0.25"))
    assert _leftwards(_edges(page, "p", "الهاتف", "مدهش"))


def test_a_letter_names_the_words_in_order(recording_page: RecordingPage, tmp_path: Path) -> None:
    page = recording_page.goto(
        write_letter(
            right_to_left_record(), 1, tmp_path / "letter.html", contact="desk@example.org"
        )
    )
    assert _leftwards(_edges(page, "p.text", "الهاتف", "مدهش"))
    assert _rightwards(_edges(page, "p", "For", LABELS[1], "solid line"))


def test_a_right_to_left_text_can_be_read_back(page: "Page") -> None:
    shown = page.locator("p.text").evaluate_all("all => all.map(p => p.textContent)")
    assert shown == [ARABIC, HEBREW]
    assert page.locator(".values th[scope=row]").first.text_content() == "الهاتف"


@given(st.text())
def test_a_sentence_loses_nothing_and_isolates_are_closed(text: str) -> None:
    plain = regex.sub("[\u2066-\u2069]", "", text)
    shown = isolated_runs(plain)
    assert shown.replace(OPEN, "").replace(CLOSE, "") == plain
    assert regex.fullmatch(f"(?:[^{OPEN}{CLOSE}]|{OPEN}[^{OPEN}{CLOSE}]+{CLOSE})*", shown)
    if not regex.search(r"[\p{bc=R}\p{bc=AL}]", plain):
        assert shown == isolated(plain) == plain


def test_an_abbreviation_is_no_quotation() -> None:
    assert isolated_runs('by "ד"ר כהן", 2') == f'by "{OPEN}ד"ר כהן{CLOSE}", 2'
