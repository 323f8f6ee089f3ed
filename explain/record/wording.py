"""How numbers and lists are printed: a real minus sign, shares in per cent with their intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, log10
from operator import add
from typing import Protocol

__all__ = [
    "ENGLISH",
    "Wording",
    "decimal",
    "digits_of_end",
    "estimated",
    "list_of",
    "percent",
    "points",
    "quoted",
    "signed",
]

MOST_NAMED = 6
"""Words that a sentence lists; the rest are counted."""

MOST_DECIMALS = 4
"""Of a share in per cent: one in a million."""

MOST_DECIMALS_OF_END = 6
"""Of the end of an interval; what is nearer to zero may be a rounding error."""

ONE_DECIMAL_BELOW = 0.0995
"""Shares that are printed with a decimal."""


class _Estimate(Protocol):
    """A number with its interval."""

    @property
    def value(self) -> float | None: ...
    @property
    def lower(self) -> float | None: ...
    @property
    def upper(self) -> float | None: ...


def list_of(words: Sequence[str], joint: str = "or") -> str:
    """Return words as a list in a sentence, cut where it would be long.

    Examples
    --------
    >>> list_of(["Anna", "Ivan", "Zoe"])
    'Anna, Ivan or Zoe'
    """
    if len(words) > MOST_NAMED:
        return f"{', '.join(words[:MOST_NAMED])} {joint} {len(words) - MOST_NAMED} more"
    return f" {joint} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


@dataclass(frozen=True)
class Wording:
    """How a language writes what is filled into sentences; English, if nothing is said."""

    percent_sign: str = " %"
    """What follows a share."""
    points: str = " points"
    """What follows a difference of shares."""
    no_number: str = "none"
    """What stands for a number that there is not."""
    quotes: tuple[str, str] = ('"', '"')
    """What stands before and after a quotation."""
    list_of: Callable[[Sequence[str], str], str] = list_of
    """Makes a list of words, joined by ``and`` or ``or``."""
    join: Callable[[str, str], str] = add
    """Joins a text and what follows it in a sentence, a value or more text."""


ENGLISH = Wording()


def decimal(value: float, digits: int) -> str:
    """Return `value` with `digits` decimals and thousands separators.

    Examples
    --------
    >>> decimal(-1234.5678, 2)
    '−1,234.57'
    """
    text = f"{value:,.{digits}f}"
    return (text if float(text.replace(",", "")) else text.lstrip("-")).replace("-", "−")


def signed(value: float, digits: int = 2) -> str:
    """Return `value` with its sign, which zero lacks.

    Examples
    --------
    >>> signed(3.239), signed(-0.2), signed(0.001)
    ('+3.24', '−0.20', '0.00')
    """
    text = decimal(value, digits)
    return f"+{text}" if value > 0 and text.strip("0.") else text


def percent(share: float | None, wording: Wording = ENGLISH) -> str:
    """Return a share in per cent; ``none`` for no share.

    It has a decimal where it is below ten, and more where it would else be all or nothing.

    Examples
    --------
    >>> percent(0.0042), percent(0.07), percent(0.73), percent(-0.2), percent(0.9987)
    ('0.4 %', '7 %', '73 %', '−20 %', '99.9 %')
    """
    if share is None:
        return wording.no_number
    return decimal(100 * share, _digits(share)).removesuffix(".0") + wording.percent_sign


def estimated(share: _Estimate, wording: Wording = ENGLISH) -> str:
    """Return a measured share with its interval, if it has one.

    Examples
    --------
    >>> from explain.record import Measure
    >>> estimated(Measure(name="wrong", value=0.055, lower=0.0351, upper=0.08, n=402))
    '5.5 % [3.5, 8.0]'
    >>> estimated(Measure(name="wrong", value=0.055, lower=0.0003, upper=0.08, n=402))
    '5.5 % [0.03, 8.0]'
    """
    if share.value is None or share.lower is None or share.upper is None:
        return percent(share.value, wording)
    digits = _digits(share.value)
    ends = (100 * share.lower, 100 * share.upper)
    lower, upper = (decimal(end, digits_of_end(end, digits)) for end in ends)
    return f"{percent(share.value, wording)} [{lower}, {upper}]"


def points(difference: _Estimate, wording: Wording = ENGLISH) -> str:
    """Return a measured difference of shares and its interval, in percentage points.

    Examples
    --------
    >>> from explain.record import Measure
    >>> points(Measure(name="gap", value=0.05, lower=-0.031, upper=0.072, n=872))
    '+5.0 [−3.1, +7.2] points'
    """
    ends = (100 * (end or 0.0) for end in (difference.lower, difference.upper))
    lower, upper = (signed(end, digits_of_end(end, 1)) for end in ends)
    return f"{signed(100 * (difference.value or 0.0), 1)} [{lower}, {upper}]{wording.points}"


def digits_of_end(end: float, digits: int) -> int:
    """Return the decimals of the end of an interval: one that is near zero is not printed as zero.

    Examples
    --------
    >>> digits_of_end(0.0312, 1), digits_of_end(0.0, 1), digits_of_end(1e-9, 1)
    (2, 1, 1)
    """
    if round(end, digits) or abs(end) < 10**-MOST_DECIMALS_OF_END:
        return digits
    return -floor(log10(abs(end)))


def quoted(text: str, wording: Wording = ENGLISH) -> str:
    """Return a text in quotation marks."""
    return text.join(wording.quotes)


def _digits(share: float) -> int:
    """Return the decimals of a share in per cent: nearly all is not "100 %", a few not "0 %"."""
    fewest = 1 if abs(share) < ONE_DECIMAL_BELOW else 0
    if abs(share) in (0, 1):
        return fewest
    enough = (
        d for d in range(fewest, MOST_DECIMALS + 1) if round(abs(100 * share), d) not in (0, 100)
    )
    return next(enough, fewest)
