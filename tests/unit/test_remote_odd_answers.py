"""Answers that look almost right: what is odd in them changes no score and is never guessed."""

import json
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

import explain
from explain.adapters.remote import KINDS, RemoteClassifier, opening
from explain.adapters.remote.kinds import LostText, UnreadableAnswer
from explain.adapters.remote.kinds.top_k import bounds_of_labels
from explain.adapters.remote.pace import Pace
from tests.helpers.endpoint import (
    FORMATS,
    LABELS,
    QUESTIONS,
    Reply,
    Server,
    logits_of_words,
    no_wait,
)

TEXTS = ["a good text", "a bad text", "not good"]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "Pace", partial(Pace, sleep=no_wait))


def load(transport: httpx2.AsyncBaseTransport, **options: Any) -> RemoteClassifier:
    stated = {**QUESTIONS["systemone"], **options}
    model = explain.load("http://endpoint.test/x", kind="systemone", transport=transport, **stated)
    assert isinstance(model, RemoteClassifier)
    return model


def clean() -> Any:
    return load(Server("systemone").transport).predict(TEXTS)


class RefusedOnce(httpx2.AsyncBaseTransport):
    """A server that takes no connection at one request."""

    def __init__(self, server: Server, place: int) -> None:
        self.inner, self.place, self.attempts = server.transport, place, 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.attempts += 1
        if self.attempts == self.place:
            raise httpx2.ConnectError("refused")
        return await self.inner.handle_async_request(request)


def test_a_connection_that_is_refused_in_the_middle_is_tried_again() -> None:
    """Fault 13."""
    transport = RefusedOnce(Server("systemone"), place=3)
    scores = load(transport).predict(TEXTS)
    assert scores.tobytes() == clean().tobytes()
    assert transport.attempts == 1 + len(TEXTS) + 1


def test_an_answer_that_a_filter_holds_back_is_a_refusal() -> None:
    """Fault 23."""
    kind = KINDS["chat"](**QUESTIONS["chat"])
    answer = FORMATS["chat"].answer(kind.request(["good"]), logits_of_words)
    answer["choices"][0] |= {"finish_reason": "content_filter", "logprobs": None}
    [said] = kind.scores(answer, ["good"])
    assert isinstance(said, LostText)
    assert said.is_refusal


def test_minus_9999_is_a_token_that_was_not_returned() -> None:
    """Fault 27."""
    seen = {"a": -0.1, "b": -4.0}
    labels = [["a"], ["z"]]
    assert bounds_of_labels({**seen, "z": -9999.0}, labels, 3) == bounds_of_labels(seen, labels, 3)


@pytest.mark.parametrize("indices", [(0, 0), (1, 2), (0, "1"), (0, True), (-1, 0)])
def test_rows_with_wrong_indices_are_never_matched(indices: tuple[Any, Any]) -> None:
    """Fault 30."""
    kind = KINDS["vllm-classify"](**QUESTIONS["vllm-classify"])
    texts = ["good", "bad"]
    answer = FORMATS["vllm-classify"].answer(kind.request(texts), logits_of_words)
    for row, index in zip(answer["data"], indices, strict=True):
        row["index"] = index
    with pytest.raises(UnreadableAnswer):
        kind.scores(answer, texts)


@pytest.mark.parametrize("odd", ["\ud800", "\0", "\u2028", "\ufeff"])
def test_odd_characters_change_no_score(odd: str, tmp_path: Path) -> None:
    """Fault 32: in a name of the model, and a mark of the order of bytes before it all."""

    def fault(server: Server, texts: list[str], reply: Reply) -> Reply:
        answer = {**json.loads(reply.body), "model": f"m{odd}", "note": odd}
        return Reply(200, b"\xef\xbb\xbf" + json.dumps(answer).encode(), reply.headers)

    path = tmp_path / "calls.sqlite"
    model = load(Server("systemone", fault=fault).transport, calls=path)
    assert model.predict(TEXTS).tobytes() == clean().tobytes()
    [span] = model.observations().models
    assert span.texts == len(TEXTS) + 1
    replayed = load(Server("systemone").transport, replay=path)
    assert replayed.predict(TEXTS).tobytes() == clean().tobytes()


@pytest.mark.parametrize("usage", [{}, {"input_tokens": 0}, {"input_tokens": -5}, None])
def test_usage_of_zero_is_not_believed(usage: Any, tmp_path: Path) -> None:
    """Fault 43."""

    def fault(server: Server, texts: list[str], reply: Reply) -> Reply:
        return Reply.of({**json.loads(reply.body), "usage": usage})

    path = tmp_path / "calls.sqlite"
    model = load(Server("systemone", fault=fault).transport, calls=path)
    np.testing.assert_array_equal(model.predict(TEXTS).shape, (len(TEXTS), len(LABELS)))
    base = sqlite3.connect(path)
    counts = [tokens for (tokens,) in base.execute("SELECT tokens FROM calls")]
    base.close()
    assert min(counts) > max(map(len, TEXTS))
