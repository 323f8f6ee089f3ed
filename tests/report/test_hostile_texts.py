"""Whatever a text, a label or a name holds: a browser shows it, and does nothing else with it."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import reports
from tests.helpers import records
from tests.helpers.hostile import ACTS, AROUND, TEXTS, expected_text
from tests.helpers.recording_page import RecordingPage
from tests.helpers.search import NIGHTLY

if TYPE_CHECKING:
    from playwright.sync_api import Page


def read_back(page: "Page") -> list[str]:
    texts = page.locator("p.text").evaluate_all("all => all.map(p => p.textContent)")
    return [str(text) for text in texts]


def check(
    text: str, recording_page: RecordingPage, folder: Path, patch: pytest.MonkeyPatch
) -> None:
    """Show a text in all places of a page."""
    patch.setattr(records, "HOSTILE", text)
    page = recording_page.open(records.hostile_record(), folder)
    shown = page.evaluate(_OPENED_AND_FOCUSED)
    page.evaluate("new Promise(requestAnimationFrame)")  # What that set off has begun by then.
    assert recording_page.events == []
    assert shown["texts"][0] == expected_text(text)
    assert shown["width"] <= 1_280
    assert (shown["scripts"], shown["styles"]) == (1, 1)


_OPENED_AND_FOCUSED = """() => {
  document.querySelectorAll("details").forEach((each) => (each.open = true));
  document.querySelectorAll("[tabindex], a, input").forEach((each) => each.focus());
  return {
    texts: [...document.querySelectorAll("p.text")].map((text) => text.textContent),
    width: document.documentElement.scrollWidth,
    scripts: document.querySelectorAll("script:not([type])").length,
    styles: document.querySelectorAll("style").length,
  };
}"""
"""Opens and focuses whatever can be, and returns what is then there, in one call of the browser."""


def test_there_are_five_hundred_texts() -> None:
    assert len(set(TEXTS)) == 500


BY_DAY = 2
"""Ways to get out in which an act is tried by day: these go on from act to act, through all ten."""


def ways(act: int) -> range:
    """Return the places in `AROUND` of the ways that an act is tried in."""
    return range(len(AROUND)) if NIGHTLY else range(act * BY_DAY, (act + 1) * BY_DAY)


def test_every_way_out_is_tried_with_as_many_acts() -> None:
    tried = Counter(way % len(AROUND) for act in range(len(ACTS)) for way in ways(act))
    assert tried == dict.fromkeys(range(len(AROUND)), len(ACTS) if NIGHTLY else 10)


@pytest.mark.slow
@pytest.mark.parametrize("act", range(len(ACTS)))
def test_a_hostile_text_is_only_shown_however_it_is_put(
    act: int, recording_page: RecordingPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for way in ways(act):
        text = TEXTS[act * len(AROUND) + way % len(AROUND)]
        check(text, recording_page, tmp_path, monkeypatch)


def hidden() -> Iterator[str]:
    """Yield the characters that change how others are shown, or cannot be seen."""
    yield from map(chr, (0x200E, 0x200F, 0x061C, 0x00AD, 0x200B, 0xFEFF, 0x1B, 0x7F, 0x85))
    yield from map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029))


@pytest.mark.parametrize("character", list(hidden()), ids=lambda c: f"U+{ord(c):04X}")
def test_a_hidden_character_is_a_mark_and_is_read_back_and_copied_as_it_is(
    character: str, recording_page: RecordingPage, tmp_path: Path
) -> None:
    text = f"abc {character}def ghi"
    page = recording_page.goto(
        reports.write_html(records.attribution(text), tmp_path / "page.html")
    )
    assert read_back(page)[0] == text
    mark = page.locator("p.text .mark")
    assert mark.count() == 1
    shown = mark.evaluate("mark => getComputedStyle(mark, '::before').content")
    assert shown.strip('"') in (f"⟨U+{ord(character):04X}⟩", "␛", "␡")
    box = mark.bounding_box()
    assert box is not None
    assert box["width"] > 5
    copied = page.evaluate(
        "() => { getSelection().selectAllChildren(document.querySelector('p.text'));"
        " return getSelection().toString(); }"
    )
    assert copied == text
    places = page.evaluate(_PLACES)
    assert places == sorted(places)
    assert recording_page.events == []


_PLACES = """() => {
  const places = [];
  const walker = document.createTreeWalker(document.querySelector("p.text"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    for (let at = 0; at < walker.currentNode.length; at++) {
      if (!/[a-z]/.test(walker.currentNode.data[at])) continue;
      const range = document.createRange();
      range.setStart(walker.currentNode, at);
      range.setEnd(walker.currentNode, at + 1);
      places.push(range.getBoundingClientRect().x);
    }
  }
  return places;
}"""
"""Returns how far to the right each letter stands, in the order of the text."""


@pytest.mark.parametrize("width", [400, 1_280])
def test_a_word_of_four_thousand_letters_is_broken_wherever_it_stands(
    width: int, recording_page: RecordingPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "HOSTILE", "W" * 4_000)
    page = recording_page.open(records.hostile_record(), tmp_path)
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Tables scroll on their own, but not for one word.
    widest = page.locator(".scroll").evaluate_all("all => all.map(each => each.scrollWidth)")
    assert max(widest) < 1_500


@pytest.mark.parametrize("cluster", ["\u0e33\u0e47" * 200, "🙂\u200d" * 100], ids=["thai", "emoji"])
@pytest.mark.parametrize("width", [400, 1_280])
def test_signs_that_no_line_can_part_do_not_widen_the_page(
    width: int,
    cluster: str,
    recording_page: RecordingPage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(records, "HOSTILE", cluster)
    page = recording_page.open(records.hostile_record(), tmp_path)
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("document.querySelectorAll('details').forEach(each => (each.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
