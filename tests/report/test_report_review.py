"""An auditor reviews the explained rows in the page, blind at first, and keeps the verdicts."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from explain.review.importing import with_section
from explain.review.section import reviews_section
from reports.summary import record_hash
from tests.helpers.recording_page import RecordingPage
from tests.helpers.records import HOSTILE, audit_record, hostile_record
from tests.helpers.reviews import review

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from explain.record import AuditRecord

SHOWN_TEXT = "a valueless kiddie paean to pro basketball underwritten by the nba ."


def _review(page: "Page", reviewer: str, *, blinded: bool = True) -> None:
    page.locator("#tools").wait_for()
    page.keyboard.press("r")
    page.get_by_label("Hide the answer").set_checked(blinded)
    page.get_by_label("Your name").fill(reviewer)
    page.keyboard.press("Enter")


def _place(page: "Page") -> str:
    return page.locator("[data-part=place]").inner_text()


def _downloaded(page: "Page") -> list[dict[str, Any]]:
    with page.expect_download() as download:
        page.keyboard.press("d")
    assert download.value.suggested_filename == "reviews.jsonl"
    lines = Path(download.value.path()).read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def test_nothing_of_the_answer_is_in_the_document_before_the_verdict(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    _review(page, "Ada")
    hidden = page.content()
    assert page.locator("[data-part=text]").inner_text().strip() == SHOWN_TEXT
    for answer in (
        "predicted",
        "labelled <",
        ".982",
        "towards",
        "SHAP",
        "random",
        "right",
        "T-1041",
    ):
        assert answer not in hidden.partition("</style>")[2].replace("label is right", ""), answer
    page.keyboard.press("1")
    shown = page.locator("[data-part=answer]").inner_text()
    for answer in ("predicted", "negative", ".982", "SHAP", "random"):
        assert answer in shown
    assert recording_page.events == []


def test_a_review_by_keyboard_alone_gives_the_lines_that_the_audit_imports(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    record = audit_record()
    page = recording_page.open(record, tmp_path)
    _review(page, "Ada")
    page.keyboard.press("1")
    page.keyboard.press("w")
    page.get_by_label("Reason").select_option("irrelevant_words")
    page.get_by_label("Note").fill("a n\nd 1")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.press("1")
    page.keyboard.press("n")
    page.keyboard.press("u")
    assert _place(page) == "row 5: 3 of 3, 3 judged"
    lines = _downloaded(page)
    assert [(x["instance"], x["verdict"], x["label"]) for x in lines] == [
        ("a41c", "wrong_reason", "negative"),
        ("77e0", "wrong_label", "negative"),
        ("d2a7", "unsafe", None),
    ]
    assert [(x["reason"], x["note"]) for x in lines] == [
        ("irrelevant_words", "a n\nd 1"),
        ("", ""),
        ("", ""),
    ]
    for line in lines:
        (instance,) = (i for i in record.instances if i.id == line["instance"])
        text = json.dumps(list(instance.parts)).encode()
        assert line["text_sha256"] == hashlib.sha256(text).hexdigest()
        assert line["report_sha256"] == record_hash(record)
        assert line["reviewer"] == "Ada"
        assert line["blinded"] is True
        assert line["at"].endswith("Z")
    assert recording_page.events == []


def test_a_second_reviewer_sees_nothing_of_the_first_and_the_first_goes_on_after_a_reload(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    _review(page, "Ada")
    page.keyboard.press("2")
    page.keyboard.press("Escape")
    _review(page, "Grace")
    assert _place(page) == "row 1: 1 of 3, 0 judged"
    assert "predicted" not in page.locator("main").inner_text()
    page.reload()
    _review(page, "Ada")
    assert _place(page) == "row 2: 2 of 3, 1 judged"
    assert [line["label"] for line in _downloaded(page)] == ["positive"]


def test_a_review_works_where_the_browser_refuses_to_store(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    recording_page.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused'); } });"
    )
    page = recording_page.open(audit_record(), tmp_path)
    _review(page, "Ada")
    page.keyboard.press("a")
    assert [line["verdict"] for line in _downloaded(page)] == ["ambiguous"]
    assert recording_page.events == []


def test_without_blinding_the_answer_is_shown_at_once_and_the_line_says_so(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    _review(page, "Ada", blinded=False)
    assert "predicted" in page.locator("[data-part=answer]").inner_text()
    page.keyboard.press("c")
    (line,) = _downloaded(page)
    assert (line["blinded"], line["label"], line["verdict"]) == (False, None, "correct")


def test_enter_goes_on_but_where_a_button_has_the_focus_it_only_presses_that(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    _review(page, "Ada")
    page.keyboard.press("Enter")
    assert _place(page) == "row 2: 2 of 3, 0 judged"
    page.get_by_role("button", name="Next").focus()
    page.keyboard.press("Enter")
    assert _place(page) == "row 5: 3 of 3, 0 judged"
    page.get_by_role("button", name="negative").focus()
    page.keyboard.press("Enter")
    assert _place(page) == "row 5: 3 of 3, 1 judged"
    page.get_by_label("Note").focus()
    page.keyboard.press("Enter")
    assert page.get_by_label("Note").input_value() == "\n"
    assert _place(page) == "row 5: 3 of 3, 1 judged"
    page.get_by_role("button", name="Previous").focus()
    page.keyboard.press("Enter")
    assert _place(page) == "row 2: 2 of 3, 1 judged"
    assert [(x["instance"], x["label"]) for x in _downloaded(page)] == [("d2a7", "negative")]


def test_a_verdict_that_was_given_blind_stays_so_when_it_is_changed(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    _review(page, "Ada")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    _review(page, "Ada", blinded=False)
    page.keyboard.press("p")
    page.keyboard.press("w")
    page.keyboard.press("n")
    page.keyboard.press("c")
    blinded = [(x["instance"], x["verdict"], x["blinded"]) for x in _downloaded(page)]
    assert blinded == [("a41c", "wrong_reason", True), ("77e0", "correct", False)]


def test_an_answer_that_was_shown_before_the_verdict_is_never_judged_blind(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    record = audit_record()
    model = record.provenance.model.model_copy(update={"task": "multi_label"})
    provenance = record.provenance.model_copy(update={"model": model})
    page = recording_page.open(record.model_copy(update={"provenance": provenance}), tmp_path)
    _review(page, "Ada")
    page.get_by_role("button", name="Show the answer").click()
    page.keyboard.press("n")
    assert "predicted" not in page.locator("main").inner_text()
    page.keyboard.press("p")
    assert "predicted" in page.locator("[data-part=answer]").inner_text()
    page.reload()
    _review(page, "Grace")
    page.keyboard.press("a")
    assert [line["blinded"] for line in _downloaded(page)] == [True]
    page.keyboard.press("Escape")
    _review(page, "Ada")
    page.keyboard.press("c")
    page.keyboard.press("n")
    page.keyboard.press("s")
    assert [line["blinded"] for line in _downloaded(page)] == [False, True]


def test_rows_that_were_passed_without_blinding_are_not_judged_blind_later(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    _review(page, "Ada", blinded=False)
    page.keyboard.press("n")
    page.keyboard.press("Escape")
    _review(page, "Ada")
    for key in "cncn1":
        page.keyboard.press(key)
    assert [line["blinded"] for line in _downloaded(page)] == [False, False, True]


def test_leaving_a_review_brings_the_report_back_as_it_was(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    page.locator("#tools").wait_for()
    before = page.locator("body").inner_text()
    _review(page, "Ada")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    assert page.locator("body").inner_text() == before
    assert page.evaluate("document.activeElement.id") == "open-review"


def test_the_review_sheet_asks_before_it_answers(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    recording_page.page.add_init_script("window.print = () => {};")
    page = recording_page.open(audit_record(), tmp_path)
    page.locator("#tools").wait_for()
    page.keyboard.press("r")
    page.get_by_role("button", name="Print a review sheet").click()
    page.emulate_media(media="print")
    asked, _, answers = page.locator("main").inner_text().partition("The answers, to be read last")
    assert SHOWN_TEXT in asked
    assert "☐ negative" in asked
    assert "predicted" not in asked
    assert "row 2: positive" in answers


@pytest.mark.parametrize("address", ["", "#review"])
def test_a_report_that_shows_reviews_is_not_reviewed(
    address: str, recording_page: RecordingPage, tmp_path: Path
) -> None:
    record = audit_record()
    reviewed = with_section(record, reviews_section(record, [review(record.instances[0])]))
    page = recording_page.open(reviewed, tmp_path)
    page.goto(f"{page.url}{address}")
    page.locator("#tools").wait_for()
    assert not page.locator("#open-review").is_visible()
    page.keyboard.press("r")
    assert page.locator("#reviews").is_visible()
    assert page.locator("[data-part=start]").count() == 0


@pytest.mark.parametrize("record", [hostile_record()], ids=["hostile"])
def test_a_hostile_record_is_reviewed_as_text(
    record: "AuditRecord", recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(record, tmp_path)
    _review(page, HOSTILE[:80])
    page.keyboard.press("1")
    (line,) = _downloaded(page)
    assert line["label"] == HOSTILE
    assert recording_page.events == []
