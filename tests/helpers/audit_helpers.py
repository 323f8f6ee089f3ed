"""Synthetic tables and models that answer at once, for the tests of checks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import explain
from explain.adapters import FunctionClassifier
from explain.record import AuditRecord, Measure, Section, Task

__all__ = ["audit_scores", "finding_claims", "labels_of", "measures_of", "noisy", "texts_of"]


def labels_of(n: int) -> list[str]:
    """Return the names of some labels."""
    return [f"label {i}" for i in range(n)]


def texts_of(n: int, rng: np.random.Generator, length: int = 8) -> list[str]:
    """Return texts of random words, each with a number of its own."""
    words = rng.integers(0, 400, (n, length))
    return [f"{' '.join(f'w{word}' for word in row)} {i}" for i, row in enumerate(words)]


def audit_scores(
    scores: NDArray[np.float64],
    labels: Sequence[Any] | NDArray[Any] | None,
    check: str,
    *,
    texts: Sequence[str] | None = None,
    columns: dict[str, Sequence[Any]] | None = None,
    task: Task = "single_label",
    **options: Any,
) -> Section:
    """Return the section of one check on a table whose rows have these scores."""
    if texts is None:
        texts = texts_of(len(scores), np.random.default_rng(0))
    scores_of = dict(zip(texts, scores.tolist(), strict=True))
    names = labels_of(scores.shape[1])

    def predict(texts_asked: Sequence[str]) -> list[list[float]]:
        return [scores_of[text] for text in texts_asked]

    model = FunctionClassifier(predict, names, task=task, output="scores")
    rows = [{"text": text} for text in texts]
    extra = dict(columns or {})
    if labels is not None:
        extra["label"] = [
            [names[i] for i in np.flatnonzero(g)]
            if task == "multi_label"
            else float(g)
            if task == "regression"
            else names[int(g)]
            for g in labels
        ]
    for name, cells in extra.items():
        for row, cell in zip(rows, cells, strict=True):
            row[name] = cell
    record: AuditRecord = explain.audit(
        model,
        rows,
        label=None if labels is None else "label",
        instances=0,
        methods=[],
        checks=[check],
        **options,
    )
    return next(section for section in record.sections if section.id == check)


def measures_of(section: Section) -> dict[str, Measure]:
    """Return the measures of all rows by name."""
    return {m.name: m for m in section.measures if m.slice in ("all", "distinct texts")}


def finding_claims(section: Section) -> str:
    """Return all claims of a section."""
    return "\n".join(finding.claim for finding in section.findings)


def noisy(
    n: int, n_labels: int, seed: int, accuracy: float = 0.85
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return scores of a model that is right on a share of the texts, and the given labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_labels, n)
    called = np.where(rng.random(n) < accuracy, labels, rng.integers(0, n_labels, n))
    return 3.0 * (called[:, None] == np.arange(n_labels)) + rng.normal(
        0, 0.3, (n, n_labels)
    ), labels
