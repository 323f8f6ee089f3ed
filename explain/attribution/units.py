"""Which features a text has for a model."""

import re
from collections.abc import Callable, Sequence

from explain.adapters import TextClassifier, TokenizedClassifier
from explain.adapters.base import AddedTokenClassifier
from explain.adapters.failures import halve_on_failure
from explain.errors import ExplainError, PredictionError
from explain.text.spans import Segmentation, Span, Text, parts_of, text_of
from explain.text.words import sentences, words

__all__ = ["UNITS", "added_tokens", "segment"]

UNITS = ("word", "token", "sentence", "auto")
"""What a feature can be; ``auto`` is words, and in long texts sentences first."""


def segment(
    texts: Sequence[Text], model: TextClassifier, unit: str | None
) -> list[Segmentation | ExplainError]:
    """Return the features of each text that the model reads, or why a text has none.

    Without a unit there are no features, only what the model never reads.
    """
    whole = [_whole(text) for text in texts]
    good = [text_of(s.parts) for s in whole if isinstance(s, Segmentation)]
    cut = iter(
        halve_on_failure(
            lambda batch: _segment(batch, model, unit), good, model.name, error_type=PredictionError
        )
    )
    return [next(cut) if isinstance(s, Segmentation) else s for s in whole]


def _segment(texts: Sequence[Text], model: TextClassifier, unit: str | None) -> list[Segmentation]:
    parts = [parts_of(text) for text in texts]
    if not isinstance(model, TokenizedClassifier):
        return [Segmentation(p, _SEGMENTERS[unit](p) if unit else ()) for p in parts]
    spans: list[tuple[Span, ...]]
    if unit is None:
        spans = [()] * len(parts)
    elif unit == "token":
        spans = [_merge_tokens(t, p) for t, p in zip(model.tokens(texts), parts, strict=True)]
    else:
        spans = [
            _merge_tokens([*_SEGMENTERS[unit](p), *added], p)
            for p, added in zip(parts, added_tokens(texts, model), strict=True)
        ]
    return [
        Segmentation(p, _clip_to_read(features, unread, p), unread)
        for p, features, unread in zip(parts, spans, model.unread(texts), strict=True)
    ]


def added_tokens(texts: Sequence[Text], model: TokenizedClassifier) -> list[tuple[Span, ...]]:
    """Return the places of each text that the model reads as one token of its own."""
    if isinstance(model, AddedTokenClassifier):
        return model.added_tokens(texts)
    special = re.compile("|".join(map(re.escape, model.special_tokens)) or r"\b\B")
    return [
        tuple(
            Span(number, match.start(), match.end())
            for number, part in enumerate(parts_of(text))
            for match in special.finditer(part)
        )
        for text in texts
    ]


def _whole(text: Text) -> Segmentation | ExplainError:
    """Return the text without features, or why it is no text."""
    try:
        return Segmentation(parts_of(text), ())
    except ExplainError as error:
        return error


def _clip_to_read(
    spans: Sequence[Span], unread: Sequence[Span], parts: tuple[str, ...]
) -> tuple[Span, ...]:
    """Return what the model reads of each span; one that it never reads is left out."""
    read_spans = []
    for part, start, end in spans:
        for gap in unread:
            if gap.part == part and gap.start <= start:
                start = max(start, gap.end)
            elif gap.part == part:
                end = min(end, gap.start)
        if start < end and (body := parts[part][start:end].strip()):
            begin = parts[part].index(body, start)
            read_spans.append(Span(part, begin, begin + len(body)))
    return tuple(read_spans)


def _merge_tokens(tokens: Sequence[Span], parts: tuple[str, ...]) -> tuple[Span, ...]:
    """Return tokens as features: white space trimmed, those that share a character joined."""
    features: list[Span] = []
    for part, start, end in sorted(tokens):
        piece = parts[part][start:end]
        if not (body := piece.strip()):
            continue
        begin = start + piece.index(body)
        span = Span(part, begin, begin + len(body))
        if features and features[-1].part == part and span.start < features[-1].end:
            span = Span(part, features[-1].start, max(span.end, features.pop().end))
        features.append(span)
    return tuple(features)


_SEGMENTERS: dict[str, Callable[[Sequence[str]], tuple[Span, ...]]] = {
    "word": words,
    "sentence": sentences,
    "auto": words,
}
