"""The engine scores each distinct text once, for all who ask, whatever fails beside it."""

from collections.abc import Sequence
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.adapters import FunctionClassifier, Scores
from explain.attribution.methods import Estimate, Occlusion, Shap
from explain.engine import Engine
from explain.engine.engine import ACTIVE_PLANS
from explain.engine.games import Coalitions, Delete, MaskedTextGame, Plan
from explain.errors import BudgetError, ExplainError, PredictionError
from explain.record import Target, Task
from explain.text.spans import Segmentation, Text
from explain.text.words import words
from tests.helpers.search import examples

TARGET = Target(label="b", index=1, scale="logit")


class Counting:
    """A classifier that counts, and that fails on texts with the word `bad`."""

    name = "counting"
    labels = ("a", "b")
    task: Task = "multi_label"

    def __init__(self) -> None:
        self.calls: list[list[Text]] = []

    def predict(self, texts: Sequence[Text]) -> Scores:
        self.calls.append(list(texts))
        if any("bad" in text for text in texts):
            raise PredictionError("cannot read 'bad'")
        return np.array([[0.0, float(len(text))] for text in texts])


def game(text: str) -> MaskedTextGame:
    return MaskedTextGame(Segmentation((text,), words([text])), Delete(), TARGET)


def ask_once(coalitions: Coalitions) -> Plan[list[float]]:
    observed = yield coalitions
    return [float(value) for value in observed.values]


def test_a_text_is_scored_once_however_often_it_is_asked_for() -> None:
    model = Counting()
    engine = Engine(model)
    engine.score(["x", "y", "x"])
    rows = engine.score(["y", "z"])
    assert [row[1] for row in rows if isinstance(row, np.ndarray)] == [1.0, 1.0]
    assert model.calls == [["x", "y"], ["z"]]
    assert (engine.evaluations, engine.calls) == (3, 2)


def test_plans_advance_in_lock_step_and_share_one_call_a_round() -> None:
    model = Counting()
    texts = ["a b", "a c", "a b c"]
    plans = [ask_once(np.array([[True] * n, [False] * n])) for n in (2, 2, 3)]
    outcomes = Engine(model).run(map(game, texts), plans)
    assert [outcome.unwrap() for outcome in outcomes] == [[3, 0], [3, 0], [5, 0]]
    assert [outcome.evaluations for outcome in outcomes] == [2, 2, 2]
    assert len(model.calls) == 1


def test_more_plans_than_may_be_active_are_all_answered_in_order() -> None:
    texts = [f"word {'x' * number}" for number in range(2 * ACTIVE_PLANS + 3)]
    plans = (ask_once(np.array([[True, True]])) for _ in texts[1:])
    outcomes = Engine(Counting()).run(map(game, texts[1:]), plans)
    assert [outcome.unwrap() for outcome in outcomes] == [[float(len(t))] for t in texts[1:]]


def test_a_text_that_fails_spoils_no_other() -> None:
    model = Counting()
    rows = Engine(model).score(["one", "bad", "three", "four"])
    assert isinstance(rows[1], PredictionError)
    assert [row[1] for row in rows if isinstance(row, np.ndarray)] == [3, 5, 4]


def test_a_plan_whose_text_fails_ends_with_the_reason_and_the_rest_goes_on() -> None:
    outcomes = Engine(Counting()).run(
        map(game, ["good text", "bad text"]),
        [Occlusion().plan(2, np.random.default_rng())] * 1
        + [Occlusion().plan(2, np.random.default_rng())],
    )
    assert outcomes[0].unwrap().full_value == 9
    with pytest.raises(PredictionError, match="cannot read"):
        outcomes[1].unwrap()


def test_a_plan_that_refuses_ends_with_its_own_error() -> None:
    outcomes = Engine(Counting()).run(
        map(game, ["a b c", "a b c"]),
        [Shap("exact", budget=4).plan(3, np.random.default_rng()), ask_once(np.ones((1, 3), bool))],
    )
    assert isinstance(outcomes[0].value, BudgetError)
    assert outcomes[1].unwrap() == [5]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda texts: [[0.1, 0.2, 0.7]] * len(texts), r"expected \(1, 2\)"),
        (lambda texts: [[0.5, 0.5]] * (len(texts) + 1), r"shape \(2, 2\)"),
        (lambda texts: [[np.nan, 1.0]] * len(texts), "NaN or infinite"),
        (lambda texts: "scores", "no array of numbers"),
        (lambda texts: [[0.5, 0.6]] * len(texts), "sum to 1.1"),
        (lambda texts: [[-1.0, 2.0]] * len(texts), "pass output='scores'"),
        (lambda texts: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_an_answer_that_is_none_is_refused_with_its_reason(answer: Any, message: str) -> None:
    (row,) = Engine(FunctionClassifier(answer, ["a", "b"])).score(["text"])
    with pytest.raises(PredictionError, match=message):
        raise row if isinstance(row, ExplainError) else AssertionError(row)


@examples(50)
@given(st.lists(st.sampled_from(["a", "bb", "ccc", "dddd"]), max_size=20), st.integers(1, 5))
def test_a_small_cache_changes_no_answer(texts: list[str], size: int) -> None:
    rows = Engine(Counting(), cache_size=size).score(texts)
    assert [row[1] for row in rows if isinstance(row, np.ndarray)] == [len(t) for t in texts]


def test_a_classifier_that_raises_anything_loses_only_the_texts_it_fails_on() -> None:
    class Raising(Counting):
        def predict(self, texts: Sequence[Text]) -> Scores:
            if any("odd" in text for text in texts):
                raise KeyError("odd")
            return super().predict(texts)

    rows = Engine(Raising()).score(["one", "odd", "two"])
    assert isinstance(rows[1], PredictionError)
    assert "KeyError" in str(rows[1])
    assert isinstance(rows[2], np.ndarray)


def test_texts_are_sent_in_a_fixed_order() -> None:
    one, other = Counting(), Counting()
    Engine(one).score(["ccc", "a", "bb", "aa"])
    Engine(other).score(["aa", "bb", "ccc", "a"])
    assert one.calls == other.calls == [["a", "aa", "bb", "ccc"]]


@examples(20)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    call_size=st.integers(1, 40),
    n_active=st.integers(1, 4),
)
def test_values_depend_neither_on_the_size_of_a_call_nor_on_what_else_is_asked(
    sizes: list[int], call_size: int, n_active: int
) -> None:
    texts = [" ".join("abcdefghi"[:size]) + "!" * number for number, size in enumerate(sizes)]
    games = [game(text) for text in texts]

    def plans(some: list[MaskedTextGame]) -> list[Plan[Estimate]]:
        return [Shap(budget=64).plan(one.n_features, np.random.default_rng(0)) for one in some]

    alone = [Engine(Counting()).run([one], plans([one]))[0] for one in games]
    with (
        mock.patch("explain.engine.engine.CALL_SIZE", call_size),
        mock.patch("explain.engine.engine.ACTIVE_PLANS", n_active),
    ):
        model = Counting()
        together = Engine(model).run(games, plans(games))
    assert max(map(len, model.calls)) <= call_size
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.unwrap().values, other.unwrap().values)
        assert one.evaluations == other.evaluations
