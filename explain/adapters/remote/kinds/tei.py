"""Text Embeddings Inference: lists of label and score for a batch of texts.

Copies ``POST /predict`` of TEI 1.9.3 (openapi.json, 2026-07-24).
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
    error_of,
    items,
    objects,
    reading,
)
from explain.record import Task
from explain.text.spans import Text

__all__ = ["Tei"]


@dataclass(frozen=True)
class Tei:
    """Logits of a sequence classifier; a text that is too long is refused, never cut.

    Parameters
    ----------
    labels : list of str, optional
        The labels in the order that they are to have; by default those of an answer, sorted.
    task : {"single_label", "multi_label"}
        How they relate to each other.
    batch : int
        Most texts in one request, 32 as the server's own default.
    """

    labels: tuple[str, ...] = ()
    task: Task = "single_label"
    batch: int = 32

    path: ClassVar[str] = "/predict"
    channel: ClassVar[Channel] = "logits"

    def request(self, texts: Sequence[Text]) -> Json:
        """Return the body that asks for the texts, each a list: two bare texts are a pair."""
        rows: list[Json] = [[text] if isinstance(text, str) else [*text] for text in texts]
        return {"inputs": rows, "raw_scores": True, "truncate": False}

    def scores(self, answer: Json, texts: Sequence[Text]) -> list[Reading | LostText]:
        """Return what an answer says of each text; see `Kind.scores`."""
        return [error_of(row) or self._row(row) for row in items(answer, len(texts))]

    def _row(self, row: Json) -> Reading | LostText:
        named = objects(row, "label", "score")
        return reading(by_name(self.labels or sorted(named), named))

    def labels_in(self, answer: Json) -> tuple[str, ...]:
        """Return the labels of an answer to one text, sorted."""
        [row] = items(answer, 1)
        return tuple(sorted(objects(row, "label", "score")))
