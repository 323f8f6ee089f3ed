"""What an endpoint shows of itself by its answers to the texts of a run."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from explain.adapters.remote.canaries import Shift

__all__ = ["EndpointObservations", "ModelSpan", "ReadingLimit", "reading_limit"]

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
class EndpointObservations:
    """What the answers to the distinct texts of a run show.

    Attributes
    ----------
    texts, n_answered : int
        Distinct texts that were asked for, and that got scores.
    reasons : Counter of str
        Why the others got none.
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
    models: tuple[ModelSpan, ...] = ()
    canary_rounds: int = 0
    shifts: tuple[Shift, ...] = ()

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
