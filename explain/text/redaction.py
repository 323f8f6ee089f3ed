"""Keys and passwords taken out of everything that leaves, except the texts that are explained.

They are known by value (variables of the environment whose names say so, and what was registered),
in several encodings, by their shape, and by the name of a setting. Texts of the user's rows are
data and stay as they are: attributions point into them, character by character.
"""

import base64
import html
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote, quote_plus

from pydantic import BaseModel

__all__ = [
    "REPLACEMENT",
    "environment_read_once",
    "message",
    "redacted",
    "redacted_record",
    "register_secret",
    "without_known_keys",
    "without_surrogates",
]

REPLACEMENT = "[secret removed]"
"""What stands where a key was."""

LONGEST_MESSAGE = 500
"""Characters that are kept of an error message of a model, once keys are out of it."""

_SECRET_VARIABLES = re.compile(
    r"(KEY|TOKEN|SECRET|PASS|_PAT|CREDENTIALS?)$|PASSWORD|PASSWD|APIKEY|SECRET_|AUTHORIZATION",
    re.IGNORECASE,
)
"""Names of variables of the environment that hold keys."""

_SECRET_SETTINGS = re.compile(
    r"(^|[_. -])(token|password|passwd|secret|credentials?|authorization|cookie|pat)$"
    r"|(api|access|auth|private|secret|session|client|refresh|bearer|hub|hf)[_. -]?"
    r"(key|token|secret|password)$",
    re.IGNORECASE,
)
"""Names of settings whose values are keys."""

_SPECIAL_TOKENS = re.compile(r"(mask|pad|special|sep|cls|bos|eos|unk)[_. -]?token$", re.IGNORECASE)
"""Names of settings that only sound like one."""

_SHORTEST, _SHORTEST_WORD = 6, 16
"""Characters from which on a value is looked for; of letters alone, which may be a word, more."""

_SURROGATE = re.compile("[\ud800-\udfff]")
"""In a Python string a surrogate stands alone: pairs are one character there."""

_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{1,60}-----.*?(?:-----END [A-Z0-9 ]{1,60}-----|\Z)", re.DOTALL
)

_SHAPES = (
    # What services prefix their keys with, so that filters can find them.
    r"(?<![A-Za-z0-9])(?:sk-|(?:sk|pk|rk)_(?:live|test)_|gsk_|hf_|r8_|gh[opsur]_|github_pat_|glpat-"
    r"|xox[abeprs]-|npm_|pypi-|AIza|ya29\.|SG\.|dapi)[A-Za-z0-9._-]{8,}",
    r"(?<![A-Za-z0-9])(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}",
    # A JSON web token.
    r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?",
    # What follows a name that says what it is; the name stays.
    r"(?<![A-Za-z])(?P<scheme>(?i:bearer|basic)\s{1,4})"
    r"(?:[A-Za-z0-9._~+/=-]{20,}|(?=[A-Za-z._~+/=-]{0,20}[0-9])[A-Za-z0-9._~+/=-]{8,})",
    r"(?P<setting>(?i:api[_-]?key|access[_-]?token|auth[_-]?token|(?:password|passwd|secret|token)"
    r"(?=[\"']|\s{0,4}=)|[?&]key)[\"']{0,2}\s{0,4}[:=]\s{0,4}[\"']{0,2})"
    r"[^\s\"'&,;(){}\[\]]{6,}",
    r"(?P<header>(?i:authorization|x-api-key|api-key)[\"']{0,2}\s{0,4}:\s{0,4}[\"']{0,2})"
    r"(?!(?i:bearer|basic)\s)(?:[A-Za-z]{1,20}\s{1,4})?+[^\s\"',;\[\]]+",
    # User and password in an address; as a path it has lost one of its strokes.
    r"(?P<address>[A-Za-z]://?)[^\s/\[\]]{1,500}(?=@)",
)
_SHAPE = re.compile("|".join(_SHAPES))

_BASE64 = re.compile(r"[A-Za-z0-9+/_=%-]")

_registered_secrets: set[str] = set()

_secrets_of_environment: ContextVar[frozenset[str] | None] = ContextVar(
    "_secrets_of_environment", default=None
)
"""Keys in the environment, where it was read once for all that runs in a context."""

_Forms: TypeAlias = tuple[tuple[str, bool], ...]
"""How keys may be written, and whether a form is a part of a run of base64."""

R = TypeVar("R", bound=BaseModel)


def register_secret(value: str) -> None:
    """Have a key that is in no variable of the environment taken out of everything that leaves."""
    _registered_secrets.add(value)


@contextmanager
def environment_read_once() -> Iterator[None]:
    """Look for the keys that are in the environment now, and not for those of each moment.

    For many small texts: reading it takes longer than looking for what is in it.
    """
    token = _secrets_of_environment.set(_in_environment())
    try:
        yield
    finally:
        _secrets_of_environment.reset(token)


def redacted(text: str) -> str:
    """Return a text without what is, or looks like, a key.

    Examples
    --------
    >>> redacted("401 for https://me:hunter2@host/v1, Authorization: Bearer abcdef123456")
    '401 for https://[secret removed]@host/v1, Authorization: Bearer [secret removed]'
    """
    return _redact(text, _forms(_secrets()))


def without_known_keys(text: str) -> str:
    """Return a text without the keys that are known by value; what only looks like one stays.

    For data in which a field may be called "token", such as the answers of a language model.
    """
    return _without_values(text, _forms(_secrets()))


def without_surrogates(text: str) -> str:
    """Return a text with the replacement character for half of a pair, which no file can hold.

    Examples
    --------
    >>> without_surrogates("a" + chr(0xD800))
    'a�'
    """
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def message(text: object) -> str:
    """Return an error message without keys, and then cut to `LONGEST_MESSAGE` characters.

    It can be written to a file: see `without_surrogates`.

    Examples
    --------
    >>> message("a" * 2_000)[-30:]
    'aaaaaaaaaa… (2,000 characters)'
    """
    whole = without_surrogates(redacted(str(text)))
    if len(whole) <= LONGEST_MESSAGE:
        return whole
    ending = f"… ({len(whole):,} characters)"
    return whole[: LONGEST_MESSAGE - len(ending)] + ending


def redacted_record(record: R) -> tuple[R, int]:
    """Return a record without keys, and in how many of its strings some were.

    The texts that are explained (``parts``) stay as they are. Reasons of failures are cut as well.
    Half of a surrogate pair, which no file can hold, becomes the replacement character.
    """
    redaction = _Redaction()
    return redaction.record(record), redaction.strings


class _Redaction:
    """Walks through a record; what holds no key stays the same object."""

    def __init__(self) -> None:
        self.strings = 0
        self._forms = _forms(_secrets())

    def record(self, record: R) -> R:
        changed = {
            name: new
            for name, old in record
            if name != "parts" and (new := self._value(name, old)) is not old
        }
        return record.model_copy(update=changed) if changed else record

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            # What is as it was stays the same object: a sentence knows its template.
            new_text = self._string(name, value)
            return value if new_text == value else new_text
        if isinstance(value, BaseModel):
            return self.record(value)
        if isinstance(value, Mapping):
            # Elsewhere keys are labels and columns of the user, and say nothing of their values.
            names = {key: key if "model_options" in (name, key) else "" for key in value}
            new = {self._string("", key): self._value(names[key], value[key]) for key in value}
            return value if new == value else new
        if isinstance(value, tuple | list):
            items = [self._value(name, item) for item in value]
            same = all(new is old for new, old in zip(items, value, strict=True))
            return value if same else type(value)(items)
        return value

    def _string(self, name: str, text: str) -> str:
        text = without_surrogates(text)
        is_secret = _SECRET_SETTINGS.search(name) and not _SPECIAL_TOKENS.search(name)
        new = REPLACEMENT if is_secret and text else _redact(text, self._forms)
        if new == text:
            return message(text) if name in ("reason", "skipped") else text
        self.strings += 1
        return new


def _redact(text: str, forms: _Forms) -> str:
    return _SHAPE.sub(_keep_name, _PEM.sub(REPLACEMENT, _without_values(text, forms)))


def _without_values(text: str, forms: _Forms) -> str:
    for form, in_run in forms:
        if form in text:
            text = _without_runs(text, form) if in_run else text.replace(form, REPLACEMENT)
    return text


def _keep_name(match: re.Match[str]) -> str:
    names = ("scheme", "setting", "header", "address")
    return "".join(match[name] or "" for name in names) + REPLACEMENT


def _secrets() -> frozenset[str]:
    """Return the values that are looked for."""
    read_before = _secrets_of_environment.get()
    secrets = _in_environment() if read_before is None else read_before
    return frozenset(
        value
        for value in secrets | _registered_secrets
        if len(value) >= (_SHORTEST_WORD if value.isalpha() else _SHORTEST)
    )


def _in_environment() -> frozenset[str]:
    return frozenset(os.environ[name].strip() for name in os.environ if _names_secret(name))


@lru_cache(maxsize=1024)
def _names_secret(variable: str) -> bool:
    return _SECRET_VARIABLES.search(variable) is not None


@lru_cache(maxsize=4)
def _forms(secrets: frozenset[str]) -> _Forms:
    """Return how each value may be written, long ones first, and whether in a run of base64."""
    forms: dict[str, bool] = {}
    for value in secrets:
        plain = {value.casefold(), value.upper()}
        content = _bytes(value)
        for quoted in (value, quote(content), quote(content, safe=""), quote_plus(content)):
            plain |= {quoted, re.sub("%..", lambda code: code[0].lower(), quoted)}
            if quoted.isascii():  # An address in the query of another.
                plain.add(quote(quoted, safe=""))
        whole = "".join(f"%{byte:02x}" for byte in content)
        plain |= {whole, whole.upper(), whole.replace("%", ""), whole.upper().replace("%", "")}
        for escaped in (value, json.dumps(value)[1:-1], repr(value)[1:-1], html.escape(value)):
            plain |= {escaped, json.dumps(escaped)[1:-1]}
        forms |= dict.fromkeys(plain, False)
        forms |= dict.fromkeys(_in_base64(content), True)
    return tuple(sorted(forms.items(), key=lambda form: (-len(form[0]), form)))


def _bytes(value: str) -> bytes:
    """Return what a key is in the environment, whose values need not be UTF-8."""
    try:
        return os.fsencode(value)
    except UnicodeEncodeError:
        return value.encode(errors="replace")


def _in_base64(value: bytes) -> Iterator[str]:
    """Yield the characters that a value alone decides, wherever it begins in what was encoded."""
    for before in range(3):
        first, last = -(-before * 4 // 3), (before + len(value)) * 4 // 3
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            core = encode(b"\0" * before + value).decode()[first:last]
            if len(core) >= _SHORTEST:
                yield core
                yield quote(core, safe="")


def _without_runs(text: str, form: str) -> str:
    """Return a text without the runs of base64 in which `form` stands: their ends belong to it."""
    pieces, position = [], 0
    while (start := text.find(form, position)) >= 0:
        end = start + len(form)
        while start > position and _BASE64.match(text[start - 1]):
            start -= 1
        while end < len(text) and _BASE64.match(text[end]):
            end += 1
        pieces += [text[position:start], REPLACEMENT]
        position = end
    return "".join([*pieces, text[position:]])
