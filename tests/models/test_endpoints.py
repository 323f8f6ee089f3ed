"""A transformer behind an endpoint is explained as the same transformer in this process."""

from typing import Any

import numpy as np
import pytest

import explain
from explain.adapters.transformers import TransformersClassifier
from explain.testing import check_classifier
from tests.helpers.endpoint import QUESTIONS, Server

TEXTS = ["a stunning , lyrical work", "not as good as it should be , and dull", "bad"]


def behind(kind: str, sst2: TransformersClassifier) -> explain.adapters.TextClassifier:
    """Return a transformer as an endpoint shows it."""
    server = Server(kind, lambda text: sst2.predict([text])[0])
    question: dict[str, Any] = dict(QUESTIONS[kind])
    return explain.load("http://endpoint.test/x", kind=kind, transport=server.transport, **question)


@pytest.mark.parametrize("kind", ["systemone", "chat", "tei", "vllm-classify", "inference-v2"])
@pytest.mark.parametrize("method", ["shap", "lime", "occlusion"])
def test_attributions_over_http_are_those_of_the_weights(
    kind: str, method: str, sst2: TransformersClassifier
) -> None:
    remote = behind(kind, sst2)
    # The same baseline: what a mask token is, an endpoint does not say.
    options: dict[str, Any] = {"method": method, "target": "positive", "masker": "delete"}
    for text in TEXTS:
        here = explain.attribute(sst2, text, **options)
        there = explain.attribute(remote, text, **options)
        np.testing.assert_allclose(there.values, here.values, atol=1e-5)


@pytest.mark.parametrize("kind", ["systemone", "tei"])
def test_an_endpoint_passes_the_conformance_kit(kind: str, sst2: TransformersClassifier) -> None:
    assert check_classifier(behind(kind, sst2)).failed == ()


def test_gradients_of_an_endpoint_are_refused(sst2: TransformersClassifier) -> None:
    with pytest.raises(explain.errors.CapabilityError):
        explain.attribute(behind("tei", sst2), TEXTS[0], method="integrated_gradients")
