"""What stands around the scores of an answer, in whatever format: who answered, and the cost."""

import json
from collections.abc import Mapping

from explain.adapters.remote.kinds import Json
from explain.text.redaction import message

__all__ = ["answered_model", "fingerprint", "request_id", "tokens", "tokens_read_of"]

MOST_TOKENS = 10**9
"""More than any model reads or writes at once; a count above it is no count."""


def answered_model(content: Json) -> str | None:
    """Return what an answer calls the model, with its version."""
    if not isinstance(content, dict):
        return None
    named = [content.get(key) for key in ("model", "model_name", "model_version")]
    return message("/".join(name for name in named if isinstance(name, str) and name)) or None


def fingerprint(content: Json) -> str | None:
    """Return what an answer says of the server's configuration."""
    said = content.get("system_fingerprint") if isinstance(content, dict) else None
    return message(said) if isinstance(said, str) else None


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the name of the request, for questions to the provider."""
    names = ("x-request-id", "x-typesafe-request-id", "request-id")
    said = next((headers[name] for name in names if name in headers), None)
    return None if said is None else message(said)


def tokens(content: Json) -> tuple[int, int] | None:
    """Return the tokens that were read and written; None if the answer does not say so."""
    usage = content.get("usage") if isinstance(content, dict) else None
    if not isinstance(usage, dict):
        return None
    read = _first(usage, "input_tokens", "prompt_tokens")
    return (read, _first(usage, "output_tokens", "completion_tokens")) if read else None


def tokens_read_of(answer: bytes | None) -> int | None:
    """Return the tokens that were read for a logged answer; None if it does not say so."""
    usage = tokens(json.loads(answer)) if answer else None
    return None if usage is None else usage[0]


def _first(usage: Mapping[str, Json], *names: str) -> int:
    for name in names:
        count = usage.get(name)
        if isinstance(count, int) and not isinstance(count, bool) and 0 < count <= MOST_TOKENS:
            return count
    return 0
