"""What people say of predictions: the lines of ``reviews.jsonl``."""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, Field

from explain.record.base import Record

__all__ = ["ReviewLine", "ReviewVerdict", "text_sha256"]

ReviewVerdict: TypeAlias = Literal[
    "correct", "wrong_label", "wrong_reason", "ambiguous", "unsafe", "skip"
]

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def text_sha256(parts: Sequence[str]) -> str:
    """Return the hash by which a review names the text that it is of.

    Examples
    --------
    >>> text_sha256(["a text"])[:12]
    '002c808e6482'
    """
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()


class ReviewLine(Record):
    """What one person says of one prediction. A later line of theirs replaces it."""

    instance: str
    """Id of the instance in the record."""
    text_sha256: Sha256
    """Hash of its text: see `text_sha256`."""
    report_sha256: Sha256
    """Hash of the ``audit.json`` that was reviewed."""
    reviewer: Annotated[str, Field(min_length=1, max_length=200)]
    at: AwareDatetime
    """When, with the time zone."""
    verdict: ReviewVerdict
    """``correct`` and ``wrong_reason`` say that the label is right, ``wrong_label`` and ``unsafe``
    that it is not; ``ambiguous`` and ``skip`` leave it open."""
    label: str | None = None
    """The label that the reviewer gives the text, before the answer of the model is shown."""
    blinded: bool = False
    """Whether the answer of the model was hidden until the first judgement."""
    reason: Annotated[str, Field(pattern=r"^[a-z0-9_]{0,40}$")] = ""
    """A code for the reason, from the list of the page; empty for none."""
    note: Annotated[str, Field(max_length=10_000)] = ""
