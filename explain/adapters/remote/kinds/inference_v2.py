"""Open Inference Protocol v2: tensors in, tensors out, no labels.

Copies ``POST /v2/models/M/infer`` as answered by mlserver 1.7.1 (2026-11).
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
    reading,
    whole_text,
)
from explain.errors import ConfigurationError, EndpointError
from explain.record import Task
from explain.text.spans import Text

__all__ = ["InferenceV2"]


@dataclass(frozen=True)
class InferenceV2:
    """One row of numbers for each text, in one tensor of shape (texts, labels).

    Parameters
    ----------
    labels : list of str
        The labels in the order of the columns.
    channel : {"logits", "log_probabilities", "probabilities"}
        What the numbers are; the protocol does not say so.
    input_name : str
        Name of the tensor of texts.
    output_name : str, optional
        Name of the tensor that is read, where there are several.
    task : {"single_label", "multi_label"}
        How the labels relate to each other.
    batch : int
        Most texts in one request.
    """

    labels: tuple[str, ...]
    channel: Channel
    input_name: str = "text"
    output_name: str | None = None
    task: Task = "single_label"
    batch: int = 32

    path: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.channel not in ("logits", "log_probabilities", "probabilities"):
            raise ConfigurationError(
                f"channel={self.channel!r}; pass logits, log_probabilities or probabilities"
            )

    def request(self, texts: Sequence[Text]) -> Json:
        """Return the body that asks for the texts."""
        rows: list[Json] = [whole_text(text, "inference-v2") for text in texts]
        tensor: Json = {
            "name": self.input_name, "shape": [len(texts)], "datatype": "BYTES", "data": rows,
        }  # fmt: skip
        return {"inputs": [tensor]}

    def scores(self, answer: Json, texts: Sequence[Text]) -> list[Reading | LostText]:
        """Return what an answer says of each text; see `Kind.scores`."""
        outputs = at(answer, "outputs")
        if not isinstance(outputs, list):
            raise UnreadableAnswer("it has no outputs")
        wanted = [output for output in outputs if self.output_name in (None, at(output, "name"))]
        if len(wanted) != 1:
            names = [at(output, "name") for output in outputs]
            raise EndpointError(
                f"the endpoint answers with the outputs {names}; pass one as output_name="
            )
        n, width = len(texts), len(self.labels)
        if at(wanted[0], "shape") != [n, width]:
            raise UnreadableAnswer(f"its shape is {at(wanted[0], 'shape')}, expected {[n, width]}")
        numbers = _flat(at(wanted[0], "data"))
        if len(numbers) != n * width:
            raise UnreadableAnswer(f"it has {len(numbers)} numbers, expected {n * width}")
        return [reading(numbers[row * width : (row + 1) * width]) for row in range(n)]


def _flat(data: Json) -> list[Json]:
    """Return the numbers of a tensor, which may be written flat or as rows."""
    if not isinstance(data, list):
        raise UnreadableAnswer("it has no data")
    flat: list[Json] = []
    for entry in data:
        flat += entry if isinstance(entry, list) else [entry]
    return flat
