"""How Simplified Chinese writes numbers, lists and dates (GB/T 15835, GB/T 15834)."""

from collections.abc import Sequence
from datetime import date

from explain.record.wording import MOST_NAMED, Wording

__all__ = ["CHINESE", "chinese_date"]


def _list_of(words: Sequence[str], joint: str) -> str:
    named, n_more = list(words[:MOST_NAMED]), len(words) - MOST_NAMED
    if n_more > 0:
        named.append(f"另外 {n_more} 项")
    *first, last = named or [""]
    link = "或" if joint == "or" else "和"
    return f"{'、'.join(first)}{link if first else ''}{last}"


def chinese_date(day: date) -> str:
    """Return a day as it is written in a letter.

    Examples
    --------
    >>> chinese_date(date(2026, 11, 28))
    '2026年11月28日'
    """
    return f"{day.year}年{day.month}月{day.day}日"


CHINESE = Wording(
    percent_sign="%", points=" 个百分点", no_number="无", quotes=("“", "”"), list_of=_list_of
)
