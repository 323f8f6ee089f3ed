"""Attributions, made up or asked for, and what is said of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from explain.adapters import TextClassifier
from explain.attribution import AttributionSettings, attribute, make_requests
from explain.attribution.methods import Explainer
from explain.engine import Engine
from explain.engine.games import AttributionRequest
from explain.evaluation.flags import Answer, MetricResult
from explain.record import Attribution, InstanceRecord, Target
from explain.text.spans import Span, Text

__all__ = ["answer_of", "attribution", "explain_texts", "one_word_instances", "rng"]


def attribution(**changes: Any) -> Attribution:
    fields: dict[str, Any] = {
        "parts": ("bad film",),
        "spans": (Span(0, 0, 3), Span(0, 4, 8)),
        "target": Target(label="negative", index=0, scale="log_odds"),
        "method": "shap",
        "method_title": "SHAP",
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


def explain_texts(
    model: TextClassifier, method: str | Explainer, texts: Sequence[Text]
) -> list[tuple[AttributionRequest, Attribution]]:
    """Return questions and their attributions, for the second label."""
    attributions = attribute(model, list(texts), method=method, target=1)
    requests = make_requests(
        Engine(model), list(texts), AttributionSettings.of(model), [1] * len(texts)
    )
    posed = [request for request in requests if isinstance(request, AttributionRequest)]
    return list(zip(posed, attributions, strict=True))


def answer_of(reading: MetricResult) -> Answer:
    assert reading.flag is not None
    return reading.flag.answer


def one_word_instances(values: Mapping[str, Sequence[float]]) -> list[InstanceRecord]:
    """Return instances drawn at random of one word each, with these values of the words."""
    return [
        InstanceRecord(
            id=f"{word}{number}",
            row=number + 1,
            parts=(word,),
            labels=None,
            predicted="negative",
            probability=0.9,
            scores=(2.0, 0.0),
            stratum="random",
            attributions=(
                attribution(
                    parts=(word,),
                    spans=(Span(0, 0, len(word)),),
                    values=(value,),
                    standard_errors=None,
                ),
            ),
        )
        for word, numbers in values.items()
        for number, value in enumerate(numbers)
    ]
