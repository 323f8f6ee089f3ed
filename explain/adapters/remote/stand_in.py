"""A classifier in place of an endpoint, which counts what an audit would send to it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from explain.adapters.base import TextClassifier
from explain.adapters.question import QuestionVariant
from explain.adapters.remote.answers import requests_per_text
from explain.adapters.remote.kinds import Kind
from explain.adapters.remote.variants import has_question, kind_asked_as
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
    requests : set of str
        Requests for one text each, by which an endpoint would know them again.
    """

    calls: int = 0
    size: int = 0
    texts: set[Text] = field(default_factory=set)
    requests: set[str] = field(default_factory=set)


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
    def texts_per_call(self) -> int:
        """Most texts that one request would carry."""
        return self.kind.batch

    @property
    def end_error(self) -> EndpointError | None:
        """Nothing ends it."""
        return None

    @property
    def has_question(self) -> bool:
        """Whether the endpoint puts a question to a language model."""
        return has_question(self.kind)

    def asked_as(self, variant: QuestionVariant) -> TextClassifier:
        """Return what stands in for the endpoint that asks in another way, with the same tally."""
        kind, _ = kind_asked_as(self.kind, variant)
        n_extra = 0 if variant.extra_option is None else 1
        labels = (*self.labels, variant.extra_option or "")[: len(self.labels) + n_extra]

        def scores(texts: Sequence[Text]) -> Scores:
            known = self._function(texts)
            return np.hstack([known, np.full((len(texts), n_extra), known.min(initial=0.0))])

        other = StandIn(kind, labels, scores)
        other.tally = self.tally
        return other

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
        self.tally.texts.update(texts)
        new: list[Text] = []
        for text in dict.fromkeys(texts):
            try:
                request = json.dumps(self.kind.request([text]))
            except ConfigurationError:  # A pair where the question has no place for it.
                continue
            if fresh or request not in self.tally.requests:
                self.tally.requests.add(request)
                new.append(text)
        for start in range(0, len(new), self.kind.batch):
            body = self.kind.request(new[start : start + self.kind.batch])
            n_requests = requests_per_text(self.kind)
            self.tally.calls += n_requests
            self.tally.size += n_requests * len(json.dumps(body).encode())
