"""Whether a loss of accuracy is shown to be small, by a margin that was frozen before it was known.

A margin that is chosen when the difference is known proves nothing. So an audit freezes it with its
criteria (`[compare] margin` of its plan), and a comparison takes that of the audit that was made
first. One that is only stated for the comparison is used where there is no other, and is said to
be that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from explain.comparison.row_changes import ACCURACY
from explain.errors import ConfigurationError, RecordError
from explain.record import (
    AuditRecord,
    Change,
    FrozenCriteria,
    NonInferiority,
    Sentence,
    join_sentences,
)

__all__ = ["FROZEN", "non_inferiority"]

FROZEN: Literal["frozen"] = "frozen"
"""Stands for the margin that an audit has frozen."""


@dataclass(frozen=True, slots=True)
class _Frozen:
    """The margin of one of the two runs."""

    margin: float
    on: date
    sha256: str
    run: str
    is_first: bool
    """Whether it was frozen before the day of the other run, whose results could be known then."""

    def is_other(self, margin: float) -> bool:
        return margin != self.margin


def non_inferiority(
    changes: Sequence[Change],
    first: AuditRecord,
    second: AuditRecord,
    stated_margin: float | Literal["frozen"] | None,
) -> NonInferiority | None:
    """Return whether the accuracy is shown to fall by less than a margin; None without a margin.

    Parameters
    ----------
    changes : sequence of Change
        What was compared.
    first, second : AuditRecord
        The two audits.
    stated_margin : float, "frozen" or None
        The margin that was stated for the comparison; ``"frozen"`` to ask for one of the audits.

    Raises
    ------
    ConfigurationError
        If the margin is out of range or not the frozen one, none is frozen although it is asked
        for, or there is no accuracy.
    RecordError
        If a margin does not fit the hash that it was frozen with.
    """
    margins = _frozen_margins(first, second)
    if isinstance(stated_margin, float | int) and not 0 <= stated_margin < 1:
        raise ConfigurationError(
            f"the margin is {stated_margin:g}; pass a share of the rows, such as 0.02 for two "
            "points"
        )
    if not margins:
        return _of_stated(changes, stated_margin)
    frozen, *unused = margins
    if stated_margin not in (None, FROZEN, frozen.margin):
        raise ConfigurationError(
            f"the audit of the {frozen.run} run froze the margin {frozen.margin:g} on {frozen.on}, "
            f"and {stated_margin} is asked for; pass {FROZEN!r}, or that margin"
        )
    if stated_margin is None and _accuracy(changes) is None:
        return None
    judged = _verdict_by(changes, frozen.margin)
    return judged.model_copy(
        update={
            "frozen_on": frozen.on,
            "sha256": frozen.sha256,
            "origin": _origin(frozen, unused),
        }
    )


def _of_stated(
    changes: Sequence[Change], stated_margin: float | Literal["frozen"] | None
) -> NonInferiority | None:
    if stated_margin is None:
        return None
    if stated_margin == FROZEN:
        raise ConfigurationError(
            "neither audit froze a margin; write margin = 0.02 under [compare] in audit.toml "
            "before the audit, or pass a number"
        )
    return _verdict_by(changes, stated_margin).model_copy(
        update={
            "origin": "This margin was stated for the comparison, when the results of both runs "
            "were known; it was not frozen before."
        }
    )


def _frozen_margins(first: AuditRecord, second: AuditRecord) -> list[_Frozen]:
    """Return the margins that the audits have frozen, that of the earlier audit first."""
    audits = sorted(
        (("first", first), ("second", second)), key=lambda pair: pair[1].provenance.audited_on
    )
    return [
        _Frozen(
            margin=record.regression_margin,
            on=_day(record),
            sha256=_hash_of(record, run),
            run=run,
            is_first=_day(record) < other.provenance.audited_on,
        )
        for (run, record), (_, other) in zip(audits, reversed(audits), strict=True)
        # Of criteria that were set after the run it is not known when the margin was frozen.
        if record.regression_margin is not None and record.criteria_set_after_run_on is None
    ]


def _day(record: AuditRecord) -> date:
    """Return the day on which a margin was frozen."""
    return record.criteria_frozen_on or record.provenance.audited_on


def _hash_of(record: AuditRecord, run: str) -> str:
    """Return the hash that a margin was frozen with."""
    day = record.provenance.audited_on
    fitting = FrozenCriteria.of(record.criteria, day, record.regression_margin)
    if fitting.sha256 != record.criteria_sha256:
        raise RecordError(
            f"the margin of the {run} run is not as it was frozen: its criteria and margin no "
            "longer fit their hash; take the record from the folder of the audit"
        )
    return fitting.sha256


def _origin(frozen: _Frozen, unused: Sequence[_Frozen]) -> str:
    margins = [other.margin for other in unused if frozen.is_other(other.margin)]
    return join_sentences(
        Sentence(
            "The {run} run froze this margin on {day}, before its rows were scored "
            "(sha256 {hash}).",
            run=frozen.run,
            day=frozen.on.isoformat(),
            hash=frozen.sha256[:12],
        ),
        "" if frozen.is_first else "The results of the other run could be known then.",
        Sentence(
            "The other run froze the margin {other} %, which is not used: that of the earlier "
            "audit is.",
            other=100 * margins[0],
        )
        if margins
        else "",
    )


def _accuracy(changes: Sequence[Change]) -> Change | None:
    return next((change for change in changes if change.id == ACCURACY), None)


def _verdict_by(changes: Sequence[Change], margin: float) -> NonInferiority:
    accuracy = _accuracy(changes)
    if accuracy is None or accuracy.difference is None or accuracy.difference.lower is None:
        raise ConfigurationError(
            "a margin of accuracy was given, and no accuracy could be compared; it needs rows with "
            "the same labels in both audits"
        )
    difference = accuracy.difference
    lower = accuracy.difference.lower
    is_shown = lower > -margin
    template = (
        "The second run is no worse than the first by more than {margin} % of the rows: "
        "the difference is {difference:points}."
        if is_shown
        else "It is not shown that the second run is no worse than the first by more than "
        "{margin} % of the rows: the difference is {difference:points}."
    )
    return NonInferiority(
        margin=margin,
        difference=difference,
        is_shown=is_shown,
        reason=Sentence(template, margin=100 * margin, difference=difference),
    )
