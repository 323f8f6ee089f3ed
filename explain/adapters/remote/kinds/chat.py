"""Chat models, read by the log-probabilities of the first token of their answer.

Copies ``POST /v1/chat/completions`` as typed in openai 3.57.0, with ``logprob_token_ids`` of
vLLM 0.32.0, as of 2026-11.
"""

import math
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
    log_probability,
)
from explain.adapters.remote.kinds.top_k import bounds_of_labels
from explain.errors import EndpointError
from explain.record import Task
from explain.text.spans import Text

__all__ = ["Chat"]

TOP = 20
"""Most tokens that OpenAI gives, and vLLM by default."""

NEARLY_EXACT = 1e-3
"""How far the bounds of a log-probability may be apart to be one number: what four decimals of a
probability of a tenth leave open."""


@dataclass(frozen=True)
class Chat:
    """The answer's first token, and how probable the words of each label are as that.

    Words that no answer shows have no value, only bounds: such a text is counted as unanswered.

    Parameters
    ----------
    template : str
        The message, with ``{text}``, for pairs also ``{text_pair}``.
    verbalizer : dict of str to str or list of str
        For each label its words, each one token of the model, with a space before it if the
        model writes one there.
    model : str
        Name of the model.
    system : str, optional
        A message before it.
    token_ids : dict of str to list of int, optional
        The tokens of each label by number, of which vLLM gives the exact log-probabilities.
    top_logprobs : int
        How many of the best tokens are asked for.
    fields : dict, optional
        Further fields of the request.
    """

    template: str
    model: str
    verbalizer: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    system: str | None = None
    token_ids: Mapping[str, Sequence[int]] | None = None
    top_logprobs: int = TOP
    fields: Mapping[str, Json] = field(default_factory=dict)

    path: ClassVar[str] = "/v1/chat/completions"
    channel: ClassVar[Channel] = "log_probabilities"
    task: ClassVar[Task] = "single_label"
    batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_verbalizer(self.verbalizer)
        check_words_of_labels(
            self._words,
            "a chat model needs two or more labels, each with words of its own; pass "
            'verbalizer={"bad": ["bad", "Bad"], "good": "good"}, or token_ids',
        )
        parsed_template(self.template)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that have words."""
        return tuple(self.verbalizer if self.token_ids is None else self.token_ids)

    @property
    def _words(self) -> list[list[str]]:
        if self.token_ids is not None:
            return [[f"token_id:{number}" for number in ids] for ids in self.token_ids.values()]
        return [[own] if isinstance(own, str) else [*own] for own in self.verbalizer.values()]

    def request(self, texts: Sequence[Text]) -> Json:
        """Return the body that asks for one text."""
        [text] = texts
        messages: list[Json] = (
            [] if self.system is None else [{"role": "system", "content": self.system}]
        )
        messages.append({"role": "user", "content": filled(self.template, text)})
        asked: dict[str, Json] = {"logprobs": True, "top_logprobs": self.top_logprobs}
        if self.token_ids is not None:
            ids: list[Json] = [number for own in self.token_ids.values() for number in own]
            asked = {
                "logprobs": True,
                "logprob_token_ids": ids,
                "return_tokens_as_token_ids": True,
            }
        return {
            "model": self.model,
            "messages": messages,
            "max_tokens": 1,
            "temperature": 0,
            **asked,
            **self.fields,
        }

    def scores(self, answer: Json, texts: Sequence[Text]) -> list[Reading | LostText]:
        """Return what an answer says of the one text; see `Kind.scores`."""
        choice = at(answer, "choices", 0)
        held = choice if isinstance(choice, dict) else {}
        if held.get("finish_reason") == "content_filter":
            return [LostText("a filter of the endpoint held the answer back")]
        said, logged = held.get("message"), held.get("logprobs")
        if isinstance(said, dict) and said.get("refusal"):
            return [LostText("the endpoint refused to answer")]
        if not isinstance(logged, dict) or not logged.get("content"):
            raise EndpointError(
                "the endpoint gives no log-probabilities; use kind='sampled', which counts "
                "answers, a kind that gives scores, such as systemone, or another server"
            )
        exact = self.token_ids is not None
        log_probs = _log_probs(at(logged, "content", 0), exact)
        return [self._reading(log_probs, None if exact else self.top_logprobs)]

    def _reading(
        self, log_probs: Mapping[str, float], n_requested: int | None
    ) -> Reading | LostText:
        known = bounds_of_labels(log_probs, self._words, n_requested)
        values = [low for low, _ in known.log_probabilities]
        for label, (low, high), odds in zip(
            self.labels, known.log_probabilities, known.log_odds, strict=True
        ):
            if low == -math.inf or high - low > NEARLY_EXACT:
                return LostText(
                    f"{label!r} is not identified: its words are not all among the "
                    f"{len(log_probs)} tokens that the endpoint gives, and its log-odds lie "
                    f"between {odds[0]:.2f} and {odds[1]:.2f}"
                )
        return Reading(tuple(values), math.fsum(map(math.exp, values)))


def _log_probs(position: Json, by_id: bool) -> dict[str, float]:
    """Return the log-probability of each token of one position, the chosen one among them."""
    best = at(position, "top_logprobs")
    if not isinstance(best, list):
        raise UnreadableAnswer("it has no top_logprobs")
    log_probs: dict[str, float] = {}
    for entry in [position, *best]:
        log_probs[_token(entry, by_id)] = log_probability(at(entry, "logprob"))
    return log_probs


def _token(entry: Json, by_id: bool) -> str:
    """Return a token as text: from its bytes, but for ids, whose bytes only spell their number."""
    spelled = entry.get("bytes") if isinstance(entry, dict) and not by_id else None
    if isinstance(spelled, list):
        octets = [octet for octet in spelled if isinstance(octet, int) and 0 <= octet < 256]
        if len(octets) == len(spelled):
            return bytes(octets).decode(errors="surrogateescape")
    token = at(entry, "token")
    if not isinstance(token, str):
        raise UnreadableAnswer("a token has no text")
    return token
