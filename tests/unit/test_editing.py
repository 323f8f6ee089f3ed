"""Hiding a word changes no other: the words of what is left are the words that were kept."""

import re
from collections.abc import Sequence
from itertools import combinations, pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from explain.text.editing import insert_word, join_texts, replace_spans, without_features
from explain.text.spans import Segmentation, Span, parts_of
from explain.text.words import sentences, words
from tests.helpers import strategies
from tests.helpers.search import examples

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
    for number, part in enumerate(parts if token else ()):
        for match in re.finditer(re.escape(token or ""), part):
            start, end = match.span()
            over = [
                span for span in found if span.part == number and span[1] < end and start < span[2]
            ]
            joined = [*over, Span(number, start, end)]
            found = [span for span in found if span not in over]
            found.append(
                Span(
                    number,
                    min(span.start for span in joined),
                    max(span.end for span in joined),
                )
            )
    return tuple(sorted(found))


def require_words(
    parts: Sequence[str], expected: Sequence[tuple[int, str]], token: str | None = None
) -> None:
    """Check that the words of a text, each with the number of its part, are the expected ones.

    Where the cut of Han characters depends on all of a text, a word may be one there and several
    by itself; then no space could keep it, and it only has to share no word with others.
    """
    found = Segmentation(tuple(parts), cut(parts, token))
    seen = [(span.part, word) for span, word in zip(found.spans, found.features, strict=True)]
    for number, wanted in expected:
        assert seen, parts
        part, word = seen.pop(0)
        while len(word) < len(wanted) and seen and len(cut([wanted], token)) > 1:
            word += seen.pop(0)[1]
        assert (part, word) == (number, wanted), parts
    assert not seen


def hidden(
    segmentation: Segmentation, kept: Sequence[bool], token: str | None
) -> list[tuple[int, str]]:
    """Return the words that a masked text should have, each with the number of its part."""
    return [
        (span.part, feature if keep else token or "")
        for span, feature, keep in zip(segmentation.spans, segmentation.features, kept, strict=True)
        if keep or token
    ]


def require_kept_words(
    segmentation: Segmentation, kept: Sequence[bool], token: str | None
) -> tuple[str, ...]:
    masked = parts_of(without_features(segmentation, kept, token))
    require_words(masked, hidden(segmentation, kept, token), token)
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
@examples(40)
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
        ('see"#tag', '"', "see #tag"),
        ("ab,²", ",", "ab ²"),
        ("我喜欢电影", "喜欢", "我电影"),
    ],
)
def test_what_is_left_of_a_text_reads_as_its_writer_would_have_put_it(
    text: str, removed: str, left: str
) -> None:
    segmentation = Segmentation((text,), words([text]))
    kept = [feature != removed for feature in segmentation.features]
    assert without_features(segmentation, kept) == left


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
            assert tokens(without_features(segmentation, kept)) == seen


@examples(40)
@given(strategies.masked())
def test_what_lies_between_two_kept_neighbours_stays(
    case: tuple[tuple[str, ...], list[bool]],
) -> None:
    parts, kept = case
    segmentation = Segmentation(parts, words(parts))
    masked = parts_of(without_features(segmentation, kept))
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


@examples(40)
@given(strategies.masked())
def test_between_sentences_that_are_kept_no_words_become_one(
    case: tuple[tuple[str, ...], list[bool]],
) -> None:
    parts, kept = case
    segmentation = Segmentation(parts, sentences(parts))
    kept = [kept[number % len(kept)] for number in range(len(segmentation))] if kept else []
    ends = {(span.part, span.end) for span in segmentation.spans}
    # A combining character after a sentence mark belongs to it as a word, but not as a sentence.
    assume(
        not any((w.part, end) in ends for w in words(parts) for end in range(w.start + 1, w.end))
    )
    expected = [
        (span.part, parts[span.part][word.start : word.end])
        for span, keep in zip(segmentation.spans, kept, strict=True)
        if keep
        for word in words(parts)
        if word.part == span.part and span.start <= word.start < span.end
    ]
    require_words(parts_of(without_features(segmentation, kept)), expected)


@examples(40)
@given(strategies.masked())
def test_what_was_never_read_joins_no_words(case: tuple[tuple[str, ...], list[bool]]) -> None:
    parts, kept = case
    spans = words(parts)
    read = tuple(span for span, keep in zip(spans, kept, strict=True) if keep)
    unread = tuple(span for span, keep in zip(spans, kept, strict=True) if not keep)
    segmentation = Segmentation(parts, read, unread)
    for token in (None, "[MASK]"):
        masked = parts_of(without_features(segmentation, [True] * len(read), token))
        require_words(masked, hidden(segmentation, [True] * len(read), None))


@examples(40)
@given(strategies.masked())
def test_tokens_that_are_kept_stay_in_their_words(
    case: tuple[tuple[str, ...], list[bool]],
) -> None:
    parts, kept = case
    halves = []
    for part, start, end in words(parts):
        middle = (start + end) // 2
        halves += [Span(part, start, middle), Span(part, middle, end)] * (start < middle)
    segmentation = Segmentation(parts, tuple(halves))
    kept = [kept[number // 3 % len(kept)] for number in range(len(halves))]
    masked = parts_of(without_features(segmentation, kept))
    for number, body in enumerate(masked):
        left = iter("".join(body.split()))
        for span, feature, keep in zip(halves, segmentation.features, kept, strict=True):
            if keep and span.part == number:
                assert all(letter in left for letter in "".join(feature.split()))


@examples(40)
@given(strategies.masked(), st.sampled_from(["zorbix", "die @Zorbix-Werke", "¡"]))
def test_what_is_replaced_changes_no_other_word(
    case: tuple[tuple[str, ...], list[bool]], new: str
) -> None:
    parts, kept = case
    segmentation = Segmentation(parts, words(parts))
    edits = [(s, new) for s, keep in zip(segmentation.spans, kept, strict=True) if not keep]
    inside = [new[span.start : span.end] for span in words([new])]
    expected = [
        (span.part, word)
        for span, feature, keep in zip(segmentation.spans, segmentation.features, kept, strict=True)
        for word in ([feature] if keep else inside)
    ]
    require_words(replace_spans(parts, edits), expected)


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        ("Anna's", "Anna", "Zoe", "Zoe's"),
        ("3's", "3", "three", "three 's"),
        ("secret, but", ",", "and", "secret and but"),
        ("(so)", "so", "(", "( ()"),
        ("a Muslim.", "Muslim", "C.I.A.", "a C.I.A. ."),
        ("a  b \n", "b", "c", "a  c \n"),
    ],
)
def test_a_new_word_stands_apart_where_the_old_one_did(
    text: str, old: str, new: str, expected: str
) -> None:
    start = text.index(old)
    assert replace_spans([text], [(Span(0, start, start + len(old)), new)]) == (expected,)


@examples(40)
@given(strategies.texts)
def test_what_is_inserted_changes_no_other_word(text: str) -> None:
    spans = words([text])
    features = [(0, text[span.start : span.end]) for span in spans]
    for number, span in enumerate(spans):
        edited = insert_word(text, span.start, "zorbix")
        require_words([edited], [*features[:number], (0, "zorbix"), *features[number:]])


@examples(40)
@given(strategies.texts, strategies.texts)
def test_two_texts_side_by_side_have_the_words_of_both(before: str, after: str) -> None:
    # Kana in one text would change how the Han characters of the other are cut.
    assume(not any(map(is_east_asian, (before, after))))
    both = [(0, part[span.start : span.end]) for part in (before, after) for span in words([part])]
    require_words([join_texts(before, after)], both)


def is_east_asian(text: str) -> bool:
    return bool(re.search("[\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]", text))
