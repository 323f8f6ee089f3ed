"""Texts are cut into features that are the user's own characters."""

import pytest
import regex
from hypothesis import given

from explain.errors import SegmentationError
from explain.spans import Segmentation, Span, parts_of, sentences, text_of, words
from tests import strategies


def cut(text: str) -> list[str]:
    return [text[span.start : span.end] for span in words([text])]


@pytest.mark.parametrize(
    ("text", "features"),
    [
        ("It's no good...", ["It's", "no", "good", "..."]),
        ("a , b !", ["a", ",", "b", "!"]),
        ("wow!!! :)", ["wow", "!!!", ":", ")"]),
        ("don’t pay 3.14", ["don’t", "pay", "3.14"]),
        ("مرحبا بالعالم!", ["مرحبا", "بالعالم", "!"]),
        ("这部电影", ["这", "部", "电", "影"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("👩‍👩‍👧‍👦🇩🇪🇫🇷", ["👩‍👩‍👧‍👦", "🇩🇪", "🇫🇷"]),
        ("a\r\nb", ["a", "b"]),
        ("", []),
        (" ", []),
        ("?!", ["?", "!"]),
    ],
)
def test_words_follow_unicode_boundaries_with_punctuation(text: str, features: list[str]) -> None:
    assert cut(text) == features


@given(strategies.texts)
def test_words_cover_all_but_white_space_and_never_overlap(text: str) -> None:
    spans = words([text])
    covered = {i for span in spans for i in range(span.start, span.end)}
    assert len(covered) == sum(span.end - span.start for span in spans)
    assert all(text[i].isspace() for i in range(len(text)) if i not in covered)


@given(strategies.texts)
def test_no_grapheme_cluster_is_cut(text: str) -> None:
    inside = {i for m in regex.finditer(r"\X", text) for i in range(m.start() + 1, m.end())}
    trimmed = {i for i in inside if text[i - 1].isspace() or text[i].isspace()}
    for span in words([text]):
        assert span.start not in inside - trimmed
        assert span.end not in inside - trimmed


@given(strategies.texts)
def test_sentences_cover_all_but_white_space(text: str) -> None:
    covered = {i for span in sentences([text]) for i in range(span.start, span.end)}
    assert all(text[i].isspace() for i in range(len(text)) if i not in covered)


@given(strategies.parts)
def test_parts_and_text_are_inverse(parts: tuple[str, ...]) -> None:
    assert parts_of(text_of(parts)) == parts


@pytest.mark.parametrize(
    "spans",
    [(Span(0, 0, 2), Span(0, 1, 3)), (Span(0, 2, 2),), (Span(0, 0, 9),)],
    ids=["overlapping", "empty", "outside"],
)
def test_a_segmentation_refuses_spans_that_are_no_features(spans: tuple[Span, ...]) -> None:
    with pytest.raises(SegmentationError, match="overlaps"):
        Segmentation(("abc",), spans)


def test_a_lone_surrogate_is_refused_by_name() -> None:
    with pytest.raises(SegmentationError, match=r"U\+D800"):
        Segmentation(("a\ud800",), ())


@pytest.mark.parametrize("text", [None, 3, ["a", "b"], ("a", "b", "c"), ("a", 1)])
def test_what_is_no_text_is_refused(text: object) -> None:
    with pytest.raises(SegmentationError, match="a text is a string or a pair"):
        parts_of(text)  # type: ignore[arg-type]


def test_a_long_line_of_spaces_has_no_features() -> None:
    assert words([" " * 100_000]) == ()
    assert sentences([" " * 100_000]) == ()


def test_long_gaps_and_long_runs_of_marks_are_read_in_linear_time() -> None:
    text = "a" + " " * 1_000_000 + "b" + "." * 1_000_000 + "\n" * 1_000
    assert len(sentences([text])) == 1


@pytest.mark.parametrize("span", [Span(1, 0, 1), Span(-1, 0, 1), Span(0, -1, 1)])
def test_a_span_of_another_part_is_refused(span: Span) -> None:
    with pytest.raises(SegmentationError):
        Segmentation(("abc",), (span,))
