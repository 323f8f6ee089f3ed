"""What a reply, or its absence, means for the texts that were asked for.

::

    Again     the same request is sent once more
    Split     the texts are asked for in smaller requests
    Lost      these texts get no answer; others do
    Unfit     the request is refused: its text is lost if others had an answer, else all ends
    End       no further text is asked for
"""

import json
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeAlias

from explain.adapters.remote.kinds import Json, LostText
from explain.text.redaction import message, without_known_keys

__all__ = [
    "Again",
    "Answer",
    "End",
    "Reply",
    "Split",
    "Unfit",
    "Unreadable",
    "Verdict",
    "judge",
    "parse",
    "unpacked",
]

LONGEST_WAIT = 120.0
"""Seconds that a server may ask to wait; the SDK of OpenAI takes the same for its limit."""

LONGEST_SAID = 200
"""Characters that are shown of what a server says of an error."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server sent back.

    Attributes
    ----------
    status : int
        The status of HTTP.
    headers : mapping of str to str
        By names in small letters.
    body : bytes
        As it came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON value that is no error.

    Attributes
    ----------
    content : Json
        The value, without the user's own key.
    as_json : str
        The same as JSON.
    """

    content: Json
    as_json: str


@dataclass(frozen=True, slots=True)
class Again:
    """The same request may succeed later.

    Attributes
    ----------
    reason : str
        What went wrong.
    wait : float or None
        Seconds that the server asks the whole host to wait.
    slower : bool
        Whether it means that too much was sent at once.
    counts : bool
        Whether it is one of the attempts of this text; a limit of the host is not.
    most : int
        Attempts after which the text is lost.
    is_final : bool
        Whether all is at an end then, and not only this text.
    starting : bool
        Whether the server may only not be ready yet.
    is_timeout : bool
        Whether nothing came back in time.
    """

    reason: str
    wait: float | None = None
    slower: bool = False
    counts: bool = True
    most: int = 5
    is_final: bool = False
    starting: bool = False
    is_timeout: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """The texts have to be asked for in smaller requests.

    Attributes
    ----------
    reason : str
        What went wrong.
    remember : bool
        Whether no request is to be as large again.
    one_by_one : bool
        Whether each text is asked for alone, and not each half of them.
    """

    reason: str
    remember: bool = False
    one_by_one: bool = False


@dataclass(frozen=True, slots=True)
class Unfit:
    """The request is refused, for what is in its texts if others were answered."""

    reason: str


@dataclass(frozen=True, slots=True)
class End:
    """No other text would be answered either."""

    reason: str


Verdict: TypeAlias = Answer | Again | Split | LostText | Unfit | End


class Unreadable(Exception):
    """A body that is no JSON as we read it.

    Attributes
    ----------
    is_final : bool
        Whether asking again is useless.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


# ── Bodies ────────────────────────────────────────────────────────────────────────────────────────


def parse(body: bytes, content_type: str = "") -> Answer:
    """Read a body as JSON, strictly: no name twice, no bytes replaced, no depth that overflows.

    The user's own key is taken out of it.

    Raises
    ------
    Unreadable
        If it is none.
    """
    charset = re.search(r"charset=[\"']?([\w.:-]+)", content_type, re.IGNORECASE)
    try:
        text = body.decode(_encoding(charset[1] if charset else "")).removeprefix("\ufeff")
    except UnicodeError as error:
        raise Unreadable("the answer is not in the encoding that it states") from error
    try:
        content: Json = json.loads(text, object_pairs_hook=_distinct)
        written = json.dumps(content)  # No key hides in an escape here.
        if (clean := without_known_keys(written)) != written:
            content, written = json.loads(clean), clean
    except RecursionError as error:
        raise Unreadable("the answer is nested too deep", is_final=True) from error
    except ValueError as error:
        raise Unreadable("the answer is no whole JSON") from error
    return Answer(content, written)


def _encoding(charset: str) -> str:
    """Return the encoding of Unicode that is stated; UTF-8, which JSON has, for all others."""
    return charset if re.fullmatch(r"utf[-_]?(16|32)([-_]?[lb]e)?", charset.lower()) else "utf-8"


def _distinct(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    named = dict(pairs)
    if len(named) < len(pairs):
        raise Unreadable("the answer has a key twice", is_final=True)
    return named


def unpacked(body: bytes, encoding: str, most: int) -> bytes | None:
    """Return the body that a server compressed although it was not asked to; None if too large.

    What is not compressed as stated may not be compressed at all.
    """
    if encoding not in ("gzip", "deflate", "x-gzip"):
        return body
    worker = zlib.decompressobj(wbits=47)
    try:
        plain = worker.decompress(body, most)
    except zlib.error:
        return body
    return None if worker.unconsumed_tail else plain


# ── Statuses ──────────────────────────────────────────────────────────────────────────────────────

_RETRIED = {408, 409, 425, 500, 502, 503, 504, *range(520, 530)}
_TOO_LONG = re.compile(
    r"context.{0,20}(length|size|window)|exceed_context|too (long|many tokens)|max(imum)?[_ ](input"
    r"|context|length|tokens)|longer than|must have less than \d+ tokens|string_above_max",
    re.IGNORECASE,
)
_OTHER_LIMIT = re.compile(r"use '?max_completion_tokens", re.IGNORECASE)
_FILTERED = re.compile(r"content[_ ](filter|policy)|responsible.?ai|blocked", re.IGNORECASE)
_UNPAID = re.compile(r"insufficient[_ ]quota|billing|exceeded your current quota|credit", re.I)


_STATUS_OF_NAME = {
    "authentication_error": 401, "content_filter": 400, "content_policy_violation": 400,
    "context_length_exceeded": 400, "insufficient_quota": 402, "invalid_api_key": 401,
    "invalid_argument": 400, "invalid_request_error": 400, "model_not_found": 404,
    "not_found": 404, "not_found_error": 404, "overloaded_error": 529, "permission_denied": 403,
    "permission_error": 403, "rate_limit_error": 429, "rate_limit_exceeded": 429,
    "resource_exhausted": 429, "slow_down": 429, "unauthenticated": 401, "unavailable": 503,
}  # fmt: skip
"""What OpenAI, Anthropic and Google call errors, and the status that they send with them; an unpaid
account is 402, as a 429 may pass."""


def judge(reply: Reply, texts: int, host: str, key: str | None) -> Verdict:
    """Return what a reply means.

    Parameters
    ----------
    reply : Reply
        The reply.
    texts : int
        How many texts its request asked for.
    host : str
        Where it comes from, for messages.
    key : str or None
        The variable of the environment that holds the key.
    """
    kind = reply.headers.get("content-type", "")
    try:
        answer = parse(reply.body, kind)
    except Unreadable as problem:
        if not 200 <= reply.status < 300:
            return _of_status(reply, "", texts, host, key)
        if "html" in kind or reply.body.lstrip()[:1] == b"<":
            return End(f"{host} answers with a page and not with JSON; is this a proxy?")
        if problem.is_final:
            return LostText(str(problem), is_fault=True)
        return Again(str(problem), most=2)
    content = answer.content
    failed = content.get("error") if isinstance(content, dict) else None
    if 200 <= reply.status < 300 and not failed:
        return answer
    if 200 <= reply.status < 300:
        reply = Reply(_status_in(failed), reply.headers, reply.body)
    return _of_status(reply, _error_message(content), texts, host, key)


def _status_in(failed: Json) -> int:
    """Return the status that an error inside of a good answer states; 500 if it states none."""
    named = (
        [failed.get(name) for name in ("code", "status", "type")]
        if isinstance(failed, dict)
        else []
    )
    for name in map(str, named):
        if re.fullmatch("[45][0-9]{2}", name):
            return int(name)
        if name.lower() in _STATUS_OF_NAME:
            return _STATUS_OF_NAME[name.lower()]
    return 500


def _error_message(content: Json) -> str:
    """Return what a server says of an error, without keys and cut."""
    found = content
    if isinstance(content, dict):
        found = next(
            (content[k] for k in ("error", "detail", "message") if content.get(k)), content
        )
    if isinstance(found, list) and found and isinstance(found[0], dict):
        field, what = found[0].get("loc"), found[0].get("msg")
        found = f"{'.'.join(map(str, field))}: {what}" if isinstance(field, list) else found
    if isinstance(found, dict):
        parts = [found.get(name) for name in ("type", "code", "message")]
        found = ": ".join(str(part) for part in parts if part) or found
    said = message(" ".join(str(found).split()))
    return said if len(said) <= LONGEST_SAID else said[: LONGEST_SAID - 1] + "…"


def _of_status(
    reply: Reply, server_message: str, texts: int, host: str, key: str | None
) -> Verdict:
    status, seen = (
        reply.status,
        f"{host} answers {reply.status}" + (f": {server_message}" if server_message else ""),
    )
    if status in (401, 403):
        what = "no key was sent; pass key_env=" if key is None else f"look at the key in ${key}"
        return End(f"{host} refuses the key or the account ({status}); {what}")
    if 300 <= status < 400 and "location" in reply.headers:
        target = reply.headers["location"].partition("?")[0]
        return End(
            f"{host} redirects to {message(target)}, which is not followed; pass that address"
        )
    if status == 402 or (status == 429 and _UNPAID.search(server_message)):
        return End(f"{seen}; the account has to be paid before more is asked")
    if status == 429:
        return _wait(reply, seen, counts=False)
    if status == 501:
        return End(f"{seen}; this model does not offer that kind: pass another kind=")
    if status == 413:
        return Split(seen, remember=True) if texts > 1 else LostText(_too_long(server_message))
    if status in (400, 422) and _OTHER_LIMIT.search(server_message):
        return End(
            f"{seen}; pass answer_tokens_field='max_completion_tokens' with kind='sampled', and "
            "for a model that thinks first more answer_tokens="
        )
    if status in (400, 422) and _FILTERED.search(server_message):
        return _split_or_lose(texts, "a filter of the endpoint held the text back")
    if status in (400, 422) and _TOO_LONG.search(server_message):
        return _split_or_lose(texts, _too_long(server_message))
    if status in (400, 422):
        return Unfit(f"{seen}; look at kind, model and address")
    if status == 424:
        return Again(seen)
    if status in _RETRIED:
        return _wait(reply, seen, counts=True)
    return End(f"{seen}; look at kind, model and address")


def _split_or_lose(texts: int, reason: str) -> Split | LostText:
    return Split(reason) if texts > 1 else LostText(reason)


def _too_long(server_message: str) -> str:
    return "the text is longer than the model reads" + (
        f" ({server_message})" if server_message else ""
    )


def _wait(reply: Reply, reason: str, *, counts: bool) -> Again | End:
    wait = _asked_to_wait(reply.headers)
    if wait is not None and wait > LONGEST_WAIT:
        return End(f"{reason}; it asks to wait for {wait:,.0f} s: try again then")
    busy = reply.status in (429, 503, 504)
    return Again(reason, wait, slower=busy, counts=counts, starting=reply.status == 503)


def _asked_to_wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks for; None where it asks for none, or makes no sense.

    A date is compared with the server's own clock.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        given = headers.get(name, "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", given):
            return float(given) / unit
    try:
        then = parsedate_to_datetime(headers.get("retry-after", ""))
        seconds = (then - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
    except (ValueError, TypeError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None
