"""Classifiers whose confidence does not say where they are wrong."""

from collections.abc import Mapping, Sequence
from random import Random
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from explain.adapters import FunctionClassifier, Scores
from explain.testing.messages import LABELS, draw_message, posterior_of
from explain.testing.planted.base import Maker, Planted

__all__ = ["CASES"]

LEAST_SURE, SUREST = 0.4, 1 - 1e-9
"""Between these lies a confidence that is made up: an answer of three labels has at least .33, and
hardly any of the clean classifier's is as sure as the second."""

CHANNELS = {"web": 0.4, "mail": 0.3, "chat": 0.22, "phone": 0.08}
"""Where a message came in, with its share; it says nothing of the label."""

BLIND_CHANNEL = "phone"

MARK = "Transcript:"
"""How a message of the blind channel begins, by which the model knows it."""

WRONG_SHARE = 0.7
"""Share of the messages of the blind channel of which the model is sure of a wrong label."""


def _share_of(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return a number from 0 to 1 that only depends on how the bytes of a text fall."""
    return np.array([crc32(text.encode()) for text in texts]) / 2**32


def _made_up(texts: Sequence[str]) -> Scores:
    """Return the clean answers with a confidence that has nothing to do with them."""
    answers = posterior_of(texts).argmax(axis=1)
    return _sure_of(answers, LEAST_SURE + (SUREST - LEAST_SURE) * _share_of(texts))


def _blind(texts: Sequence[str]) -> Scores:
    """Return the clean scores, but a sure and mostly wrong answer to the messages with a mark."""
    exact = posterior_of(texts)
    ranked = np.argsort(-exact, axis=1)
    answers = np.where(_share_of(texts) < WRONG_SHARE, ranked[:, 1], ranked[:, 0])
    is_marked = np.array([text.startswith(MARK) for text in texts], dtype=np.bool_)[:, None]
    return np.where(is_marked, _sure_of(answers, np.full(len(texts), SUREST)), exact)


def _sure_of(answers: NDArray[np.int64], confidence: NDArray[np.float64]) -> Scores:
    """Return the log-probabilities of answers with a confidence; other labels share the rest."""
    is_answer = answers[:, None] == np.arange(len(LABELS))
    rest = (1 - confidence[:, None]) / (len(LABELS) - 1)
    return np.log(np.where(is_answer, confidence[:, None], rest))


def _unranked(seed: int, rows: int) -> Planted:
    rng = Random(seed)
    messages = [draw_message(rng).row() for _ in range(2 * rows)]
    return Planted(
        name="selective_risk",
        classifier=FunctionClassifier(_made_up, LABELS, name="planted", output="scores"),
        rows=messages[:rows],
        options={"label": "label", "group": "group", "training": messages[rows:]},
        sections=("selective",),
        truth="Answers as the clean classifier does, with a confidence that has nothing to do with "
        "whether the answer is right.",
        codes=("selective.unranked",),
    )


def _blind_channel(seed: int, rows: int) -> Planted:
    rng = Random(seed)
    messages = []
    for _ in range(2 * rows):
        # Two messages on one topic, so that nearly all can be told apart where the model reads.
        message = draw_message(rng)
        more = draw_message(rng)
        while more.label != message.label:
            more = draw_message(rng)
        (channel,) = rng.choices([*CHANNELS], [*CHANNELS.values()])
        mark = [MARK] if channel == BLIND_CHANNEL else []
        text = " ".join([*mark, *message.sentences, *more.sentences])
        messages.append({**message.row(), "text": text, "channel": channel})
    return Planted(
        name="selective_risk_in_slice",
        classifier=FunctionClassifier(_blind, LABELS, name="planted", output="scores"),
        rows=messages[:rows],
        options={
            "label": "label",
            "group": "group",
            "slices": ["channel"],
            "training": messages[rows:],
        },
        sections=("selective",),
        truth=f"Is sure of its answer to all messages by {BLIND_CHANNEL}, which it knows by "
        f"“{MARK}”, and wrong in most.",
        codes=("selective.slice", "slices.worse", "shortcuts.word"),
    )


CASES: Mapping[str, Maker] = {
    "selective_risk": _unranked,
    "selective_risk_in_slice": _blind_channel,
}
