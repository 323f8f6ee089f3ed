"""Decisions of OpenAI: a list of questions, and a list of probabilities for each.

Copies ``POST /v1/decisions`` as typed in openai 3.57.0 (public beta since 2026-10-06), which
vLLM 0.33 serves too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from explain.adapters.remote.kinds.base import (
    Channel,
    Json,
    LostText,
    Reading,
    UnreadableAnswer,
    at,
    by_name,
    items,
    reading,
    whole_text,
    with_confidence,
)
from explain.errors import ConfigurationError
from explain.record import Task
from explain.text.spans import Text

__all__ = ["Decisions"]

Value: TypeAlias = str | bool

NAME = "question"
"""Name of the one question of a request."""


@dataclass(frozen=True)
class Decisions:
    """One question of a request, of type ``choice``.

    Parameters
    ----------
    question : str
        What is asked of each text, as it is sent.
    options : list of str or bool, or dict of str to str or None
        The values, with descriptions or without. ``True`` and ``"true"`` are two of them; their
        labels are ``true`` and ``"true"`` in quotes where both are there.
    model : str
        Name of the model.
    """

    question: str
    options: Sequence[Value] | Mapping[str, str | None]
    model: str

    path: ClassVar[str] = "/v1/decisions"
    channel: ClassVar[Channel] = "probabilities"
    task: ClassVar[Task] = "single_label"
    batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        values = [*self.options]
        known = all(isinstance(value, str | bool) for value in values)
        if (
            not known
            or isinstance(self.options, str)
            or len(set(self.labels)) < max(2, len(values))
        ):
            raise ConfigurationError(
                f"options={self.options!r} are not two or more different values; pass strings or "
                "truth values"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """The values as text."""
        flags = {_json_text(value) for value in self.options if isinstance(value, bool)}
        return tuple(_label(value, flags) for value in self.options)

    def request(self, texts: Sequence[Text]) -> Json:
        """Return the body that asks for one text."""
        [text] = texts
        described = self.options if isinstance(self.options, Mapping) else {}
        choices: list[Json] = [
            {"value": value, **_description(described, value)} for value in self.options
        ]
        question: Json = {
            "type": "choice", "name": NAME, "instructions": self.question, "choices": choices,
        }  # fmt: skip
        return {
            "model": self.model,
            "input": whole_text(text, "decisions"),
            "questions": [question],
        }

    def scores(self, answer: Json, texts: Sequence[Text]) -> list[Reading | LostText]:
        """Return what an answer says of the one text; see `Kind.scores`."""
        [given] = items(at(answer, "answers"), 1)
        if isinstance(given, dict) and given.get("name") not in (None, NAME):
            raise UnreadableAnswer("it answers a question that was not asked")
        if at(given, "type") == "refusal":
            return [LostText("the endpoint refused to answer")]
        listed = at(given, "probabilities")
        if not isinstance(listed, list) or not listed:
            raise UnreadableAnswer("it has no probabilities")
        flags = {_json_text(value) for value in self.options if isinstance(value, bool)}
        named: dict[str, Json] = {}
        for entry in listed:
            value = at(entry, "value")
            if not isinstance(value, str | bool) or _label(value, flags) in named:
                raise UnreadableAnswer("a value is missing or stands there twice")
            named[_label(value, flags)] = at(entry, "probability")
        return [with_confidence(reading(by_name(self.labels, named)), given)]


def _label(value: Value, flags: set[str]) -> str:
    """Return a value as text, a string in quotes if a truth value of that name is among them."""
    if isinstance(value, str):
        return f'"{value}"' if value in flags else value
    return _json_text(value)


def _json_text(value: bool) -> str:
    return "true" if value else "false"


def _description(described: Mapping[str, str | None], value: Value) -> dict[str, Json]:
    text = described.get(value) if isinstance(value, str) else None
    return {} if text is None else {"description": text}
