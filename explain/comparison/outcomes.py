"""What is beyond chance, of all that was compared."""

from collections.abc import Sequence
from typing import Final

from explain.comparison.call_changes import SIZE
from explain.comparison.row_changes import ACCURACY, ERROR
from explain.record import (
    Change,
    ComparisonVerdict,
    Section,
    Sentence,
    Table,
    join_sentences,
)
from explain.statistics.adjustments import holm

__all__ = ["LEVEL", "PLAIN", "adjusted", "changes_section", "verdict_of"]

LEVEL: Final = 0.02
"""Probability that two runs of one model are said to differ in anything at all. At .05, more than
five of a hundred comparisons would differ in 38 % of such series; at .02 they do in 2 %."""

FIRST: Final = (ACCURACY, ERROR)
"""What half of the level is spent on; the other half is for all else together (Holm). So a loss of
accuracy is found however many words and labels are compared."""

FIRST_OF_CALLS: Final = (SIZE,)
"""The same where only the answers of an endpoint are compared."""

PLAIN: Final = ("same", "unresolved")


def adjusted(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return the changes with adjusted p-values; what can be chance is unresolved."""
    has_rows = any(change.id in FIRST for change in changes)
    first = FIRST if has_rows else FIRST_OF_CALLS
    others = [
        place
        for place, change in enumerate(changes)
        if change.p_value is not None and change.id not in first
    ]
    p_values = dict(zip(others, holm([changes[i].p_value or 0 for i in others]), strict=True))
    for place, change in enumerate(changes):
        if change.p_value is not None and change.id in first:
            p_values[place] = change.p_value
    return tuple(
        _resolve(change, min(1.0, 2 * float(p_values[place])) if place in p_values else None)
        for place, change in enumerate(changes)
    )


def verdict_of(changes: Sequence[Change]) -> ComparisonVerdict:
    """Return what all that differs beyond chance comes to."""
    outcomes = {change.outcome for change in changes if change.outcome not in PLAIN}
    if not outcomes:
        return "no difference"
    is_better, is_worse = outcomes & {"better", "gone"}, outcomes & {"worse", "new"}
    if bool(is_better) == bool(is_worse):
        return "different"
    return "better" if is_better else "worse"


def _resolve(change: Change, adjusted_p_value: float | None) -> Change:
    is_fact = change.kind in ("finding", "call") and change.first is None and change.second is None
    outcome = change.outcome
    if outcome != "same" and not is_fact and (adjusted_p_value is None or adjusted_p_value > LEVEL):
        outcome = "unresolved"
    return change.model_copy(update={"adjusted_p_value": adjusted_p_value, "outcome": outcome})


def changes_section(id: str, title: str, changes: Sequence[Change], summary: str) -> Section:
    """Return what was compared of one kind, what differs first."""
    listed = [change for change in changes if f"{change.kind}s".replace("rowss", "rows") == id]
    ranked = sorted(listed, key=lambda change: change.outcome in PLAIN)
    table = Table(
        title=Sentence("{title} compared", title=title),
        columns=("what", "first run", "second run", "difference", "p, adjusted", "outcome"),
        rows=tuple(
            (
                change.title,
                change.first,
                change.second,
                change.difference,
                _p_value(change.adjusted_p_value),
                change.outcome,
            )
            for change in ranked
        ),
        note="Unresolved: the two differ, or one was not measured, and that can be chance.",
    )
    if not listed:
        summary = join_sentences(summary, "There was nothing to compare.")
    return Section(id=id, title=title, summary=summary, tables=(table,) if listed else ())


def _p_value(value: float | None) -> str | None:
    if value is None:
        return None
    return "< .001" if value < 0.001 else Sentence("{p:.3f}", p=value)
