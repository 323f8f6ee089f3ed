"""Completion models, read by how probable each label's word is after the prompt.

Copies ``POST /v1/completions`` with ``echo`` as of vLLM 0.32.0 (2026-11).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from explain.adapters.remote.kinds.base import (
    Channel,
    Json,
    LostText,
    Reading,
    UnreadableAnswer,
    at,
    filled,
    items,
    log_probability,
    number,
)
from explain.errors import ConfigurationError, EndpointError
from explain.record import Task
from explain.text.spans import Text

__all__ = ["Completions"]


@dataclass(frozen=True)
class Completions:
    """The log-probability of each label's word, summed over its tokens.

    One request holds the prompt once for each label. The words need not be single tokens.

    Parameters
    ----------
    template : str
        The prompt, with ``{text}``, for pairs also ``{text_pair}``.
    verbalizer : dict of str to str
        For each label the word that follows the prompt, with the space before it.
    model : str
        Name of the model.
    """

    template: str
    verbalizer: Mapping[str, str]
    model: str

    path: ClassVar[str] = "/v1/completions"
    channel: ClassVar[Channel] = "log_probabilities"
    task: ClassVar[Task] = "single_label"
    batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        words = [*self.verbalizer.values()]
        if len(set(words)) < max(2, len(words)) or not all(words):
            raise ConfigurationError(
                "completions need two or more labels, each with a word of its own; pass "
                'verbalizer={"bad": " bad", "good": " good"}'
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that have words."""
        return tuple(self.verbalizer)

    def request(self, texts: Sequence[Text]) -> Json:
        """Return the body that asks for one text, with one prompt for each label."""
        [text] = texts
        prompt = filled(self.template, text)
        prompts: list[Json] = [prompt + word for word in self.verbalizer.values()]
        return {
            "model": self.model,
            "prompt": prompts,
            "max_tokens": 1,
            "temperature": 0,
            "echo": True,
            "logprobs": 1,
        }

    def scores(self, answer: Json, texts: Sequence[Text]) -> list[Reading | LostText]:
        """Return what an answer says of the one text; see `Kind.scores`."""
        start = len(filled(self.template, texts[0]))
        choices = items(at(answer, "choices"), len(self.verbalizer))
        by_index = {number(at(choice, "index")): choice for choice in choices}
        if set(by_index) != {*range(len(choices))}:
            raise UnreadableAnswer("its choices are not numbered by the prompts")
        values = []
        for place, (label, word) in enumerate(self.verbalizer.items()):
            value = _of_word(by_index[place], start, start + len(word))
            if value is None:
                return [LostText(f"a token lies across the beginning of the word of {label!r}")]
            values.append(value)
        if not all(map(math.isfinite, values)):
            return [LostText("its scores are not finite numbers", is_fault=True)]
        return [Reading(tuple(values), math.fsum(map(math.exp, values)))]


def _of_word(choice: Json, start: int, end: int) -> float | None:
    """Return the log-probability of the tokens between two places; None if none begins there."""
    logged = choice.get("logprobs") if isinstance(choice, dict) else None
    if logged is None:
        raise EndpointError(
            "the endpoint gives no log-probabilities of the prompt; use a server that takes echo, "
            "or the kind chat"
        )
    offsets, numbers = at(logged, "text_offset"), at(logged, "token_logprobs")
    if not isinstance(offsets, list) or not isinstance(numbers, list):
        raise UnreadableAnswer("it has no text_offset and token_logprobs")
    if len(offsets) != len(numbers):
        raise UnreadableAnswer("it has other numbers of tokens and of log-probabilities")
    places = [number(offset) for offset in offsets]
    if start not in places:
        return None
    return math.fsum(
        log_probability(value)
        for place, value in zip(places, numbers, strict=True)
        if start <= place < end
    )
