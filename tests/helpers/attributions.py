"""Attributions, made up or asked for, and what is said of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from explain.adapters import TextClassifier
from explain.attribution import Setting, ask, attribute
from explain.attribution.methods import Explainer
from explain.engine import Engine
from explain.engine.games import Question
from explain.evaluation.verdicts import Answer, Reading
from explain.record import Attribution, Target
from explain.text.spans import Span, Text

__all__ = ["answered", "attribution", "explained", "rng"]


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


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def explained(
    model: TextClassifier, method: str | Explainer, texts: Sequence[Text]
) -> list[tuple[Question, Attribution]]:
    """Return questions and their attributions, for the second label."""
    found = attribute(model, list(texts), method=method, target=1)
    posed = ask(Engine(model), list(texts), Setting.of(model), [1] * len(texts))
    assert all(isinstance(question, Question) for question in posed)
    return list(zip(posed, found, strict=True))  # type: ignore[arg-type]


def answered(reading: Reading) -> Answer:
    assert reading.verdict is not None
    return reading.verdict.answer
