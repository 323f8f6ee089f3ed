"""What of a page is still in English, without names, ids and what users wrote."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from explain.record.base import Record
from reports.languages import messages_of

__all__ = ["english_in"]

SILENT = {"style", "script", "title", "code"}

WORDS = re.compile(r"[A-Za-z]{2,}(?:[ ,]+(?:[a-z]{2,}|a|I))+")
"""Two words or more, of which all but the first are in small letters."""

NAMES = re.compile(
    r"Student t|Lundberg and Lee|Ribeiro, Singh and Guestrin|Taly and Yan|[A-Z]\w+ et al"
    r"|Benjamini and Hochberg|explain (render|review)( \w+)*(\.json)?|--\w+ \w+"
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
    data = "\n".join(
        text for text in _strings(record.model_dump(mode="json")) if text not in messages
    )
    data = " ".join(data.split(" "))
    return [
        text
        for text in Texts(html).found
        if any(words not in data for words in WORDS.findall(NAMES.sub("", text)))
        or (" " in text and messages.get(text, text) != text)
    ]


def _strings(value: Any) -> Iterator[str]:
    """Yield all strings of a record, without the templates of sentences."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (key for key in value if isinstance(key, str))
        for key, inner in value.items():
            if key != "template":
                yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
