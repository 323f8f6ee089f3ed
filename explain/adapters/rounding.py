"""Models that round their probabilities, and how to tell that one does."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from explain.adapters.base import TextClassifier

__all__ = ["RoundedClassifier", "are_enough", "decimals_of"]

CANDIDATE_DECIMALS = (1, 2, 3, 4)
"""Decimals that are looked for."""

TOLERANCE = 1e-3
"""How far p times 10^4 may be from a whole number: float32 of a number with 4 decimals."""

ENOUGH = 8
"""Distinct distances of probabilities from 0 or 1 that all have few decimals: by chance none
would."""

ENOUGH_BESIDE_CERTAINTY = 3
"""How many of them are enough where the model also says exactly 0 or 1."""


@runtime_checkable
class RoundedClassifier(TextClassifier, Protocol):
    """A classifier that may show rounded probabilities."""

    @property
    def decimals(self) -> int | None:
        """Decimals of its probabilities; None if nobody said that they are rounded."""

    @property
    def shows_probabilities(self) -> bool:
        """Whether its scores come from probabilities."""


def decimals_of(probabilities: NDArray[np.float64]) -> int | None:
    """Return the fewest decimals that all probabilities have; None if some have more than four."""
    for decimals in CANDIDATE_DECIMALS:
        steps = probabilities * 10**decimals
        if (np.abs(steps - np.round(steps)) <= TOLERANCE * 10.0 ** (decimals - 4)).all():
            return decimals
    return None


def are_enough(probabilities: NDArray[np.float64]) -> bool:
    """Tell whether probabilities of few decimals are so many that the model must round them."""
    # Of two labels each says what the other does.
    distinct = np.unique(
        np.round(np.minimum(probabilities, 1 - probabilities), CANDIDATE_DECIMALS[-1])
    )
    between = int((distinct > 0).sum())
    return between >= (ENOUGH_BESIDE_CERTAINTY if between < len(distinct) else ENOUGH)
