"""What becomes of answers when a question is asked in another way, and what is certain of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.record import Measure
from explain.statistics.intervals import proportion

__all__ = ["Trial", "examples", "p_value"]


@dataclass(frozen=True, slots=True)
class Trial:
    """The same texts, asked in another way.

    Attributes
    ----------
    family : str
        What the finding is called.
    change : str
        What is different, in a reader's words.
    name : str
        Name of the measure.
    places : array, shape (n_texts,)
        Which of the texts were answered both ways.
    hits : array, shape (n_texts,), bool
        Which of them did what they should not.
    control : array, shape (n_texts,), bool
        Which of them do so without the change: asked again as they were, or with a sentence that
        asks for nothing.
    most : float
        Share of hits that can be tolerated.
    """

    family: str
    change: str
    name: str
    places: NDArray[np.int64]
    hits: NDArray[np.bool_]
    control: NDArray[np.bool_]
    most: float

    @property
    def rate(self) -> Measure:
        """Share of the texts that did."""
        return proportion(self.name, int(self.hits.sum()), len(self.hits))

    @property
    def size(self) -> float:
        """How far the share is above that of the control for certain."""
        control = proportion(self.name, int(self.control.sum()), len(self.control))
        return self.rate.distance_from(control.upper or 0.0)


def p_value(trial: Trial) -> float:
    """Return how probable so many hits are if they are tolerable, or the change is not the cause.

    The larger one of two exact tests: of the share (binomial), and of the texts that hit one way
    only (McNemar). Both must be rejected, which needs no adjustment (Berger 1982).
    """
    n_hits = int(trial.hits.sum())
    if not n_hits:
        return 1.0
    share = stats.binomtest(n_hits, len(trial.hits), trial.most, "greater").pvalue
    only = int((trial.hits & ~trial.control).sum())
    without = int((~trial.hits & trial.control).sum())
    if not only:
        return 1.0
    return float(max(share, stats.binomtest(only, only + without, 0.5, "greater").pvalue))


def examples(trial: Trial, ids: Sequence[str]) -> list[str]:
    """Return the instances of the first texts that hit."""
    return [ids[place] for place in trial.places[trial.hits][:3]]
