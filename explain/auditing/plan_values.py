"""What the fields of a plan take, as a file, a call or the command says it."""

from collections.abc import Sequence
from numbers import Integral
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

__all__ = ["Count", "Names", "Thresholds", "Whole"]


def _names(value: object) -> object:
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError("this is not a list; pass a list of names")
    return tuple(value)


def _whole(value: object) -> object:
    """Return a whole number of another package as one of Python."""
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value


def _not_negative(number: int) -> int:
    if number < 0:
        raise ValueError("it is negative; pass 0 or more")
    return number


def _threshold(value: object) -> object:
    """Return what the command says, a list of P or LABEL=P, as a number or by label."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return value
    by_label = {label: p for label, _, p in (str(one).rpartition("=") for one in value)}
    if len(by_label) < len(value):
        raise ValueError("a label is named twice; pass one threshold for each")
    return by_label[""] if [*by_label] == [""] else by_label


Names = BeforeValidator(_names)
Whole: TypeAlias = Annotated[int, Field(strict=True), BeforeValidator(_whole)]
Share: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
Count: TypeAlias = Annotated[Whole, AfterValidator(_not_negative)]
Thresholds: TypeAlias = Annotated[Share | dict[str, Share], BeforeValidator(_threshold)]
"""One threshold, or one for each label that is named."""
