"""How Simplified Chinese writes numbers, lists and dates (GB/T 15835, GB/T 15834)."""

import re
from collections.abc import Sequence
from datetime import date

from explain.record.wording import MOST_NAMED, Wording

__all__ = ["CHINESE", "chinese_date"]


_HAN = re.compile(r"[\u3400-\u9fff]")

_LATIN = re.compile(r"[A-Za-z0-9]")


def _list_of(words: Sequence[str], joint: str) -> str:
    named, n_more = list(words[:MOST_NAMED]), len(words) - MOST_NAMED
    if n_more > 0:
        named.append(f"另外 {n_more} 项")
    *first, last = named or [""]
    link = "或" if joint == "or" else "和"
    return _join(_join("、".join(first), link), last) if first else last


def _join(text: str, more: str) -> str:
    """Return a text and what follows: a space where Han and Latin meet, none between two Han.

    Examples
    --------
    >>> _join("等级为", "B"), _join("替换为 ", "遮蔽词元"), _join("LIME", "和")
    ('等级为 B', '替换为遮蔽词元', 'LIME 和')
    """
    before, after = text.rstrip(" "), more.lstrip(" ")
    ends = (before[-1:], after[:1])
    if all(map(_HAN.match, ends)):
        return before + after
    is_seam = any(map(_HAN.match, ends)) and any(map(_LATIN.match, ends))
    is_apart = text != before or more != after
    return f"{text} {more}" if is_seam and not is_apart else text + more


def chinese_date(day: date) -> str:
    """Return a day as it is written in a letter.

    Examples
    --------
    >>> chinese_date(date(2026, 11, 28))
    '2026年11月28日'
    """
    return f"{day.year}年{day.month}月{day.day}日"


CHINESE = Wording(
    percent_sign="%",
    points=" 个百分点",
    no_number="无",
    quotes=("“", "”"),
    list_of=_list_of,
    join=_join,
)
