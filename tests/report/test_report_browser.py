"""A real browser shows the page as it is meant, and finds nothing in it to run or fetch."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import reports
from tests.helpers.recording_page import SCREEN, RecordingPage
from tests.helpers.records import audit_record, hostile_record

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from explain.record import AuditRecord


@pytest.mark.parametrize("record", [audit_record(), hostile_record()], ids=["audit", "hostile"])
def test_page_runs_shows_and_requests_nothing_of_its_own(
    record: "AuditRecord", recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(record, tmp_path)
    page.get_by_label("Text", exact=True).fill("a")
    page.wait_for_timeout(100)
    assert recording_page.events == []


@pytest.mark.parametrize("record", [audit_record(), hostile_record()], ids=["audit", "hostile"])
def test_browser_reads_every_text_back(
    record: "AuditRecord", recording_page: RecordingPage, tmp_path: Path
) -> None:
    shown = (
        recording_page.open(record, tmp_path)
        .locator("p.text")
        .evaluate_all("all => all.map(paragraph => paragraph.textContent)")
    )
    explained = [instance for instance in record.instances if instance.attributions]
    expected = [part.replace("\0", "␀") for instance in explained for part in instance.parts]
    assert shown[: len(expected)] == expected


def test_first_screen_says_what_an_auditor_must_know(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    for selector in ("h1", ".verdict", ".notice", "#criteria", "#findings", ".strip"):
        box = page.locator(selector).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= SCREEN["height"], selector


def test_filter_shows_the_instances_that_fit(recording_page: RecordingPage, tmp_path: Path) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    page.get_by_label("Outcome").select_option("wrong")
    assert page.locator("article[data-stratum]:visible .id a").all_inner_texts() == [
        "row 2",
        "row 4",
    ]
    page.get_by_label("Chosen as").select_option("random")
    assert page.locator("#filter-count").inner_text() == "0 of 3 shown"


def test_a_link_leads_to_an_instance_that_the_filter_hides(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    page.get_by_label("Outcome").select_option("right")
    page.locator("#findings").get_by_role("link", name="row 2").click()
    assert page.locator("#i-77e0").is_visible()


def test_page_is_whole_without_scripts(browser: "Browser", tmp_path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(reports.write_html(audit_record(), tmp_path / "audit.html").as_uri())
    assert page.locator("article p.text:visible").count() == 5
    assert not page.locator("#filter").is_visible()
    context.close()


@pytest.mark.parametrize("width", [400, 1280])
def test_page_never_scrolls_sideways(
    width: int, recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(hostile_record(), tmp_path)
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_every_colour_of_text_stands_out_from_what_lies_behind_it(
    scheme: str, recording_page: RecordingPage, tmp_path: Path
) -> None:
    """WCAG 2.2 AA: 4.5:1, on every element that holds text, highlights included."""
    page = recording_page.open(audit_record(), tmp_path)
    if scheme == "print":
        page.emulate_media(media="print", color_scheme="dark")
    else:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    assert page.evaluate(_WEAKEST_CONTRAST) >= 4.5


def test_black_text_on_every_highlight_reaches_the_contrast_that_is_promised(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    page.locator("p.text").first.evaluate("p => document.body.replaceChildren(p)")
    assert page.evaluate(_WEAKEST_CONTRAST) >= 6.3


_WEAKEST_CONTRAST = """() => {
  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
    return { rgb: [r, g, b], a };
  };
  const over = (top, below) => top.rgb.map((c, i) => c * top.a + below[i] * (1 - top.a));
  const behind = (element) => {
    const below = element.parentElement ? behind(element.parentElement) : [255, 255, 255];
    return over(parse(getComputedStyle(element).backgroundColor), below);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb
      .map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let weakest = 21;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const drawn = element instanceof SVGElement;
    if (!walker.currentNode.data.trim() || element.closest("script, title, desc, option")) continue;
    const style = getComputedStyle(element);
    const back = behind(drawn ? element.closest("figure") ?? document.body : element);
    const front = over(parse(drawn ? style.fill : style.color), back);
    const [high, low] = [luminance(front), luminance(back)].sort((a, b) => b - a);
    weakest = Math.min(weakest, (high + 0.05) / (low + 0.05));
  }
  return weakest;
}"""
