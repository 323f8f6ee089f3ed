"""A transformer behind an endpoint is explained as the same transformer in this process."""

import json
import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import explain
from explain.adapters.transformers import TransformersClassifier
from explain.record import Attribution
from explain.testing import check_classifier
from explain.text.spans import Text
from tests.helpers.endpoint import QUESTIONS, Fault, Reply, Server

TEXTS = ["a stunning , lyrical work", "not as good as it should be , and dull", "bad"]


@cache
def scores_of(model: TransformersClassifier, text: Text) -> NDArray[np.float64]:
    """Return the scores of a text alone; endpoints of all formats are asked for the same texts."""
    scores: NDArray[np.float64] = model.predict([text])[0]
    return scores


def behind(kind: str, sst2: TransformersClassifier) -> explain.adapters.TextClassifier:
    """Return a transformer as an endpoint shows it."""
    server = Server(kind, partial(scores_of, sst2))
    question: dict[str, Any] = dict(QUESTIONS[kind])
    return explain.load("http://endpoint.test/x", kind=kind, transport=server.transport, **question)


def attributions(method: str, model: explain.adapters.TextClassifier) -> list[Attribution]:
    # The same baseline: what a mask token is, an endpoint does not say.
    options: dict[str, Any] = {"method": method, "target": "positive", "masker": "delete"}
    if method != "occlusion":
        options["budget"] = 128
    return [explain.attribute(model, text, **options) for text in TEXTS]


@pytest.fixture(scope="module")
def of_weights(sst2: TransformersClassifier) -> Callable[[str], list[Attribution]]:
    """Return the attributions of a method on the model itself, each made once."""
    return cache(partial(attributions, model=sst2))


@pytest.mark.parametrize("kind", ["systemone", "chat", "tei", "vllm-classify", "inference-v2"])
@pytest.mark.parametrize("method", ["shap", "lime", "occlusion"])
def test_attributions_over_http_are_those_of_the_weights(
    kind: str,
    method: str,
    sst2: TransformersClassifier,
    of_weights: Callable[[str], list[Attribution]],
) -> None:
    found = attributions(method, behind(kind, sst2))
    for there, here in zip(found, of_weights(method), strict=True):
        np.testing.assert_allclose(there.values, here.values, atol=1e-5)


@pytest.mark.parametrize("kind", ["systemone", "tei"])
def test_an_endpoint_passes_the_conformance_kit(kind: str, sst2: TransformersClassifier) -> None:
    assert check_classifier(behind(kind, sst2)).failed == ()


def test_gradients_of_an_endpoint_are_refused(sst2: TransformersClassifier) -> None:
    with pytest.raises(explain.errors.CapabilityError):
        explain.attribute(behind("tei", sst2), TEXTS[0], method="integrated_gradients")


ROWS = [
    {"text": f"{first} {second} work of {third}", "label": "positive"}
    for first in ("good", "dull", "stunning", "awful")
    for second in ("good", "lyrical", "bad")
    for third in ("music", "cities")
]


def audited(fault: Fault) -> explain.record.AuditRecord:
    server = Server("systemone", fault=fault)
    question: dict[str, Any] = dict(QUESTIONS["systemone"])
    model = explain.load(
        "http://endpoint.test/x", kind="systemone", transport=server.transport, **question
    )
    return explain.audit(
        model, ROWS, label="label", methods=["shap"], checks=["performance"], instances=4
    )


def with_probability(reply: Reply, change: Callable[[float], float]) -> Reply:
    """Return an answer whose first probability is another one."""
    answer = json.loads(reply.body)
    named = answer["answers"]["question"]["probabilities"]
    p = change(named["negative"])
    named.update(negative=p, positive=1 - p)
    return Reply.of(answer)


def test_decimals_that_nobody_states_are_found_out() -> None:
    record = audited(lambda _, texts, reply: with_probability(reply, lambda p: round(p, 2)))
    targets = {a.target.decimals for each in record.instances for a in each.attributions}
    assert targets == {2}


def test_noise_of_an_endpoint_is_seen_past_its_log_and_widens_the_errors() -> None:
    def noisy(server: Server, texts: list[str], reply: Reply) -> Reply:
        drift = 0.02 * math.sin(server.requests * 1.7)
        return with_probability(reply, lambda p: min(0.999, max(0.001, p + drift)))

    quiet = audited(lambda _, texts, reply: reply)
    loud = audited(noisy)

    def errors(record: explain.record.AuditRecord) -> list[float]:
        made = [a for each in record.instances for a in each.attributions]
        return [max(a.standard_errors or [0.0]) for a in made]

    assert max(errors(quiet)) == 0
    assert min(errors(loud)) > 0.01


def shown(record: explain.record.AuditRecord) -> dict[str, Any]:
    """Return what the report says that the endpoint shows."""
    (section,) = (s for s in record.sections if s.id == "endpoint")
    (table,) = (t for t in section.tables if t.title == "What the endpoint shows")
    return {
        f"{what}, {place}" if what == "rows with it" else str(what): value
        for place, (what, value) in enumerate(table.rows)
    }


def test_the_report_says_how_noisy_an_endpoint_is_and_where_it_clips() -> None:
    noise = 0.02

    def clipped(_: Server, texts: list[str], reply: Reply) -> Reply:
        return with_probability(reply, lambda p: min(0.6, max(0.4, p)))

    def noisy(server: Server, texts: list[str], reply: Reply) -> Reply:
        return with_probability(
            reply,
            lambda p: 1 / (1 + (1 - p) / p * math.exp(noise * math.sin(7.3 * server.requests))),
        )

    exact = shown(audited(lambda _, texts, reply: reply))
    assert exact["of these different"] == 0
    assert exact["noise of the log-odds (standard deviation)"] == 0
    loud = shown(audited(noisy))
    assert loud["of these different"] > 10
    # A sine at places without a pattern: its standard deviation is 1 / sqrt 2 of its height.
    assert loud["noise of the log-odds (standard deviation)"] == pytest.approx(
        noise / 2**0.5, rel=0.4
    )
    cut = shown(audited(clipped))
    assert (cut["lowest probability of a label"], cut["highest probability of a label"]) == (
        pytest.approx(0.4),
        pytest.approx(0.6),
    )
    at_an_end = [value for what, value in cut.items() if what.startswith("rows with it")]
    assert min(at_an_end) > len(ROWS) / 2
    assert exact["highest probability of a label"] > 0.9
