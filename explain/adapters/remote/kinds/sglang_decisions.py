"""Decisions of SGLang: questions with an id, options by name, and the label mass.

Copies ``POST /v1/decisions`` of SGLang 0.5.23 (2026-11), which refuses unknown fields.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from explain.adapters.remote.kinds.base import (
    Channel,
    Json,
    LostText,
    Options,
    Reading,
    at,
    distribution,
    options_of,
    whole_text,
)
from explain.record import Task
from explain.text.spans import Text

__all__ = ["SglangDecisions"]

ID = "question"


@dataclass(frozen=True)
class SglangDecisions:
    """One question of a request, of type ``choice``.

    Parameters
    ----------
    question : str
        What is asked of each text, as it is sent.
    options : list of str, or dict of str to str or None
        The labels, with descriptions or without.
    prompt_format_version : str or int, optional
        How the server is to write the prompt; without it the server's own default may change.
    """

    question: str
    options: Options
    prompt_format_version: str | int | None = None

    path: ClassVar[str] = "/v1/decisions"
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
        options: list[Json] = [
            {"name": name} if description is None else {"name": name, "description": description}
            for name, description in options_of(self.options).items()
        ]
        question: Json = {"id": ID, "type": "choice", "question": self.question, "options": options}
        version = self.prompt_format_version
        pinned: dict[str, Json] = {} if version is None else {"prompt_format_version": version}
        return {"input": whole_text(text, "sglang-decisions"), "questions": [question], **pinned}

    def scores(self, answer: Json, texts: Sequence[Text]) -> list[Reading | LostText]:
        """Return what an answer says of the one text; see `Kind.scores`."""
        given = at(answer, "answers", ID)
        mass = at(given, "label_mass")
        return [distribution(self.labels, at(given, "probabilities"), mass)]
