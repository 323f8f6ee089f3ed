"""How an endpoint is reached: address, key, certificates, deadlines, and sizes."""

import asyncio
import os
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Self, TypeAlias
from urllib.request import getproxies, proxy_bypass

import httpx2

from explain.adapters.remote.connection import Connection
from explain.adapters.remote.kinds import LostText
from explain.adapters.remote.reply_verdicts import Again, End, Reply, Verdict, unpacked
from explain.errors import ConfigurationError
from explain.text.redaction import register_secret

__all__ = ["Client", "Session", "Transport"]

Transport: TypeAlias = httpx2.AsyncBaseTransport | None

PREFIX = 8
"""Characters of a key that are a secret, too: servers show them to say which key was refused."""

NAME_OF_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token of RFC 9110, section 5.6.2."""

ACCEPTED = (
    (b"Accept", b"application/json"),
    (b"Accept-Encoding", b"identity"),
    (b"Connection", b"keep-alive"),
    (b"Content-Type", b"application/json"),
    (b"User-Agent", b"python-httpx2/" + httpx2.__version__.encode()),
)
"""What all requests say of themselves."""


class Key:
    """A key that is read from the environment when it is sent, and never shown.

    Parameters
    ----------
    variable : str
        The variable of the environment.
    header : str
        The header that carries the key; ``Authorization`` carries it as a bearer token.

    Raises
    ------
    ConfigurationError
        If the variable holds none, or the header is none.
    """

    def __init__(self, variable: str, header: str) -> None:
        self.variable = variable
        key = self._read()
        if not key or not key.isprintable() or not key.isascii():
            raise ConfigurationError(
                f"the variable {variable} holds no key; set it, and pass its name as key_env="
            )
        if not NAME_OF_HEADER.fullmatch(header):
            raise ConfigurationError(
                f"key_header={header!r} is no name of a header; pass one such as 'x-api-key'"
            )
        self._name = header.encode()
        self._before = "Bearer " if header.lower() == "authorization" else ""

    def _read(self) -> str:
        """Return the key, which is taken out of everything that leaves from now on."""
        key = os.environ.get(self.variable, "").strip()
        register_secret(key)
        register_secret(key[:PREFIX])
        return key

    def header(self) -> tuple[bytes, bytes]:
        """Return the header with the key."""
        return self._name, (self._before + self._read()).encode()

    def __repr__(self) -> str:
        return f"Key(${self.variable})"


class Session:
    """Connections of one run of the event loop, each used by one request at a time.

    Parameters
    ----------
    open_transport : callable
        Returns what holds one connection.
    """

    def __init__(self, open_transport: Callable[[], httpx2.AsyncBaseTransport]) -> None:
        self._open_transport = open_transport
        self._idle: list[httpx2.AsyncBaseTransport] = []
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._open.aclose()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[httpx2.AsyncBaseTransport]:
        """Give a connection that nobody else has meanwhile, the last one that was used if any."""
        if self._idle:
            transport = self._idle.pop()
        else:
            transport = await self._open.enter_async_context(self._open_transport())
        try:
            yield transport
        finally:
            self._idle.append(transport)


class Client:
    """Sends requests to one address, each with a deadline for all of it and a limit of size.

    Redirects are not followed, cookies not kept, certificates always checked.

    Parameters
    ----------
    url : str
        The address, with the path of the endpoint.
    path : str
        The path where the address has none.
    key_env : str, optional
        The variable of the environment that holds the key.
    key_header : str
        The header that carries it.
    ca : path, optional
        A file of certificates to trust instead of those of the system.
    timeout : float
        Seconds for a whole request, from the connection to the last byte.
    transport : httpx2.AsyncBaseTransport, optional
        What carries the requests in place of the network.

    Raises
    ------
    ConfigurationError
        If the address is none, holds a key or password, or the certificates cannot be read.
    """

    def __init__(
        self,
        url: str,
        path: str,
        *,
        key_env: str | None = None,
        key_header: str = "Authorization",
        ca: str | Path | None = None,
        timeout: float = 60.0,
        transport: Transport = None,
    ) -> None:
        self.url = _address(url, path)
        self.host = self.url.netloc.decode()
        self.key_env = key_env
        self.timeout = timeout
        self._key = None if key_env is None else Key(key_env, key_header)
        self._transport = transport
        self._trusted = _certificates(ca)

    def open(self) -> Session:
        """Return the connections for one run of the event loop."""
        return Session(self._open_transport)

    def _open_transport(self) -> httpx2.AsyncBaseTransport:
        if self._transport is not None:
            return self._transport
        proxy = _proxy(self.url)
        if proxy is None:
            return Connection(self.url, self._trusted)
        return httpx2.AsyncHTTPTransport(verify=self._trusted, proxy=proxy)

    async def post(self, session: Session, body: bytes, most: int) -> Reply | Verdict:
        """Send one request and return what came back, or what it means that nothing did.

        Parameters
        ----------
        session : Session
            From `open`.
        body : bytes
            JSON.
        most : int
            Bytes of the answer that are read.
        """
        try:
            async with session.connection() as connection, asyncio.timeout(self.timeout):
                response = await connection.handle_async_request(self._request(body))
                try:
                    read = await _at_most(response.aiter_raw(), most)
                finally:
                    await response.aclose()
                headers = _by_name(response.headers)
                encoding = headers.get("content-encoding", "").strip().lower()
                plain = None if read is None else unpacked(read, encoding, most)
                if plain is None:
                    return LostText(f"the answer is larger than {most:,} bytes", is_fault=True)
                return Reply(response.status_code, headers, plain)
        except TimeoutError:
            reason = f"{self.host} took longer than {self.timeout:g} s"
            return Again(reason, slower=True, is_timeout=True)
        except httpx2.HTTPError as error:
            return self._failed(error)

    def _request(self, body: bytes) -> httpx2.Request:
        key = () if self._key is None else (self._key.header(),)
        size = b"Content-Length", b"%d" % len(body)
        headers = [(b"Host", self.url.netloc), *ACCEPTED, *key, size]
        # With `content` it would work out the headers anew each time.
        request = httpx2.Request("POST", self.url, headers=headers, stream=httpx2.ByteStream(body))
        request.read()
        return request

    def _failed(self, error: httpx2.HTTPError) -> Verdict:
        """Return what it means that a request failed beneath HTTP; nothing of it is quoted."""
        causes = [*_causes(error)]
        if any("WRONG_VERSION_NUMBER" in str(cause) for cause in causes):
            return End(f"{self.host} does not answer as https; pass an address with http://")
        if any(isinstance(cause, ssl.SSLError) for cause in causes):
            return End(
                f"the certificate of {self.host} cannot be checked; pass the file of your own "
                "authority as ca="
            )
        if isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL | httpx2.ProxyError):
            return End(f"{self.host} cannot be reached ({type(error).__name__})")
        if isinstance(error, httpx2.ConnectError):
            return Again(f"{self.host} cannot be reached", is_final=True)
        return Again(f"the connection to {self.host} broke ({type(error).__name__})")


def _by_name(headers: httpx2.Headers) -> dict[str, str]:
    """Return headers by names in small letters, what is there twice with a comma between."""
    named: dict[str, str] = {}
    for raw_name, raw_value in headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        named[name] = f"{named[name]}, {value}" if name in named else value
    return named


async def _at_most(chunks: AsyncGenerator[bytes, None], most: int) -> bytes | None:
    """Return the bytes of a body; None, and nothing more is read, if they are too many."""
    read = bytearray()
    async for chunk in chunks:
        read += chunk
        if len(read) > most:
            return None
    return bytes(read)


def _causes(error: BaseException | None) -> Generator[BaseException, None, None]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _address(url: str, path: str) -> httpx2.URL:
    """Return an address that has a host and a path and holds no secret."""
    try:
        address = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError, ValueError) as error:
        raise ConfigurationError("the address of the endpoint is no URL") from error
    if address.scheme not in ("http", "https") or not address.host:
        raise ConfigurationError("the address of an endpoint begins with http:// or https://")
    if address.userinfo or address.query or address.fragment:
        raise ConfigurationError(
            f"the address of {address.host} has a password, a query or a fragment, where keys "
            "would be seen; leave it out, and pass the key by key_env="
        )
    if address.path not in ("", "/"):
        return address
    if not path:
        raise ConfigurationError(
            f"{url} has no path, and this kind has none of its own; pass the whole address"
        )
    return address.copy_with(path=path)


def _certificates(ca: str | Path | None) -> ssl.SSLContext:
    """Return what certificates are checked against."""
    if ca is None:
        return _certificates_of_environment(
            os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
        )
    try:
        return ssl.create_default_context(cafile=str(ca))
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"ca={str(ca)!r} is no file of certificates") from error


@cache
def _certificates_of_environment(*_where: str | None) -> ssl.SSLContext:
    """Return what is trusted by default; to read it takes 20 ms, so clients share it."""
    return httpx2.create_ssl_context()


def _proxy(address: httpx2.URL) -> str | None:
    """Return the proxy that the environment, or else the system, names for an address."""
    proxies = getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(address.netloc.decode()):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
