"""Axes and signed bars."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from explain.record import Z95
from explain.record.wording import decimal

__all__ = ["WIDTH", "Axis", "BarView", "axis_over", "bar", "bar_axis"]

WIDTH = 680
"""Width of a figure: the column of the page, so that its letters keep their size."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values laid on a range of the view box."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return where `value` lies; a tenth of a unit is finer than any screen."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def step(self) -> float:
        """Return the distance of about four round ticks."""
        rough = (self.high - self.low) / 4
        power = 10.0 ** floor(log10(rough))
        return power * next(size for size in (1, 2, 5, 10) if size * power >= rough * 0.999)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Return where the ticks lie, with their labels."""
        step = self.step()
        digits = max(0, -floor(log10(step)))
        places = range(ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9) + 1)
        return tuple((self(place * step), decimal(place * step, digits)) for place in places)


def axis_over(values: Sequence[float], start: float, end: float) -> Axis:
    """Return an axis that holds `values`; a single value lies in its middle."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = (high - low) * 0.04 or max(abs(high), 1.0) / 2
    return Axis(low - margin, high + margin, start, end)


BAR_WIDTH = 120


@dataclass(frozen=True, slots=True)
class BarView:
    """One signed bar with its error whisker."""

    x: float
    width: float
    zero: float
    side: str
    """``towards`` or ``against``."""
    whisker: tuple[float, float] | None


def bar_axis(values: Sequence[float], errors: Sequence[float] | None) -> Axis:
    """Return the one axis of all bars of a method: it holds zero and every whisker."""
    errors = errors or [0.0] * len(values)
    ends = [value + Z95 * error for value, error in zip(values, errors, strict=True)]
    ends += [value - Z95 * error for value, error in zip(values, errors, strict=True)]
    return axis_over([0.0, *ends], 1, BAR_WIDTH - 1)


def bar(value: float, error: float | None, axis: Axis) -> BarView:
    """Return the bar of `value`; the whisker is its 95 % interval."""
    zero, end = axis(0.0), axis(value)
    reach = Z95 * (error or 0.0)
    return BarView(
        x=min(zero, end),
        width=round(abs(end - zero), 1),
        zero=zero,
        side="towards" if value >= 0 else "against",
        whisker=(axis(value - reach), axis(value + reach)) if reach else None,
    )
