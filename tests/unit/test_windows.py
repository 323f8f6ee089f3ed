"""A long text is cut into words stretch by stretch, and an edit cuts only what stands around it."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from explain.text import editing
from explain.text import words as cutting
from explain.text.editing import insert_word, replace_spans, without_features, without_spans
from explain.text.spans import Segmentation, Span
from explain.text.windows import stretches, windows
from explain.text.words import is_japanese, word_starts, words
from tests.helpers import strategies
from tests.helpers.search import examples

LONG = " ".join(f"word{number % 3000}, so" for number in range(80_000))
"""A text of about a megabyte."""


def starts_of_whole(part: str, japanese: bool) -> Iterator[int]:
    """Yield where words begin by the definition: graphemes and words of all of a text at once."""
    flagless = regex.sub(r"[🇦-🇿]{2}", "¤\u0301", part)
    graphemes = [match.span() for match in regex.finditer(r"\X", flagless)]
    units = [match.span() for match in cutting._WHOLE.finditer(part)]
    units += cutting._han_words(part, japanese)
    units += [
        (start, end)
        for (start, middle), (_, end) in pairwise(graphemes)
        if part[start:middle] == part[middle:end] and regex.match(r"[\p{P}\p{S}]", part[start:])
    ]
    joined = {place for start, end in units for place in range(start + 1, end)}
    joined |= {match.start() for match in cutting._JOINT.finditer(part)}
    yield from (start for start, _ in graphemes if start not in joined)


lines = st.lists(
    st.one_of(
        strategies.parts.map(lambda parts: parts[0]),
        st.sampled_from(
            ["ok", "a.b", "@me", "über", "www.a.org/x", "--", "да", "\r\n", "_x_", "は"]
        ),
        st.text(alphabet="a.@_'\"\r\n é\u0301は中🇩🇪😀\u200dเก\u202f\x1c", max_size=4),
    ),
    max_size=9,
)
texts = st.tuples(lines, st.sampled_from([" ", "\n", "  ", ""])).map(
    lambda case: case[1].join(case[0])
)


@examples(100)
@given(texts, st.booleans())
def test_words_cut_stretch_by_stretch_are_those_of_the_whole_text(
    text: str, japanese: bool
) -> None:
    assert word_starts(text, japanese=japanese) == list(starts_of_whole(text, japanese))


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, list[Span]]:
    """Return a text and some of its words."""
    text = draw(texts)
    spans = words([text])
    kept = draw(st.lists(st.integers(0, 5), min_size=len(spans), max_size=len(spans)))
    return text, [span for span, number in zip(spans, kept, strict=True) if not number]


@examples(100)
@given(edits(), st.sampled_from(["new", ",", "は", "x y", ""]))
def test_an_edit_in_windows_is_the_edit_of_the_whole_text(
    case: tuple[str, list[Span]], new: str
) -> None:
    text, spans = case
    segmentation = Segmentation((text,), tuple(spans))
    assert without_spans([text], spans) == (
        without_features(segmentation, [False] * len(spans)) if spans else text,
    )
    whole = editing._layout(segmentation, 0, is_japanese(text)).rewrite(iter([new] * len(spans)))
    assert replace_spans([text], [(span, new) for span in spans]) == (whole if spans else text,)


@examples(100)
@given(edits(), st.sampled_from(["new", ",", "は"]))
def test_a_word_put_into_a_window_is_put_into_the_whole_text(
    case: tuple[str, list[Span]], new: str
) -> None:
    text, spans = case
    for span in spans:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(editing, "windows", lambda part, places: [(0, len(part), places)])
            whole = insert_word(text, span.start, new)
        assert insert_word(text, span.start, new) == whole


@examples(100)
@given(edits())
def test_windows_hold_all_places_and_never_overlap(case: tuple[str, list[Span]]) -> None:
    text, spans = case
    places = [(span.start, span.end) for span in spans]
    found = list(windows(text, places))
    assert [place for *_, inner in found for place in inner] == places
    edges = [edge for begin, finish, _ in found for edge in (begin, finish)]
    assert edges == sorted(edges)
    for begin, finish, inner in found:
        assert all(begin <= start and end <= finish for start, end in inner)
        for edge in (begin, finish):
            assert edge in (0, len(text)) or text[edge - (edge == begin)] in " \n"


def test_a_long_text_is_cut_once_a_stretch_and_an_edit_cuts_a_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    characters = 0
    original = cutting._starts_of

    def counted(stretch: str, *, japanese: bool) -> Any:
        nonlocal characters
        characters += len(stretch)
        return original(stretch, japanese=japanese)

    monkeypatch.setattr(cutting, "_starts_of", counted)
    cutting._known_starts.cache_clear()
    spans = words([LONG])
    assert characters < 3_100 * 10  # 3,000 words and "so", each once.
    cutting._known_starts.cache_clear()
    characters = 0
    middle = spans[len(spans) // 2]
    without_spans([LONG], [middle])
    replace_spans([LONG], [(middle, "new")])
    insert_word(LONG, middle.start, "new")
    assert 0 < characters < 500


@pytest.mark.parametrize("text", ["a" * 10**6, "good" + " " * 10**6 + "film", "?" * 10**6])
def test_a_million_of_one_character_are_cut_without_a_step_for_each_grapheme(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "_graphemes", None)
    assert len(words([text])) in (1, 2)


def test_stretches_are_parted_by_lone_spaces_between_plain_characters() -> None:
    assert stretches("a b\nc  d e\u0301 f 中 g") == ["a", "b", "c  d", "e\u0301 f 中 g"]
