"""The exceptions that explain-audit raises.

::

    ExplainError
    ├── AdapterError             a model cannot be used
    │   ├── PredictionError      wrong shape, NaN, wrong label set
    │   ├── CapabilityError      no gradients, no mask token
    │   ├── UnsafeModelError     pickle, remote code
    │   └── EndpointError        an endpoint refuses the key, answers in another format, is down
    │       └── SpentError       what a run may cost is spent
    ├── ConfigurationError       unknown method, option or label; a value out of range
    ├── DataError                missing column, empty file, unreadable row
    ├── SegmentationError        a text that cannot be cut into features
    ├── BudgetError              the question needs more evaluations than allowed
    └── RecordError              malformed, or another schema version

Every message says in one line what was seen, what was expected and what to do. `explain.command`
makes exit codes of them.
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "AdapterError",
    "BudgetError",
    "CapabilityError",
    "ConfigurationError",
    "DataError",
    "EndpointError",
    "ExplainError",
    "PredictionError",
    "RecordError",
    "SegmentationError",
    "SpentError",
    "UnsafeModelError",
    "nearest",
]


MOST_NAMES, LONGEST_NAME = 40, 60
"""Names that a message lists, and characters of each: what still is one line."""


class ExplainError(Exception):
    """Base of all errors that explain-audit raises on purpose."""


class AdapterError(ExplainError):
    """A model cannot be loaded, wrapped or used."""


class PredictionError(AdapterError):
    """A model gave scores that are no answer: wrong shape, NaN, an exception of its own."""


class CapabilityError(AdapterError):
    """A model lacks what the method needs, such as gradients or a mask token."""


class UnsafeModelError(AdapterError):
    """Loading a model would run code that came with it (pickle, ``auto_map``, ``*.py``)."""


class EndpointError(AdapterError):
    """An endpoint cannot be used, now or any more: it is asked nothing further."""


class SpentError(EndpointError):
    """The calls, tokens or money that a run may cost are spent."""


class ConfigurationError(ExplainError):
    """A method, option or label is unknown, or a value is out of range."""


class DataError(ExplainError):
    """A table cannot be read, or lacks what was asked of it."""


class SegmentationError(ExplainError, ValueError):
    """A text cannot be cut into features."""


class BudgetError(ExplainError):
    """A question needs more evaluations than its budget allows."""


class RecordError(ExplainError):
    """A record is malformed, or of another schema version."""


def nearest(name: object, candidates: Iterable[str]) -> str:
    """Return a half-sentence that names the known name closest to `name`, and all of them.

    Long names are cut, and of many only the first are listed.

    Examples
    --------
    >>> nearest("accurcy", ["accuracy", "f1"])
    "did you mean 'accuracy'? known are: accuracy, f1"
    """
    names = [_cut(str(candidate)) for candidate in candidates]
    close = get_close_matches(_cut(str(name)), names, n=1)
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return (
        f"did you mean {close[0]!r}? " if close else ""
    ) + f"known are: {', '.join(names[:MOST_NAMES])}{more}"


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
