"""What all records share: frozen models, JSON in one order, the names of what is counted."""

import json
from math import isfinite
from numbers import Integral, Real
from statistics import NormalDist
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, ValidationError

from explain.errors import RecordError

__all__ = [
    "SCHEMA_VERSION",
    "SEVERITIES",
    "Z95",
    "Grade",
    "JsonObject",
    "Outcome",
    "Record",
    "Scale",
    "Severity",
    "Task",
    "Unit",
    "Verdict",
    "hash_of",
    "label_name",
]

Z95: Final = NormalDist().inv_cdf(0.975)
"""The 97.5 % point of the standard normal distribution."""

SCHEMA_VERSION: Final = 2
"""Version of the schema of `AuditRecord`; a file of another version is refused, not guessed at."""

Task: TypeAlias = Literal["single_label", "multi_label", "regression"]

Scale: TypeAlias = Literal["log_odds", "logit", "value"]

Unit: TypeAlias = Literal["proportion", "count", "log_odds", "coefficient", "tokens", "words"]

Verdict: TypeAlias = Literal["pass", "fail", "inconclusive"]

Outcome: TypeAlias = Literal["pass", "fail", "not applicable"]

Severity: TypeAlias = Literal["critical", "major", "minor"]

SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "major", "minor")
"""From the most severe to the least."""

Grade: TypeAlias = Literal["A", "B", "C", "D"]


def label_name(label: object) -> str:
    """Return a label as text. Whole numbers lose the point that pandas gives them.

    Examples
    --------
    >>> label_name(1.0), label_name("spam")
    ('1', 'spam')
    """
    if isinstance(label, Real) and not isinstance(label, Integral) and float(label).is_integer():
        return str(int(float(label)))
    return str(label)


def _in_order(value: JsonValue) -> JsonValue:
    """Return a JSON value whose objects have their keys in order, at every depth."""
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"{value} is no number that JSON can hold")
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return [_in_order(item) for item in value] if isinstance(value, list) else value


JsonObject: TypeAlias = Annotated[dict[str, JsonValue], AfterValidator(_in_order)]
"""A JSON object with its keys in order, so that it is shown the same before and after storage."""


def hash_of(value: Any) -> int:
    """Return a hash of frozen models, and of what they hold: the same of what is equal."""
    if isinstance(value, BaseModel):
        return hash((type(value), *map(hash_of, value.__dict__.values())))
    if isinstance(value, dict):
        return hash(frozenset((key, hash_of(one)) for key, one in value.items()))
    return hash(tuple(map(hash_of, value))) if isinstance(value, list | tuple) else hash(value)


class Record(BaseModel):
    """Base of all records: frozen, strict about unknown fields, finite numbers only."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    def __hash__(self) -> int:
        return hash_of(self)

    def to_json(self) -> str:
        """Return JSON with sorted keys: equal records give equal bytes."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the record that `to_json` wrote.

        Raises
        ------
        RecordError
            If the text is no JSON, or does not follow the schema.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(step) for step in first["loc"]) or "the top level"
            raise RecordError(
                f"not a record of explain-audit: {first['msg']} at {where} "
                f"({error.error_count()} problems); pass the audit.json that `explain audit` wrote"
            ) from error
