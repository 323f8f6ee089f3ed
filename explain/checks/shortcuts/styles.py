"""Ways of writing that say nothing of the content, and how a text is rewritten in each of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np
import regex

from explain.text.editing import insert_word, join_texts

__all__ = ["Style", "styles_of"]

_DIGIT = regex.compile(r"\p{Nd}")
_NUMBER = regex.compile(r"(?<![\p{L}\p{N}])\p{Nd}{1,9}(?![\p{L}\p{N}])")
_EMOJI = regex.compile(r"\p{Extended_Pictographic}")
_ADDRESS = regex.compile(r"(?:https?://|www\.)[\w./-]{1,100}")
_WORD = regex.compile(r"\p{L}+")
_FINAL_MARK = regex.compile(r"[.!?…]+\s*$")

_DATES = {
    "a date such as 2026-05-03": regex.compile(r"\b(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)\b"),
    "a date such as 05/03/2026": regex.compile(r"\b(?P<m>\d\d?)/(?P<d>\d\d?)/(?P<y>\d{4})\b"),
    "a date such as 03.05.2026": regex.compile(r"\b(?P<d>\d\d?)\.(?P<m>\d\d?)\.(?P<y>\d{4})\b"),
    "a date such as May 3, 2026": regex.compile(
        r"\b(?P<b>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.? (?P<d>\d\d?), "
        r"(?P<y>\d{4})\b"
    ),
}
"""Formats of dates, each by an example that a reader recognises."""

_FORMATS = ("%Y-%m-%d", "%m/%d/%Y", "%d.%m.%Y", "%B %d, %Y")

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

MOST_EXAMPLES = 50
"""Numbers, emoji and addresses of the table that others are drawn from."""

Rewrite = Callable[[str, np.random.Generator], str]


@dataclass(frozen=True, slots=True)
class Style:
    """A way of writing.

    Attributes
    ----------
    name : str
        What a text has: ``an exclamation mark``.
    holds : callable
        Tells whether a text is written so.
    rewrite : callable
        Takes a text that is not and a random generator, and returns it written so.
    """

    name: str
    holds: Callable[[str], bool]
    rewrite: Rewrite


def styles_of(texts: Sequence[str]) -> Iterator[Style]:
    """Yield the ways of writing that some texts may show; what is put in is drawn from them."""
    yield Style("an exclamation mark", lambda text: "!" in text, partial(_ending_with, mark="!"))
    yield Style("three dots", lambda text: "..." in text or "…" in text,
                partial(_ending_with, mark="..."))  # fmt: skip
    yield Style("no mark at its end", lambda text: _FINAL_MARK.search(text) is None,
                lambda text, _: _FINAL_MARK.sub("", text))  # fmt: skip
    yield Style("mostly capitals", _in_capitals, lambda text, _: text.upper())
    yield Style("no capitals", lambda text: text == text.lower(), lambda text, _: text.lower())
    yield Style("brackets", lambda text: "(" in text, partial(_around_a_word, marks="()"))
    yield Style("quotation marks", lambda text: '"' in text, partial(_around_a_word, marks='""'))
    yield Style("a line break", lambda text: "\n" in text, _with_line_break)
    for name, pattern in (("a number", _NUMBER), ("an emoji", _EMOJI), ("an address", _ADDRESS)):
        if examples := _examples(texts, pattern):
            holds = _DIGIT if pattern is _NUMBER else pattern
            yield Style(name, partial(_has, pattern=holds),
                        partial(_with_example, examples=examples))  # fmt: skip
    for (name, pattern), date_format in zip(_DATES.items(), _FORMATS, strict=True):
        if days := [day for text in _examples(texts, pattern) if (day := _day(text)) is not None]:
            yield Style(name, partial(_has, pattern=pattern),
                        partial(_with_date, date_format=date_format, days=days))  # fmt: skip


def _has(text: str, pattern: regex.Pattern[str]) -> bool:
    return pattern.search(text) is not None


def _examples(texts: Sequence[str], pattern: regex.Pattern[str]) -> list[str]:
    """Return what a pattern matches first in each of the first texts that it matches."""
    matches = (pattern.search(text) for text in texts)
    examples = [match.group() for match in matches if match is not None]
    return examples[:MOST_EXAMPLES]


def _in_capitals(text: str) -> bool:
    letters = "".join(_WORD.findall(text))
    return bool(letters) and 2 * sum(map(str.isupper, letters)) > len(letters)


def _ending_with(text: str, _: np.random.Generator, mark: str) -> str:
    return _FINAL_MARK.sub("", text).rstrip() + mark


def _around_a_word(text: str, rng: np.random.Generator, marks: str) -> str:
    words = [*_WORD.finditer(text)]
    if not words:
        return text
    word = words[int(rng.integers(len(words)))]
    return f"{text[: word.start()]}{marks[0]}{word.group()}{marks[1]}{text[word.end() :]}"


def _with_line_break(text: str, rng: np.random.Generator) -> str:
    places = [match.start() for match in regex.finditer(" ", text)]
    if not places:
        return text
    place = places[int(rng.integers(len(places)))]
    return f"{text[:place]}\n{text[place + 1 :]}"


def _with_example(text: str, rng: np.random.Generator, examples: Sequence[str]) -> str:
    """Return a text with one of some numbers, emoji or addresses put between its words."""
    places = [match.start() for match in _WORD.finditer(text)]
    example = examples[int(rng.integers(len(examples)))]
    if not places:
        return join_texts(text, example)
    return insert_word(text, places[int(rng.integers(len(places)))], example)


def _with_date(text: str, rng: np.random.Generator, date_format: str, days: Sequence[date]) -> str:
    """Return a text whose date is written in one way; one without a date gets one at its end."""
    for pattern in _DATES.values():
        match = pattern.search(text)
        day = match and _day(match.group())
        if match and day:
            return f"{text[: match.start()]}{day.strftime(date_format)}{text[match.end() :]}"
    return f"{text.rstrip()} {days[int(rng.integers(len(days)))].strftime(date_format)}"


def _day(text: str) -> date | None:
    """Return the day that a date names; None if there is none such."""
    for pattern in _DATES.values():
        if match := pattern.fullmatch(text):
            parts = match.groupdict()
            month = _MONTHS.index(parts["b"]) + 1 if "b" in parts else int(parts["m"])
            try:
                return date(int(parts["y"]), month, int(parts["d"]))
            except ValueError:
                return None
    return None
