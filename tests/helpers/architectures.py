"""The tiny model of every architecture, made once, and texts that they are asked."""

import functools

import pytest

from explain.adapters.transformers import TransformersClassifier
from tests.helpers.tiny import ARCHITECTURES

TEXTS = [
    "a good film 👍",
    "really bad , مرح",  # about as long as the first, so that gradients of both share a batch
    "the payment\r\nfailed again and again , really !",
    "这部电影 é",
]

ARCHITECTURE_BY_NAME = {architecture.name: architecture for architecture in ARCHITECTURES}


@functools.cache
def build_classifier(name: str) -> TransformersClassifier:
    return ARCHITECTURE_BY_NAME[name].classifier()


every_architecture = pytest.mark.parametrize("name", ARCHITECTURE_BY_NAME)
