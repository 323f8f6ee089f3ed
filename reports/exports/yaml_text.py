"""Values as YAML, written as JSON is: double-quoted strings, lists and maps in brackets."""

import json
import re

__all__ = ["yaml_value"]

_NOT_ASCII = re.compile(r"[^\x00-\x7e]")


def yaml_value(value: object) -> str:
    r"""Return a value that YAML reads as JSON does, but for characters that JSON writes as two.

    Examples
    --------
    >>> yaml_value(["a", "\N{GRINNING FACE}"])
    '["a", "\\U0001f600"]'
    """
    return _NOT_ASCII.sub(_escaped, json.dumps(value, ensure_ascii=False))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    return "\\ufffd" if 0xD800 <= code <= 0xDFFF else f"\\U{code:08x}"
