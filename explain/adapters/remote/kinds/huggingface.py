"""Inference servers of Hugging Face: a list of label and score.

Copies the task text-classification of huggingface_hub 2.4.0 (2026-11).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from explain.adapters.remote.kinds.base import (
    Channel,
    Json,
    LostText,
    Reading,
    by_name,
    objects,
    reading,
    whole_text,
)
from explain.record import Task
from explain.text.spans import Text

__all__ = ["HuggingFace"]

EVERY_LABEL = 10_000
"""As many labels as are asked for: without the number a server may give only the best five."""


@dataclass(frozen=True)
class HuggingFace:
    """Logits of a sequence classifier, one text a request.

    Parameters
    ----------
    labels : list of str, optional
        The labels in the order that they are to have; by default those of an answer, sorted.
    task : {"single_label", "multi_label"}
        How they relate to each other.
    """

    labels: tuple[str, ...] = ()
    task: Task = "single_label"

    path: ClassVar[str] = "/"
    channel: ClassVar[Channel] = "logits"
    batch: ClassVar[int] = 1

    def request(self, texts: Sequence[Text]) -> Json:
        """Return the body that asks for one text."""
        [text] = texts
        parameters: Json = {
            "function_to_apply": "none",
            "top_k": len(self.labels) or EVERY_LABEL,
        }
        return {"inputs": whole_text(text, "huggingface"), "parameters": parameters}

    def scores(self, answer: Json, texts: Sequence[Text]) -> list[Reading | LostText]:
        """Return what an answer says of the one text; see `Kind.scores`."""
        named = objects(_row(answer), "label", "score")
        return [reading(by_name(self.labels or sorted(named), named))]

    def labels_in(self, answer: Json) -> tuple[str, ...]:
        """Return the labels of an answer to one text, sorted."""
        return tuple(sorted(objects(_row(answer), "label", "score")))


def _row(answer: Json) -> Json:
    """Return the list of an answer, which some servers put into a list of one."""
    nested = isinstance(answer, list) and len(answer) == 1 and isinstance(answer[0], list)
    return answer[0] if nested and isinstance(answer, list) else answer
