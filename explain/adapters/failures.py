"""What a model that fails has said, and which of its texts it fails on."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from explain.errors import PredictionError
from explain.text.redaction import message, redacted

__all__ = ["INTERRUPTS", "failure", "first_line", "halve_on_failure", "is_out_of_memory"]

T = TypeVar("T")

Q = TypeVar("Q")

INTERRUPTS = (KeyboardInterrupt, GeneratorExit)
"""What is not the model's doing. Anything else is: `SystemExit`, or a panic of a Rust extension
(``PanicException`` of PyO3), which is no `Exception` either."""


def failure(name: str, error: BaseException) -> PredictionError:
    """Return what a model raised as an error of ours, without keys and not too long.

    One that is ours already stays as it is if it holds none.
    """
    problem = message(error)
    if isinstance(error, PredictionError):
        return error if problem == str(error) else PredictionError(problem)
    line = message(" ".join(redacted(str(error)).split()))
    return PredictionError(f"{name} raised {type(error).__name__}: {line}")


def first_line(error: BaseException) -> str:
    """Return the class and the first line of an error of another library, without keys.

    A line that ends with a colon says nothing without the next one.
    """
    lines = [line.strip() for line in redacted(str(error)).strip().splitlines()] or ["no message"]
    whole = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    return f"{type(error).__name__}: {message(whole)}"


def halve_on_failure(
    work: Callable[[Sequence[Q]], Iterable[T]],
    items: Sequence[Q],
    name: str,
    error_type: type[Exception] = Exception,
) -> list[T | PredictionError]:
    """Return the result of each item; a batch that fails is halved until what fails stands alone.

    Parameters
    ----------
    work : callable
        Takes a batch of items and returns one result for each.
    items : sequence
        The whole batch.
    name : str
        Whose failure it is.
    error_type : type of exception
        What counts as a failure of the items; anything else is raised.
    """
    try:
        return [*work(items)]
    except error_type as error:
        if len(items) == 1:
            return [failure(name, error)]
    half = len(items) // 2
    return [
        *halve_on_failure(work, items[:half], name, error_type),
        *halve_on_failure(work, items[half:], name, error_type),
    ]


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether a model ran out of memory, on whatever device."""
    return type(error).__name__ in ("OutOfMemoryError", "MemoryError") or (
        "can't allocate memory" in str(error) or "not enough memory" in str(error)
    )
