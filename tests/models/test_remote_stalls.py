"""A host that accepts requests and never answers, and a text on which only it hangs."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

import httpx2
import numpy as np
import pytest

import explain
from explain.adapters.remote import RemoteClassifier, opening
from explain.adapters.remote.pace import Pace
from explain.errors import EndpointError
from tests.helpers.endpoint import QUESTIONS, Server, no_wait

TIMEOUT = 0.25


class Stalling(httpx2.AsyncBaseTransport):
    """Carries requests to a server, but those that stall get no answer; it counts all."""

    def __init__(self, stalls: Callable[[bytes], bool]) -> None:
        self.stalls = stalls
        self.server = Server("systemone")
        self.requests = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        if self.stalls(request.content):
            await asyncio.Event().wait()
        return await self.server.transport.handle_async_request(request)


@pytest.fixture(autouse=True)
def no_waiting_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only what is asked take time."""
    monkeypatch.setattr(opening, "Pace", partial(Pace, sleep=no_wait))


def load(host: Stalling) -> RemoteClassifier:
    model = explain.load(
        "https://endpoint.test/path", kind="systemone", transport=host, timeout=TIMEOUT,
        **QUESTIONS["systemone"],
    )  # fmt: skip
    assert isinstance(model, RemoteClassifier)
    return model


def test_a_host_that_falls_silent_is_given_up_after_three_times_its_deadline() -> None:
    host = Stalling(lambda body: b"unheard" in body)
    model = load(host)
    model.predict([f"early {number}" for number in range(200)])
    asked, started = host.requests, time.monotonic()
    rows = model.predict_each([f"unheard {number}" for number in range(1000)])
    assert all("3 times in a row; given up" in str(row) for row in rows)
    assert host.requests - asked <= 16 + 8 + 4
    assert time.monotonic() - started < 20 * TIMEOUT  # 64 time-outs took 38 of them.


def test_a_host_that_never_answers_is_given_up_at_the_first_text() -> None:
    host = Stalling(lambda body: True)
    with pytest.raises(EndpointError, match=r"longer than 0\.25 s, 3 times in a row; given up"):
        load(host)
    assert host.requests == 3


def test_a_text_on_which_a_server_hangs_is_lost_and_the_others_are_not() -> None:
    host = Stalling(lambda body: b"poison" in body)
    model = load(host)
    rows = model.predict_each([*(f"text {number}" for number in range(30)), "poison"])
    assert all(isinstance(row, np.ndarray) for row in rows[:30])
    assert "took longer" in str(rows[30])
    assert model.predict(["what comes after it"]).shape == (1, 2)


def test_a_short_silence_loses_nothing() -> None:
    host = Stalling(lambda body: host.requests in range(20, 26))
    rows = load(host).predict_each([f"text {number}" for number in range(60)])
    assert all(isinstance(row, np.ndarray) for row in rows)
