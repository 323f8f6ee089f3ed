"""Checks of a classifier that knows where its tokens stand in the text."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import regex
from numpy.typing import NDArray

from explain.adapters import TokenizedClassifier
from explain.adapters.scores import PROBABILITY_FLOOR
from explain.engine.games import MaskToken
from explain.testing.subject import SCRIPTS, Fault, NotApplicable, Subject
from explain.text.spans import Segmentation, Span, Text, parts_of, text_of
from explain.text.words import words

__all__ = ["CHECKS"]

MOST_CHARACTERS = 200
"""Characters that are looked at of what is said to be neither read nor unread."""

_GRAPHEME = regex.compile(r"\X")


def offsets(subject: Subject) -> str:
    """Check that tokens stand in the text, in order, and leave out nothing that the model reads."""
    model = _tokenized_model(subject)
    texts = [*subject.texts, *map(subject.text, ("", " ", *SCRIPTS.values()))]
    spans, unread_spans = model.tokens(list(texts)), model.unread(list(texts))
    if not len(spans) == len(unread_spans) == len(texts):
        raise Fault(
            f"tokens of {len(spans)} texts and what is unread of {len(unread_spans)}, for "
            f"{len(texts)} texts; return one tuple per text"
        )
    for text, tokens, cut in zip(texts, spans, unread_spans, strict=True):
        _require_in_order(text, tokens)
        _require_inside(text, cut)
        _require_covered(subject, text, (*tokens, *cut))
        if model.tokens([text]) != [tokens]:
            raise Fault(f"{_quote(text)} has other tokens in a batch than alone; count no padding")
    return f"{sum(map(len, spans))} tokens of {len(texts)} texts"


def unread(subject: Subject) -> str:
    """Check that a long text is read or unread in every part, and what is unread moves no score."""
    model = _tokenized_model(subject)
    text = subject.long_text
    (cut,) = model.unread([text])
    (tokens,) = model.tokens([text])
    _require_in_order(text, tokens)
    _require_inside(text, cut)
    for part, is_read, is_unread in zip(
        parts_of(text), _coverage(text, tokens), _coverage(text, cut), strict=True
    ):
        if n_twice := int((is_read & is_unread).sum()):
            raise Fault(
                f"{n_twice:,} characters of a long text are both read and unread; part them"
            )
        left_out = " ".join(_select_characters(part, ~(is_read | is_unread)).split())
        if left_out and any(model.tokens([subject.text(left_out[:MOST_CHARACTERS])])):
            raise Fault(
                f"{len(left_out):,} characters of a long text are neither read nor unread, from "
                f"{_quote(left_out)} on; say what is cut off"
            )
    _require_counted(subject, text, tokens)
    if not cut:
        return f"all {sum(map(len, parts_of(text))):,} characters of a long text are read"
    change = subject.difference(
        subject.scores([_rewrite_words(text, cut, _reversed_words)]), subject.scores([text])
    )
    figures = f"{len(tokens)} tokens read; what is unread moves the scores by {change:.2g}"
    if change > subject.tolerance:
        raise Fault(f"{figures}, at most {subject.tolerance:.2g}; say what the model really reads")
    return figures


def mask_token(subject: Subject) -> str:
    """Check that the mask token is special, is read as one token, and hides what it stands for."""
    model = _tokenized_model(subject)
    token = model.mask_token
    if token is None:
        raise NotApplicable("the model has no mask token")
    if token not in model.special_tokens:
        raise Fault(f"{token!r} is not among the special tokens: {', '.join(model.special_tokens)}")
    masked = []
    for text in subject.texts:
        if not words(parts_of(text)):
            raise NotApplicable(f"{_quote(text)} has no word that could be hidden")
        hidden, place = _with_one_word_hidden(text, MaskToken(token))
        (spans,) = model.tokens([hidden])
        n_tokens = sum(
            span.part == place.part and span.start < place.end and place.start < span.end
            for span in spans
        )
        if n_tokens != 1:
            raise Fault(
                f"{token!r} in {_quote(hidden)} is read as {n_tokens} tokens, not as 1; return the "
                "token that the tokenizer knows as its mask"
            )
        masked.append(hidden)
    change = subject.difference(subject.score_alone(masked), subject.score_alone(subject.texts))
    if change == 0:
        raise Fault(
            f"hiding a word by {token!r} moves no score of {len(masked)} texts; let the model read "
            "the mask token"
        )
    return f"{token!r} is 1 token; hiding a word moves a score by up to {change:.2g}"


def _tokenized_model(subject: Subject) -> TokenizedClassifier:
    if not isinstance(subject.model, TokenizedClassifier):
        raise NotApplicable("the model does not tell its tokens")
    return subject.model


def _require_inside(text: Text, spans: Sequence[Span]) -> None:
    parts = parts_of(text)
    for span in spans:
        if not (
            0 <= span.part < len(parts) and 0 <= span.start < span.end <= len(parts[span.part])
        ):
            raise Fault(
                f"{span} is empty or outside of {_quote(text)}; return code points of the text as "
                "it was passed in"
            )


def _require_in_order(text: Text, spans: Sequence[Span]) -> None:
    """Check that tokens share no more than a character as a reader sees it.

    A character of several bytes may be several tokens, and one that is joined with its accent has
    the place of both.
    """
    _require_inside(text, spans)
    clusters = [_clusters(part) for part in parts_of(text)]
    for before, after in pairwise(spans):
        if after[:2] < before[:2]:
            raise Fault(f"{after} comes after {before} in {_quote(text)}; keep reading order")
        end = min(before.end, after.end)
        if before.part == after.part and after.start < end:
            shared = clusters[after.part][after.start : end]
            if shared[0] != shared[-1]:
                raise Fault(f"{after} overlaps {before} in {_quote(text)}; part the tokens")


def _require_covered(subject: Subject, text: Text, spans: Iterable[Span]) -> None:
    """Check that characters outside of all tokens are really not read.

    A tokenizer may drop accents and control characters, or take them for a space. Then the text
    without them has the same scores.
    """
    left_out = [
        [
            place
            for place, (character, is_covered) in enumerate(zip(part, coverage, strict=True))
            if not is_covered and not character.isspace()
        ]
        for part, coverage in zip(parts_of(text), _coverage(text, spans), strict=True)
    ]
    if not any(left_out):
        return
    change = min(
        subject.difference(
            subject.scores([_replace_characters(text, left_out, by)]), subject.scores([text])
        )
        for by in ("", " ")
    )
    if change > subject.tolerance:
        part = next(number for number, places in enumerate(left_out) if places)
        place = left_out[part][0]
        raise Fault(
            f"{parts_of(text)[part][place]!r} at {place} of {_quote(text)} is in no token, but "
            f"without what is in none the scores move by {change:.2g}; check the offsets"
        )


def _require_counted(subject: Subject, text: Text, tokens: Sequence[Span]) -> None:
    """Check that the first and the last quarter of what is read move a score."""
    quarter = max(1, len(tokens) // 4)
    scores = subject.scores([text])
    if scores.min() <= np.log(PROBABILITY_FLOOR):
        # A bag of thousands of words is so sure that nothing moves it.
        return
    for name, spans in (("first", tokens[:quarter]), ("last", tokens[-quarter:])):
        places = [
            Span(part, min(s.start for s in spans_of_part), max(s.end for s in spans_of_part))
            for part in {span.part for span in spans}
            if (spans_of_part := [span for span in spans if span.part == part])
        ]
        changed = _rewrite_words(text, places, _other_words)
        if changed != text and subject.difference(subject.scores([changed]), scores) == 0:
            raise Fault(
                f"the {name} quarter of the {len(tokens)} tokens that are said to be read of a "
                "long text moves no score; tell what the model really reads"
            )


def _with_one_word_hidden(text: Text, masker: MaskToken) -> tuple[Text, Span]:
    """Return a text with the word in its middle hidden, and the place of the mask token."""
    segmentation = Segmentation(parts_of(text), words(parts_of(text)))
    middle = len(segmentation) // 2
    kept = np.arange(len(segmentation)) != middle
    part, start, _ = segmentation.spans[middle]
    hidden = masker(segmentation, kept)
    # A space may have come before it.
    start = parts_of(hidden)[part].index(masker.token, start)
    return hidden, Span(part, start, start + len(masker.token))


def _coverage(text: Text, spans: Iterable[Span]) -> list[NDArray[np.bool_]]:
    """Return for each character of each part whether it lies in a span."""
    covered = [np.zeros(len(part), dtype=bool) for part in parts_of(text)]
    for span in spans:
        covered[span.part][span.start : span.end] = True
    return covered


def _select_characters(part: str, selection: NDArray[np.bool_]) -> str:
    return "".join(c for c, is_chosen in zip(part, selection.tolist(), strict=True) if is_chosen)


def _replace_characters(text: Text, places: Sequence[Sequence[int]], by: str) -> Text:
    return text_of(
        [
            "".join(
                by if place in places_of_part else character for place, character in enumerate(part)
            )
            for part, places_of_part in zip(parts_of(text), map(set, places), strict=True)
        ]
    )


def _rewrite_words(
    text: Text, spans: Sequence[Span], rewrite: Callable[[list[str]], list[str]]
) -> Text:
    """Return a text with other words within each span; words at its ends stay as they are."""
    parts = list(parts_of(text))
    for part, start, end in sorted(spans, reverse=True):
        pieces = re.split(r"(\s+)", parts[part][start:end])
        pieces[2:-2:2] = rewrite(pieces[2:-2:2])
        parts[part] = parts[part][:start] + "".join(pieces) + parts[part][end:]
    return text_of(parts)


def _reversed_words(inside: list[str]) -> list[str]:
    return inside[::-1]


def _other_words(inside: list[str]) -> list[str]:
    return ["x"] * len(inside)


def _clusters(part: str) -> list[int]:
    """Return the number of the grapheme cluster of each character."""
    return [number for number, cluster in enumerate(_GRAPHEME.findall(part)) for _ in cluster]


def _quote(text: Text) -> str:
    quotation = repr(text)
    return quotation if len(quotation) <= 60 else f"{quotation[:59]}…"


CHECKS: Mapping[str, Callable[[Subject], str]] = {
    "offsets": offsets,
    "unread": unread,
    "mask token": mask_token,
}
