"""What an endpoint shows of itself by its answers to the texts of a run."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from explain.adapters.remote.canaries import Shift

__all__ = ["EndpointObservations", "ModelSpan", "ReadingLimit", "TextAnswer", "reading_limit"]

FEWEST_AT_LIMIT, FEWEST_BELOW = 3, 8
"""Texts with the most tokens, and with fewer, from which a limit is told."""

LINE_MARGIN, FEWEST_CUT = 3.0, 3
"""Tokens that the longest text must have beyond the limit by its length: this multiple of how far
shorter texts are from the line through them, and at least so many."""


@dataclass(frozen=True, slots=True)
class ModelSpan:
    """A model that answered.

    Attributes
    ----------
    name : str or None
        What the answers call it, with its fingerprint; None if they do not.
    first : int
        Number of the first text that it answered, counted from 1.
    texts : int
        How many texts it answered.
    """

    name: str | None
    first: int
    texts: int


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """The answer to one text of a run, or that there is none.

    Attributes
    ----------
    reason : str or None
        Why it gives no scores; None if it does.
    refusal : str or None
        What was said where the text was refused or filtered, whether or not that is a label.
    model : str or None
        Who answered, by name and fingerprint; None where the answer does not say so.
    is_last : bool
        Whether the text was not asked for once more later.
    """

    reason: str | None = None
    refusal: str | None = None
    model: str | None = None
    is_last: bool = True


@dataclass(frozen=True, slots=True)
class EndpointObservations:
    """What the answers to the distinct texts of a run show.

    Attributes
    ----------
    texts, n_answered : int
        Distinct texts that were asked for, and that got scores.
    reasons : Counter of str
        Why the others got none.
    refusals : Counter of str
        What was said of the texts that were refused or filtered, with scores or without.
    models : tuple of ModelSpan
        Who answered, in the order of their first answers.
    canary_rounds : int
        How often the canaries were asked.
    shifts : tuple of Shift
        When their answers changed.
    """

    texts: int
    n_answered: int
    reasons: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    models: tuple[ModelSpan, ...] = ()
    canary_rounds: int = 0
    shifts: tuple[Shift, ...] = ()

    @classmethod
    def of_answers(
        cls, answers: Iterable[TextAnswer], canary_rounds: int, shifts: Sequence[Shift]
    ) -> Self:
        """Return what answers show, in the order in which their texts were asked for first."""
        answers = list(answers)
        last = [answer for answer in answers if answer.is_last]
        models: dict[str | None, ModelSpan] = {}
        for place, answer in enumerate(answers, start=1):
            if answer.reason is None and answer.refusal is None:
                span = models.get(answer.model, ModelSpan(answer.model, place, 0))
                models[answer.model] = replace(span, texts=span.texts + 1)
        return cls(
            texts=len(last),
            n_answered=sum(answer.reason is None for answer in last),
            reasons=Counter(answer.reason for answer in last if answer.reason is not None),
            refusals=Counter(answer.refusal for answer in last if answer.refusal is not None),
            models=tuple(models.values()),
            canary_rounds=canary_rounds,
            shifts=tuple(shifts),
        )

    @property
    def is_mixed(self) -> bool:
        """Whether not all answers come from one model."""
        return len(self.models) > 1 or bool(self.shifts)


@dataclass(frozen=True, slots=True)
class ReadingLimit:
    """The most tokens that a server reads, as its own counts show.

    Attributes
    ----------
    tokens : int
        The most that it counted.
    texts : tuple of int
        Places of the texts of which it counted so many, although they differ in length.
    """

    tokens: int
    texts: tuple[int, ...]


def reading_limit(sizes: Sequence[int], tokens: Sequence[int | None]) -> ReadingLimit | None:
    """Return where the tokens that a server counts stop to grow with the texts; None if nowhere.

    Parameters
    ----------
    sizes : sequence of int
        Characters of each text.
    tokens : sequence of int or None
        What the server counted for it, where it says so.
    """
    places = [place for place, count in enumerate(tokens) if count is not None]
    size = np.array([sizes[place] for place in places], dtype=np.float64)
    count = np.array([tokens[place] for place in places], dtype=np.float64)
    if not len(places):
        return None
    at_limit = count == count.max()
    if at_limit.sum() < FEWEST_AT_LIMIT or (~at_limit).sum() < FEWEST_BELOW:
        return None
    if len(np.unique(size[~at_limit])) < 2:
        return None
    slope, start = np.polyfit(size[~at_limit], count[~at_limit], 1)
    off = np.abs(count[~at_limit] - start - slope * size[~at_limit]).max()
    cut = start + slope * size[at_limit].max() - count.max()
    if slope <= 0 or cut < max(FEWEST_CUT, LINE_MARGIN * off):
        return None
    return ReadingLimit(int(count.max()), tuple(np.array(places)[at_limit].tolist()))
