"""Prompts, and how the words that stand for labels are read."""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from explain.errors import ConfigurationError
from explain.text.spans import Span

__all__ = [
    "Exit",
    "Prompts",
    "TokenRow",
    "Verbalizer",
    "Word",
    "check_other_label",
    "check_verbalizer",
    "common_start",
    "parsed_template",
    "shorter_views",
    "spans_in_text",
    "with_mask",
    "word_exits",
    "word_readings",
]

Verbalizer: TypeAlias = Mapping[str, str | Sequence[str]]
"""For each label the word, or the words, that stand for it after the prompt."""

Word: TypeAlias = tuple[int, ...]
"""The token ids of a word."""

TokenRow: TypeAlias = tuple[list[int], list[Span | None]]
"""The token ids of a prompt, and the place of each in the user's text."""

Exit: TypeAlias = tuple[Word, list[int]]
"""The beginning of some words, and the tokens with which it goes on to be one of them."""

_FIELD = re.compile(r"\{(text_pair|text)\}")

_FIELDS = {"text": 0, "text_pair": 1}


def check_verbalizer(verbalizer: object) -> None:
    """Refuse a verbalizer that does not give each label words."""

    def is_words(words: object) -> bool:
        list_of_words = [words] if isinstance(words, str) else words
        return isinstance(list_of_words, Sequence) and all(
            isinstance(word, str) for word in list_of_words
        )

    if not isinstance(verbalizer, Mapping) or not all(
        isinstance(label, str) and is_words(words) for label, words in verbalizer.items()
    ):
        raise ConfigurationError(
            f"the verbalizer is {verbalizer!r}, expected a dict of labels, each with a word or a "
            'list of words; pass {"bad": [" bad", " awful"], "good": " good"}'
        )


def check_other_label(
    other_label: str | None, labels: Sequence[str], *, length_normalised: bool
) -> None:
    """Refuse a further label that cannot be counted, or has the name of a label.

    Raises
    ------
    ConfigurationError
        If it is one.
    """
    if other_label is None:
        return
    if other_label in labels:
        raise ConfigurationError(
            f"other_label={other_label!r} is a label already; pass another name"
        )
    if length_normalised:
        raise ConfigurationError(
            f"other_label={other_label!r} has the probability that the words leave, and divided by "
            "the number of tokens they have none; leave length_normalised out"
        )


class Prompts(dict[str, list[list[int]]]):
    """Encoded prompts, and for each of their tokens its place in the user's text."""

    def __init__(self, rows: Sequence[TokenRow]) -> None:
        super().__init__(with_mask([ids for ids, _ in rows]))
        self.spans = [tuple(spans) for _, spans in rows]


def with_mask(ids: list[list[int]]) -> dict[str, list[list[int]]]:
    """Return rows of token ids with the mask that lets all of them be read."""
    return {"input_ids": ids, "attention_mask": [[1] * len(row) for row in ids]}


def common_start(rows: Sequence[list[int]]) -> Word:
    """Return the tokens that two or more prompts begin with; at least one is left of each."""
    if len(rows) < 2:
        return ()
    first, last = min(rows), max(rows)
    most = min(map(len, rows)) - 1
    differs = (i for i in range(most) if first[i] != last[i])
    return tuple(first[: next(differs, most)])


def parsed_template(template: str) -> tuple[list[str], list[int]]:
    """Return the literal pieces of a template, and which part stands between them."""
    pieces = _FIELD.split(template)
    fields = pieces[1::2]
    if sorted(fields) not in (["text"], ["text", "text_pair"]):
        raise ConfigurationError(
            f"the template {template!r} has the fields {fields or 'none'}; expected {{text}}, and "
            "for pairs {text_pair}, each once"
        )
    return pieces[::2], [_FIELDS[field] for field in fields]


def word_readings(labels: Sequence[Sequence[Word]]) -> dict[Word, list[tuple[int, Word]]]:
    """Return what must be read after a prompt, and the words (label, tokens) that it scores.

    That is the beginnings (all tokens but the last) that begin no other one.
    """
    words = [
        (label, word) for label, words_of_label in enumerate(labels) for word in words_of_label
    ]
    beginnings = sorted({word[:-1] for _, word in words}, key=lambda b: (-len(b), b))
    readings: dict[Word, list[tuple[int, Word]]] = {}
    for beginning in beginnings:
        if not any(longer[: len(beginning)] == beginning for longer in readings):
            readings[beginning] = []
    for label, word in words:
        home = next(b for b in readings if b[: len(word) - 1] == word[:-1])
        readings[home].append((label, word))
    return readings


def word_exits(readings: Mapping[Word, Sequence[tuple[int, Word]]]) -> dict[Word, list[Exit]]:
    """Return where what follows a prompt can turn out to be none of the words.

    That is after each beginning of a word, unless a shorter word has been said by then. Each stands
    at the reading that goes through it.
    """
    words = {word for scored in readings.values() for _, word in scored}
    shortest = [w for w in words if not any(w[:n] in words for n in range(1, len(w)))]
    ways_on: dict[Word, set[int]] = {}
    for word in shortest:
        for n, token in enumerate(word):
            ways_on.setdefault(word[:n], set()).add(token)
    exits: dict[Word, list[Exit]] = {beginning: [] for beginning in readings}
    for start, tokens in sorted(ways_on.items()):
        home = next(b for b in readings if b[: len(start)] == start)
        exits[home].append((start, sorted(tokens)))
    return exits


def spans_in_text(
    offset: tuple[int, int], places: Sequence[Span], views: Sequence[Span]
) -> Span | None:
    """Return the part of a prompt's token that lies in the user's text, if any does."""
    for part, first, last in places:
        start, end = max(offset[0], first), min(offset[1], last)
        if start < end:
            shift = views[part].start - first
            return Span(part, start + shift, end + shift)
    return None


def shorter_views(
    views: Sequence[Span], row: TokenRow, max_length: int, truncation_side: str
) -> list[Span]:
    """Return what stays in view of a text that is too long; of a pair the longer part is cut.

    What remains is tokenized again, and may then have another number of tokens.
    """
    ids, spans = row
    sides = [[s for s in spans if s is not None and s.part == view.part] for view in views]
    room = max(0, sum(map(len, sides)) - (len(ids) - max_length))
    shares = [room] if len(sides) == 1 else [max(room // 2, room - len(o)) for o in sides[::-1]]
    cut = []
    for view, tokens, share in zip(views, sides, shares, strict=True):
        if len(tokens) <= share and tokens:
            cut.append(view)
        elif share == 0:
            cut.append(Span(view.part, view.start, view.start))
        elif truncation_side == "left":
            start = max(tokens[-share].start, tokens[-share - 1].end)
            cut.append(Span(view.part, start, view.end))
        else:
            end = min(tokens[share - 1].end, tokens[share].start)
            cut.append(Span(view.part, view.start, end))
    return cut
