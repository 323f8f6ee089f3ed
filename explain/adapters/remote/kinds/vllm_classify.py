"""Classification servers of vLLM: the logits of all classes, by number.

Copies ``POST /classify`` of vLLM 0.32.0 (2026-11), which names only the class that wins.
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
    error_of,
    items,
    reading,
    whole_text,
)
from explain.errors import EndpointError
from explain.record import Task
from explain.text.spans import Text

__all__ = ["VllmClassify"]


@dataclass(frozen=True)
class VllmClassify:
    """Logits of a sequence classifier; a text that is too long is refused, never cut.

    Parameters
    ----------
    labels : list of str
        The labels in the order of the model's own numbers. The label that the server names as the
        winner is compared with them.
    model : str, optional
        Name of the model.
    task : {"single_label", "multi_label"}
        How the labels relate to each other.
    batch : int
        Most texts in one request.
    """

    labels: tuple[str, ...]
    model: str | None = None
    task: Task = "single_label"
    batch: int = 32

    path: ClassVar[str] = "/classify"
    channel: ClassVar[Channel] = "logits"

    def request(self, texts: Sequence[Text]) -> Json:
        """Return the body that asks for the texts."""
        named: dict[str, Json] = {} if self.model is None else {"model": self.model}
        rows: list[Json] = [whole_text(text, "vllm-classify") for text in texts]
        return {**named, "input": rows, "use_activation": False}

    def scores(self, answer: Json, texts: Sequence[Text]) -> list[Reading | LostText]:
        """Return what an answer says of each text, by its index; see `Kind.scores`."""
        n = len(texts)
        by_index = {_index(row): row for row in items(at(answer, "data"), n)}
        if sorted(by_index) != list(range(n)):
            raise UnreadableAnswer(f"its indices are {sorted(by_index)} for {n} texts")
        return [error_of(by_index[place]) or self._row(by_index[place]) for place in range(n)]

    def _row(self, row: Json) -> Reading | LostText:
        logits = at(row, "probs")
        if not isinstance(logits, list) or len(logits) != len(self.labels):
            seen = len(logits) if isinstance(logits, list) else "no"
            raise EndpointError(
                f"the endpoint answers with {seen} classes, expected {len(self.labels)}; pass one "
                "label for each class"
            )
        read = reading(logits)
        won = row.get("label") if isinstance(row, dict) else None
        if isinstance(read, Reading) and isinstance(won, str) and won in self.labels:
            best = max(read.values)
            if read.values[self.labels.index(won)] < best:
                raise EndpointError(
                    f"the endpoint calls the winner {won!r}, and by the order of the labels it is "
                    f"{self.labels[read.values.index(best)]!r}; pass the labels in the order of "
                    "the model's own numbers"
                )
        return read


def _index(row: Json) -> int:
    index = at(row, "index")
    if isinstance(index, bool) or not isinstance(index, int):
        raise UnreadableAnswer("a row has no index")
    return index
