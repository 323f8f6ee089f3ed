"""Scores that say nothing of the labels are a result, and no accident of a check."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

import explain
from explain.record import AuditRecord, Task
from explain.statistics.adjustments import benjamini_hochberg

N = 130
LABELS = ("neg", "pos")


def rows_of(task: Task) -> list[dict[str, object]]:
    """Return rows whose texts name people, so that all checks have something to do."""
    rng = np.random.default_rng(0)
    names = ("Anna", "Amir", "a gay man", "Ivan")
    return [
        {
            "text": f"{names[i % 4]} saw {rng.choice(['good', 'bad'])} film {rng.integers(9)}, {i}",
            "label": {"single_label": LABELS[i % 2], "multi_label": [LABELS[i % 2]]}.get(task, i),
            "side": "ab"[i % 3 == 0],
        }
        for i in range(N)
    ]


def run_audit(answer: Callable[[Sequence[str]], NDArray[np.float64]], task: Task) -> AuditRecord:
    labels = LABELS[:1] if task == "regression" else LABELS
    return explain.audit(
        explain.wrap(answer, labels=labels, task=task, output="scores"),
        rows_of(task),
        label="label",
        group="side",
        slices=["side"],
        instances=2,
        methods=["occlusion"],
    )


def constant(value: float) -> Callable[[str], float]:
    return lambda text: value


def of_no_use(text: str) -> float:
    """Return a score that looks random."""
    return float(np.random.default_rng(list(text.encode())).normal())


def tiny(text: str) -> float:
    return 1e-12 * of_no_use(text)


def huge(text: str) -> float:
    return 1e6 * of_no_use(text)


@pytest.mark.parametrize("task", ["single_label", "multi_label", "regression"])
@pytest.mark.parametrize(
    "score", [constant(0.0), constant(3.0), constant(-700.0), of_no_use, tiny, huge]
)
def test_scores_of_no_use_end_no_check(task: Task, score: Callable[[str], float]) -> None:
    def answer(texts: Sequence[str]) -> NDArray[np.float64]:
        values = np.array([[score(text)] for text in texts])
        return values if task == "regression" else np.hstack([values, -values])

    record = run_audit(answer, task)
    failed = [s.skipped for s in record.sections if s.skipped and "failed with" in s.skipped]
    assert failed == []
    assert AuditRecord.from_json(record.to_json()) == record


def test_what_could_not_be_tested_is_no_discovery_and_no_test() -> None:
    adjusted = benjamini_hochberg(np.array([[0.01, np.nan], [np.nan, 0.04]]))
    assert adjusted.tolist() == [[0.02, 1.0], [1.0, 0.04]]
    assert benjamini_hochberg([]).shape == (0,)
    assert benjamini_hochberg([np.nan]).tolist() == [1.0]
