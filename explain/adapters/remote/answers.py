"""From what answers say to scores: counts, and one more label for what is none of the labels."""

import hashlib
from collections.abc import Sequence
from typing import Protocol, TypeGuard

import numpy as np
from pydantic import JsonValue
from scipy.special import logsumexp

from explain.adapters.function import MOST_DECIMALS
from explain.adapters.remote.kinds import Kind, LostText, Reading
from explain.adapters.remote.kinds.base import MASS_TOLERANCE
from explain.adapters.scores import Row
from explain.errors import ConfigurationError, PredictionError

__all__ = [
    "SampledKind",
    "check_decimals",
    "check_other_label",
    "combined",
    "facts_of_answers",
    "is_sampled",
    "request_keys",
    "requests_per_text",
    "samples_of",
    "scores_of_counts",
    "scores_of_refusal",
    "tokens_written",
    "with_other_label",
]

LEAST_SHARE = 0.5
"""Share of the answers to a text that must name a label: fewer say next to nothing of it."""

HALF = 0.5
"""What is added to each count (Jeffreys' prior): a label that was never seen is not impossible."""

CERTAIN = MASS_TOLERANCE
"""Least probability of the further label, and one minus its largest. What a server that refuses
shows of it is the refusal, so that this stands for a probability that nobody knows."""


class SampledKind(Kind, Protocol):
    """A wire format that shows single answers, so that a text is asked for many times."""

    @property
    def samples(self) -> int:
        """Answers to each text."""

    @property
    def requests_per_text(self) -> int:
        """Requests that ask for one text."""

    @property
    def tokens_written(self) -> int:
        """Tokens that the answers to one request have at most."""

    def combined(self, readings: Sequence[Reading]) -> Reading:
        """Return what all answers to one text say."""


def is_sampled(kind: Kind) -> TypeGuard[SampledKind]:
    """Tell whether a wire format shows single answers.

    Asked several times for each call, which is too often for a protocol that is checked at runtime.
    """
    return hasattr(kind, "combined")


def samples_of(kind: Kind) -> int:
    """Return how many answers to a text are counted; 0 where scores do not come from counts."""
    return kind.samples if is_sampled(kind) else 0


def tokens_written(kind: Kind) -> int:
    """Return the most tokens that are written for a request; one where answers are not samples."""
    return kind.tokens_written if is_sampled(kind) else 1


def requests_per_text(kind: Kind) -> int:
    """Return how many requests ask for one text."""
    return kind.requests_per_text if is_sampled(kind) else 1


def request_keys(kind: Kind, key: bytes) -> list[bytes]:
    """Return the keys of all requests for a text, the first of them that of the text."""
    further = range(1, requests_per_text(kind))
    return [key, *(hashlib.sha256(key + b"request %d" % place).digest() for place in further)]


def combined(kind: Kind, answers: Sequence[Reading | LostText | None]) -> Reading | LostText | None:
    """Return what the requests for a text say together; None if one was not sent."""
    if not is_sampled(kind):
        [answer] = answers
        return answer
    if None in answers:
        return None
    lost = [answer for answer in answers if isinstance(answer, LostText)]
    if len(lost) == len(answers) or not all(answer.is_refusal for answer in lost):
        return next(iter(sorted(lost, key=lambda answer: answer.is_refusal)))
    no_label = Reading((0.0,) * len(kind.labels), 0.0)
    return kind.combined(
        [answer if isinstance(answer, Reading) else no_label for answer in answers]
    )


def check_other_label(name: str, kind: Kind) -> None:
    """Refuse a further label of a format that cannot show it, or with the name of a label.

    Raises
    ------
    ConfigurationError
        If it is one.
    """
    if kind.task != "single_label" or kind.channel == "logits":
        raise ConfigurationError(
            f"other_label={name!r} is for endpoints that refuse, or say how probable all labels "
            "are together; leave it out"
        )
    if name in kind.labels:
        raise ConfigurationError(f"other_label={name!r} is a label already; pass another name")


def check_decimals(decimals: int | None, kind: Kind, name: str) -> None:
    """Refuse decimals of what is no probability, or of too many.

    Raises
    ------
    ConfigurationError
        If they are.
    """
    if decimals is not None and kind.channel != "probabilities":
        raise ConfigurationError(
            f"decimals={decimals} are of probabilities, and {name} gives "
            f"{kind.channel.replace('_', ' ')}; leave decimals out"
        )
    if decimals is not None and not 1 <= decimals <= MOST_DECIMALS:
        raise ConfigurationError(f"decimals={decimals}; pass 1 to {MOST_DECIMALS}")


def facts_of_answers(
    kind: Kind, decimals: int | None, other_label: str | None
) -> dict[str, JsonValue]:
    """Return what the record says of the model, and of how its answers become scores."""
    stated = {"model asked for": getattr(kind, "model", None), "decimals": decimals}
    facts: dict[str, JsonValue] = {k: fact for k, fact in stated.items() if fact is not None}
    if is_sampled(kind):
        facts |= {"answers per text": kind.samples, "log-odds": "of counts, each a half more"}
    if other_label is not None:
        facts["refused or none of the labels"] = other_label
    return facts


def scores_of_counts(
    counts: Reading, samples: int, other_label: str | None, name: str
) -> Row | PredictionError:
    """Return the logarithm of each count and a half, or that too few answers name a label.

    So the difference of two scores is a log-odds, and their exponentials are the parameters of the
    posterior (Dirichlet), which tell its variance.
    """
    known = np.array(counts.values)
    if other_label is not None:
        return np.asarray(np.log(np.append(known, samples - known.sum()) + HALF))
    if known.sum() < LEAST_SHARE * samples:
        return PredictionError(
            f"{name}: only {known.sum():g} of {samples} answers name a label; write the labels as "
            "the model does, or pass other_label="
        )
    return np.asarray(np.log(known + HALF))


def with_other_label(scores: Row, label_mass: float | None) -> Row:
    """Return scores of labels that exclude each other, and of all that is none of them."""
    outside = np.clip(1.0 - (1.0 if label_mass is None else label_mass), CERTAIN, 1 - CERTAIN)
    among_labels = scores - logsumexp(scores) + np.log1p(-outside)
    return np.append(among_labels, np.log(outside))


def scores_of_refusal(kind: Kind) -> Row:
    """Return scores of a text that is refused: nothing is known of the labels."""
    n_labels = len(kind.labels)
    if is_sampled(kind):
        return np.asarray(np.log(np.append(np.zeros(n_labels), kind.samples) + HALF))
    return np.asarray(np.log(np.append(np.full(n_labels, CERTAIN / n_labels), 1 - CERTAIN)))
