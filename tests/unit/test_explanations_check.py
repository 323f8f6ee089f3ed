"""What is said of all attributions together."""

from collections.abc import Sequence
from typing import Any

import pytest

import explain
from explain.adapters import FunctionClassifier
from explain.record import Measure, Section
from tests.helpers.plain_strings import composed_strings

ROWS = [{"text": f"a {word} film {i}"} for i in range(20) for word in ("superb", "dull")]


def scores(texts: Sequence[str]) -> list[list[float]]:
    return [[2.0 * ("dull" in text) - 1, 2.0 * ("superb" in text) - 1] for text in texts]


def section(task: Any = "single_label", **options: Any) -> Section:
    labels = ["neg", "pos"]
    model = FunctionClassifier(scores, labels, output="scores", task=task)
    if task == "regression":
        model = FunctionClassifier(
            lambda texts: [[row[1]] for row in scores(texts)], ["x"], output="scores", task=task
        )
    settings: dict[str, Any] = {"instances": 8, "methods": ["lime", "shap"]}
    record = explain.audit(model, ROWS, checks=["explanations"], **settings | options)
    found = next(s for s in record.sections if s.id == "explanations")
    assert composed_strings(found, {"lime", "shap"}) == set()
    return found


@pytest.mark.parametrize(
    ("task", "summary"),
    [
        ("single_label", "We explained 8 predictions with lime and shap, each for its predicted"),
        ("multi_label", "We explained 8 texts with lime and shap, each for its predicted labels"),
        ("regression", "We explained 8 predictions with lime and shap, each for its score."),
    ],
)
def test_the_summary_says_what_was_explained_for_which_target(task: str, summary: str) -> None:
    found = section(task)
    assert found.summary.startswith(summary)
    assert found.summary.endswith("chosen by the plan below before any of them was explained.")


def test_a_target_that_was_asked_for_is_named() -> None:
    assert 'each for the label "pos", whether it is predicted or not.' in section(
        target="pos"
    ).summary  # fmt: skip


def test_the_word_that_decides_has_the_largest_value_of_every_method() -> None:
    (words,) = [t for t in section().tables if t.title == "Words with the largest values"]
    word, label, n, *values = words.rows[0]
    assert (word, label) in (("superb", "pos"), ("dull", "neg"))
    assert isinstance(n, int)
    for value, method in zip(values, ("lime", "shap"), strict=True):
        assert isinstance(value, Measure)
        assert value.name == f"{word} ({method})"
        assert (value.value or 0) > 0


def test_a_seed_is_written_without_separators() -> None:
    (plan,) = [t for t in section(seed=1234567).tables if t.title == "Selection plan"]
    assert str(plan.note).startswith("Seed 1234567. ")


def test_without_methods_nothing_is_explained_and_the_reason_is_said() -> None:
    found = section(instances=0)
    assert found.skipped == "no instance was chosen"
    assert found.summary == "No prediction was explained."
