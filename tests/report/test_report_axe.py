"""axe-core finds no barrier in the page, however it is shown.

axe-core comes from npm (`npm install`) and is used in development only.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import reports
from explain.comparison import compare
from explain.record import ReviewVerdict
from explain.review.importing import with_section
from explain.review.section import reviews_section
from reports import LanguageCode
from reports.comparison import write_comparison
from reports.letter import write_letter
from tests.helpers.comparisons import audit_of
from tests.helpers.documentation import ROOT
from tests.helpers.recording_page import RecordingPage
from tests.helpers.records import attribution, audit_record, hostile_record, run_log
from tests.helpers.reviews import review
from tests.helpers.right_to_left import right_to_left_record

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from explain.record import AuditRecord

RECORDS = {"audit": audit_record(), "hostile": hostile_record()}
LETTERS = {
    "words": (audit_record(), 1),
    "pair": (audit_record(), 2),
    "no words": (audit_record(), 5),
    "hostile": (hostile_record(), 1),
}


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the script of axe-core; without it the tests are skipped, but fail in CI."""
    path = Path(os.environ.get("AXE", ROOT / "node_modules/axe-core/axe.min.js"))
    if not path.exists():
        message = f"no axe-core at {path}; run `npm install`, or set AXE to its path"
        if "CI" in os.environ:
            pytest.fail(message)
        pytest.skip(message)
    return path.read_text(encoding="utf-8")


def _violations(page: "Page", axe: str) -> list[str]:
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(axe)
    only = "{ resultTypes: ['violations'] }"
    found = page.evaluate(f"axe.run({only}).then(({{ violations }}) => violations)")
    return [
        f"{each['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]


def _ready(page: "Page") -> None:
    page.locator("#tools").wait_for()


def _narrow(page: "Page") -> None:
    page.set_viewport_size({"width": 390, "height": 844})


def _right_to_left(page: "Page") -> None:
    page.evaluate("document.documentElement.dir = 'rtl'")


def _all_open(page: "Page") -> None:
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")


def _keys(page: "Page") -> None:
    page.keyboard.press("?")


def _review(page: "Page") -> None:
    page.keyboard.press("r")


def _judging(page: "Page") -> None:
    _review(page)
    page.get_by_label("Your name").fill("Ada")
    page.keyboard.press("Enter")


def _judged(page: "Page") -> None:
    _judging(page)
    page.keyboard.press("1")


WAYS = {
    "light": lambda page: page.emulate_media(color_scheme="light"),
    "dark": lambda page: page.emulate_media(color_scheme="dark"),
    "print": lambda page: page.emulate_media(media="print"),
    "narrow": _narrow,
    "right to left": _right_to_left,
    "all open": _all_open,
    "keys": _keys,
    "review": _review,
    "judging": _judging,
    "judged": _judged,
}


def _judged_in_chinese(page: "Page") -> None:
    page.emulate_media(media="screen")
    _review(page)
    page.get_by_label("你的姓名").fill("王芳")
    page.keyboard.press("Enter")
    page.keyboard.press("1")


STILL_WAYS = ("light", "dark", "print", "narrow", "right to left")
"""Of pages without a script."""


def _compared(folder: Path, language: LanguageCode = "en") -> Path:
    """Return the page of a comparison of two runs, of which the second is worse."""
    labels = [i % 2 for i in range(200)]
    worse = [label if i % 3 else 1 - label for i, label in enumerate(labels)]
    compared = compare(audit_of(labels, labels), audit_of(labels, worse))
    write_comparison(compared, folder / "compared.html", language)
    return folder / "compared.html"


def _reviewed(folder: Path) -> Path:
    """Return the page of an audit that two people have reviewed."""
    record = audit_record()
    reviews = [
        review(instance, verdict, reviewer=name, label=instance.label)
        for instance in record.instances[:3]
        for name, verdict in REVIEWERS.items()
    ]
    with_reviews = with_section(record, reviews_section(record, reviews))
    return reports.write_html(with_reviews, folder / "reviewed.html", run_log())


REVIEWERS: dict[str, ReviewVerdict] = {"Ana": "correct", "Bo": "unsafe"}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("way", WAYS)
def test_axe_finds_no_violation(
    way: str, record: "AuditRecord", axe: str, recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(record, tmp_path)
    _ready(page)
    WAYS[way](page)
    assert _violations(page, axe) == []


def test_axe_finds_no_violation_beside_right_to_left_texts(
    axe: str, recording_page: RecordingPage, tmp_path: Path
) -> None:
    """One page goes from state to state; that of a review is the last."""
    page = recording_page.open(right_to_left_record(), tmp_path)
    _ready(page)
    for way in ("light", "dark", "print", "narrow", "right to left", "all open"):
        WAYS[way](page)
        assert _violations(page, axe) == [], way
    page.emulate_media(media="screen")
    _judged(page)
    assert _violations(page, axe) == []


def test_axe_finds_no_violation_in_chinese(
    axe: str, recording_page: RecordingPage, tmp_path: Path
) -> None:
    """One page goes from state to state; that of a review is the last."""
    ways = ("light", "dark", "narrow", "all open", "print", "judged")
    compared = _compared(tmp_path, "zh")
    audit = reports.write_html(audit_record(), tmp_path / "audit.html", language="zh")
    letter = write_letter(audit_record(), 1, tmp_path / "letter.html", language="zh")
    for path in (compared, letter, audit):
        page = recording_page.goto(path)
        for way in ways if path == audit else ways[:3]:
            show = _judged_in_chinese if way == "judged" else WAYS[way]
            show(page)
            assert _violations(page, axe) == [], (path.name, way)
        recording_page.events.clear()  # axe itself tries to fetch style sheets


@pytest.mark.parametrize("way", STILL_WAYS)
@pytest.mark.parametrize("write", [_compared, _reviewed])
def test_axe_finds_no_violation_in_a_comparison_and_in_reviews(
    write: Callable[[Path], Path],
    way: str,
    axe: str,
    recording_page: RecordingPage,
    tmp_path: Path,
) -> None:
    page = recording_page.goto(write(tmp_path))
    WAYS[way](page)
    assert recording_page.events == []
    assert _violations(page, axe) == []


@pytest.mark.parametrize("way", STILL_WAYS)
def test_axe_finds_no_violation_in_a_letter(
    way: str, axe: str, recording_page: RecordingPage, tmp_path: Path
) -> None:
    for name, (record, row) in LETTERS.items():
        page = recording_page.goto(write_letter(record, row, tmp_path / f"{name}.html"))
        WAYS[way](page)
        assert _violations(page, axe) == []
    assert recording_page.events == []


@pytest.mark.parametrize(("paper", "ink"), [("#ffffff", "#000000"), ("#111111", "#ffffff")])
def test_axe_finds_no_violation_in_a_notebook(
    paper: str, ink: str, axe: str, recording_page: RecordingPage, tmp_path: Path
) -> None:
    cells = [attribution("a good film", grade="D"), attribution("not a good film")]
    table = f"{reports.notebook_html(cells[0])}{reports.notebook_html(cells)}"
    path = tmp_path / "notebook.html"
    path.write_text(
        f'<!doctype html><html lang="en"><title>Notebook</title><body style="background: {paper}; '
        f'color: {ink}"><main><h1>Notebook</h1>{table}</main></body></html>',
        encoding="utf-8",
    )
    assert _violations(recording_page.goto(path), axe) == []
