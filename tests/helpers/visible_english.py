"""What of a page is still in English, without names, ids and what users wrote."""

import re
from html.parser import HTMLParser
from typing import Any

from explain.record.base import Record
from reports.languages import messages_of

__all__ = ["english_in"]

SILENT = {"style", "script", "title", "code"}

WORDS = re.compile(r"[A-Za-z]{2,}(?: (?:[a-z]{2,}|a|I)\b)+")
"""Two words or more, of which all but the first are in small letters."""

CUT = re.compile(r"\S* ?…")
"""The end of a text that is shown in part."""

NAMES = re.compile(
    r"Student t|Lundberg and Lee|Ribeiro, Singh and Guestrin|Taly and Yan|[A-Z]\w+ et al"
    r"|Zeiler and Fergus"
    r"|Yaniv and Wiener|Benjamini and Hochberg|explain (render|review)( \w+)*(\.json)?|--\w+ \w+"
    r"|integrated gradients",
    re.IGNORECASE,
)
"""People, methods and commands."""


class Texts(HTMLParser):
    """The texts of a page that a reader sees or hears."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._silent: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what is read out in the place of an element."""
        self.found += [value for name, value in attrs if name == "aria-label" and value]
        if tag in SILENT:
            self._silent.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        if data.strip() and not self._silent:
            self.found.append(" ".join(data.split()))


def english_in(html: str, record: Record) -> list[str]:
    """Return the texts of a Chinese page with English in it that is no data of the record."""
    messages = messages_of("zh_CN")
    names, said = _strings(record.model_dump(mode="json"))
    data = " ".join(" ".join((*names, *(text for text in said if text not in messages))).split())

    def is_english(text: str) -> bool:
        found = WORDS.findall(CUT.sub("", NAMES.sub("", text)))
        is_message = " " in text and messages.get(text, text) != text and text not in names
        return any(words not in data for words in found) or (
            is_message and not NAMES.fullmatch(text)
        )

    return [text for text in Texts(html).found if is_english(text)]


def _strings(value: Any) -> tuple[set[str], set[str]]:
    """Return all names of fields in a record, and all strings without templates of sentences."""
    if isinstance(value, str):
        return set(), {value}
    inner = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(inner, list):
        return set(), set()
    names: set[str] = set()
    said: set[str] = set()
    if isinstance(value, dict):
        names = set(value)
        inner = [each for name, each in value.items() if name != "template"]
    for each in inner:
        more_names, more_said = _strings(each)
        names |= more_names
        said |= more_said
    return names, said
