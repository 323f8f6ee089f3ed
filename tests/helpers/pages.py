"""Reads a rendered page back, with the parser of the standard library."""

import gzip
import json
from html.parser import HTMLParser
from typing import Any

__all__ = ["Page", "paragraphs", "unpacked"]

_VOID = {"br", "input", "link", "meta"}


class Page(HTMLParser):
    """A page's elements, its texts, and what stood inside of each script and style."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        """Every start tag with its attributes."""
        self.contents: list[tuple[str, dict[str, str], str]] = []
        """Every element that was closed, with its attributes and the text inside of it."""
        self.links: list[tuple[str, set[str]]] = []
        """Where each link leads, and the ids of all elements that it stands in."""
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self.feed(html)
        self.close()
        assert not self._open, f"never closed: {[tag for tag, _, _ in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag == "a":
            around = {open_.get("id", "") for _, open_, _ in self._open}
            self.links.append((attributes["href"], around))
        if tag not in _VOID:
            self._open.append((tag, attributes, []))

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must be of that name."""
        opened, attributes, text = self._open.pop()
        assert opened == tag, f"<{opened}> closed by </{tag}>"
        self.contents.append((opened, attributes, "".join(text)))

    def handle_data(self, data: str) -> None:
        """Add text to all elements that are open."""
        for _, _, text in self._open:
            text.append(data)

    def texts(self, tag: str) -> list[str]:
        """Return the text inside of each element of a name."""
        return [text for name, _, text in self.contents if name == tag]

    def ids(self) -> list[str]:
        """Return the id of each element that has one."""
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


def unpacked(data: str) -> Any:
    """Return what the script of a page unpacks: JSON, compressed, five letters for four bytes."""
    digits = [code - 40 - (code > 60) - (code > 62) for code in data.encode()]
    missing = -len(digits) % 5
    digits += [84] * missing
    fours = (digits[start : start + 5] for start in range(0, len(digits), 5))
    words = (sum(digit * 85 ** (4 - at) for at, digit in enumerate(five)) for five in fours)
    content = b"".join(word.to_bytes(4, "big") for word in words)
    return json.loads(gzip.decompress(content[: len(content) - missing]))


def paragraphs(page: Page) -> list[str]:
    """Return the texts of the instances as they can be read from the page."""
    return [text for _, attributes, text in page.contents if attributes.get("class") == "text"]
