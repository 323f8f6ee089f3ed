"""An attribution, as a method might give it."""

from typing import Any

from explain.record import Attribution, Target
from explain.spans import Span

__all__ = ["attribution"]


def attribution(**changes: Any) -> Attribution:
    fields: dict[str, Any] = {
        "parts": ("bad film",),
        "spans": (Span(0, 0, 3), Span(0, 4, 8)),
        "target": Target(label="negative", index=0, scale="log_odds"),
        "method": "shap",
        "parameters": {},
        "removal": "[MASK]",
        "values": (2.0, 1.0),
        "standard_errors": (0.1, 0.1),
        "empty_value": -1.0,
        "full_value": 2.0,
        "efficient": True,
        "evaluations": 4,
        "seed": 0,
    }
    return Attribution(**{**fields, **changes})
