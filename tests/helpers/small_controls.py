"""Audits of which no test reads how reliable the explanations are: that is tried on few texts."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from explain.evaluation import assessment, known_values, positive_control, rule_words

__all__ = ["small_controls"]

SIZES = (
    (assessment, "MOST_REPEATED", 2),
    (assessment, "ERASED", 2),
    (known_values, "N_ALONE", 4),
    (known_values, "N_ON_TOP", 1),
    (known_values, "ON_TOP", 5),
    (rule_words, "CANDIDATES", 3),
    (positive_control, "FIRST_LOOK", 2),
)
"""What is tried, and how often at least, so that every part of it still runs."""


@contextmanager
def small_controls() -> Iterator[None]:
    """Grade by few repetitions: the grades say little, and cost a tenth."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, few in SIZES:
            patch.setattr(module, name, few)
        yield
