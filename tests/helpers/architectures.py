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

NAMED = {architecture.name: architecture for architecture in ARCHITECTURES}


@functools.cache
def made(name: str) -> TransformersClassifier:
    return NAMED[name].classifier()


every_architecture = pytest.mark.parametrize("name", NAMED)
