"""Numbers as they are printed: a proportion without its leading zero, a real minus sign."""

from math import floor, log10

from explain.record import Measure, Unit
from explain.record.wording import decimal, digits_of_end, signed
from reports.languages import language
from reports.languages import translate as _

__all__ = [
    "bare",
    "count",
    "estimate",
    "exact",
    "interval",
    "plain",
    "probability",
    "quantity",
    "small",
]

_DIGITS: dict[Unit, int] = {
    "proportion": 3,
    "coefficient": 3,
    "log_odds": 2,
    "tokens": 1,
    "words": 1,
    "count": 0,
}


SMALLEST, NEARLY_ONE = 0.0005, 0.9995
"""What three decimals round to zero, and to one."""


def count(value: int) -> str:
    """Return a whole number with thousands separators."""
    return decimal(value, 0)


def bare(value: float, digits: int) -> str:
    """Return `value` with `digits` decimals and no leading zero.

    Examples
    --------
    >>> bare(-0.784, 2), bare(1.0, 2), bare(10.5, 1)
    ('−.78', '1.00', '10.5')
    """
    return _without_zero(decimal(value, digits))


def exact(value: float) -> str:
    """Return a number that somebody has written down, to its last digit.

    Examples
    --------
    >>> exact(0.85), exact(0.9995), exact(-2.0), exact(1e-07)
    ('.85', '.9995', '−2', '1e−07')
    """
    text = repr(value).removesuffix(".0").replace("-", "−")
    return _without_zero(text)


def _without_zero(text: str) -> str:
    is_below_one = text.lstrip("−").startswith("0.")
    return text.replace("0.", ".", 1) if is_below_one and not language().keeps_zero else text


def plain(value: float) -> str:
    """Return a number of unknown unit with four significant digits.

    Examples
    --------
    >>> plain(0.012341), plain(1234.0), plain(-2.5)
    ('0.01234', '1,234', '−2.5')
    """
    if value == 0:
        return "0"
    digits = min(max(3 - floor(log10(abs(value))), 0), 12)
    text = decimal(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def small(value: float) -> str:
    """Return a p-value, probability or other number of a table, to the third decimal below one.

    Examples
    --------
    >>> small(0.4113), small(1.2e-11), small(0.0), small(0.99997), small(18.25)
    ('.411', '< .001', '0', '> .999', '18.25')
    """
    if NEARLY_ONE <= abs(value) < 1:
        most = bare(0.999, 3)
        return f"> {most}" if value > 0 else f"< −{most}"
    if not 0 < abs(value) < 1:
        return _without_zero(plain(value))
    if abs(value) >= SMALLEST:
        return bare(value, 3)
    least = bare(0.001, 3)
    return f"< {least}" if value > 0 else f"> −{least}"


def quantity(value: float | None, unit: Unit) -> str:
    """Return `value` as its unit is printed; a proportion has no leading zero.

    Examples
    --------
    >>> quantity(0.8756, "proportion"), quantity(1.0, "proportion"), quantity(1.9, "log_odds")
    ('.876', '1.000', '+1.90')
    """
    if value is None:
        return _("undefined")
    if unit == "log_odds":
        return signed(value)
    return bare(value, _DIGITS[unit])


def probability(value: float) -> str:
    """Return the probability of a prediction, which is never rounded to certainty.

    Examples
    --------
    >>> probability(0.9821), probability(0.99996), probability(1.0)
    ('.982', '> .999', '1.000')
    """
    rounded = quantity(value, "proportion")
    return f"> {bare(0.999, 3)}" if value < 1 and rounded == "1.000" else rounded


def interval(measure: Measure) -> str:
    """Return the 95 % interval of `measure` in brackets, or nothing if it has none."""
    if measure.lower is None or measure.upper is None:
        return ""
    return f"[{_end(measure.lower, measure.unit)}, {_end(measure.upper, measure.unit)}]"


def _end(value: float, unit: Unit) -> str:
    """Return the end of an interval; one that is near zero is not printed as zero.

    Examples
    --------
    >>> _end(0.0031, "log_odds"), _end(-0.0002, "proportion"), _end(0.0, "coefficient")
    ('+0.003', '−.0002', '.000')
    """
    if _DIGITS[unit] < _DIGITS["log_odds"]:
        return quantity(value, unit)
    digits = digits_of_end(value, _DIGITS[unit])
    return signed(value, digits) if unit == "log_odds" else bare(value, digits)


def estimate(measure: Measure) -> str:
    """Return the value of `measure` and its interval.

    Examples
    --------
    >>> estimate(Measure(name="accuracy", value=0.876, lower=0.853, upper=0.896, n=872))
    '.876 [.853, .896]'
    >>> estimate(Measure(name="change", value=-4e-5, lower=-7e-5, upper=-1e-5, n=27))
    '−.00004 [−.00007, −.00001]'
    """
    value = quantity(measure.value, measure.unit)
    if measure.value is not None and (measure.lower or 0.0) * (measure.upper or 0.0) > 0:
        value = _end(measure.value, measure.unit)
    return " ".join(filter(None, (value, interval(measure))))
