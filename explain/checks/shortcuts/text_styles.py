"""How a text is written: dates, numbers, capitals, emoji, marks; and the same text otherwise."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import regex
from numpy.typing import NDArray

from explain.text.editing import join_as_written

__all__ = ["STYLES", "Style", "length_ranges"]

Rewrite = Callable[[str, np.random.Generator], str]

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip

_MONTH = rf"(?P<m>{'|'.join(f'{month[:3]}(?:{month[3:]})?' for month in MONTHS)})\.?"

_DATES: Mapping[str, regex.Pattern[str]] = {
    "2024-03-31": regex.compile(r"(?<![\d-])(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?![\d-])"),
    "03/31/2024": regex.compile(r"(?<![\d/])(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})(?![\d/])"),
    "31.03.2024": regex.compile(r"(?<![\d.])(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})(?!\d)"),
    "March 31, 2024": regex.compile(
        rf"(?i)\b{_MONTH}[ ]+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?[ ]+(?P<y>\d{{4}})\b"
    ),
    "31 March 2024": regex.compile(
        rf"(?i)\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[ ]+{_MONTH},?[ ]+(?P<y>\d{{4}})\b"
    ),
}
"""Formats of dates, named by an example of each. Day and month of one with slashes are not told
apart: both orders are one format."""

_FORMATS: Mapping[str, str] = {
    "2024-03-31": "{y:04}-{m:02}-{d:02}",
    "03/31/2024": "{m:02}/{d:02}/{y:04}",
    "31.03.2024": "{d:02}.{m:02}.{y:04}",
    "March 31, 2024": "{month} {d}, {y}",
    "31 March 2024": "{d} {month} {y}",
}

_EMOJI = regex.compile(r"(?=\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F?)"
                       r"[^\d\s#*©®™]\p{M}*(?:\u200D\X)?")  # fmt: skip
_NUMBER = regex.compile(r"(?<!\w)\d+(?:[.,:/-]\d+)*(?!\w)")
_SHOUTED = regex.compile(r"\b\p{Lu}{3,}\b")
_LETTER = regex.compile(r"\p{L}")
_CAPITAL = regex.compile(r"\p{Lu}")
_SMALL = regex.compile(r"\p{Ll}")
_THOUSANDS = regex.compile(r"(?<![\d,])\d{1,3}(?:,\d{3})+(?![\d,])")
_LONG_NUMBER = regex.compile(r"(?<![\d.,:/-])\d{4,}(?![\d.,:/-])")

SHOUTING = 0.6
"""Share of capitals among the letters from which a text is in capitals."""

USUAL_EMOJI = "🙂😀🎉👍🙏"


@dataclass(frozen=True, slots=True)
class Style:
    """One way to write, which says little of what a text is about.

    Attributes
    ----------
    name : str
        What readers call it, after "texts with".
    holds : callable
        Whether a text is written so.
    add, remove : callable
        Return the text written so, or not so, with the same words where that is possible.
    """

    name: str
    holds: Callable[[str], bool]
    add: Rewrite
    remove: Rewrite


def length_ranges(lengths: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the shortest and longest of each quarter of some lengths, in order."""
    edges = np.unique(np.quantile(lengths, [0, 0.25, 0.5, 0.75, 1], method="closest_observation"))
    if len(edges) < 2:
        return []
    starts = [edges[0], *(edges[1:-1] + 1)]
    return [(int(low), int(high)) for low, high in zip(starts, edges[1:], strict=True)]


def _holds_match(pattern: regex.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.search(text) is not None


def _without(pattern: regex.Pattern[str]) -> Rewrite:
    return lambda text, _: regex.sub(r"[ ]{2,}", " ", pattern.sub("", text)).strip(" ")


def _date_text(style: str, year: int, month: int, day: int) -> str:
    values = {"y": year, "m": month, "d": day, "month": MONTHS[month - 1]}
    return _FORMATS[style].format(**values)


def _other_date_text(match: regex.Match[str], style: str) -> str:
    """Return a date in another format; as it stands if it is none."""
    month = match["m"]
    if not month.isdigit():
        number = next(i for i, name in enumerate(MONTHS, 1) if name[:3] == month[:3].title())
    else:
        number = int(month)
    day = int(match["d"])
    if number > len(MONTHS):
        number, day = day, number
    if not 1 <= number <= len(MONTHS):
        return match[0]
    return _date_text(style, int(match["y"]), number, day)


def _as_date(style: str) -> Rewrite:
    """Return what writes all dates in one format, or appends one where a text has none."""
    others = [pattern for name, pattern in _DATES.items() if name != style]

    def rewrite(text: str, rng: np.random.Generator) -> str:
        new = text
        for pattern in others:
            new = pattern.sub(lambda match: _other_date_text(match, style), new)
        if new != text:
            return new
        year, month, day = (int(rng.integers(*ends)) for ends in ((1995, 2025), (1, 13), (1, 29)))
        return join_as_written(text, _date_text(style, year, month, day))

    return rewrite


def _as_other_date(style: str) -> Rewrite:
    other = next(name for name in reversed(list(_DATES)) if name != style)
    return lambda text, _: _DATES[style].sub(lambda match: _other_date_text(match, other), text)


def _share_of_capitals(text: str) -> float:
    letters = len(_LETTER.findall(text))
    return len(_CAPITAL.findall(text)) / letters if letters else 0.0


def _shout_one(text: str, rng: np.random.Generator) -> str:
    words = list(regex.finditer(r"\p{L}{3,}", text))
    if not words:
        return text
    word = words[int(rng.integers(len(words)))]
    return text[: word.start()] + word[0].upper() + text[word.end() :]


def _last_mark(mark: str) -> Style:
    """Return the style of texts that end in a mark; another end is a full stop."""
    return Style(
        f"{mark} at the end",
        lambda text: text.rstrip().endswith(mark),
        lambda text, _: text.rstrip().rstrip(".!?… ") + mark,
        lambda text, _: text.rstrip().rstrip(".!?… ") + ("" if mark == "." else "."),
    )


def _styles() -> Iterator[Style]:
    for style, pattern in _DATES.items():
        yield Style(
            f"a date like {style}", _holds_match(pattern), _as_date(style), _as_other_date(style)
        )
    yield Style(
        "numbers",
        _holds_match(_NUMBER),
        lambda text, rng: join_as_written(text, str(rng.integers(2, 1000))),
        _without(_NUMBER),
    )
    yield Style(
        "numbers like 1,000",
        _holds_match(_THOUSANDS),
        lambda text, rng: (
            _LONG_NUMBER.sub(lambda match: f"{int(match[0]):,}", text)
            if _LONG_NUMBER.search(text)
            else join_as_written(text, f"{rng.integers(1000, 100_000):,}")
        ),
        lambda text, _: _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text),
    )
    yield Style(
        "capitals throughout",
        lambda text: _share_of_capitals(text) >= SHOUTING,
        lambda text, _: text.upper(),
        lambda text, _: text.lower(),
    )
    yield Style(
        "a word in capitals",
        lambda text: _SHOUTED.search(text) is not None and _share_of_capitals(text) < SHOUTING,
        _shout_one,
        lambda text, _: _SHOUTED.sub(lambda match: match[0].lower(), text),
    )
    yield Style(
        "no capitals",
        lambda text: _SMALL.search(text) is not None and not _CAPITAL.search(text),
        lambda text, _: text.lower(),
        lambda text, _: text[:1].upper() + text[1:],
    )
    yield Style(
        "emoji",
        _holds_match(_EMOJI),
        lambda text, rng: join_as_written(text, USUAL_EMOJI[int(rng.integers(len(USUAL_EMOJI)))]),
        _without(_EMOJI),
    )
    for mark in ("!", "?", "."):
        yield _last_mark(mark)


STYLES: Sequence[Style] = tuple(_styles())
"""All that are tried."""
