"""System One: a question with options, and a probability for each.

Copies ``POST /v1/systemone`` of transformers serve 5.23, vLLM 0.32.0, SGLang 0.5.23 and llama.cpp
(server-decision.cpp, October 2026), and the schemas of typesafe-sdk 0.7.5, as of 2026-11.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from explain.adapters.remote.kinds.base import (
    Channel,
    Json,
    LostText,
    Options,
    Reading,
    at,
    distribution,
    number,
    options_of,
    reading,
    with_confidence,
)
from explain.errors import ConfigurationError
from explain.record import Task
from explain.text.spans import Text

__all__ = ["SystemOne"]

ID = "question"
"""Name of the one question of a request; some servers show a model all questions at once."""

NOUL = ("false", "true")
"""Labels of a yes-or-no question."""


@dataclass(frozen=True)
class SystemOne:
    """One question of a request, of type ``choice`` or ``noul`` (yes or no).

    Parameters
    ----------
    question : str
        What is asked of each text, as it is sent.
    options : list of str, or dict of str to str or None
        The labels, with descriptions or without. For ``noul`` descriptions of "true" and "false",
        or nothing.
    type : {"choice", "noul"}
        Whether one of the options is chosen, or the answer is yes or no.
    model : str, optional
        Name of the model.
    """

    question: str
    options: Options = ()
    type: Literal["choice", "noul"] = "choice"
    model: str | None = None

    path: ClassVar[str] = "/v1/systemone"
    channel: ClassVar[Channel] = "probabilities"
    task: ClassVar[Task] = "single_label"
    batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.type not in ("choice", "noul"):
            raise ConfigurationError(f"type={self.type!r}; pass choice or noul")
        if self.type == "choice" or self.options:
            names = options_of(self.options)
            if self.type == "noul" and set(names) != set(NOUL):
                raise ConfigurationError('a noul has the options "true" and "false"')

    @property
    def labels(self) -> tuple[str, ...]:
        """The options, or false and true."""
        return tuple(options_of(self.options)) if self.type == "choice" else NOUL

    def request(self, texts: Sequence[Text]) -> Json:
        """Return the body that asks for one text; a pair is an object of its two texts."""
        [text] = texts
        criteria: Json = {**options_of(self.options)} if self.options else None
        asked: Json = {"type": self.type, "instructions": self.question, "criteria": criteria}
        state: Json = (
            text if isinstance(text, str) else dict(zip(("text", "text_pair"), text, strict=True))
        )
        named: dict[str, Json] = {} if self.model is None else {"model": self.model}
        return {**named, "state": state, "questions": {ID: asked}}

    def scores(self, answer: Json, texts: Sequence[Text]) -> list[Reading | LostText]:
        """Return what an answer says of the one text; see `Kind.scores`."""
        given = at(answer, "answers", ID)
        if isinstance(given, dict) and given.get("type") == "refusal":
            return [LostText("the endpoint refused to answer")]
        if self.type == "noul":
            yes = number(at(given, "noul"))
            return [reading((1 - yes, yes))]
        read = distribution(self.labels, at(given, "probabilities"), _label_mass(answer, given))
        return [with_confidence(read, given)]


def _label_mass(answer: Json, question_answer: Json) -> Json:
    """Return the label mass as vLLM states it beside the answers, or SGLang inside of them."""
    if isinstance(question_answer, dict) and "x_label_mass" in question_answer:
        return question_answer["x_label_mass"]
    diagnostics = answer.get("diagnostics") if isinstance(answer, dict) else None
    own = diagnostics.get(ID) if isinstance(diagnostics, dict) else None
    return own.get("label_mass") if isinstance(own, dict) else None
