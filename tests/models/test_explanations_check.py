"""What is said of all attributions together."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import explain
from explain.adapters import FunctionClassifier
from explain.checks import make_check
from explain.checks.explanations.check import _methods
from explain.checks.explanations.words import (
    certain_size,
    weighed_words,
    word_figure,
    word_tables,
)
from explain.record import Diagnostics, Measure, Section, Table
from tests.helpers.attributions import attribution, one_word_instances
from tests.helpers.plain_strings import composed_strings
from tests.helpers.search import examples

ROWS = [{"text": f"a {word} film {i}"} for i in range(20) for word in ("superb", "dull")]


def scores(texts: Sequence[str]) -> list[list[float]]:
    return [[2.0 * ("dull" in text) - 1, 2.0 * ("superb" in text) - 1] for text in texts]


def section(
    task: Any = "single_label", rows: Sequence[dict[str, str]] = ROWS, **options: Any
) -> Section:
    labels = ["neg", "pos"]
    model = FunctionClassifier(scores, labels, output="scores", task=task)
    if task == "regression":
        model = FunctionClassifier(
            lambda texts: [[row[1]] for row in scores(texts)], ["x"], output="scores", task=task
        )
    settings: dict[str, Any] = {"instances": 8, "methods": ["lime", "shap"]}
    settings["checks"] = ["explanations"]
    record = explain.audit(model, rows, **settings | options)
    found = next(s for s in record.sections if s.id == "explanations")
    assert composed_strings(found, {"lime", "shap"}) == set()
    return found


@pytest.mark.parametrize(
    ("task", "summary"),
    [
        ("single_label", "We explained 8 predictions with LIME and SHAP, each for its predicted"),
        ("multi_label", "We explained 8 texts with LIME and SHAP, each for its predicted labels"),
        ("regression", "We explained 8 predictions with LIME and SHAP, each for its score."),
    ],
)
def test_the_summary_says_what_was_explained_for_which_target(task: str, summary: str) -> None:
    found = section(task)
    assert found.summary.startswith(summary)
    assert "chosen by the plan below before any of them was explained." in found.summary


def test_a_target_that_was_asked_for_is_named() -> None:
    assert 'each for the label "pos", whether it is predicted or not.' in section(
        target="pos"
    ).summary  # fmt: skip


def table(found: Section, title: str) -> Table | None:
    return next((t for t in found.tables if t.title == title), None)


def test_the_word_that_decides_has_the_largest_value_of_every_method() -> None:
    words = table(section(instances=30), "Words with the largest values")
    assert words is not None
    word, label, n, *values = words.rows[0]
    assert (word, label) in (("superb", "pos"), ("dull", "neg"))
    assert isinstance(n, int)
    for value, method in zip(values, ("lime", "shap"), strict=True):
        assert isinstance(value, Measure)
        assert value.name == f"{word} ({method})"
        assert (value.value or 0) > 0


VALUES = {
    "large": [9.0, -7.0, 30.0, 1.0, 8.0],
    "Sure": [2.0, 2.1, 1.9, 2.0, 2.2, 1.8],
    "against": [-3.0, -3.1, -2.9, -3.0, -3.1],
    "rare": [50.0, 50.1, 50.2],
}


def test_words_are_ranked_by_the_end_nearer_to_zero_and_the_unresolved_come_after() -> None:
    words = weighed_words(one_word_instances(VALUES), "log_odds")
    assert [word.word for word in words] == ["against", "sure", "large"]
    assert [word.is_resolved("shap") for word in words] == [True, True, False]
    resolved, unresolved = word_tables(words, ["shap"], 19)
    assert [row[0] for row in resolved.rows] == ["against", "sure"]
    assert [row[0] for row in unresolved.rows] == ["large"]
    assert "Not resolved" in str(unresolved.note)
    (figure,) = word_figure(words, "shap", 19)
    assert [str(measure.name) for measure in figure.measures] == [
        "against → negative",
        "sure → negative",
    ]


@examples(40)
@given(
    st.dictionaries(
        st.sampled_from("abcdefgh"),
        st.lists(st.floats(-5, 5, allow_nan=False), min_size=1, max_size=9),
        max_size=8,
    )
)
def test_no_list_of_words_is_led_by_one_whose_interval_holds_zero(
    values: dict[str, list[float]],
) -> None:
    words = weighed_words(one_word_instances(values), "log_odds")
    assert {word.word for word in words} == {w for w, v in values.items() if len(v) >= 5}
    sizes = [certain_size(word.by_method["shap"]) for word in words]
    assert sizes == sorted(sizes, reverse=True)
    for figure in word_figure(words, "shap", 9):
        assert all(certain_size(measure) > 0 for measure in figure.measures)
    for listed in word_tables(words, ["shap"], 9):
        measures = [cell for row in listed.rows for cell in row if isinstance(cell, Measure)]
        is_resolved = "not resolved" not in listed.title
        assert all((certain_size(measure) > 0) == is_resolved for measure in measures)


def test_what_rounding_leaves_of_a_word_is_no_weight() -> None:
    (instance,) = one_word_instances({"bad": [2.0]})
    both = [
        instance.model_copy(
            update={
                "id": str(number),
                "attributions": (
                    attribution(values=(2.0, -2e-16), standard_errors=None, full_value=1.0),
                ),
            }
        )
        for number in range(6)
    ]
    assert [w.is_resolved("shap") for w in weighed_words(both, "log_odds")] == [True, False]


def test_only_what_was_drawn_at_random_speaks_for_the_whole_table() -> None:
    rows = [
        {"text": f"a {w} film {i}", "label": "neg"} for i in range(20) for w in ("superb", "ok")
    ]
    found = section(rows=rows, label="label", instances=40)
    words = table(found, "Words with the largest values")
    assert words is not None
    assert [row[0] for row in words.rows] == ["superb"]
    # Half of the explained instances are drawn at random, the others are confident errors.
    assert all(isinstance(row[2], int) and row[2] <= 20 for row in words.rows)
    assert "of the 20 drawn at random" in str(words.note)


def test_words_are_removed_from_rows_that_were_not_explained() -> None:
    removed = table(section(instances=8), "The same words removed from other rows")
    assert removed is not None
    by_word = {(row[0], row[1]): row for row in removed.rows}
    _, _, n_rows, lost, resolved = by_word["superb", "pos"]
    assert isinstance(lost, Measure)
    # Without the word the log-odds of pos fall from 2 to 0; of 20 such rows some are explained.
    assert lost.value == pytest.approx(2.0)
    assert isinstance(n_rows, int)
    assert 10 <= n_rows <= 20
    assert (lost.n, resolved) == (n_rows, "yes")
    film = by_word["film", "pos"]
    assert (film[4], removed.rows[-1][4]) == ("no", "no")
    assert "of at most 1000" in str(removed.note).replace(",", "")


def test_words_of_rows_are_removed_within_the_budget() -> None:
    check = make_check("explanations", occlusions=30)
    found = section(instances=8, methods=["occlusion"], checks=[check])
    removed = table(found, "The same words removed from other rows")
    assert removed is not None
    assert sum(row[3].n for row in removed.rows if isinstance(row[3], Measure)) <= 30


def test_a_seed_is_written_without_separators() -> None:
    (plan,) = [t for t in section(seed=1234567).tables if t.title == "Selection plan"]
    assert str(plan.note).startswith("Seed 1234567. ")


def test_without_methods_nothing_is_explained_and_the_reason_is_said() -> None:
    found = section(instances=0)
    assert found.skipped == "no instance was chosen"
    assert found.summary == "No prediction was explained."


def test_the_interval_of_a_share_of_the_variance_ends_at_one() -> None:
    fits = [0.9, 0.98, 1.0, 1.0]
    ((*_, held_out),) = _methods(
        {"lime": [attribution(diagnostics=Diagnostics(held_out_r2=fit)) for fit in fits]}
    ).rows
    assert isinstance(held_out, Measure)
    assert held_out.value == pytest.approx(0.97)
    assert (held_out.lower or 0) < 0.97
    assert held_out.upper == 1
