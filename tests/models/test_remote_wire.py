"""What goes wrong beneath HTTP, on a real socket of 127.0.0.1."""

import asyncio
import gzip
import json
import socket
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest

import explain
from explain.adapters.remote import RemoteClassifier, opening
from explain.adapters.remote.pace import Pace
from explain.errors import EndpointError, PredictionError
from tests.helpers.endpoint import FORMATS, QUESTIONS, logits_of_words, no_wait
from tests.helpers.wire import CERTIFICATE, EXPIRED, Wire, head, serving

TEXTS = ["a good text", "a bad text", "not good"]
TRUTH = np.diff([logits_of_words(text) for text in TEXTS])

Writing = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "Pace", partial(Pace, sleep=no_wait))


def load(url: str, **options: Any) -> RemoteClassifier:
    model = explain.load(url, kind="systemone", **{**QUESTIONS["systemone"], **options})
    assert isinstance(model, RemoteClassifier)
    return model


async def well(wire: Wire, writer: asyncio.StreamWriter) -> None:
    writer.write(head(lengths(good(wire))) + good(wire))


def good(wire: Wire) -> bytes:
    """Return the answer to the last request."""
    return json.dumps(FORMATS["systemone"].answer(wire.bodies[-1], logits_of_words)).encode()


def lengths(body: bytes) -> str:
    return f"200 OK\r\nContent-Length: {len(body)}"


def once(fault: Writing) -> Callable[[Wire, asyncio.StreamWriter], Awaitable[None]]:
    """Return a script that does a wrong thing at the second request, and else answers."""

    async def script(wire: Wire, writer: asyncio.StreamWriter) -> None:
        await (fault(good(wire), writer) if len(wire.bodies) == 2 else well(wire, writer))

    return script


async def reset_before(body: bytes, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
    )
    writer.transport.abort()


async def reset_within(body: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(head(lengths(body)) + body[:20])
    await writer.drain()
    writer.transport.abort()


async def half_without_length(body: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(head("200 OK", "Connection: close") + body[:-15])


async def drip(body: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(head(lengths(body)))
    for octet in body:
        writer.write(bytes([octet]))
        await writer.drain()
        await asyncio.sleep(0.1)


async def nonsense(body: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")


async def nothing(body: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "fault", [reset_before, reset_within, half_without_length, drip, nonsense, nothing]
)
def test_what_breaks_once_leaves_the_scores_of_a_clean_run(fault: Writing) -> None:
    started = time.monotonic()
    with serving(once(fault)) as wire:
        scores = load(wire.url, timeout=0.5).predict(TEXTS)
    np.testing.assert_allclose(np.diff(scores), TRUTH, atol=1e-12)
    assert len(wire.bodies) == 1 + len(TEXTS) + 1
    assert time.monotonic() - started < 5


def test_what_is_answered_after_the_deadline_counts_as_paid() -> None:
    """The server bills both; the run must not believe that it spent less."""

    async def late(body: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.6)
        writer.write(head(lengths(body)) + body)

    with serving(once(late)) as wire:
        model = load(wire.url, timeout=0.3, max_calls=len(TEXTS) + 1)
        rows = model.predict_each(TEXTS)
    assert len(wire.bodies) == len(TEXTS) + 1
    assert sum(isinstance(row, PredictionError) for row in rows) == 1


@pytest.mark.parametrize("version", ["HTTP/1.0 200 OK", "HTTP/1.1 200 OK"])
def test_old_versions_and_closed_connections_work(version: str) -> None:
    async def script(wire: Wire, writer: asyncio.StreamWriter) -> None:
        lines = [version, "Content-Type: application/json", "Connection: close", "Set-Cookie: a=b"]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + good(wire))

    with serving(script) as wire:
        np.testing.assert_allclose(np.diff(load(wire.url).predict(TEXTS)), TRUTH, atol=1e-12)
    assert not [lines for lines in wire.heads if "cookie" in lines.lower()]


def test_a_port_where_nothing_listens_is_an_error_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(EndpointError, match="cannot be reached; look at the address"):
        load(f"http://127.0.0.1:{port}")


def test_a_name_that_does_not_exist_is_an_error_at_once() -> None:
    with pytest.raises(EndpointError, match="cannot be reached; look at the address"):
        load("http://no-such-host.invalid")


def test_a_server_that_goes_away_is_given_up() -> None:
    with serving(well) as wire:
        model = load(wire.url)
        model.predict(TEXTS)
    rows = model.predict_each(["one", "two"])
    assert all("cannot be reached" in str(row) for row in rows)
    with pytest.raises(PredictionError, match="cannot be reached"):
        model.predict_each(["more"])


def test_a_certificate_that_nobody_trusts_ends_all_and_its_authority_can_be_named() -> None:
    with serving(well, certificate=CERTIFICATE) as wire:
        with pytest.raises(EndpointError, match=r"certificate of 127.0.0.1:\d+ cannot be checked"):
            load(wire.url)
        assert not wire.bodies
        scores = load(wire.url, ca=CERTIFICATE).predict(TEXTS)
        np.testing.assert_allclose(np.diff(scores), TRUTH, atol=1e-12)
        with pytest.raises(EndpointError, match="certificate of localhost"):
            load(wire.url.replace("127.0.0.1", "localhost"), ca=CERTIFICATE)


def test_a_certificate_that_has_expired_ends_all() -> None:
    with (
        serving(well, certificate=EXPIRED) as wire,
        pytest.raises(EndpointError, match=r"certificate of .* cannot be checked"),
    ):
        load(wire.url, ca=EXPIRED)
    assert not wire.bodies


def test_a_redirect_takes_no_key_to_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINT_TEST_KEY", "k3y-for-the-first-host")
    with serving(well) as other:

        async def script(wire: Wire, writer: asyncio.StreamWriter) -> None:
            writer.write(head("307 Temporary Redirect", f"Location: {other.url}/x"))

        with serving(script) as wire:
            with pytest.raises(EndpointError, match=f"redirects to {other.url}/x") as caught:
                load(wire.url, key_env="ENDPOINT_TEST_KEY")
            assert wire.url.removeprefix("http://") in str(caught.value)
            assert "k3y-for-the-first-host" in wire.heads[0]
    assert not other.heads


async def endless(body: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(head("200 OK", f"Content-Length: {10**9}"))
    for _ in range(1000):
        writer.write(b" " * 10**6)
        await writer.drain()


async def bomb(body: bytes, writer: asyncio.StreamWriter) -> None:
    packed = gzip.compress(b" " * 10**8)
    writer.write(head(lengths(packed), "Content-Encoding: gzip") + packed)


@pytest.mark.parametrize("fault", [endless, bomb])
def test_an_answer_without_end_is_not_read_to_its_end(fault: Writing) -> None:
    import tracemalloc

    with serving(once(fault)) as wire:
        model = load(wire.url, concurrency=1)
        tracemalloc.start()
        rows = model.predict_each(TEXTS)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert "larger than" in str(rows[0])
    assert isinstance(rows[1], np.ndarray)
    if fault is endless:  # The bomb is made in this process.
        assert most < 20e6


def test_a_client_works_inside_of_a_running_loop() -> None:
    async def notebook() -> np.ndarray[Any, Any]:
        return load(wire.url).predict(TEXTS)

    # In a thread of its own: a browser of another test may leave a loop running in this one.
    with serving(well) as wire, ThreadPoolExecutor(1) as pool:
        scores = pool.submit(lambda: asyncio.run(notebook())).result()
    np.testing.assert_allclose(np.diff(scores), TRUTH, atol=1e-12)
