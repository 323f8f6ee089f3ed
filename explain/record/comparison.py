"""Two audits side by side: what is new, gone, better or worse."""

from datetime import date
from typing import Literal, TypeAlias

from explain.record.base import Record
from explain.record.instances import InstanceRecord
from explain.record.measures import Measure
from explain.record.sections import Section
from explain.record.sentences import SentenceLike

__all__ = ["Change", "ComparedRun", "Comparison", "ComparisonVerdict", "NonInferiority", "Outcomes"]

Outcomes: TypeAlias = Literal["better", "worse", "changed", "new", "gone", "unresolved", "same"]
"""What became of something from the first run to the second. ``unresolved``: the two differ, and
that can be chance."""

ComparisonVerdict: TypeAlias = Literal["no difference", "better", "worse", "different"]


class ComparedRun(Record):
    """One of the two audits, or of the two logs of calls."""

    name: str
    version: str | None
    model: str
    audited_on: date | None
    """Day in UTC; None for a log of calls that does not say so."""
    record_sha256: str
    """Hash of its ``audit.json``; of a log of calls, of all answers."""


class Change(Record):
    """One thing that was compared."""

    kind: Literal["rows", "finding", "word", "call"]
    id: str
    """The same in every comparison: a metric, a finding, a word."""
    title: SentenceLike
    first: Measure | None
    second: Measure | None
    difference: Measure | None
    """Second minus first, of the same rows where those are known; None if it was not measured."""
    p_value: float | None
    """Two-sided p-value of no difference; None where that cannot be tested."""
    adjusted_p_value: float | None = None
    """The same, adjusted for all that was compared."""
    outcome: Outcomes


class NonInferiority(Record):
    """Whether the second run is shown to be no worse than the first by more than a margin."""

    margin: float
    """Loss of accuracy that is tolerated, as a share."""
    difference: Measure
    """Accuracy of the second run minus that of the first."""
    is_shown: bool
    """Whether the whole 95 % interval lies above minus the margin."""
    reason: SentenceLike
    frozen_on: date | None = None
    """Day on which an audit froze the margin, in UTC; None if it was stated for the comparison."""
    sha256: str | None = None
    """Hash of the criteria and the margin that were frozen together."""
    origin: SentenceLike = ""
    """Who stated the margin, and whether the results could be known then."""


class Comparison(Record):
    """What differs between two audits of the same rows, or between two logs of calls."""

    schema_version: Literal[1] = 1
    subject: Literal["audits", "calls"] = "audits"
    """What was compared: audits of the same rows, or answers of an endpoint to the same texts."""
    first: ComparedRun
    second: ComparedRun
    rows: int
    """Rows of both tables; of logs of calls, texts that both have an answer to."""
    first_rows_only: int
    second_rows_only: int
    verdict: ComparisonVerdict
    """Of what differs beyond chance; the probability that any of it does where nothing differs is
    at most 2 %."""
    answer: SentenceLike
    non_inferiority: NonInferiority | None
    changes: tuple[Change, ...]
    sections: tuple[Section, ...]
    instances: tuple[InstanceRecord, ...]
    """Rows with another answer that are explained, with the attributions of both runs."""
