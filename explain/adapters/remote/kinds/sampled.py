"""Chat models that show nothing but their answers, which are counted.

Copies ``POST /v1/chat/completions`` as typed in openai 3.57.0, without log-probabilities, as
Anthropic and Bedrock offer it too, as of 2026-11.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from explain.adapters.prompts import check_verbalizer, parsed_template
from explain.adapters.remote.kinds.base import (
    Channel,
    Json,
    LostText,
    Reading,
    UnreadableAnswer,
    at,
    check_words_of_labels,
    filled,
)
from explain.errors import ConfigurationError, EndpointError
from explain.record import Task
from explain.text.spans import Text

__all__ = ["FEWEST_SAMPLES", "SampledChat"]

FEWEST_SAMPLES = 20
"""Answers to each text: with 5 of them 77 % of 90 % intervals hold the true value, with one 57 %,
with 20 they hold it as often as they say."""

AROUND = " \t\r\n\"'`*.,:;!()[]“”‘’"
"""What a model may write around a label."""

LIMIT_FIELDS = ("max_tokens", "max_completion_tokens")
"""How servers call the most tokens of an answer; reasoning models of OpenAI know only the second,
which counts the tokens of what they think, too."""

OWN_FIELDS = ("model", "messages", *LIMIT_FIELDS, "temperature", "n", "logprobs", "stream")


@dataclass(frozen=True)
class SampledChat:
    """How often each label is the answer, when the same text is asked for many times.

    An answer counts for a label if it is one of its words; any other answer is none of the labels.

    Parameters
    ----------
    template : str
        The message, with ``{text}``, for pairs also ``{text_pair}``.
    model : str
        Name of the model.
    verbalizer : dict of str to str or list of str
        For each label the answers that stand for it; small and capital letters are the same.
    system : str, optional
        A message before it.
    samples : int
        Answers to each text, at least 20.
    per_request : int
        How many of them a request asks for, as ``n``; servers that know no ``n`` give one.
    temperature : float
        Above zero: it is a part of the model that is explained.
    answer_tokens : int
        Tokens of an answer at most; a model that thinks first needs hundreds or thousands.
    answer_tokens_field : {"max_tokens", "max_completion_tokens"}
        How the server calls them.
    fields : dict, optional
        Further fields of the request.
    """

    template: str
    model: str
    verbalizer: Mapping[str, str | Sequence[str]]
    system: str | None = None
    samples: int = FEWEST_SAMPLES
    per_request: int = 1
    temperature: float = 1.0
    answer_tokens: int = 8
    answer_tokens_field: str = "max_tokens"
    fields: Mapping[str, Json] = field(default_factory=dict)

    path: ClassVar[str] = "/v1/chat/completions"
    channel: ClassVar[Channel] = "counts"
    task: ClassVar[Task] = "single_label"
    batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_verbalizer(self.verbalizer)
        check_words_of_labels(
            self._words,
            "counts need two or more labels, each with answers of its own; pass "
            'verbalizer={"bad": ["bad", "negative"], "good": "good"}',
        )
        if self.samples < FEWEST_SAMPLES:
            raise ConfigurationError(
                f"samples={self.samples}; pass {FEWEST_SAMPLES} or more: the errors of fewer "
                "answers cannot be trusted"
            )
        if self.per_request < 1 or self.samples % self.per_request:
            raise ConfigurationError(
                f"per_request={self.per_request} does not divide samples={self.samples}; pass a "
                "number that does"
            )
        if self.temperature <= 0 or self.answer_tokens < 1:
            raise ConfigurationError(
                f"temperature={self.temperature:g} and answer_tokens={self.answer_tokens}; pass a "
                "temperature above 0, as at 0 all answers to a text are one, and answer_tokens of "
                "1 or more"
            )
        if self.answer_tokens_field not in LIMIT_FIELDS:
            raise ConfigurationError(
                f"answer_tokens_field={self.answer_tokens_field!r}; pass {LIMIT_FIELDS[0]!r} or "
                f"{LIMIT_FIELDS[1]!r}"
            )
        if own := [name for name in OWN_FIELDS if name in self.fields]:
            raise ConfigurationError(f"fields holds {own[0]!r}; pass it as an option of its own")
        parsed_template(self.template)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that have words."""
        return tuple(self.verbalizer)

    @property
    def requests_per_text(self) -> int:
        """Requests that ask for one text."""
        return self.samples // self.per_request

    @property
    def tokens_written(self) -> int:
        """Tokens that the answers to one request have at most."""
        return self.per_request * self.answer_tokens

    @property
    def _words(self) -> list[list[str]]:
        return [
            [_plain(word) for word in ([own] if isinstance(own, str) else own)]
            for own in self.verbalizer.values()
        ]

    def request(self, texts: Sequence[Text]) -> Json:
        """Return the body that asks for one text."""
        [text] = texts
        messages: list[Json] = (
            [] if self.system is None else [{"role": "system", "content": self.system}]
        )
        messages.append({"role": "user", "content": filled(self.template, text)})
        several: dict[str, Json] = {} if self.per_request == 1 else {"n": self.per_request}
        return {
            "model": self.model,
            "messages": messages,
            self.answer_tokens_field: self.answer_tokens,
            "temperature": self.temperature,
            **several,
            **self.fields,
        }

    def scores(self, answer: Json, texts: Sequence[Text]) -> list[Reading | LostText]:
        """Return how often each label was answered; see `Kind.scores`."""
        choices = at(answer, "choices")
        if not isinstance(choices, list) or not choices:
            raise UnreadableAnswer("it has no choices")
        answers = [_answer_of(choice) for choice in choices]
        if len(answers) != self.per_request:
            raise EndpointError(
                f"the endpoint gives {len(answers)} answers where {self.per_request} were asked "
                "for; pass per_request=1, which works on every server"
            )
        counts = tuple(float(sum(said in own for said in answers)) for own in self._words)
        return [Reading(counts, sum(counts) / len(answers))]

    def combined(self, readings: Sequence[Reading]) -> Reading:
        """Return what all answers to one text say."""
        counts = tuple(map(sum, zip(*(each.values for each in readings), strict=True)))
        return Reading(counts, sum(counts) / self.samples)


def _answer_of(choice: Json) -> str | None:
    """Return what a model answered, without what stands around it; None if it refused."""
    held = choice if isinstance(choice, dict) else {}
    said = held.get("message")
    if held.get("finish_reason") == "content_filter":
        return None
    if isinstance(said, dict) and said.get("refusal"):
        return None
    content = at(said, "content")
    if not isinstance(content, str):
        raise UnreadableAnswer("an answer has no text")
    return _plain(content)


def _plain(word: str) -> str:
    return word.strip(AROUND).casefold()
