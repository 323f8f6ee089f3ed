"""A real browser shows the page as it is meant, and finds nothing in it to run or fetch."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from explain.record import Measure, Table
from reports.tables import FOLDED_ABOVE
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
    assert page.locator("#cards article:visible .id a").all_inner_texts() == ["row 2"]
    page.get_by_label("Chosen as").select_option("random")
    assert page.locator("#filter-count").inner_text() == "0 of 3 shown"


def test_what_is_filtered_and_sorted_is_in_the_address(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    page.get_by_label("Labelled").select_option("negative")
    page.get_by_label("Order").select_option("least confident")
    page.get_by_label("Text", exact=True).fill("a")
    address = page.url
    assert address.endswith("#instances?labelled=negative&text=a&sort=least+confident")
    page.goto("about:blank")
    page.goto(address)
    page.locator("#tools").wait_for()
    assert page.get_by_label("Order").input_value() == "least confident"
    assert page.locator("#cards .id").all_inner_texts() == ["row 5", "row 1", "row 2"]


@pytest.mark.parametrize(
    ("control", "option", "rows"),
    [
        ("finding", "finding 1", ["row 2"]),
        ("confidence", ".99 and above", ["row 2"]),
        ("predicted", "negative", ["row 1", "row 5"]),
        ("slice", "negation = no", ["row 1", "row 2"]),
    ],
)
def test_rows_are_found_by_what_is_said_of_them(
    control: str, option: str, rows: list[str], recording_page: RecordingPage, tmp_path: Path
) -> None:
    record = audit_record()
    columns: tuple[dict[str, str], ...] = (
        {"negation": "no", "ticket": "1"},
        {"negation": "no", "ticket": "2"},
        {},
        {},
    )
    instances = tuple(
        instance.model_copy(update={"columns": cells})
        for instance, cells in zip(record.instances, columns, strict=True)
    )
    page = recording_page.open(record.model_copy(update={"instances": instances}), tmp_path)
    page.locator("#tools").wait_for()
    page.locator(f"#filter-{control}").select_option(option)
    assert page.locator("#cards .id").all_inner_texts() == rows
    slices = page.locator("#filter-slice option").all_inner_texts()
    assert slices == ["all", "negation = no"]


def test_keys_step_through_findings_and_rows_and_can_be_turned_off(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    page.locator("#tools").wait_for()
    visited = []
    for key in "nnpjjk":
        page.keyboard.press(key)
        visited.append(page.evaluate("document.activeElement.id"))
    assert visited == ["finding-1", "finding-2", "finding-1", "i-a41c", "i-77e0", "i-a41c"]
    page.keyboard.press("/")
    page.keyboard.type("nj?")
    assert page.get_by_label("Text", exact=True).input_value() == "nj?"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_label("Keys of one letter").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    assert page.evaluate("document.activeElement.id") != "finding-1"
    assert recording_page.events == []


def test_the_contents_show_where_one_is(recording_page: RecordingPage, tmp_path: Path) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    page.locator("#tools").wait_for()
    here = page.locator("nav [aria-current]")
    assert here.inner_text() == "Summary"
    page.locator("#performance").evaluate("section => section.scrollIntoView()")
    page.locator("nav a[href='#performance'][aria-current]").wait_for()
    assert here.count() == 1


def test_no_more_than_so_many_texts_are_shown_at_a_time(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    record = audit_record()
    many = tuple(
        record.instances[0].model_copy(update={"id": f"n{number}", "row": number})
        for number in range(1, 61)
    )
    page = recording_page.open(record.model_copy(update={"instances": many}), tmp_path)
    page.locator("#pages").wait_for()
    seen: list[str] = []
    while True:
        assert page.evaluate(_TEXTS_SHOWN) <= 5000
        seen += page.locator("#cards .id").all_inner_texts()
        if page.locator("#page-after").is_disabled():
            break
        page.locator("#page-after").click()
    assert seen == [f"row {number}" for number in range(1, 61)]
    page.locator("#page-before").click()
    assert page.locator("#cards .id").last.inner_text() != "row 60"
    page.goto(f"{page.url.partition('#')[0]}#i-n55")
    assert page.locator("#i-n55").is_visible()


_TEXTS_SHOWN = """() => {
  const walker = document.createTreeWalker(document.getElementById("cards"), NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) texts += walker.currentNode.data.trim() ? 1 : 0;
  return texts;
}"""


def test_a_link_leads_to_an_instance_that_the_filter_hides(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    page.get_by_label("Outcome").select_option("right")
    page.locator("#findings").get_by_role("link", name="row 2").click()
    assert page.locator("#i-77e0").is_visible()


def test_page_is_whole_without_scripts(browser: "Browser", tmp_path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    recording_page = RecordingPage(context.new_page())
    page = recording_page.open(audit_record(), tmp_path)
    assert page.locator("article p.text:visible").count() == 5
    assert not page.locator("#filter").is_visible()
    assert recording_page.events == []
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


def test_a_table_of_nine_columns_is_seen_whole(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    share = Measure(name="share", value=0.843, lower=0.720, upper=0.918, n=51)
    columns = ("slice", "rows", "in the slice", "in the rest", "worse by", "adjusted p",
               "reported if right on at most", "from", "not reported because")  # fmt: skip
    row = ("language = de", 51, share, share, share, 0.411, 0.66, "search", "the gap is too small")
    record = audit_record()
    wide = Table(title="Slices", columns=columns, rows=(row,) * 3)
    section = record.sections[0].model_copy(update={"tables": (wide,)})
    page = recording_page.open(
        record.model_copy(update={"sections": (section, *record.sections[1:])}), tmp_path
    )
    box = page.get_by_role("group", name="Slices", exact=True)
    assert box.evaluate("box => box.scrollWidth - box.clientWidth") <= 0
    lines = box.locator("tbody tr").first.evaluate("row => row.getBoundingClientRect().height")
    assert lines < 80


def test_a_phone_shows_the_verdict_before_all_else_but_one_line(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(audit_record(), tmp_path)
    page.set_viewport_size({"width": 390, "height": 844})
    contents, verdict = (page.locator(name).bounding_box() for name in ("nav", ".verdict"))
    assert contents is not None
    assert verdict is not None
    assert contents["height"] < 50
    assert verdict["y"] + verdict["height"] < 844 / 2 + 100


def test_a_table_of_many_measures_is_folded(recording_page: RecordingPage, tmp_path: Path) -> None:
    measures = tuple(Measure(name=f"m{i}", value=0.5, n=9) for i in range(FOLDED_ABOVE + 1))
    record = audit_record()
    section = record.sections[0].model_copy(update={"measures": measures})
    page = recording_page.open(
        record.model_copy(update={"sections": (section, *record.sections[1:])}), tmp_path
    )
    fold = page.locator("#data details", has_text="6 more rows")
    assert not page.get_by_text("m25", exact=True).is_visible()
    fold.locator("summary").click()
    assert page.get_by_text("m25", exact=True).is_visible()
