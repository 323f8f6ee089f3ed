"""Pairs of audits whose difference is known."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from explain.comparison.call_changes import PairedAnswers
from explain.record import AuditRecord, Finding, InstanceRecord, Measure, Section
from explain.statistics.intervals import proportion
from tests.helpers.reviews import record_of

__all__ = ["LABELS", "audit_of", "finding", "noisy_answers", "noisy_pair"]

LABELS = np.array(["negative", "positive"])


def audit_of(
    labels: Sequence[int] | NDArray[np.int64],
    answers: Sequence[int] | NDArray[np.int64],
    findings: Sequence[Finding] = (),
    measures: Sequence[Measure] = (),
    instances: Sequence[InstanceRecord] = (),
) -> AuditRecord:
    """Return an audit of a table with these labels, and of a model that gives these answers."""
    n = len(labels)
    section = Section(
        id="slices", title="s", summary="s", findings=tuple(findings), measures=tuple(measures)
    )
    table = pd.DataFrame(
        {
            "id": [f"i{i}" for i in range(n)],
            "row": range(1, n + 1),
            "labels": [[LABELS[label]] for label in labels],
            "predicted": LABELS[np.asarray(answers)],
            "probability": 0.9,
            "score.negative": np.where(np.asarray(answers) == 0, 0.0, -2.0),
            "score.positive": np.where(np.asarray(answers) == 1, 0.0, -2.0),
        }
    )
    record = record_of(list(instances))
    update = {"sections": (section,), "skipped": (), "rows": n, "scored_rows": n}
    return record.model_copy(update=update).with_predictions(table)


def finding(hits: int, n: int, subject: str = "language = de") -> Finding:
    """Return the finding that a slice is worse, by a measure of its own."""
    measure = proportion("error rate", hits, n, subject)
    return Finding(
        code="slices.worse",
        subject=subject,
        claim=f"{subject} is worse",
        severity="major",
        size=measure.lower,
        measure=measure,
        evidence=("slices",),
        suggestion="Look.",
    )


def noisy_pair(
    rng: np.random.Generator, n: int, loss: float = 0.0, noise: float = 0.05
) -> tuple[AuditRecord, AuditRecord]:
    """Return two runs of a model that is right in nine of ten rows.

    Parameters
    ----------
    rng : Generator
        Source of the draws.
    n : int
        Rows.
    loss : float
        Share of the rows that the second run gets wrong besides.
    noise : float
        Share of the rows to which each run gives another answer by chance.
    """
    labels = rng.integers(0, 2, n)
    answers = np.where(rng.random(n) < 0.9, labels, 1 - labels)
    first, second = (np.where(rng.random(n) < noise, 1 - answers, answers) for _ in range(2))
    second = np.where(rng.random(n) < loss / 0.9, 1 - labels, second)
    audits = []
    for run in (first, second):
        wrong = run != labels
        slices = {f"group = {k}": np.arange(n) % 5 == k for k in range(5)}
        measures = [
            proportion("error rate", int(wrong[m].sum()), int(m.sum()), name)
            for name, m in slices.items()
        ]
        worst = [
            finding(round((m.value or 0) * m.n), m.n, m.slice)
            for m in measures
            if (m.value or 0) > 0.15
        ]
        audits.append(audit_of(labels, run, worst, measures))
    return audits[0], audits[1]


def noisy_answers(
    rng: np.random.Generator,
    n: int,
    shift: float = 0.0,
    noise: float = 0.5,
    repeats: int = 3,
    repeated: int = 16,
) -> PairedAnswers:
    """Return the answers of a noisy endpoint at two dates.

    Parameters
    ----------
    rng : Generator
        Source of the draws.
    n : int
        Texts.
    shift : float
        How far log-odds have moved at the second date.
    noise : float
        Standard deviation of the log-odds of an answer.
    repeats, repeated : int
        How often the first texts are asked on a day, and how many these are.
    """
    truth = rng.normal(0, 2, n)

    def answers(odds: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        rows = [
            value + noise * rng.normal(size=repeats if place < repeated else 1)
            for place, value in enumerate(odds)
        ]
        return [np.stack([-row / 2, row / 2], axis=1) for row in rows]

    labels = ("negative", "positive")
    return PairedAnswers("single_label", labels, answers(truth), answers(truth + shift), ([], []))
