"""How much is tried: alike on every run, or at random and for longer in `make nightly`."""

import os

from hypothesis import Phase, settings

from tests.helpers.mutate import VARIABLE

__all__ = ["NIGHTLY", "choose_search", "examples", "seeds"]

NIGHTLY = "EXPLAIN_NIGHTLY" in os.environ
FACTOR = 10
"""How many times as many examples a random search tries."""


def choose_search() -> None:
    """Load the profile; what a search at random finds becomes an explicit example."""
    # Of a mutant it is enough to know that it fails, not on which least example.
    phases = (Phase.explicit, Phase.generate) if VARIABLE in os.environ else (*Phase,)
    settings.register_profile("same", derandomize=True, database=None, deadline=None, phases=phases)
    settings.register_profile("random", max_examples=100 * FACTOR, deadline=None, print_blob=True)
    settings.load_profile("random" if NIGHTLY else "same")


def examples(most: int) -> settings:
    """Return settings that try so many examples, or more where the search is at random."""
    return settings(max_examples=most * (FACTOR if NIGHTLY else 1))


def seeds(nightly: int, few: int) -> range:
    """Return the seeds of a test that repeats: `nightly` of them at night, else `few`."""
    return range(nightly if NIGHTLY else few)
