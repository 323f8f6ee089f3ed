"""Tokenizers that make much of little, or take long for it: a text must cost only its share."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from explain.adapters.pattern_time import check_pattern_time
from explain.adapters.tokenizer_steps import steps_of
from explain.errors import AdapterError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["MOST_GROWTH", "check_growth"]

MOST_GROWTH = 64
"""Times that a tokenizer may lengthen a text. Unicode's own compatibility forms reach 18."""

MOST_ADDED = 1_024
"""Tokens that may stand around a text of one character."""

_PROBES = (*map(chr, range(0x20, 0x7F)), "é", "ﷺ", "中", "가", "👍", "\n", "a a")
"""Texts that are read to see what a tokenizer makes of them."""


def check_growth(tokenizer: "PreTrainedTokenizerBase", folder: Path) -> None:
    """Check that a tokenizer does not multiply what it reads, and that its patterns end.

    Raises
    ------
    AdapterError
        If it does, or they do not.
    """
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        _check_length(backend, folder)
        _check_patterns(backend, folder)


def _check_length(backend: Any, folder: Path) -> None:
    times = 1.0
    for step in steps_of(backend.normalizer):
        times *= _times(step)
    _require(times, MOST_GROWTH, folder)
    if backend.normalizer is not None:
        longest = max(len(backend.normalizer.normalize_str(probe)) for probe in _PROBES)
        _require(longest, MOST_GROWTH * len(_PROBES[-1]), folder)
    for probe in _PROBES:
        _require(sum(backend.encode(probe).attention_mask), MOST_ADDED, folder)


def _check_patterns(backend: Any, folder: Path) -> None:
    steps = (backend.normalizer, backend.pre_tokenizer)
    if not any(step is not None and b'"Regex"' in step.__getstate__() for step in steps):
        return
    if slow := check_pattern_time(backend.encode):
        raise AdapterError(
            f"a pattern of the tokenizer in {str(folder)!r} {slow}; pass the tokenizer that the "
            "model was trained with"
        )


def _require(growth: float, most: float, folder: Path) -> None:
    if growth > most:
        raise AdapterError(
            f"the tokenizer in {str(folder)!r} makes {growth:,.0f} of one character, at most "
            f"{most:,} can be used; pass the tokenizer that the model was trained with"
        )


def _times(step: dict[str, Any]) -> float:
    """Return how many characters a step of a normalizer can make of one."""
    if step.get("type") == "Prepend":
        return 1.0 + len(step.get("prepend", ""))
    if step.get("type") != "Replace":
        return 1.0
    pattern = step.get("pattern", {}).get("String")
    n_made = len(step.get("content", ""))
    return max(1.0, n_made / len(pattern)) if pattern else 1.0 + n_made
