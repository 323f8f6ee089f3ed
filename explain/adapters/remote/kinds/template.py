"""Any JSON: a request as a template, and where labels and scores lie in the answer.

A format of our own for servers of one's own, such as those of Ray Serve or BentoML.
"""

import json
import re
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
    filled,
    reading,
)
from explain.errors import ConfigurationError
from explain.record import Task
from explain.text.spans import Text

__all__ = ["JsonTemplate"]

_STEPS = re.compile(r"[^.]+")
EACH_ITEM = "*"
"""A step of a path that goes through all items of a list."""


@dataclass(frozen=True)
class JsonTemplate:
    """One text a request.

    Parameters
    ----------
    body : any JSON
        The request; each string that holds ``{text}`` (for pairs also ``{text_pair}``) is filled.
    score_path : str
        Where the scores are, in steps parted by dots: keys, places from 0, and ``*`` for all items
        of a list. Either one mapping of labels to scores, a list, or what ``*`` gives.
    channel : {"logits", "log_probabilities", "probabilities"}
        What the scores are.
    labels : list of str
        The labels; in the order of the scores if the answer does not name them.
    label_path : str, optional
        Where the names of the scores are, in the same order.
    task : {"single_label", "multi_label"}
        How the labels relate to each other.
    """

    body: Json
    score_path: str
    channel: Channel
    labels: tuple[str, ...]
    label_path: str | None = None
    task: Task = "single_label"

    path: ClassVar[str] = ""
    batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.channel not in ("logits", "log_probabilities", "probabilities"):
            raise ConfigurationError(
                f"channel={self.channel!r}; pass logits, log_probabilities or probabilities"
            )
        if "{text}" not in json.dumps(self.body):
            raise ConfigurationError(
                f'the body {json.dumps(self.body)} has no "{{text}}"; write it where the text goes'
            )

    def request(self, texts: Sequence[Text]) -> Json:
        """Return the body that asks for one text."""
        [text] = texts
        return _with(self.body, text)

    def scores(self, answer: Json, texts: Sequence[Text]) -> list[Reading | LostText]:
        """Return what an answer says of the one text; see `Kind.scores`."""
        found = _walk(answer, _STEPS.findall(self.score_path))
        if isinstance(found, dict):
            return [reading(by_name(self.labels, found))]
        if not isinstance(found, list) or len(found) != len(self.labels):
            seen = len(found) if isinstance(found, list) else "no"
            raise UnreadableAnswer(f"it has {seen} scores for {len(self.labels)} labels")
        if self.label_path is None:
            return [reading(found)]
        names = _walk(answer, _STEPS.findall(self.label_path))
        if not isinstance(names, list) or len(names) != len(found):
            raise UnreadableAnswer("it has other numbers of labels and of scores")
        return [reading(by_name(self.labels, dict(zip(map(str, names), found, strict=True))))]


def _with(body: Json, text: Text) -> Json:
    """Return a JSON value with a text in place of the fields of its strings."""
    if isinstance(body, dict):
        return {key: _with(value, text) for key, value in body.items()}
    if isinstance(body, list):
        return [_with(value, text) for value in body]
    if isinstance(body, str) and "{text}" in body:
        return filled(body, text)
    return body


def _walk(value: Json, steps: Sequence[str]) -> Json:
    """Return what lies at the end of a path."""
    for number, step in enumerate(steps):
        if step == EACH_ITEM:
            if not isinstance(value, list):
                raise UnreadableAnswer(f"it has no list at {'.'.join(steps[:number])}")
            return [_walk(item, steps[number + 1 :]) for item in value]
        value = at(value, int(step) if isinstance(value, list) and step.isdigit() else step)
    return value
