"""What a notebook shows survives its sanitizer, fits its theme, and says what the page says."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import explain
import reports
from explain.adapters import FunctionClassifier
from tests.helpers.pages import Page
from tests.helpers.records import (
    HOSTILE,
    attribution,
    attribution_by_sentences,
    audit_record,
    hostile_record,
)

KEPT_TAGS = {"div", "p", "b", "small", "span", "br"} | {
    *("table", "thead", "tbody", "tr", "th", "td")
}
"""Tags that the sanitizers of notebooks and of code hosts let through."""
KEPT_ATTRIBUTES = {"style", "dir", "scope"}

SHOWN = [
    attribution("stunning but long", values=(1.9, -0.31, 0.0), errors=(0.1, 0.1, 0.1), grade="B"),
    attribution("A man plays.", "No one does."),
    attribution_by_sentences(),
    attribution(HOSTILE, HOSTILE, label=HOSTILE, method=HOSTILE, grade="D", reasons=(HOSTILE,)),
]


@pytest.mark.parametrize("html", [*map(reports.notebook_html, SHOWN), reports.notebook_html(SHOWN)])
def test_a_cell_holds_only_what_sanitizers_keep(html: str) -> None:
    page = Page(html)
    assert {tag for tag, _ in page.elements} <= KEPT_TAGS
    assert {name for _, attributes in page.elements for name in attributes} <= KEPT_ATTRIBUTES
    styles = {a["style"] for _, a in page.elements if "style" in a}
    assert all(re.fullmatch(r"[a-z0-9:;.,() -]+", style) for style in styles)
    assert not any(re.search(r"(?<!background-)color|url|font", style) for style in styles)


@pytest.mark.parametrize("html", [*map(reports.notebook_html, SHOWN), reports.notebook_html(SHOWN)])
def test_a_sanitizer_changes_nothing_or_drops_styles_alone(html: str) -> None:
    nh3 = pytest.importorskip("nh3")
    kept = nh3.clean(html, attributes={"*": KEPT_ATTRIBUTES})
    assert Page(kept).elements == Page(html).elements
    assert Page(kept).contents == Page(html).contents
    strict = Page(nh3.clean(html))
    assert [tag for tag, _ in strict.elements] == [tag for tag, _ in Page(html).elements]
    assert strict.texts("tr") == Page(html).texts("tr")


def test_a_list_of_texts_is_explained_as_a_list_that_shows_itself_as_one_table() -> None:
    model = FunctionClassifier(
        lambda texts: np.array([[0.2, 0.8] if "good" in text else [0.7, 0.3] for text in texts]),
        labels=("bad", "good"),
    )
    results = explain.attribute(model, ["a good film", "a film"])
    assert isinstance(results, list)
    assert Page(results._repr_html_() or "").texts("b") == ["good", "bad"]
    assert Page(results[1:]._repr_html_() or "").texts("b") == ["bad"]
    assert results[0].target.label == "good"
    assert results[:0]._repr_html_() is None


def test_a_list_warns_of_what_must_not_be_relied_on_and_says_how_many_it_does_not_show() -> None:
    distrusted = attribution("a film", grade="D")
    page = Page(reports.notebook_html([distrusted] * 60))
    assert len(page.texts("tr")) == 51
    assert page.texts("tr")[1].endswith("⚠ grade D: do not rely on these values")
    assert page.texts("p")[-1] == "and 10 more"
    assert "more" not in reports.notebook_html([distrusted] * 50)


def test_a_cell_reads_without_its_styles() -> None:
    (shown, *_) = SHOWN
    page = Page(reports.notebook_html(shown))
    said = [" ".join(text.split()) for text in page.texts("p")]
    assert said[:2] == ["negative .782, SHAP grade B", "stunning but long"]
    rows = [" ".join(text.split()) for text in page.texts("tr")]
    assert rows[1:3] == ["1 stunning +1.90 0.10", "2–3 but −0.31 0.10"]


def test_texts_of_a_cell_are_whole_and_what_cannot_be_seen_is_marked() -> None:
    page = Page(reports.notebook_html(attribution("so\ngood \u202e <b>x</b>")))
    texts = [text for _, a, text in page.contents if a.get("dir") == "auto"]
    assert texts == ["so\ngood ⟨U+202E⟩ <b>x</b>"]


def test_a_list_is_one_table_with_a_row_for_each() -> None:
    page = Page(reports.notebook_html(SHOWN))
    tags = [tag for tag, _ in page.elements]
    assert tags.count("table") == 1
    assert tags.count("tr") == 1 + len(SHOWN)
    assert "stunning +1.90 ± 0.10" in " ".join(page.texts("td")[2].split())


def _luminance(colour: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@given(
    st.sampled_from([(255, 17), (255, 30), (0, 255), (33, 255), (212, 30)]),
    st.sampled_from((1.0, -1.0)),
)
def test_letters_of_light_and_dark_themes_stand_out_from_every_highlight(
    theme: tuple[int, int], value: float
) -> None:
    letters, paper = theme
    html = reports.notebook_html(attribution("word", values=(value,)))
    (found,) = re.findall(r"rgba\((\d+), (\d+), (\d+), ([\d.]+)\)", html)
    *colour, opacity = map(float, found)
    back = tuple((c * opacity + paper * (1 - opacity)) / 255 for c in colour)
    front = _luminance((letters / 255,) * 3)
    high, low = sorted((front, _luminance(back)), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_an_audit_is_a_frame_that_holds_the_page_and_runs_no_script() -> None:
    (frame,) = Page(reports.notebook_html(hostile_record())).elements
    assert frame[0] == "iframe"
    assert frame[1]["sandbox"] == ""
    assert frame[1]["srcdoc"] == reports.render_html(hostile_record())


def test_a_cell_speaks_the_language_that_is_asked_for() -> None:
    cells = [*SHOWN[:2], attribution(" ".join(f"w{number}" for number in range(40)))]
    assert "文本" in Page(reports.notebook_html(cells, "zh")).texts("th")
    for cell in cells:
        assert "特征" in Page(reports.notebook_html(cell, "zh")).texts("th")
    last = Page(reports.notebook_html(cells[-1], "zh")).texts("small")
    assert not [text for text in last if re.search("[a-z]{3,} [a-z]{3,}", text)]
    assert reports.notebook_html(cells) == reports.notebook_html(cells, "en")
    assert " lang=&#34;zh-CN&#34;" in reports.notebook_html(audit_record(), "zh")
