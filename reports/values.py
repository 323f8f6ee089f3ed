"""Values of features, as rows with their ranks."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from explain.record import Attribution
from explain.record.wording import decimal, signed
from explain.text.spans import Span
from reports.axes import BarView, bar, bar_axis
from reports.highlight import ranked
from reports.languages import translate as _
from reports.numbers import count
from reports.text import visible

__all__ = [
    "TOP",
    "FeatureRow",
    "digits_for",
    "feature_name",
    "feature_rows",
    "ranks",
    "repeat_numbers",
    "with_places",
]

TOP = 10
"""Features that are shown at once; the rest is in the table below them."""


@dataclass(frozen=True, slots=True)
class ValueView:
    """What one method says of one feature."""

    value: str
    error: str
    bar: BarView


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One feature, with what each method says of it."""

    feature: str
    side: str
    """The text of a pair that it stands in, and which of several equal features it is."""
    values: tuple[ValueView | None, ...]
    """One per method; None where the method has no such feature."""
    rank: str = ""
    """``1``, or ``2–4`` where it is not resolved, by the first method; nothing if none is known."""


def feature_rows(
    attributions: Sequence[Attribution], parts: Sequence[str]
) -> tuple[tuple[FeatureRow, ...], tuple[FeatureRow, ...]]:
    """Return the first method's largest features, and all features if those are not all."""
    if not attributions:
        return (), ()
    first = attributions[0]
    columns = [_values(attribution) for attribution in attributions]
    spans = sorted({span for attribution in attributions for span in attribution.spans})
    numbers = repeat_numbers(first.parts, spans)

    def row(span: Span, rank: str = "") -> FeatureRow:
        return FeatureRow(
            feature=visible(first.parts[span.part][span.start : span.end]),
            side=_places_in_words(parts[span.part] if len(first.parts) > 1 else "", numbers[span]),
            values=tuple(column.get(span) for column in columns),
            rank=rank,
        )

    known = ranks(first)
    top = tuple(row(first.spans[place], known[place]) for place in ranked(first.values)[:TOP])
    return top, tuple(map(row, spans)) if len(spans) > len(top) else ()


def repeat_numbers(parts: Sequence[str], spans: Sequence[Span]) -> dict[Span, str]:
    """Return which of several equal features of a text each one is; nothing for a single one.

    Examples
    --------
    >>> [*repeat_numbers(["so so bad"], [Span(0, 0, 2), Span(0, 3, 5), Span(0, 6, 9)]).values()]
    ['1 of 2', '2 of 2', '']
    """
    equal: dict[tuple[int, str], list[Span]] = defaultdict(list)
    for span in sorted({*spans}):
        equal[span.part, parts[span.part][span.start : span.end]].append(span)
    return {
        span: _("{number} of {n}", number=number, n=len(same)) if len(same) > 1 else ""
        for same in equal.values()
        for number, span in enumerate(same, 1)
    }


def feature_name(parts: Sequence[str], span: Span, number: str = "") -> str:
    """Return the text of a feature, with the number of its part where there are two.

    Parameters
    ----------
    parts : sequence of str
        The texts.
    span : Span
        The feature.
    number : str
        Which of several equal features it is, see `repeat_numbers`.
    """
    feature = visible(parts[span.part][span.start : span.end])
    return with_places(feature, str(span.part + 1) if len(parts) > 1 else "", number)


def with_places(feature: str, *places: str) -> str:
    """Return a feature with what tells it apart from others, of which some may be empty."""
    place = _places_in_words(*places)
    return f"{feature} ({place})" if place else feature


def _places_in_words(*places: str) -> str:
    return _(", ").join(filter(None, places))


def ranks(attribution: Attribution) -> list[str]:
    """Return the rank of each feature, ``2–4`` where it is not resolved, nothing if unknown."""
    if (found := attribution.ranks) is None:
        return [""] * len(attribution.values)
    return [count(a) if a == b else f"{count(a)}–{count(b)}" for a, b in found]


def _values(attribution: Attribution) -> dict[Span, ValueView]:
    errors = attribution.standard_errors
    axis = bar_axis(attribution.values, errors)
    digits = digits_for(attribution.values)
    return {
        span: ValueView(
            value=signed(value, digits),
            error=f"±\u2009{decimal(error, digits)}" if error else "",
            bar=bar(value, error, axis),
        )
        for span, value, error in zip(
            attribution.spans,
            attribution.values,
            errors or [None] * len(attribution.values),
            strict=True,
        )
    }


def digits_for(values: Sequence[float]) -> int:
    """Return how many decimals leave two digits to the largest value."""
    largest = max(map(abs, values), default=0.0)
    return next((digits for digits in (2, 3, 4, 5) if largest >= 10.0 ** (1 - digits)), 6)
