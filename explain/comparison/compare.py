"""What differs between two audits of the same rows, beyond chance."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np

from explain.comparison.call_changes import call_changes
from explain.comparison.drift import Drift
from explain.comparison.finding_changes import finding_changes
from explain.comparison.flips import explained_flips, flips_table
from explain.comparison.non_inferiority import non_inferiority
from explain.comparison.outcomes import LEVEL, adjusted, changes_section, verdict_of
from explain.comparison.row_changes import (
    ACCURACY,
    changed_answers,
    macro_f1_difference,
    row_changes,
)
from explain.comparison.rows import PairedRows, pair_rows
from explain.comparison.word_changes import left_out_words, word_changes
from explain.record import (
    AuditRecord,
    Change,
    ComparedRun,
    Comparison,
    InstanceRecord,
    Outcomes,
    Section,
    Sentence,
    join_sentences,
)

__all__ = ["LEVEL", "compare"]

OUTCOMES: Final[Mapping[Outcomes, str]] = {
    "worse": "{n} {n:result is|results are} worse beyond chance.",
    "new": "{n} {n:finding is|findings are} new.",
    "better": "{n} {n:result is|results are} better beyond chance.",
    "gone": "{n} {n:finding is|findings are} gone.",
    "changed": "{n} {n:share or word|shares or words} changed beyond chance.",
}


def compare(
    first: AuditRecord,
    second: AuditRecord,
    non_inferiority_margin: float | Literal["frozen"] | None = None,
    drift: Drift | None = None,
) -> Comparison:
    """Return what differs between two audits, the second against the first.

    Parameters
    ----------
    first, second : AuditRecord
        Two audits of the same table, with the predictions of all rows.
    non_inferiority_margin : float or "frozen", optional
        Loss of accuracy that is tolerated, as a share: .02 for two points; ``"frozen"`` asks for
        that of one of the audits. Without it the frozen one is used where there is one.
    drift : Drift, optional
        What the logs of calls of the two audits tell of an endpoint.

    Raises
    ------
    ConfigurationError
        If the models have other labels, or a margin is given that is not the frozen one, or
        there is no accuracy.
    DataError
        If the audits have no row in common.
    RecordError
        If the predictions of all rows are not at hand.
    """
    rows, model = pair_rows(first, second), second.provenance.model
    changes = adjusted(
        [
            *row_changes(rows, model.task, model.labels),
            *finding_changes(first, second),
            *word_changes(first, second),
            *(() if drift is None else call_changes(drift.pairs)),
        ]
    )
    verdict = verdict_of(changes)
    instances = explained_flips(rows, first, second)
    return Comparison(
        first=_run(first),
        second=_run(second),
        rows=len(rows.ids),
        first_rows_only=rows.first_only,
        second_rows_only=rows.second_only,
        verdict=verdict,
        answer=join_sentences(
            _of_itself(first, second, rows),
            _answer(changes, rows),
            "" if drift is None else drift.answer(changes),
        ),
        non_inferiority=non_inferiority(changes, first, second, non_inferiority_margin),
        changes=changes,
        sections=(
            *_sections(changes, rows, instances, model.labels, left_out_words(first, second)),
            *(() if drift is None else drift.sections(changes)),
        ),
        instances=instances,
    )


def _run(record: AuditRecord) -> ComparedRun:
    return ComparedRun(
        name=record.identity.name,
        version=record.identity.version,
        model=record.provenance.model.name,
        audited_on=record.provenance.audited_on,
        record_sha256=hashlib.sha256(record.to_json().encode()).hexdigest(),
    )


def _of_itself(first: AuditRecord, second: AuditRecord, rows: PairedRows) -> str:
    """Return that both runs are one, if they are: then nothing can differ."""
    before, after = rows.probabilities.T
    is_same = not rows.is_changed.any() and np.array_equal(before, after, equal_nan=True)
    if _run(first) != _run(second) or not is_same:
        return ""
    return "Both runs are the same audit, so this comparison tells nothing of another model or day."


def _answer(changes: Sequence[Change], rows: PairedRows) -> str:
    counts = Counter(change.outcome for change in changes)
    main = next((change for change in changes if change.id == ACCURACY), None)
    differences: list[str] = [
        Sentence(template, n=counts[outcome])
        for outcome, template in OUTCOMES.items()
        if counts[outcome]
    ]
    return join_sentences(
        *(differences or ["Nothing differs beyond chance."]),
        Sentence(
            "The accuracy changed by {difference:points}.",
            difference=main.difference,
        )
        if main is not None and main.difference is not None
        else "",
        Sentence("{share} of {n} answers differ.", share=changed_answers(rows), n=len(rows.ids)),
        Sentence(
            "The labels of {n} {n:row|rows} differ between the tables; these count as rows "
            "without a label.",
            n=rows.n_relabelled,
        )
        if rows.n_relabelled
        else "",
    )


def _sections(
    changes: Sequence[Change],
    rows: PairedRows,
    instances: Sequence[InstanceRecord],
    labels: Sequence[str],
    left_out: str,
) -> list[Section]:
    f1 = macro_f1_difference(rows, labels)
    n_flips = int(rows.is_changed.sum())
    return [
        changes_section(
            "rows", title="Answers", changes=changes, summary="Both runs on the same rows."
        ).model_copy(update={"measures": (changed_answers(rows), *([f1] if f1 else []))}),
        changes_section(
            "findings",
            title="Findings",
            changes=changes,
            summary="A finding of one audit alone is new or gone where what it rests on differs "
            "beyond chance.",
        ),
        changes_section(
            "words",
            title="Words",
            changes=changes,
            summary=join_sentences(
                "Mean values of words, in the texts that both audits explain by the same method.",
                left_out,
            ),
        ),
        Section(
            id="flips",
            title="Answers that differ",
            summary=Sentence(
                "{n} {n:row has|rows have} another answer in the second run.", n=n_flips
            ),
            tables=(flips_table(rows, instances),) if n_flips else (),
        ),
    ]
