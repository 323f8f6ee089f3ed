"""The file of accepted findings, and verdicts on an audit that was made before."""

import tomllib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from explain.auditing.criteria import FrozenCriteria, check_metrics, judge
from explain.auditing.plan import AuditPlan
from explain.checks import CHECKS, make_check
from explain.errors import ConfigurationError, nearest
from explain.record import AcceptedFinding, AuditRecord, Criterion, Gates
from explain.record.files import plain_bytes
from explain.text.redaction import redacted_record

__all__ = ["gates_of", "judge_again", "read_accepted"]


def read_accepted(path: str | Path) -> tuple[AcceptedFinding, ...]:
    """Return the findings that a file accepts.

    ::

        [[accepted]]
        finding = "slices.worse[language = de]"
        reason = "German goes to a person until the spring."

    Raises
    ------
    ConfigurationError
        If the file is missing or no TOML, an entry lacks its id or its reason, or has another key.
    """
    try:
        content = tomllib.loads(plain_bytes(Path(path)).decode())
    except OSError as error:
        raise ConfigurationError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{str(path)!r} is no TOML: {error}") from error
    if unknown := sorted(content.keys() - {"accepted"}):
        known = nearest(unknown[0], ["accepted"])
        raise ConfigurationError(f"{path}: the top level has no {unknown[0]!r}; {known}")
    entries = content.get("accepted", [])
    if not isinstance(entries, list):
        raise ConfigurationError(f"{path}: accepted is no list; write [[accepted]]")
    return tuple(_accepted(path, number, entry) for number, entry in enumerate(entries, start=1))


def _accepted(path: str | Path, number: int, entry: Any) -> AcceptedFinding:
    try:
        return redacted_record(AcceptedFinding.model_validate(entry))[0]
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the entry"
        raise ConfigurationError(
            f"{path}: [[accepted]] number {number}, {key}: {first['msg']}; write finding and reason"
        ) from error


def gates_of(plan: AuditPlan) -> Gates:
    """Return which findings fail an audit, as its plan and the file of accepted ones say.

    Raises
    ------
    ConfigurationError
        If the file cannot be used.
    """
    accepted = () if plan.accepted is None else read_accepted(plan.accepted)
    return Gates(fail_on=plan.fail_on, accepted=accepted)


def judge_again(
    record: AuditRecord, criteria: Sequence[Criterion], gates: Gates, on: date
) -> AuditRecord:
    """Return an audit with the verdicts of other criteria and gates; nothing is run.

    The record then says on which day its criteria were set, when its results were known. Its
    margin for comparisons stays as it was frozen.

    Raises
    ------
    ConfigurationError
        If no check measures what a criterion asks for, or a threshold is out of range.
    """
    checks = [make_check(name) for name in CHECKS]
    check_metrics(criteria, checks)
    frozen = FrozenCriteria.of(criteria, on, record.regression_margin)
    judged = record.model_copy(
        update={
            "criteria": judge(frozen.criteria, record.sections, checks),
            "criteria_sha256": None if frozen.is_empty else frozen.sha256,
            "criteria_frozen_on": None,
            "criteria_set_after_run_on": on if criteria else None,
            "gates": gates,
        }
    )
    return judged.with_predictions(record.predictions) if record.has_predictions else judged
