"""How an endpoint is reached: address, key, certificates, deadlines, and sizes."""

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, Generator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import TypeAlias

import httpx2

from explain.adapters.remote.kinds import LostText
from explain.adapters.remote.reply_verdicts import Again, End, Reply, Verdict, unpacked
from explain.errors import ConfigurationError
from explain.text.redaction import register_secret

__all__ = ["Client", "Transport"]

Transport: TypeAlias = httpx2.AsyncBaseTransport | None

PREFIX = 8
"""Characters of a key that are a secret, too: servers show them to say which key was refused."""


class KeyAuth(httpx2.Auth):
    """Sends a key that is read from the environment when it is needed, and never shown.

    Parameters
    ----------
    variable : str
        The variable of the environment.
    header : str
        The header that carries the key; ``Authorization`` carries it as a bearer token.

    Raises
    ------
    ConfigurationError
        If the variable is not set.
    """

    def __init__(self, variable: str, header: str) -> None:
        self.variable = variable
        self.header = header
        key = self._key()
        if not key or not key.isprintable() or not key.isascii():
            raise ConfigurationError(
                f"the variable {variable} holds no key; set it, and pass its name as key_env="
            )
        register_secret(key)
        register_secret(key[:PREFIX])

    def _key(self) -> str:
        return os.environ.get(self.variable, "").strip()

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Give a request the key."""
        bearer = self.header.lower() == "authorization"
        request.headers[self.header] = f"Bearer {self._key()}" if bearer else self._key()
        yield request

    def __repr__(self) -> str:
        return f"KeyAuth(${self.variable})"


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
        self._auth = None if key_env is None else KeyAuth(key_env, key_header)
        self._transport = transport
        self._trusted = _certificates(ca)

    def open(self) -> httpx2.AsyncClient:
        """Return a client of its own for one run of the event loop."""
        return httpx2.AsyncClient(
            auth=self._auth,
            transport=self._transport,
            verify=self._trusted,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=None,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
            },
        )

    async def post(self, session: httpx2.AsyncClient, body: bytes, most: int) -> Reply | Verdict:
        """Send one request and return what came back, or what it means that nothing did.

        Parameters
        ----------
        session : httpx2.AsyncClient
            From `open`.
        body : bytes
            JSON.
        most : int
            Bytes of the answer that are read.
        """
        # Not by `session.stream`, which would merge headers, cookies and parameters each time.
        request = httpx2.Request("POST", self.url, headers=session.headers, content=body)
        try:
            async with asyncio.timeout(self.timeout):
                response = await session.send(request, stream=True)
                try:
                    read = await _at_most(response.aiter_raw(), most)
                finally:
                    await response.aclose()
                headers = _by_name(response.headers)
                encoding = headers.get("content-encoding", "").strip().lower()
                plain = None if read is None else unpacked(read, encoding, most)
                if plain is None:
                    return LostText(f"the answer is larger than {most:,} bytes")
                return Reply(response.status_code, headers, plain)
        except TimeoutError:
            reason = f"{self.host} took longer than {self.timeout:g} s"
            return Again(reason, slower=True, is_timeout=True)
        except httpx2.HTTPError as error:
            return self._failed(error)

    def _failed(self, error: httpx2.HTTPError) -> Verdict:
        """Return what it means that a request failed beneath HTTP; nothing of it is quoted."""
        causes = [*_causes(error)]
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
        return httpx2.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=str(ca))
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"ca={str(ca)!r} is no file of certificates") from error
