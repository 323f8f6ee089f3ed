"""Whatever a text, a label or a name holds: a browser shows it, and does nothing else with it."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import reports
from tests.helpers import records
from tests.helpers.recording_page import RecordingPage
from tests.helpers.search import NIGHTLY

if TYPE_CHECKING:
    from playwright.sync_api import Page

ACTS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src=//evil.example/x.png>",
    "<svg onload=alert(1)>",
    "<svg><script href=data:,alert(1)></script></svg>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<a href=javascript:alert(1) autofocus onfocus=alert(1)>x</a>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<body onload=alert(1)>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css'; * { background: url(//evil.example/y) }</style>",
    "<base href=//evil.example/>",
    "<form action=//evil.example><button>x</button></form>",
    "<object data=//evil.example/x.swf></object>",
    "<embed src=//evil.example/x.svg>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=//evil.example/x.mp3 autoplay>",
    "<math><mtext><img src=x onerror=alert(1)></mtext></math>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "{{ 7 * 7 }} {% include '/etc/passwd' %} {# x #}",
    "${alert(1)} `${alert(1)}` #{7*7}",
    "=HYPERLINK('//evil.example','x')",
    "'; alert(1); //",
    '"; alert(1); //',
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "<SCRIPT SRC=//EVIL.EXAMPLE/X.JS></SCRIPT>",
    "<scr\0ipt>alert(1)</scr\0ipt>",
    "<p style=\"background:url('//evil.example')\">",
    "\x1b]8;;//evil.example\x07x\x1b]8;;\x07\x1b[2J",
    "\u202e)1(trela\u202c \u2066x\u2069 \u200f \u061c \ufeff \u00ad",
    "\u2028alert(1)\u2029\x85\x0b\x0c\r\n\r\n\tx",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
    "👩\u200d👩\u200d👧 🏴\U000e0067\U000e0062\U000e0065\U000e007f é e\u0301 \U0010ffff \ufffe",
    "w" * 4_000,
    "<" * 300 + ">" * 300,
    "\u0600\u06dd " + "\u0e01\u0e34" * 50,
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\\x3cscript\\x3e \\074script\\076 </textarea></title></style></option></table>",
)
"""What would act if a page or a terminal took it for more than a text."""

AROUND = (
    ("", ""),
    ('"', '"'),
    ("'", "'"),
    ("'>", "<'"),
    ('">', '<"'),
    ("--><", "><!--"),
    ("</p></td></svg></text></style></script>", "<p>"),
    ("]]>", "<![CDATA["),
    ("&quot;&#34;&", ";"),
    ("\u2067a ", " \u202e\u2069b"),
)
"""How it may get out of where it stands."""

TEXTS = [f"{before}{act}{after} x" for act in ACTS for before, after in AROUND]


def expected_text(text: str) -> str:
    """Return what is read back: HTML cannot hold NUL."""
    return text.replace("\0", "␀")


def read_back(page: "Page") -> list[str]:
    texts = page.locator("p.text").evaluate_all("all => all.map(p => p.textContent)")
    return [str(text) for text in texts]


def check(
    text: str, recording_page: RecordingPage, folder: Path, patch: pytest.MonkeyPatch
) -> None:
    """Show a text in all places of a page."""
    patch.setattr(records, "HOSTILE", text)
    page = recording_page.open(records.hostile_record(), folder)
    page.evaluate("document.querySelectorAll('details').forEach(each => (each.open = true))")
    page.evaluate("document.querySelectorAll('[tabindex], a, input').forEach(e => e.focus())")
    assert recording_page.events == []
    assert read_back(page)[0] == expected_text(text)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1_280
    assert page.locator("script:not([type])").count() == 1
    assert page.locator("style").count() == 1


def test_there_are_five_hundred_texts() -> None:
    assert len(set(TEXTS)) == 500


BY_DAY = 3
"""Ways to get out in which an act is tried by day: these go on from act to act, through all ten."""


def ways(act: int) -> range:
    """Return the places in `AROUND` of the ways that an act is tried in."""
    return range(len(AROUND)) if NIGHTLY else range(act * BY_DAY, (act + 1) * BY_DAY)


def test_every_way_out_is_tried_with_as_many_acts() -> None:
    tried = Counter(way % len(AROUND) for act in range(len(ACTS)) for way in ways(act))
    assert tried == dict.fromkeys(range(len(AROUND)), len(ACTS) if NIGHTLY else 15)


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
