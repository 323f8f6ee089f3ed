"""Moderation of OpenAI: a score for each of several categories that may hold at once.

Copies ``POST /v1/moderations`` as typed in openai 3.57.0 (2026-11).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from explain.adapters.remote.kinds.base import (
    Channel,
    Json,
    LostText,
    Reading,
    UnreadableAnswer,
    at,
    by_name,
    error_of,
    items,
    reading,
    whole_text,
)
from explain.record import Task
from explain.text.spans import Text

__all__ = ["Moderation"]


@dataclass(frozen=True)
class Moderation:
    """Probabilities of categories.

    Parameters
    ----------
    model : str, optional
        Name of the model.
    labels : list of str, optional
        The categories in the order that they are to have; by default those of an answer, sorted.
    """

    model: str | None = None
    labels: tuple[str, ...] = ()

    path: ClassVar[str] = "/v1/moderations"
    channel: ClassVar[Channel] = "probabilities"
    task: ClassVar[Task] = "multi_label"
    batch: ClassVar[int] = 32

    def request(self, texts: Sequence[Text]) -> Json:
        """Return the body that asks for the texts."""
        named: dict[str, Json] = {} if self.model is None else {"model": self.model}
        return {**named, "input": [whole_text(text, "moderation") for text in texts]}

    def scores(self, answer: Json, texts: Sequence[Text]) -> list[Reading | LostText]:
        """Return what an answer says of each text; see `Kind.scores`."""
        rows = items(at(answer, "results"), len(texts))
        return [error_of(row) or self._row(_categories(row)) for row in rows]

    def _row(self, row: dict[str, Json]) -> Reading | LostText:
        return reading(by_name(self.labels or sorted(row), row))

    def labels_in(self, answer: Json) -> tuple[str, ...]:
        """Return the categories of an answer to one text, sorted."""
        [row] = items(at(answer, "results"), 1)
        return tuple(sorted(_categories(row)))


def _categories(row: Json) -> dict[str, Json]:
    scores = at(row, "category_scores")
    if not isinstance(scores, dict) or not scores:
        raise UnreadableAnswer("it has no category_scores")
    return scores
