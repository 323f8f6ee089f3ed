"""What the files of a tokenizer ask for, before anything reads them.

The tokenizers library ends the process where it is asked for more memory than there is.
"""

import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from explain.errors import AdapterError

__all__ = ["MOST_ADDED", "check_added", "check_tokenizer_file"]

MOST_ADDED = 30_000
"""Tokens that are added to a vocabulary: models that speak have 28,683. Time grows with the square
of it: 30,000 take 10 seconds, 100,000 a minute."""

MOST_PADDING = 2**20
"""Tokens that a text may be filled up to; no model reads more."""

MOST_LETTERS, LONGEST_PREFIX = 1_000, 64
"""Letters of a word that WordPiece cuts up, and of what stands before its later pieces; those of
BERT are 100 and 2. Time grows with the third power of the one: 4,000 take 2 seconds."""

_WIDTH = 4
"""Bytes of the length that stands before the table of a precompiled normalizer."""


def check_tokenizer_file(path: Path) -> None:
    """Check a file of a tokenizer: what it adds, fills up, and takes for the length of a table.

    What is no JSON is left to whoever loads it.

    Raises
    ------
    AdapterError
        If that is beyond all tokenizers that are known.
    """
    if path.name not in ("tokenizer.json", "added_tokens.json"):
        return
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return
    if path.name == "added_tokens.json":
        check_added(path, "tokens", content)
    elif isinstance(content, dict):
        check_added(path, "added_tokens", content.get("added_tokens"))
        _check_padding(path, content.get("padding"))
        _check_normalizer(path, content.get("normalizer"))
        _check_pieces(path, content.get("model"))


def check_added(path: Path, key: str, tokens: Any) -> None:
    """Check how many tokens a setting adds.

    Raises
    ------
    AdapterError
        If they are too many.
    """
    if isinstance(tokens, list | Mapping) and len(tokens) > MOST_ADDED:
        raise _too_large(path, f"entries of {key}", len(tokens), MOST_ADDED)


def _check_padding(path: Path, padding: Any) -> None:
    if not isinstance(padding, dict):
        return
    strategy = padding.get("strategy")
    fixed = strategy.get("Fixed") if isinstance(strategy, dict) else None
    for key, value in (("Fixed", fixed), ("multiple_of", padding.get("pad_to_multiple_of"))):
        if isinstance(value, int | float) and value > MOST_PADDING:
            raise _too_large(path, f"padding {key}", value, MOST_PADDING)


def _check_normalizer(path: Path, normalizer: Any) -> None:
    """Check that no precompiled normalizer says that its table is longer than it is."""
    normalizers = [normalizer]
    while normalizers:
        step = normalizers.pop()
        if not isinstance(step, dict):
            continue
        steps = step.get("normalizers")
        normalizers += steps if isinstance(steps, list) else []
        table = step.get("precompiled_charsmap")
        if not isinstance(table, str):
            continue
        try:
            table_bytes = binascii.a2b_base64(table)
        except ValueError:
            continue
        length = int.from_bytes(table_bytes[:_WIDTH], "little")
        if length > max(0, len(table_bytes) - _WIDTH):
            raise _too_large(path, "precompiled_charsmap bytes", length, len(table_bytes))


def _check_pieces(path: Path, model: Any) -> None:
    """Check that a word of any length is cut into pieces in its share of time."""
    if not isinstance(model, dict):
        return
    letters, prefix = (
        model.get(key) for key in ("max_input_chars_per_word", "continuing_subword_prefix")
    )
    if isinstance(letters, int | float) and letters > MOST_LETTERS:
        raise _too_large(path, "max_input_chars_per_word", letters, MOST_LETTERS)
    if isinstance(prefix, str) and len(prefix) > LONGEST_PREFIX:
        raise _too_large(path, "letters of continuing_subword_prefix", len(prefix), LONGEST_PREFIX)


def _too_large(path: Path, quantity: str, value: float, limit: int) -> AdapterError:
    return AdapterError(
        f"{path.name} in {str(path.parent)!r} says {quantity} {value:,}, at most {limit:,} can be "
        "loaded; mend it, or save the model again"
    )
