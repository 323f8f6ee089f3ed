"""The languages of reports: what a template is called in each, and how it writes numbers.

The English template is the key of each catalogue. A record stays as it is; what is shown of it is
translated when a page is made.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path

from explain.errors import ConfigurationError
from explain.record import Sentence, SentenceValue
from explain.record.wording import ENGLISH, Wording
from reports import LanguageCode
from reports.languages.chinese import CHINESE, chinese_date

__all__ = [
    "DOMAINS",
    "LANGUAGES",
    "OWN_FIELDS",
    "Language",
    "is_english",
    "join_texts",
    "language",
    "messages_of",
    "speaking",
    "translate",
    "translated_sentence",
    "without_translation",
]

DOMAINS = ("sentences", "pages")
"""Catalogues of a language: what records say, and what pages say around it."""

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
"""Names that, unlike those of `strftime`, are the same on every machine."""

OWN_FIELDS = frozenset(
    (
        *("answers", "change", "drawn", "end", "kind", "limit", "measure", "method", "methods"),
        *("metric", "often", "part"),
        *(
            "people",
            "reason",
            "rule",
            "side",
            "start",
            "style",
            "subject",
            "title",
            "varied",
            "way",
        ),
        *("verdict", "what", "where", "which", "written"),
        *(f"s{number}" for number in range(20)),
    )
)
"""Fields of sentences whose texts are names of the checks, where other fields hold data."""

_TEMPLATE_OF_SEVERAL = re.compile(r"\{s0\}(; \{s\d+\}| \{s\d+\})+")
"""The template of sentences that are joined."""

_FIELD, _LETTER = re.compile(r"[{][^{}]*[}]"), re.compile(r"[^\W\d_]")
"""A field of a template, and a letter of its words."""

_STRINGS = r'((?:\s*"(?:[^"\\\n]|\\.)*")+)\s*'

_MESSAGE = re.compile(rf"^msgid{_STRINGS}^msgstr{_STRINGS}$", re.MULTILINE)
"""A message of a catalogue; those that Babel reads are the same, in twenty times the time."""


def english_date(day: date) -> str:
    """Return a day as it is written in a letter.

    Examples
    --------
    >>> english_date(date(2026, 11, 28))
    '28 November 2026'
    """
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


@dataclass(frozen=True)
class Language:
    """One language."""

    tag: str = "en"
    """What HTML calls it."""
    wording: Wording = ENGLISH
    date_in_words: Callable[[date], str] = english_date
    """Writes a day as in a letter."""
    space: str = " "
    """What stands between sentences."""
    comma: str = ", "
    """What stands between clauses."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """What marks are in templates that have no words."""
    keeps_zero: bool = False
    """Whether a share has a zero before its point: ``0.85``, and not ``.85``."""
    messages: Mapping[str, str] = field(default_factory=dict)
    """What each template is called."""

    def translation(self, template: str) -> str:
        """Return the template of this language, or the English one if there is none."""
        if _TEMPLATE_OF_SEVERAL.fullmatch(template):
            return template.replace("; ", "；").replace(" ", self.space)
        if template in self.messages:
            return self.messages[template] or template
        if self.marks and not _LETTER.search(_FIELD.sub("", template)):
            for mark, own in self.marks.items():
                template = template.replace(mark, own)
            return template
        return template


@cache
def _chinese() -> Language:
    return Language(
        "zh-CN",
        CHINESE,
        chinese_date,
        space="",
        comma="，",
        marks={": ": "：", "; ": "；", ", ": "，"},
        keeps_zero=True,
        messages=messages_of("zh_CN"),
    )


LANGUAGES: dict[LanguageCode, Callable[[], Language]] = {"en": cache(Language), "zh": _chinese}
"""By their codes; catalogues are read when a language is first used."""

_CURRENT: ContextVar[LanguageCode] = ContextVar("language", default="en")

_KEPT_WORDS: ContextVar[frozenset[str]] = ContextVar("kept_words", default=frozenset())
"""Words of users, which no catalogue translates though it has the same ones."""


def language() -> Language:
    """Return the language that is spoken now."""
    return LANGUAGES[_CURRENT.get()]()


def is_english() -> bool:
    """Tell whether nothing needs to be translated."""
    return _CURRENT.get() == "en"


@contextmanager
def speaking(code: LanguageCode) -> Iterator[None]:
    """Make all that is rendered inside of the block speak a language.

    Raises
    ------
    ConfigurationError
        If there is no such language.
    """
    if code not in LANGUAGES:
        raise ConfigurationError(f"a report speaks {' or '.join(LANGUAGES)}, not {code!r}")
    token = _CURRENT.set(code)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextmanager
def without_translation(words: Iterable[str]) -> Iterator[None]:
    """Leave words as they are inside of the block, whatever the catalogue calls them."""
    token = _KEPT_WORDS.set(frozenset(words))
    try:
        yield
    finally:
        _KEPT_WORDS.reset(token)


def translate(template: str, /, **values: "SentenceValue | Sequence[str]") -> str:
    """Return a template of these pages in the language that is spoken, filled with `values`.

    Examples
    --------
    >>> translate("{n} more rows", n=1200)
    '1,200 more rows'
    """
    return translated_sentence(Sentence(template, **values)) if values else _plain(template)


def translated_sentence(text: str) -> str:
    """Return what a record says in the language that is spoken.

    A sentence keeps its template and values. A text without a template is looked up as it is.
    """
    if is_english():
        return text
    if isinstance(text, Sentence):
        return text.translated(_plain, language().wording, OWN_FIELDS)
    return _plain(text)


def join_texts(*sentences: str) -> str:
    """Return sentences as one text, without those that are empty."""
    return language().space.join(filter(None, sentences))


def messages_of(locale: str) -> dict[str, str]:
    """Return the translations of a language by their English templates."""
    folder = Path(__file__).parent / locale / "LC_MESSAGES"
    return {
        _text_of(message[1]): _text_of(message[2])
        for domain in DOMAINS
        for message in _MESSAGE.finditer((folder / f"{domain}.po").read_text(encoding="utf-8"))
        if _text_of(message[1])
    }


def _text_of(strings: str) -> str:
    """Return the strings of a catalogue, which stand in lines, as one."""
    return "".join(map(json.loads, strings.strip().splitlines()))


def _plain(text: str) -> str:
    return text if text in _KEPT_WORDS.get() else language().translation(text)
