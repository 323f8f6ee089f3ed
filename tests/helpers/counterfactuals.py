"""Counterfactuals made by hand."""

from typing import Any

from explain.record import Counterfactual, DecisiveSet, Target
from explain.text.spans import Span

__all__ = ["counterfactual", "decisive"]

SPANS = (Span(0, 0, 3), Span(0, 4, 5), Span(0, 6, 10), Span(0, 11, 15))


def decisive(*places: int, tried: int = 4, **fields: Any) -> DecisiveSet:
    """Return a set of words after which the answer is "positive"."""
    stated: dict[str, Any] = {"is_given": False, "predicted": "positive", "probability": 0.62}
    stated |= {"is_confirmed": True, "irreducible": True, "parts": ("text",)}
    return DecisiveSet(places=places, all_tried=tried, **stated | fields)


def counterfactual(
    necessary: DecisiveSet, sufficient: DecisiveSet | None = None, **fields: Any
) -> Counterfactual:
    stated: dict[str, Any] = {
        "parts": ("not a good film",),
        "spans": SPANS,
        "target": Target(label="negative", index=0, scale="log_odds"),
        "parameters": {"unit": "word", "budget": 128},
        "is_given": True,
    }
    return Counterfactual(
        removal="delete",
        necessary=necessary,
        sufficient=sufficient or decisive(0, is_given=True, predicted="negative"),
        evaluations=40,
        reused=12,
        **stated | fields,
    )
