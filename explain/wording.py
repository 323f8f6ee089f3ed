"""How numbers and lists stand in a sentence."""

from collections.abc import Sequence

from explain.record import Measure

__all__ = ["estimated", "listed", "percent", "points"]

MOST_NAMED = 6
"""Words that a sentence lists; the rest are counted."""

ONE_DECIMAL_BELOW = 0.0995
"""Shares that are printed with a decimal."""


def percent(share: float | None) -> str:
    """Return a share in per cent, with a decimal where it is below ten; ``none`` for no share.

    Examples
    --------
    >>> percent(0.0042), percent(0.07), percent(0.73), percent(-0.2)
    ('0.4 %', '7 %', '73 %', '−20 %')
    """
    if share is None:
        return "none"
    return f"{_hundredths(share, _digits(share)).removesuffix('.0')} %"


def estimated(share: Measure) -> str:
    """Return a measured share with its interval, if it has one.

    Examples
    --------
    >>> estimated(Measure(name="wrong", value=0.055, lower=0.0351, upper=0.08, n=402))
    '5.5 % [3.5, 8.0]'
    """
    if share.value is None or share.lower is None or share.upper is None:
        return percent(share.value)
    digits = _digits(share.value)
    lower, upper = _hundredths(share.lower, digits), _hundredths(share.upper, digits)
    return f"{percent(share.value)} [{lower}, {upper}]"


def points(difference: Measure) -> str:
    """Return a measured difference of shares and its interval, in percentage points.

    Examples
    --------
    >>> points(Measure(name="gap", value=0.05, lower=-0.031, upper=0.072, n=872))
    '+5.0 [−3.1, +7.2] points'
    """
    ends = (difference.value, difference.lower, difference.upper)
    value, lower, upper = (f"{100 * (end or 0.0):+.1f}".replace("-", "−") for end in ends)
    return f"{value} [{lower}, {upper}] points"


def listed(words: Sequence[str], joint: str = "or") -> str:
    """Return words as a list in a sentence, cut where it would be long.

    Examples
    --------
    >>> listed(["Anna", "Ivan", "Zoe"])
    'Anna, Ivan or Zoe'
    """
    if len(words) > MOST_NAMED:
        return f"{', '.join(words[:MOST_NAMED])} {joint} {len(words) - MOST_NAMED} more"
    return f" {joint} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _digits(share: float) -> int:
    return 1 if abs(share) < ONE_DECIMAL_BELOW else 0


def _hundredths(share: float, digits: int) -> str:
    text = f"{100 * share:,.{digits}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")
