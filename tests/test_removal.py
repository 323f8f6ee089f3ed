"""Hiding a word changes no other: the words of what is left are the words that were kept."""

import re
from collections.abc import Sequence
from itertools import combinations, pairwise

import pytest
from hypothesis import example, given
from sklearn.feature_extraction.text import CountVectorizer

from explain.removal import without
from explain.spans import Segmentation, Span, parts_of, sentences, words
from tests import strategies

AS_WRITTEN = (
    "They kept it secret, but it leaked.",
    "They kept it secret , but it leaked .",
    "10.5 % off (now)",
    "good ( really ) bad",
    'He said "great" twice',
    "He said “great”, 'twice', and “it’s ‘so-so’”.",
    "well-known, cheap",
    "one - two — three—four",
    "A.B.C. is bad; C is good",
    "yes!! no ?! wow...great…",
    "@user: hi #tag, C#minor user@host me@b.org!",
    "I don't, can't and won't ('never') do it.",
    "- first\n- second\n\n* third\tend",
    " (a) see https://a.org/b?c=1, or www.b.org. \n",
    "3,(x)14 and 1.(2)3 m² ½",
    "dogs'(s)cats a'!'b",
    "a  b c   d",
    "5*(3+x)=y/2; a/b, c_d",
    "Good.(Really)bad.So",
    "..!.?. ,,",
    "我喜欢电影，很好看。",
    "我(は)喜欢电影",
    "🇩(x)🇪🇫🇷 👍🏽🏽👩‍👩‍👧‍👦!👩❤️❤️ a👍🏽b",
    "good\u200bok (\u200b) x\u0301",
    "中b@c.org",
)
TOKENS = (None, "[MASK]", "<mask>", "_", "mask")


def cut(parts: Sequence[str], token: str | None) -> tuple[Span, ...]:
    """Return the words of a text, with a mask token in it as one, as a model's adapter has it."""
    found = list(words(parts))
    for number, part in enumerate(parts):
        for match in re.finditer(re.escape(token or "\0\0"), part):
            start, end = match.span()
            over = [
                span for span in found if span.part == number and span[1] < end and start < span[2]
            ]
            joined = [*over, Span(number, start, end)]
            found = [span for span in found if span not in over]
            found.append(
                Span(number, min(span.start for span in joined), max(span.end for span in joined))
            )
    return tuple(sorted(found))


def require_kept_words(
    segmentation: Segmentation, kept: Sequence[bool], token: str | None
) -> tuple[str, ...]:
    """Check the words of a masked text, and return it.

    Where the cut of Han characters depends on all of a text, a word may be one there and several
    by itself; then no space could keep it, and it only has to share no word with others.
    """
    masked = parts_of(without(segmentation, kept, token))
    left = Segmentation(masked, cut(masked, token))
    seen = list(zip((span.part for span in left.spans), left.features, strict=True))
    for span, feature, keep in zip(segmentation.spans, segmentation.features, kept, strict=True):
        wanted = feature if keep else token
        if wanted is None:
            continue
        part, found = seen.pop(0)
        while len(found) < len(wanted) and len(cut([wanted], token)) > 1:
            found += seen.pop(0)[1]
        assert (part, found) == (span.part, wanted), masked
    assert not seen
    return masked


def require_white_space_of(parts: Sequence[str], masked: Sequence[str], ends: bool) -> None:
    """Check that all white space is that of the text, or a space that came between two words."""
    for part, left in zip(parts, masked, strict=True):
        runs = re.findall(r"\s+", part)
        assert set(re.findall(r"\s+", left)) <= {*runs, " "}
        if ends and left.strip():
            assert left[: len(left) - len(left.lstrip())] == part[: len(part) - len(part.lstrip())]
            assert left[len(left.rstrip()) :] == part[len(part.rstrip()) :]


@pytest.mark.parametrize("token", TOKENS)
@given(strategies.masked())
@example((("我(は)喜欢电影",), [True, False, True, False, True, True]))
@example((("b@c.org", "中b@c.org"), [False, True, False, True, True, True]))
def test_the_words_of_a_masked_text_are_the_kept_words(
    token: str | None, case: tuple[tuple[str, ...], list[bool]]
) -> None:
    parts, kept = case
    segmentation = Segmentation(parts, cut(parts, token))
    kept = [kept[number % len(kept)] for number in range(len(segmentation))] if kept else []
    masked = require_kept_words(segmentation, kept, token)
    require_white_space_of(parts, masked, ends=True)
    if all(kept):
        assert masked == parts


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("text", [*AS_WRITTEN, *strategies.SCRIPTS.values()])
def test_no_few_words_of_a_text_as_people_write_it_change_others(
    text: str, token: str | None
) -> None:
    segmentation = Segmentation((text,), cut([text], token))
    n = len(segmentation)
    for size in (0, 1, 2):
        for chosen in combinations(range(n), size):
            inside = [number in chosen for number in range(n)]
            outside = [not keep for keep in inside]
            for kept in (inside, outside):
                masked = require_kept_words(segmentation, kept, token)
                require_white_space_of([text], masked, ends=True)


@pytest.mark.parametrize(
    ("text", "removed", "left"),
    [
        ("They kept it secret, but it leaked.", ",", "They kept it secret but it leaked."),
        ("They kept it secret , but it leaked .", ",", "They kept it secret but it leaked ."),
        ("They kept it, but it leaked.", "it", "They kept, but leaked."),
        ("10.5 % off (now)", "now", "10.5 % off ()"),
        ("10.5 % off (now)", "(", "10.5 % off now)"),
        ("10.5 % off (now)", "%", "10.5 off (now)"),
        ("well-known", "-", "well known"),
        ('"great" twice', "great", '" " twice'),
        ('said "great" twice', '"', "said great twice"),
        ("wow...great", "...", "wow great"),
        ("end. x. y", "x", "end. . y"),
        ("wait x, y", "x", "wait, y"),
        ("wait, x, y", "x", "wait, , y"),
        ("say x-good", "x", "say -good"),
        ("a  b  c   d", "b", "a  c   d"),
        ("a\n\nb c", "b", "a\n\nc"),
        ("a \nb", "z", "a \nb"),
        (" a b\n", "a", " b\n"),
        (" a b\n", "b", " a\n"),
        ("a\tb c", "a", "b c"),
        (" a\n", "a", "\n"),
        ("🇩x🇪", "x", "🇩 🇪"),
        ("👍x🏽 y", "y", "👍x🏽"),
        ("user@host", "user", "@ host"),
        ("我喜欢电影", "喜欢", "我电影"),
    ],
)
def test_what_is_left_of_a_text_reads_as_its_writer_would_have_put_it(
    text: str, removed: str, left: str
) -> None:
    segmentation = Segmentation((text,), words([text]))
    kept = [feature != removed for feature in segmentation.features]
    assert without(segmentation, kept) == left


@pytest.mark.parametrize("text", [*AS_WRITTEN[:20], strategies.SCRIPTS["Latin"]])
def test_a_bag_of_words_counts_the_kept_words_and_nothing_else(text: str) -> None:
    tokens = CountVectorizer().build_analyzer()
    segmentation = Segmentation((text,), words([text]))
    # Where several features are one token of the bag, as in "m²", no removal could be neutral.
    if tokens(text) != [token for feature in segmentation.features for token in tokens(feature)]:
        return
    n = len(segmentation)
    for chosen in combinations(range(n), 2):
        for kept in ([i in chosen for i in range(n)], [i not in chosen for i in range(n)]):
            seen = [
                token
                for feature, keep in zip(segmentation.features, kept, strict=True)
                if keep
                for token in tokens(feature)
            ]
            assert tokens(without(segmentation, kept)) == seen


@given(strategies.masked())
def test_what_lies_between_two_kept_neighbours_stays(
    case: tuple[tuple[str, ...], list[bool]],
) -> None:
    parts, kept = case
    segmentation = Segmentation(parts, words(parts))
    masked = parts_of(without(segmentation, kept))
    for number, part in enumerate(masked):
        place = 0
        spans = [s for s, keep in zip(segmentation.spans, kept, strict=True) if keep]
        numbers = [i for i, keep in enumerate(kept) if keep]
        own = [(i, s) for i, s in zip(numbers, spans, strict=True) if s.part == number]
        for (i, span), (j, after) in pairwise(own):
            word = parts[number][span.start : span.end]
            place = part.index(word, place) + len(word)
            between = parts[number][span.end : after.start]
            if j == i + 1 and between:
                assert part.startswith(between, place)


@given(strategies.masked())
def test_of_sentences_no_words_become_one(case: tuple[tuple[str, ...], list[bool]]) -> None:
    parts, kept = case
    segmentation = Segmentation(parts, sentences(parts))
    kept = [kept[number % len(kept)] for number in range(len(segmentation))] if kept else []
    masked = parts_of(without(segmentation, kept))
    left = [f for f, keep in zip(segmentation.features, kept, strict=True) if keep]
    flat = "".join("".join(left).split())
    assert "".join("".join(masked).split()) == flat
    inside = [len(words([feature])) for feature in left]
    assert len(words(masked)) >= sum(inside) or any(map(is_han, left))


def is_han(text: str) -> bool:
    return bool(re.search("[\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]", text))
