"""Connections are kept, opened anew when a server closed them, and led by proxies."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import explain
from explain.adapters.remote import RemoteClassifier
from explain.adapters.remote.client import Client, _certificates
from explain.adapters.remote.reply_verdicts import Reply
from explain.errors import ConfigurationError
from tests.helpers.endpoint import FORMATS, QUESTIONS, logits_of_words
from tests.helpers.wire import CERTIFICATE, Wire, head, serving

CONCURRENCY = 4
ALWAYS = 10**9


def load(url: str, **options: Any) -> RemoteClassifier:
    options = {"concurrency": CONCURRENCY, **QUESTIONS["systemone"], **options}
    model = explain.load(url, kind="systemone", **options)
    assert isinstance(model, RemoteClassifier)
    return model


async def well(wire: Wire, writer: asyncio.StreamWriter, model: str = "jev") -> None:
    """Answer the last request."""
    answer = FORMATS["systemone"].answer(wire.bodies[-1], logits_of_words) | {"model": model}
    body = json.dumps(answer).encode()
    writer.write(head(f"200 OK\r\nContent-Length: {len(body)}") + body)


def test_connections_are_kept_and_each_serves_one_request_at_a_time() -> None:
    running: list[int] = [0]

    async def slowly(wire: Wire, writer: asyncio.StreamWriter) -> None:
        body = wire.bodies[-1]
        running.append(running[-1] + 1)
        await asyncio.sleep(0.002)
        running.append(running[-1] - 1)
        wire.bodies.append(body)  # Others came meanwhile.
        await well(wire, writer)
        wire.bodies.pop()

    with serving(slowly, requests_per_connection=ALWAYS) as wire:
        load(wire.url).predict([f"good {i}" for i in range(60)])
    assert len(wire.heads) == 61
    assert max(running) == CONCURRENCY
    assert wire.connections == 1 + CONCURRENCY  # The first text is asked for in a run of its own.


def test_a_connection_that_the_server_closed_is_opened_anew_and_nothing_is_paid_twice() -> None:
    with serving(well, requests_per_connection=5) as wire:
        scores = load(wire.url).predict([f"good {i}" for i in range(60)])
    assert scores.shape == (60, 2)
    assert len(wire.heads) == 61
    assert wire.connections >= 12


def test_what_a_server_closed_while_nobody_asked_is_seen_before_the_next_request() -> None:
    async def two_requests(client: Client) -> list[object]:
        async with client.open() as session:
            first = await client.post(session, b"{}", 10_000)
            await asyncio.sleep(0.1)
            return [first, await client.post(session, b"{}", 10_000)]

    async def empty(wire: Wire, writer: asyncio.StreamWriter) -> None:
        writer.write(head("200 OK\r\nContent-Length: 2") + b"{}")

    # A test of the page may have left an event loop in this thread.
    with serving(empty) as wire, ThreadPoolExecutor(1) as pool:
        client = Client(wire.url, "/path")
        replies = pool.submit(lambda: asyncio.run(two_requests(client))).result()
    assert [type(reply) for reply in replies] == [Reply, Reply]
    assert wire.connections == 2


def test_requests_say_what_they_are_and_where_they_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINT_TEST_KEY", "k3y-of-this-test")
    with serving(well) as wire:
        load(f"{wire.url}/some/path", key_env="ENDPOINT_TEST_KEY")
    first, *lines = wire.heads[0].lower().split("\r\n")
    assert first == "post /some/path http/1.1"
    expected = {
        f"host: {wire.url.removeprefix('http://')}", "accept: application/json",
        "accept-encoding: identity", "content-type: application/json", "connection: keep-alive",
        "authorization: bearer k3y-of-this-test",
    }  # fmt: skip
    assert expected <= set(lines)


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    with serving(well) as proxy:
        monkeypatch.setenv(variable, proxy.url.removeprefix("http://"))
        load("http://endpoint.test/path").predict(["good"])
    assert len(proxy.heads) == 2
    for lines in proxy.heads:
        assert lines.startswith("POST http://endpoint.test/path HTTP/1.1\r\n")
        assert "\r\nhost: endpoint.test\r\n" in lines.lower()


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("exceptions", ["127.0.0.1", "example.com, 127.0.0.1", "*"])
def test_no_proxy_is_used_for_a_host_that_needs_none(
    monkeypatch: pytest.MonkeyPatch, exceptions: str
) -> None:
    with serving(well) as proxy, serving(well) as wire:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", exceptions)
        load(f"{wire.url}/path")
    assert not proxy.heads
    assert len(wire.heads) == 1


def test_a_header_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINT_TEST_KEY", "k3y-of-this-test")
    with pytest.raises(ConfigurationError, match="key_header='X Key' is no name of a header"):
        load("http://endpoint.test", key_env="ENDPOINT_TEST_KEY", key_header="X Key")


def test_a_key_that_changes_under_way_is_taken_out_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The environment is read once for a run of requests, but each request reads its key."""
    keys: list[str] = []

    async def echo(wire: Wire, writer: asyncio.StreamWriter) -> None:
        key = wire.heads[-1].partition("Authorization: Bearer ")[2].split("\r\n")[0]
        keys.append(key)
        if len(keys) == 2:  # Before the answer: whoever has it may ask at once.
            monkeypatch.setenv("ENDPOINT_TEST_KEY", "second-key-9876")
        await well(wire, writer, model=f"model of {key}")

    monkeypatch.setenv("ENDPOINT_TEST_KEY", "first-key-12345")
    with serving(echo) as wire:
        model = load(wire.url, key_env="ENDPOINT_TEST_KEY", concurrency=1)
        model.predict(["good", "bad", "dull"])
    assert keys == ["first-key-12345"] * 2 + ["second-key-9876"] * 2
    assert model.describe().facts["model that answered"] == "model of [secret removed]"
    assert "9876" not in str(model.observations())


def test_clients_share_the_certificates_of_the_environment_and_another_file_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    usual = _certificates(None)
    assert _certificates(None) is usual
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    (authority,) = _certificates(None).get_ca_certs()
    assert authority not in usual.get_ca_certs()
