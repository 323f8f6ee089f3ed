"""Decisions of Google: a map of questions, and filters that speak for the whole request.

Copies ``POST /{version}/decisions`` as in google-genai 3.6.1 (2026-11). Its yes-or-no answers are
never outside of [.01, .99], so that only ``choice`` is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from explain.adapters.remote.kinds.base import (
    MOST_OF_ERROR,
    Channel,
    Json,
    LostText,
    Options,
    Reading,
    at,
    distribution,
    options_of,
    whole_text,
    with_confidence,
)
from explain.record import Task
from explain.text.redaction import message
from explain.text.spans import Text

__all__ = ["GoogleDecisions"]

ID = "question"


@dataclass(frozen=True)
class GoogleDecisions:
    """One question of a request, of type ``choice``.

    Parameters
    ----------
    question : str
        What is asked of each text, as it is sent.
    options : list of str, or dict of str to str or None
        The labels, with descriptions or without.
    model : str
        Name of the model, ``models/...``.
    """

    question: str
    options: Options
    model: str

    path: ClassVar[str] = "/v1beta/decisions"
    channel: ClassVar[Channel] = "probabilities"
    task: ClassVar[Task] = "single_label"
    batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        options_of(self.options)

    @property
    def labels(self) -> tuple[str, ...]:
        """The options."""
        return tuple(options_of(self.options))

    def request(self, texts: Sequence[Text]) -> Json:
        """Return the body that asks for one text."""
        [text] = texts
        question: Json = {
            "type": "choice",
            "instructions": self.question,
            "criteria": {**options_of(self.options)},
        }
        return {
            "model": self.model,
            "input": whole_text(text, "google-decisions"),
            "questions": {ID: question},
        }

    def scores(self, answer: Json, texts: Sequence[Text]) -> list[Reading | LostText]:
        """Return what an answer says of the one text; see `Kind.scores`."""
        feedback = answer.get("promptFeedback") if isinstance(answer, dict) else None
        if isinstance(feedback, dict) and feedback.get("blockReason"):
            why = message(feedback["blockReason"])[:MOST_OF_ERROR]
            return [LostText(f"a filter of the endpoint held the text back: {why}")]
        given = at(answer, "answers", ID)
        return [with_confidence(distribution(self.labels, at(given, "probabilities")), given)]
