"""Values of features, as rows with their ranks."""

from collections.abc import Sequence
from dataclasses import dataclass

from explain.record import Attribution
from explain.record.wording import decimal, signed
from explain.text.spans import Span
from reports.axes import BarView, bar, bar_axis
from reports.highlight import ranked
from reports.numbers import count
from reports.text import visible

__all__ = ["TOP", "FeatureRow", "digits_for", "feature_name", "feature_rows", "ranks"]

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
    """The text of a pair that it stands in; nothing for a single text."""
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

    def row(span: Span, rank: str = "") -> FeatureRow:
        return FeatureRow(
            feature=visible(first.parts[span.part][span.start : span.end]),
            side=parts[span.part] if len(first.parts) > 1 else "",
            values=tuple(column.get(span) for column in columns),
            rank=rank,
        )

    known = ranks(first)
    top = tuple(row(first.spans[place], known[place]) for place in ranked(first.values)[:TOP])
    spans = sorted({span for attribution in attributions for span in attribution.spans})
    return top, tuple(map(row, spans)) if len(spans) > len(top) else ()


def feature_name(parts: Sequence[str], span: Span) -> str:
    """Return the text of a feature, with the number of its part where there are two."""
    feature = visible(parts[span.part][span.start : span.end])
    return feature if len(parts) == 1 else f"{feature} ({span.part + 1})"


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
