"""One connection to one address, without the pool that a transport of httpx2 keeps."""

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager
from typing import cast

import httpcore2
import httpx2

__all__ = ["Connection"]

KEEP_ALIVE = 5.0
"""Seconds after which a connection that was not used is opened anew, as in httpx2."""

ERRORS = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
)


class Connection(httpx2.AsyncBaseTransport):
    """Sends one request after the other to an address, not by a proxy.

    A pool looks at each of its connections twice for each request (httpcore2 2.16). With sixteen
    connections that is a fifth of all that a request costs.

    Parameters
    ----------
    address : httpx2.URL
        The address.
    trusted : ssl.SSLContext
        What certificates are checked against.
    """

    def __init__(self, address: httpx2.URL, trusted: ssl.SSLContext) -> None:
        self._address = httpcore2.URL(
            scheme=address.raw_scheme,
            host=address.raw_host,
            port=address.port,
            target=address.raw_path,
        )
        self._trusted = trusted
        self._connection = self._new()

    def _new(self) -> httpcore2.AsyncHTTPConnection:
        return httpcore2.AsyncHTTPConnection(
            self._address.origin, ssl_context=self._trusted, keepalive_expiry=KEEP_ALIVE
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request to the address, and return the answer when its head has come."""
        if self._connection.is_closed() or self._connection.has_expired():
            await self._connection.aclose()
            self._connection = self._new()
        core_request = httpcore2.Request(
            request.method,
            self._address,
            headers=request.headers.raw,
            content=cast("AsyncIterable[bytes]", request.stream),
        )
        with _errors_of_httpx():
            answer = await self._connection.handle_async_request(core_request)
        return httpx2.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(cast("httpx2.AsyncByteStream", answer.stream)),
        )

    async def aclose(self) -> None:
        """Close it."""
        await self._connection.aclose()


class _Body(httpx2.AsyncByteStream):
    """The body of an answer, which breaks with the errors of httpx2."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _errors_of_httpx():
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


@contextmanager
def _errors_of_httpx() -> Iterator[None]:
    """Raise what goes wrong as the error of httpx2 of the same name."""
    try:
        yield
    except ERRORS as error:
        raise getattr(httpx2, type(error).__name__)(str(error)) from error
