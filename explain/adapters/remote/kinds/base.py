"""What a wire format is, and what an answer may say of one text."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from pydantic import JsonValue

from explain.adapters.prompts import parsed_template
from explain.errors import ConfigurationError, EndpointError
from explain.record import Task
from explain.text.redaction import message
from explain.text.spans import Text

__all__ = [
    "Channel",
    "Json",
    "Kind",
    "LostText",
    "NamesLabels",
    "Options",
    "Reading",
    "UnreadableAnswer",
    "at",
    "by_name",
    "check_words_of_labels",
    "distribution",
    "error_of",
    "filled",
    "items",
    "log_probability",
    "number",
    "objects",
    "options_of",
    "reading",
    "text_or_pair",
    "whole_text",
    "with_confidence",
]

Json: TypeAlias = JsonValue
"""A JSON value."""

Channel: TypeAlias = Literal["logits", "log_probabilities", "probabilities", "counts"]
"""What an endpoint shows of each label. Logits of several labels at once are log-odds; log
probabilities may be of anything that holds the labels, as only their differences count; counts are
of answers."""

Options: TypeAlias = Sequence[str] | Mapping[str, str | None]
"""The labels that a question offers, each with a description or none."""

MASS_TOLERANCE = 1e-3
"""How far probabilities may be from the label mass that was stated with them: float16 rounding."""

REFUSALS = ("refused to answer", "a filter of the endpoint")
"""What the reasons of refusals contain."""

MOST_OF_ERROR = 200
"""Characters of an error of a server that are told."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says of one text.

    Attributes
    ----------
    values : tuple of float
        One for each label, in the order of the labels, in terms of the channel.
    label_mass : float or None
        Probability that the model gives to all labels together, where the endpoint says so.
    confidence : float or None
        How sure the answer says it is, from 0 to 1, which servers mean in different ways.
    """

    values: tuple[float, ...]
    label_mass: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class LostText:
    """Why an answer says nothing of one text.

    Attributes
    ----------
    reason : str
        Why.
    is_fault : bool
        Whether the server failed, which says nothing of the text.
    """

    reason: str
    is_fault: bool = field(default=False, compare=False)

    @property
    def is_refusal(self) -> bool:
        """Whether the model or a filter would not answer, and not the text was lost by bad luck."""
        return any(words in self.reason for words in REFUSALS)


def check_words_of_labels(labels: Sequence[Sequence[str]], expected: str) -> None:
    """Refuse words that do not tell labels apart: of one label, of two, or nothing but space.

    Raises
    ------
    ConfigurationError
        If they are such; it says what is `expected`.
    """
    words = [word for own in labels for word in own]
    is_each = all(labels) and all(word.strip() for word in words)
    if len(labels) < 2 or len(set(words)) < len(words) or not is_each:
        raise ConfigurationError(expected)


class UnreadableAnswer(Exception):
    """An answer is not in the format: what was asked for is missing, or there is too much."""


class Kind(Protocol):
    """A wire format: pure functions from texts to a request, and from an answer to readings.

    An implementation is a frozen dataclass; its fields are what the user says of the question.
    """

    @property
    def path(self) -> str:
        """Path of a server that is named without one."""

    @property
    def channel(self) -> Channel:
        """What the endpoint shows."""

    @property
    def task(self) -> Task:
        """How the labels relate to each other."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in their order; empty if only an answer tells them."""

    @property
    def batch(self) -> int:
        """Most texts in one request."""

    def request(self, texts: Sequence[Text]) -> Json:
        """Return the body that asks for these texts."""

    def scores(self, answer: Json, texts: Sequence[Text]) -> list[Reading | LostText]:
        """Return what an answer says of each of the texts that were asked for.

        Raises
        ------
        UnreadableAnswer
            If it is not in the format, or cannot be attributed to the texts one by one.
        EndpointError
            If no other text would be answered in the format either: other labels, no
            log-probabilities.
        """


@runtime_checkable
class NamesLabels(Kind, Protocol):
    """A wire format whose answers name all labels."""

    def labels_in(self, answer: Json) -> tuple[str, ...]:
        """Return the labels of an answer to one text, sorted."""


# ── Reading JSON ──────────────────────────────────────────────────────────────────────────────────


def at(value: Json, *path: str | int) -> Json:
    """Return what lies at a path of keys and places.

    Raises
    ------
    UnreadableAnswer
        If there is no such place.
    """
    for step in path:
        value = _step(value, step)
    return value


def _step(value: Json, step: str | int) -> Json:
    if isinstance(step, str) and isinstance(value, dict) and step in value:
        return value[step]
    if isinstance(step, int) and isinstance(value, list) and step < len(value):
        return value[step]
    raise UnreadableAnswer(f"it has no {step}")


def items(value: Json, n: int) -> list[Json]:
    """Return a list that has one item for each of `n` texts.

    Raises
    ------
    UnreadableAnswer
        If it is none, or of another length.
    """
    if not isinstance(value, list) or len(value) != n:
        seen = f"{len(value)} items" if isinstance(value, list) else type(value).__name__
        raise UnreadableAnswer(f"it has {seen} for {n} texts")
    return value


def error_of(item: Json) -> LostText | None:
    """Return why one item of a batch holds no scores, where it says so; None where it may."""
    if not isinstance(item, dict) or not item.get("error"):
        return None
    error = item["error"]
    said = error.get("message", "") if isinstance(error, dict) else error
    return LostText(f"the endpoint failed on it: {message(str(said))[:MOST_OF_ERROR]}")


def objects(value: Json, name: str, content: str) -> dict[str, Json]:
    """Return a list of objects, such as ``{"label": .., "score": ..}``, as one mapping.

    Raises
    ------
    UnreadableAnswer
        If it is none, empty, or names something twice.
    """
    if not isinstance(value, list) or not value:
        raise UnreadableAnswer(f"it has no list of {name} and {content}")
    pairs = [(at(item, name), at(item, content)) for item in value]
    named = {key: held for key, held in pairs if isinstance(key, str)}
    if len(named) != len(pairs):
        raise UnreadableAnswer(f"a {name} is missing or stands there twice")
    return named


def number(value: Json) -> float:
    """Return a number as float; NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def log_probability(value: Json) -> float:
    """Return the log-probability of a token.

    Raises
    ------
    UnreadableAnswer
        If it is none.
    """
    logged = number(value)
    if not logged <= 0:
        raise UnreadableAnswer("a log-probability is above zero or no number")
    return logged


def by_name(labels: Sequence[str], label_values: Mapping[str, Json]) -> list[Json]:
    """Return values in the order of the labels.

    Raises
    ------
    EndpointError
        If the names are not exactly the labels.
    """
    if set(label_values) != set(labels):
        seen = str(sorted(label_values))
        raise EndpointError(
            f"the endpoint answers with the labels {seen[:MOST_OF_ERROR]}, "
            f"expected {sorted(labels)}; "
            "pass the labels as the endpoint writes them"
        )
    return [label_values[label] for label in labels]


def reading(values: Iterable[Json], label_mass: Json = None) -> Reading | LostText:
    """Return values as a reading, unless one is no finite number."""
    numbers = tuple(map(number, values))
    if not all(map(math.isfinite, numbers)):
        return LostText("its scores are not finite numbers", is_fault=True)
    mass = number(label_mass)
    return Reading(numbers, mass if math.isfinite(mass) else None)


def distribution(
    labels: Sequence[str], label_values: Json, label_mass: Json = None
) -> Reading | LostText:
    """Return a mapping of labels to probabilities as a reading.

    Where they sum to the label mass and not to one they are divided by it.

    Raises
    ------
    UnreadableAnswer
        If there is no mapping, or it is empty.
    EndpointError
        If the names are not exactly the labels.
    """
    if not isinstance(label_values, dict) or not label_values:
        raise UnreadableAnswer("it has no probabilities")
    read = reading(by_name(labels, label_values), label_mass)
    if isinstance(read, LostText) or not (mass := read.label_mass):
        return read
    total = sum(read.values)
    if total <= 0 or abs(total - mass) > MASS_TOLERANCE * mass:
        return read
    return replace(read, values=tuple(value / total for value in read.values))


def with_confidence(
    answer_reading: Reading | LostText, question_answer: Json
) -> Reading | LostText:
    """Return a reading with the ``confidence`` that an answer states, if that is from 0 to 1."""
    stated = question_answer.get("confidence") if isinstance(question_answer, dict) else None
    sure = number(stated)
    if isinstance(answer_reading, LostText) or not 0 <= sure <= 1:
        return answer_reading
    return replace(answer_reading, confidence=sure)


# ── What a user says of a question ────────────────────────────────────────────────────────────────


def options_of(options: Options) -> dict[str, str | None]:
    """Return options with their descriptions.

    Raises
    ------
    ConfigurationError
        If they are neither a list of names nor a mapping of names to descriptions, or fewer than
        two.
    """
    if isinstance(options, Mapping):
        named = dict(options)
    elif isinstance(options, Sequence) and not isinstance(options, str):
        named = dict.fromkeys(options)
    else:
        named = {}
    described = all(
        isinstance(name, str) and (text is None or isinstance(text, str))
        for name, text in named.items()
    )
    if not described or len(named) != len(options) or len(named) < 2:
        raise ConfigurationError(
            f"options={options!r} is not a list of two or more different labels; pass "
            '["bad", "good"], or {"bad": "what it means", "good": null}'
        )
    return named


def filled(template: str, text: Text) -> str:
    """Return a template with a text, or a pair, in place of its fields."""
    pieces, fields = parsed_template(template)
    parts = (text,) if isinstance(text, str) else text
    if len(parts) != len(fields):
        raise ConfigurationError(
            f"the template {template!r} has {len(fields)} fields for {len(parts)} texts; write "
            "{text}, and for pairs {text_pair}"
        )
    between = [*(parts[field] for field in fields), ""]
    return "".join(piece + part for piece, part in zip(pieces, between, strict=True))


def whole_text(text: Text, kind: str) -> str:
    """Return a text that is no pair.

    Raises
    ------
    ConfigurationError
        If it is a pair.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"an endpoint of kind {kind} reads no pairs of texts")
    return text


def text_or_pair(kind: Kind, text: str, text_pair: str) -> Text:
    """Return a text, or a pair where the question reads pairs only."""
    try:
        kind.request([text])
    except ConfigurationError:
        return text, text_pair
    return text
