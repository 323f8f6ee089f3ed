"""Rows to which the model gave no answer: how many, why, and where they are most frequent."""

from collections import Counter

from explain.checks.base import AuditContext
from explain.checks.base.guarded import MOST_REASONS
from explain.record import Finding, Measure, Section, Sentence, Severity, Table, join_sentences
from explain.statistics.intervals import proportion
from explain.text.redaction import message

__all__ = ["UNANSWERED", "unanswered_rows"]

UNANSWERED = "unanswered"
"""Id of the section."""

NAME = "rows without an answer"

SMALLEST = 0.01
"""Share of the rows from which on it is a finding: one in a hundred is what a user of the model
meets in a day of work."""

LARGE = 0.1
"""Share above which it is critical, with its whole interval: twice what a check may lose before it
measures nothing."""

MOST_VALUES = 50
"""Values of columns and labels that are listed, those with the highest shares."""


def unanswered_rows(context: AuditContext) -> tuple[Section, ...]:
    """Return a section on the rows to which the model gave no answer; none if there are none.

    Rows of which the table holds no text are not counted, as the model was not asked.
    """
    if not context.unanswered:
        return ()
    failed = {row.id for row in context.unanswered}
    n = len(context.instances) + len(failed)
    share = proportion(NAME, len(failed), n)
    reasons = Counter(
        message(entry.reason)
        for entry in context.skipped
        if entry.id in failed and entry.stage == "predict"
    )
    section = Section(
        id=UNANSWERED,
        title="Rows without an answer",
        summary=Sentence(
            "The model gave no answer to {failed} of {n} {n:row|rows}. Those that have a label "
            "count as wrong wherever they can be counted; where they cannot, the section says so.",
            failed=len(failed),
            n=n,
        ),
        measures=(share, *_of_labelled(context)),
        tables=(
            Table(
                title="Why there was no answer",
                columns=("reason", "rows"),
                rows=tuple(reasons.most_common(MOST_REASONS)),
                note=Sentence(
                    "The {shown} most frequent of {n} {n:reason|reasons}.",
                    shown=min(len(reasons), MOST_REASONS),
                    n=len(reasons),
                ),
            ),
            *_by_value(context),
        ),
        findings=_findings(share, len(failed), reasons),
    )
    return (section,)


def _of_labelled(context: AuditContext) -> tuple[Measure, ...]:
    """Return the share of the rows with a label; none if there are no such rows."""
    failed = sum(row.labels is not None for row in context.unanswered)
    scored = sum(instance.labels is not None for instance in context.instances)
    if not failed + scored:
        return ()
    return (proportion("labelled rows without an answer", failed, failed + scored),)


def _findings(share: Measure, failed: int, reasons: Counter[str]) -> tuple[Finding, ...]:
    if (share.value or 0) < SMALLEST:
        return ()
    reason, times = reasons.most_common(1)[0]
    claim = Sentence(
        "The model gave no answer to {failed} of {share.n} rows ({share}). The most frequent "
        "reason ({times} {times:row|rows}): {reason}.",
        failed=failed,
        share=share,
        times=times,
        reason=reason.rstrip("."),
    )
    more = Sentence("{n} more {n:reason is|reasons are} listed.", n=len(reasons) - 1)
    finding = Finding(
        code="unanswered.rows",
        claim=join_sentences(claim, more if len(reasons) > 1 else ""),
        severity=_severity(share),
        size=share.distance_from(0),
        measure=share,
        evidence=(UNANSWERED,),
        suggestion="Find the cause, correct it, and audit the model again. Until then, expect the "
        "same share of texts without an answer in use.",
    )
    return (finding,)


def _severity(share: Measure) -> Severity:
    lower = share.lower or 0.0
    if lower > LARGE:
        return "critical"
    return "major" if lower > SMALLEST else "minor"


def _by_value(context: AuditContext) -> list[Table]:
    """Return the share without an answer by given label, and by each value of named columns."""
    asked: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    columns = [*context.group, *context.slices]
    for instance in context.instances:
        asked.update(_values(context, instance.labels, instance.columns, columns))
    for row in context.unanswered:
        values = _values(context, row.labels, row.columns, columns)
        asked.update(values)
        lost.update(values)
    shares = [proportion(NAME, lost[value], n, value) for value, n in asked.items()]
    shares.sort(key=lambda share: (-(share.lower or 0), share.slice))
    if not shares:
        return []
    return [
        Table(
            title="Where there was no answer",
            columns=("rows", "share without an answer"),
            rows=tuple((share.slice, share) for share in shares[:MOST_VALUES]),
            note=Sentence(
                "{shown} of {n} labels and values of the named columns, the highest lower bound "
                "first.",
                shown=min(len(shares), MOST_VALUES),
                n=len(shares),
            ),
        )
    ]


def _values(
    context: AuditContext,
    labels: tuple[str, ...] | None,
    cells: dict[str, str],
    columns: list[str],
) -> list[str]:
    """Return the conditions that a row meets, as slices write them."""
    classes = () if context.model.task == "regression" else labels or ()
    by_label = [f"label = {label}" for label in classes]
    by_column = [f"{name} = {cells[name]}" for name in dict.fromkeys(columns) if name in cells]
    return by_label + by_column
