"""The steps of a normalizer or a pre-tokenizer of the tokenizers library."""

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["steps_of"]


def steps_of(component: Any) -> Iterator[dict[str, Any]]:
    """Yield the settings of a component, or of the steps of its sequences one by one.

    None has no steps. What is written in Python has no settings, and raises what it likes.
    """
    if component is not None:
        yield from _flat(json.loads(component.__getstate__()))


def _flat(step: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(step, dict):
        return
    if step.get("type") != "Sequence":
        yield step
        return
    for inner in (*step.get("normalizers", ()), *step.get("pretokenizers", ())):
        yield from _flat(inner)
