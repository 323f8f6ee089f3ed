"""A key, and how it may be written."""

import base64
import json
import re
from urllib.parse import quote

__all__ = ["KEY", "encodings"]

KEY = 'q7/Zr+"tW9 v~é&Xk2mP5'
"""A key that is written differently in every encoding."""


def encodings(key: str) -> dict[str, str]:
    """Return a key as it may stand in a message."""
    data = key.encode()
    return {
        "plain": key,
        "percent": quote(key, safe=""),
        "percent, small": re.sub("%..", lambda code: code[0].lower(), quote(key, safe="")),
        "percent, twice": quote(quote(key, safe=""), safe=""),
        "percent, all": "".join(f"%{byte:02X}" for byte in data),
        "hex": data.hex(),
        "json": json.dumps(key),
        "json of json": json.dumps(json.dumps({"key": key})),
        "repr": repr({"key": key}),
        "upper case": key.upper(),
        **{
            f"base64 after {n}": base64.b64encode(b"user:"[:n] + data + b"!" * m).decode()
            for n in range(4)
            for m in range(3)
        },
        "base64, urlsafe": base64.urlsafe_b64encode(data).decode(),
        "base64, percent": quote(base64.b64encode(data).decode(), safe=""),
    }
