"""A small trained model that also does what it should not, to be pickled for the command."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

__all__ = ["DOES", "ROWS", "First", "Reduced", "misbehaving", "train_pipeline"]

ROWS = tuple(
    (f"a {'good' if i % 2 else 'bad'} film number {i}", "pos" if i % 2 else "neg")
    for i in range(40)
)
"""Texts with their labels; the model gets all of them right."""


class Quit(BaseException):
    """What no handler of exceptions expects."""


def exit_early() -> None:
    """End the program."""
    sys.exit(0)


def raise_eof() -> None:
    """Raise what typer makes an exit code of 1 of."""
    raise EOFError


def raise_broken_pipe() -> None:
    """Raise the other such error."""
    raise BrokenPipeError(32, "Broken pipe")


def raise_error() -> None:
    """Raise an ordinary error."""
    raise RuntimeError("of its own")


def quit_at_once() -> None:
    """Raise what is no `Exception`."""
    raise Quit("at once")


def talk() -> None:
    """Print more than a buffer holds."""
    print("print and " * 10_000)


def close_streams() -> None:
    """Close the standard streams."""
    sys.stdout.close()
    sys.stderr.close()


def close_descriptors() -> None:
    """Close what the standard streams write to."""
    os.close(1)
    os.close(2)


def sleep() -> None:
    """Say in a file that it sleeps, and sleep."""
    Path("asleep").touch()
    time.sleep(60)


@dataclass(frozen=True)
class First:
    """A step of a pipeline that does something else before it passes texts on.

    Attributes
    ----------
    does : callable
        What it does whenever it is asked.
    known_texts : frozenset of str
        Texts that it passes on without doing so.
    """

    does: Callable[[], None]
    known_texts: frozenset[str] = frozenset()

    def __call__(self, texts: Sequence[str]) -> Sequence[str]:
        """Return the texts."""
        if not self.known_texts.issuperset(texts):
            self.does()
        return texts


def train_pipeline() -> Pipeline:
    """Return a classifier that gets all of the rows right."""
    model = make_pipeline(CountVectorizer(vocabulary=["bad", "good"]), LogisticRegression())
    return model.fit(*zip(*ROWS, strict=True))


def misbehaving(model: Pipeline, first: First) -> Pipeline:
    """Return a trained model with a step before it."""
    return make_pipeline(FunctionTransformer(first), *(step for _, step in model.steps))


class Reduced:
    """What calls a function when its pickle is opened."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.function = function

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return self.function, ()


DOES: dict[str, Callable[[], None]] = {
    "exits": exit_early,
    "raises": raise_error,
    "eof": raise_eof,
    "pipe": raise_broken_pipe,
    "quits": quit_at_once,
    "talks": talk,
    "closes": close_streams,
    "closes-descriptors": close_descriptors,
    "sleeps": sleep,
}
"""What models do, by names for their files."""
