"""A server on 127.0.0.1 that writes bytes as it is told, for what goes wrong beneath HTTP."""

import asyncio
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["CERTIFICATE", "EXPIRED", "Wire", "head", "serving"]

CERTIFICATE = Path(__file__).parent / "certificates" / "certificate.pem"
"""Of 127.0.0.1, signed by itself; the key beside it protects nothing."""

EXPIRED = CERTIFICATE.with_name("expired.pem")
"""The same, valid in 2020 only."""


@dataclass
class Wire:
    """A server that runs.

    Attributes
    ----------
    url : str
        Its address.
    bodies : list
        The JSON of each request that came in whole.
    heads : list of str
        Their lines before the body.
    connections : int
        How many were opened.
    """

    url: str = ""
    bodies: list[Any] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    connections: int = 0


Script: TypeAlias = Callable[[Wire, asyncio.StreamWriter], Awaitable[None]]
"""Answers one request, the last of ``wire.bodies``."""


def head(status: str = "200 OK", *lines: str) -> bytes:
    """Return the head of a reply."""
    named = [f"HTTP/1.1 {status}", "Content-Type: application/json", *lines]
    return ("\r\n".join(named) + "\r\n\r\n").encode()


@contextmanager
def serving(
    script: Script, *, certificate: Path | None = None, requests_per_connection: int = 1
) -> Iterator[Wire]:
    """Run a server in a thread while the block runs."""
    wire = Wire()
    stops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    ready = threading.Event()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire.connections += 1
        try:
            for _ in range(requests_per_connection):
                lines = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(lines.lower().partition("content-length:")[2].split("\r\n")[0])
                wire.bodies.append(json.loads(await reader.readexactly(length)))
                wire.heads.append(lines)
                await script(wire, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def serve() -> None:
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, CERTIFICATE.with_name("key.pem"))
        server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        wire.url = f"http{'s' if certificate else ''}://127.0.0.1:{port}"
        stops.append((asyncio.get_running_loop(), stop := asyncio.Event()))
        ready.set()
        await stop.wait()
        server.close()

    # What still writes to a client when the block ends is cancelled.
    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield wire
    finally:
        [(loop, stop)] = stops
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
