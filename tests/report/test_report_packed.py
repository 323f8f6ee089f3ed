"""Rows that are packed into the page are shown as they are written out elsewhere."""

import json
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reports
from explain.record import text_sha256
from explain.text.spans import Span
from reports.highlight import pieces
from reports.packed_rows import CHUNK, SIMPLE_PIECES, packed_chunks, text_nodes
from reports.row_index import ID_DIGITS, packed, row_index
from reports.summary import record_hash
from tests.helpers.pages import unpacked
from tests.helpers.recording_page import RecordingPage
from tests.helpers.records import HOSTILE, attribution, audit_record

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from explain.record import AuditRecord, InstanceRecord


def _rows(number: int, words: int = 60, methods: tuple[str, ...] = ("shap",)) -> "AuditRecord":
    """Return an audit with so many explained rows of so many words, each another text."""
    record, rng = audit_record(), random.Random(0)
    vocabulary = [f"w{rng.getrandbits(24):x}" for _ in range(3000)]
    first = record.instances[0]

    def row(place: int) -> "InstanceRecord":
        text = " ".join(rng.choices(vocabulary, k=words))
        values = tuple(round(rng.gauss(0, 1), 3) for _ in range(words))
        explained = tuple(
            attribution(text, method=m, values=values, errors=(0.125,) * words, grade="B")
            for m in methods
        )
        update = {"id": f"n{place}", "row": place, "parts": (text,), "attributions": explained}
        return first.model_copy(update=update | {"agreements": (), "columns": {}})

    return record.model_copy(update={"instances": tuple(row(p + 1) for p in range(number))})


@pytest.fixture(scope="module")
def two_chunks() -> "AuditRecord":
    """Return an audit whose last rows are in a second chunk."""
    return _rows(CHUNK + 130)


@pytest.fixture(scope="module")
def two_methods() -> "AuditRecord":
    """Return the same explained by two methods."""
    return _rows(CHUNK + 130, methods=("shap", "lime"))


@pytest.fixture(scope="module")
def two_chunks_file(two_chunks: "AuditRecord", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return its page: writing it takes longer than a test of it."""
    return reports.write_html(two_chunks, tmp_path_factory.mktemp("packed") / "audit.html")


def _ready(page: "Page") -> None:
    page.locator("#tools").wait_for()


def test_rows_of_a_small_audit_are_all_written_out() -> None:
    assert 'class="chunk"' not in reports.render_html(_rows(100))
    assert 'class="chunk"' in reports.render_html(_rows(101))


def test_all_rows_are_written_out_in_full() -> None:
    html = reports.render_html(_rows(120), (), "full")
    assert 'class="chunk"' not in html
    assert html.count('<article class="instance"') == 120


def test_every_link_of_a_packed_report_has_a_target() -> None:
    record = _rows(CHUNK + 200)
    (section, *others) = record.sections
    finding = section.findings[0].model_copy(update={"evidence": (f"n{CHUNK + 150}",)})
    sections = (section.model_copy(update={"findings": (finding,)}), *others)
    html = reports.render_html(record.model_copy(update={"sections": sections}))
    links = set(re.findall(r'href="#(i-[^"]+)"', html))
    assert f"i-n{CHUNK + 150}" in links
    assert links <= set(re.findall(r'id="(i-[^"]+)"', html))


def _odd_rows(instance: "InstanceRecord") -> list["InstanceRecord"]:
    """Return rows whose numbers are of all sizes, and whose methods differ in what they state."""
    numbers = (12345.678, -1e6, -0.001, 0.0, 2.0, -0.5, 0.004)
    small = tuple(number / 1e7 for number in numbers)
    text = "one two three four five six seven"
    shap = attribution(text, values=numbers, errors=(0.0, 1234.5, 0.001, 2.0, 0.0, 0.1, 0.0))
    explained = {
        "two": (shap, attribution(text, method="lime", values=small)),
        "one": (shap.model_copy(update={"grade": "D"}),),
        "other features": (shap, attribution(text, method="lime", unread=(Span(0, 8, 13),))),
    }
    return [
        instance.model_copy(update={"id": id, "parts": (text,), "attributions": attributions})
        for id, attributions in explained.items()
    ]


def test_packed_rows_say_what_written_ones_say(
    two_methods: "AuditRecord", recording_page: RecordingPage, tmp_path: Path
) -> None:
    record = two_methods
    odd = _odd_rows(record.instances[-1])
    instances = (*record.instances[:-3], *odd, *record.instances[-3:])
    compared = (*odd, record.instances[-1])

    def said(instances: tuple["InstanceRecord", ...]) -> list[tuple[str, list[list[str]], object]]:
        page = recording_page.open(record.model_copy(update={"instances": instances}), tmp_path)
        _ready(page)
        cards = []
        for instance in compared:
            anchor = f"i-{quote(instance.id)}"
            page.goto(f"{page.url.partition('#')[0]}#{anchor}")
            card = page.locator(f"[id='{anchor}']")
            card.wait_for()
            rows = card.locator("tbody").first.locator("tr").all_inner_texts()
            styles = card.locator("p.text span").evaluate_all("all => all.map(s => s.className)")
            text = card.locator("p.text").inner_text()
            cards.append((text, [row.split() for row in rows], styles))
        return cards

    packed = said(instances)
    assert packed == said(compared)
    assert [text for text, _, _ in packed] == [instance.parts[0] for instance in compared]


def test_packed_rows_are_searched_paged_and_reviewed(
    recording_page: RecordingPage, two_chunks: "AuditRecord", two_chunks_file: Path
) -> None:
    last = two_chunks.instances[-1]
    page = recording_page.goto(two_chunks_file)
    _ready(page)
    assert page.locator("#filter-count").inner_text().startswith(f"{CHUNK + 130} of {CHUNK + 130}")
    page.get_by_label("Text", exact=True).fill(last.parts[0][:60])
    page.locator(f"#i-{last.id}").wait_for()
    assert page.locator("#filter-count").inner_text() == f"1 of {CHUNK + 130} shown"
    page.locator("h1").click()
    page.keyboard.press("r")
    page.get_by_label("Your name").fill("Ada")
    page.keyboard.press("Enter")
    page.keyboard.press("p")
    assert page.locator("[data-part=place]").inner_text().startswith(f"row {last.row}:")
    assert page.locator("[data-part=text]").inner_text().strip() == last.parts[0]
    assert "towards" not in page.locator("[data-part=work]").inner_html()
    assert recording_page.events == []


SLOW = """
const text = Response.prototype.text;
window.waiting = [];
Response.prototype.text = async function () {
  const unpacked = await text.call(this);
  if (window.slow) await new Promise((go_on) => window.waiting.push(go_on));
  return unpacked;
};
"""

GO_ON = """async () => {
  while (!window.waiting.length) await new Promise((done) => setTimeout(done, 10));
  window.waiting.splice(0).forEach((go_on) => go_on());
}"""


def _unpacks(page: "Page") -> None:
    """Let what waits be unpacked, and the page do what it does then."""
    # In one call: the page's policy forbids the evaluation that `wait_for_function` polls by.
    page.evaluate(GO_ON)
    page.evaluate("new Promise((done) => setTimeout(done, 50))")


def _place(page: "Page") -> str:
    return page.locator("[data-part=place]").inner_text()


def test_a_row_is_judged_only_once_it_is_unpacked(
    recording_page: RecordingPage, two_chunks_file: Path
) -> None:
    recording_page.page.add_init_script(SLOW)
    page = recording_page.goto(two_chunks_file)
    _ready(page)
    page.evaluate("window.slow = true")
    page.keyboard.press("r")
    page.get_by_label("Your name").fill("Ada")
    page.keyboard.press("Enter")
    assert _place(page) == f"row 1: 1 of {CHUNK + 130}, 0 judged"

    # While the last row is being unpacked, the row on show is the one that is judged.
    page.keyboard.press("p")
    page.keyboard.press("1")
    assert _place(page) == f"row 1: 1 of {CHUNK + 130}, 1 judged"
    _unpacks(page)
    assert _place(page) == f"row {CHUNK + 130}: {CHUNK + 130} of {CHUNK + 130}, 1 judged"
    assert "predicted" not in page.locator("main").inner_text()
    with page.expect_download() as download:
        page.keyboard.press("d")
    (line,) = map(json.loads, Path(download.value.path()).read_text().splitlines())
    assert line["instance"] == "n1"
    assert recording_page.events == []


@pytest.mark.parametrize("key", ["n", "Escape"])
def test_a_row_that_comes_late_replaces_neither_another_row_nor_the_report(
    key: str, recording_page: RecordingPage, two_chunks_file: Path
) -> None:
    recording_page.page.add_init_script(SLOW)
    page = recording_page.goto(two_chunks_file)
    _ready(page)
    page.evaluate("window.slow = true")
    page.keyboard.press("r")
    page.get_by_label("Your name").fill("Ada")
    page.keyboard.press("Enter")
    page.keyboard.press("p")
    page.keyboard.press(key)
    _unpacks(page)
    if key == "n":
        assert _place(page).startswith("row 2:")
        return
    # The keys are those of the report again: one opens the review, and the others judge nothing.
    page.keyboard.press("1")
    page.keyboard.press("r")
    assert page.get_by_label("Your name").is_visible()
    assert page.evaluate("Object.keys(localStorage).length") == 0


def test_the_next_reviewer_waits_for_a_row_without_a_trace_of_the_last_one(
    recording_page: RecordingPage, two_chunks: "AuditRecord", two_chunks_file: Path
) -> None:
    recording_page.page.add_init_script(SLOW)
    page = recording_page.goto(two_chunks_file)
    _ready(page)
    judged = {f"n{number + 1}": {"verdict": "skip"} for number in range(CHUNK + 120)}
    key = f"explain-audit review {record_hash(two_chunks)} Grace"
    page.evaluate(
        "([key, lines]) => localStorage.setItem(key, JSON.stringify({ lines, seen: {} }))",
        [key, judged],
    )
    page.keyboard.press("r")
    page.get_by_label("Your name").fill("Ada")
    page.keyboard.press("Enter")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    page.evaluate("window.slow = true")
    page.keyboard.press("r")
    page.get_by_label("Your name").fill("Grace")
    page.keyboard.press("Enter")
    assert not page.locator("[data-part=work]").is_visible()
    _unpacks(page)
    assert _place(page).startswith(f"row {CHUNK + 121}:")
    assert "predicted" not in page.locator("main").inner_text()


@pytest.mark.parametrize("part", [HOSTILE, "قال: لا\u202e no", "a\tb\r\n\U0001f600 c\x00d"])
def test_a_hostile_text_is_packed_as_text(
    part: str, recording_page: RecordingPage, tmp_path: Path
) -> None:
    record = _rows(110)
    odd = record.instances[-1].model_copy(
        update={"parts": (part,), "attributions": (attribution(part, label=HOSTILE),)}
    )
    record = record.model_copy(update={"instances": (*record.instances[:-1], odd)})
    page = recording_page.open(record, tmp_path)
    _ready(page)
    page.goto(f"{page.url.partition('#')[0]}#i-{odd.id}")
    text = page.locator(f"#i-{odd.id} p.text")
    text.wait_for()
    assert text.evaluate("paragraph => paragraph.textContent") == part.replace("\0", "␀")
    assert recording_page.events == []


def test_the_script_finds_the_hash_of_every_packed_text(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    record = _rows(101)
    odd = ["", HOSTILE, "é\x7f\U0001f600\u2028", *("a" * n for n in (50, 51, 52, 59, 60, 123, 124))]
    pair = ("one", "two")
    first = record.instances[-1]
    rows = tuple(
        first.model_copy(update={"id": f"odd{n}", "parts": p, "attributions": (attribution(*p),)})
        for n, p in enumerate([pair, *((text,) for text in odd)])
    )
    page = recording_page.open(
        record.model_copy(update={"instances": (*record.instances, *rows)}), tmp_path
    )
    _ready(page)
    page.keyboard.press("r")
    page.get_by_label("Your name").fill("Ada")
    page.keyboard.press("Enter")
    for place in range(101 + len(rows), 101, -1):
        page.keyboard.press("p")
        page.locator("[data-part=place]", has_text=f"{place} of").wait_for()
        page.keyboard.press("s")
    with page.expect_download() as download:
        page.keyboard.press("d")
    lines = map(json.loads, Path(download.value.path()).read_text().splitlines())
    said = {line["instance"]: line["text_sha256"] for line in lines}
    assert said == {row.id: text_sha256(row.parts) for row in rows}


@given(st.binary(max_size=40))
def test_what_is_packed_is_unpacked_and_html_leaves_it_alone(data: bytes) -> None:
    value = [data.hex(), "\x00é<&>\U0001f600"]
    letters = packed(value)
    assert unpacked(letters) == value
    assert not set(letters) & set("<>&\"'")
    assert letters.isascii()


@given(st.data())
def test_the_lengths_of_a_chunk_cut_its_texts_into_the_pieces(data: st.DataObject) -> None:
    alphabet = st.characters(exclude_categories=["Cs"]) | st.sampled_from("ab ' .")
    text = data.draw(st.text(alphabet, max_size=80))
    edges = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    spans = tuple(Span(0, a, b) for a, b in zip(edges[::2], edges[1::2], strict=False))
    values = tuple(1.0 + place for place in range(len(spans)))
    explained = attribution("x").model_copy(
        update={"parts": (text,), "spans": spans, "values": values}
    )
    instance = (
        audit_record()
        .instances[0]
        .model_copy(update={"parts": (text,), "attributions": (explained,)})
    )
    chunk = unpacked(packed_chunks([instance], ())[0])
    (lengths,) = chunk["lengths"][0]
    cut = [piece.text for piece in pieces((text,), spans, values)[0]]
    digits = [int(digit, 36) for digit in lengths] if isinstance(lengths, str) else lengths
    assert cut == (SIMPLE_PIECES.findall(text) if lengths == "" else _cut(text, digits))
    assert len(chunk["levels"][0][0]) == len(cut)
    named = [cut[ord(letter) - ord("#")] for letter in chunk["features"][0]]
    assert named == [text[s.start : s.end] for s in reversed(spans)][:10]


def _cut(text: str, lengths: list[int]) -> list[str]:
    starts = [sum(lengths[:place]) for place in range(len(lengths))]
    return [text[start : start + length] for start, length in zip(starts, lengths, strict=True)]


def test_ids_that_the_script_completes_are_those_of_the_record() -> None:
    html = reports.render_html(audit_record())
    (rows,) = re.findall(r'id="rows" type="application/octet-stream">([^<]+)<', html)
    index = unpacked(rows)["columns"]
    assert index["id"] == ["a41c", "77e0", "d2a7"]
    assert ID_DIGITS == 12
    assert f"digest.slice(0, {ID_DIGITS})" in html
    assert f"ROWS_PER_CHUNK = {CHUNK}" in html


def test_ten_thousand_rows_by_two_methods_are_at_most_four_megabytes(
    two_methods: "AuditRecord",
) -> None:
    rows = two_methods.instances
    nodes = {row.id: text_nodes(row) for row in rows}
    size = sum(map(len, packed_chunks(rows, ()))) + len(
        row_index(two_methods, rows, {}, nodes, "0" * 64)
    )
    assert size / len(rows) * 10_000 < 3_500_000  # half a megabyte is left for what is written out


def test_thousands_of_rows_are_small_enough_to_mail_and_ready_soon(
    recording_page: RecordingPage, tmp_path: Path
) -> None:
    """A thousand here, as rendering takes its time; ten thousand are at most ten times that."""
    record = _rows(1000)
    path = reports.write_html(record, tmp_path / "audit.html")
    assert path.stat().st_size < 1_000_000
    page = recording_page.goto(path)
    seconds = []
    for _ in range(3):  # The shortest of them: a machine may be busy with something else.
        page.reload()
        _ready(page)
        seconds.append(page.evaluate("performance.now()") / 1000)
    assert min(seconds) < 2
