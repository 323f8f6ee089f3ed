"""A classifier in place of an endpoint, which counts what an audit would send to it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from explain.adapters.remote.kinds import Kind
from explain.adapters.scores import Row, Scores
from explain.errors import ConfigurationError, EndpointError, PredictionError
from explain.record import Task
from explain.text.spans import Text

__all__ = ["StandIn", "Tally"]


@dataclass(slots=True)
class Tally:
    """What would have been sent.

    Attributes
    ----------
    calls : int
        Requests.
    size : int
        Their bytes.
    texts : set of Text
        Those that they ask for, each once.
    """

    calls: int = 0
    size: int = 0
    texts: set[Text] = field(default_factory=set)


class StandIn:
    """Scores texts as a function does, and counts requests as an endpoint would get them.

    Parameters
    ----------
    kind : Kind
        The wire format of the endpoint.
    labels : tuple of str
        The labels; those of the kind where it has some.
    function : callable
        Takes texts, returns their scores.
    """

    decimals: None = None
    shows_probabilities = False

    def __init__(
        self, kind: Kind, labels: tuple[str, ...], function: Callable[[Sequence[Text]], Scores]
    ) -> None:
        self.kind = kind
        self.labels = labels
        self.name = "stand-in"
        self.task: Task = kind.task
        self.tally = Tally()
        self._function = function

    @property
    def end_error(self) -> EndpointError | None:
        """Nothing ends it."""
        return None

    def predict(self, texts: Sequence[Text]) -> Scores:
        """Return the scores of texts, shape (n_texts, n_labels)."""
        self._count(texts, fresh=False)
        return self._function(texts)

    def predict_each(
        self, texts: Sequence[Text], *, fresh: bool = False
    ) -> list[Row | PredictionError]:
        """Return the scores of each text; see `PerTextClassifier`."""
        self._count(texts, fresh=fresh)
        return list(self._function(texts))

    def _count(self, texts: Sequence[Text], *, fresh: bool) -> None:
        new = [text for text in dict.fromkeys(texts) if fresh or text not in self.tally.texts]
        self.tally.texts.update(new)
        for start in range(0, len(new), self.kind.batch):
            try:
                body = self.kind.request(new[start : start + self.kind.batch])
            except ConfigurationError:  # A pair where the question has no place for it.
                continue
            self.tally.calls += 1
            self.tally.size += len(json.dumps(body).encode())
