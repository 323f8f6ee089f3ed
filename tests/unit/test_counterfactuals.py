"""The fewest words that change an answer, and the fewest that keep it."""

from collections.abc import Sequence
from itertools import combinations, islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import explain
from explain.adapters import FunctionClassifier
from explain.adapters.decision_rule import DecisionRule
from explain.attribution.counterfactuals.game import leads
from explain.attribution.counterfactuals.plan import FoundSets, decisive_sets
from explain.attribution.counterfactuals.search import FoundSet, heaviest_sets
from explain.engine.games import Values
from explain.errors import BudgetError, CapabilityError, ConfigurationError, PredictionError
from explain.record import Counterfactual, DecisiveSet, Task
from explain.text.spans import Text, text_of
from tests.helpers.plans import run_and_record, run_plan, runs, table_game
from tests.helpers.search import examples

EXHAUSTIVE = 2 * 2**12


def smallest_by_brute_force(values: Values, *, keeps: bool) -> list[tuple[int, ...]]:
    """Return all sets of the smallest size that change the sign of v(N), or keep it alone."""
    n, everything = len(values).bit_length() - 1, len(values) - 1
    for size in range(n + 1):
        hits = []
        for members in combinations(range(n), size):
            inside = sum(1 << member for member in members)
            value = values[inside if keeps else everything ^ inside]
            if ((value > 0) == (values[everything] > 0)) == keeps:
                hits.append(members)
        if hits:
            return hits
    return []


@st.composite
def games(draw: st.DrawFn, most: int = 12, *, monotone: bool | None = None) -> Values:
    """Return the leads of all coalitions of a game of up to `most` features."""
    n = draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kept = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    if monotone if monotone is not None else draw(st.booleans()):
        values = kept @ rng.exponential(size=n)
        for _ in range(draw(st.integers(0, 6))):
            together = rng.random(n) < 2 / n
            values = values + rng.exponential() * (kept[:, together] == 1).all(axis=1)
        lead: Values = values - rng.uniform(0, values[-1])
    else:
        lead = kept @ rng.normal(size=n) + rng.normal(size=2**n) * draw(
            st.sampled_from([0.0, 0.3, 1.0, 10.0])
        )
    return np.where(lead == 0, 1e-9, lead)


def check_against_brute_force(found: FoundSet, values: Values, *, keeps: bool) -> None:
    n, smallest = len(values).bit_length() - 1, smallest_by_brute_force(values, keeps=keeps)
    if not smallest:
        assert (found.members, found.all_tried) == (None, n)
        return
    assert found.members in smallest
    assert found.all_tried >= len(found.members) - 1
    assert found.irreducible
    assert found.n_equal in (None, len(smallest))


@pytest.mark.parametrize("monotone", [True, False])
@examples(30)
@given(st.data())
def test_with_the_budget_for_all_the_smallest_sets_equal_brute_force(
    monotone: bool, data: st.DataObject
) -> None:
    values = data.draw(games(monotone=monotone))
    n = len(values).bit_length() - 1
    found = run_plan(decisive_sets(n, EXHAUSTIVE), table_game(values))
    assert found.is_given == (values[-1] > 0)
    check_against_brute_force(found.necessary, values, keeps=False)
    check_against_brute_force(found.sufficient, values, keeps=True)


@examples(60)
@given(games(9), st.integers(0, 80), st.booleans(), st.integers(0, 2**32 - 1))
def test_with_any_budget_what_is_claimed_of_a_set_is_true(
    values: Values, budget: int, weighed: bool, seed: int
) -> None:
    n = len(values).bit_length() - 1
    weights = np.random.default_rng(seed).normal(size=n) if weighed else None
    found, asked = run_and_record(decisive_sets(n, budget, weights=weights), table_game(values))
    assert len(np.unique(asked, axis=0)) <= budget + 2
    for one, keeps in ((found.necessary, False), (found.sufficient, True)):
        smallest = smallest_by_brute_force(values, keeps=keeps)
        if one.members is None:
            assert not smallest or len(smallest[0]) > one.all_tried
            continue
        assert does_it(values, one.members, keeps=keeps)
        if one.all_tried >= len(one.members) - 1:
            assert one.members in smallest
        if one.irreducible:
            for member in one.members:
                others = tuple(other for other in one.members if other != member)
                assert not does_it(values, others, keeps=keeps)
        if one.n_equal is not None:
            assert one.n_equal == len(smallest)


def does_it(values: Values, members: Sequence[int], *, keeps: bool) -> bool:
    inside = sum(1 << member for member in members)
    value = values[inside if keeps else (len(values) - 1) ^ inside]
    return bool(((value > 0) == (values[-1] > 0)) == keeps)


def test_what_was_scored_before_is_free_and_is_looked_at_first() -> None:
    values = np.full(2**20, 1.0)
    values[sum(1 << i for i in range(20) if i not in (3, 11))] = -1
    before = np.ones((1, 20), dtype=bool)
    before[0, [3, 11]] = False
    found, asked = run_and_record(
        decisive_sets(20, 60, known_coalitions=before), table_game(values)
    )
    assert found.necessary.members == (3, 11)
    assert found.necessary.irreducible
    assert found.n_reused == 3
    assert len(asked) <= 60 + 3


def test_the_heaviest_features_lead_to_a_set_of_a_long_text_with_few_evaluations() -> None:
    weights = np.zeros(400)
    weights[[50, 120, 399]] = [3.0, 2.0, 2.5]

    def majority(kept: np.ndarray) -> Values:
        return np.asarray(kept[:, [50, 120, 399]].sum(axis=1) - 1.5)

    found, asked = run_and_record(decisive_sets(400, 100, weights=weights), majority)
    for one in (found.necessary, found.sufficient):
        assert one.members is not None
        assert len(one.members) == 2
        assert set(one.members) < {50, 120, 399}
        assert (one.irreducible, one.all_tried, one.n_equal) == (True, 0, None)
    assert len(asked) <= 102


def test_sentences_are_tried_first_and_then_their_words() -> None:
    def needs_both(kept: np.ndarray) -> Values:
        return np.asarray(kept[:, [12, 17]].all(axis=1) - 0.5)

    sentences = runs(10, 10, 10)
    found, asked = run_and_record(decisive_sets(30, 200, runs=sentences), needs_both)
    assert found.necessary.members in ((12,), (17,))
    assert found.sufficient.members == (12, 17)
    assert found.sufficient.all_tried == 0
    assert found.sufficient.irreducible
    assert len(asked) < 150


@examples(40)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=7), st.integers(0, 7))
def test_sets_come_in_the_order_of_their_weights(weights: list[int], size: int) -> None:
    values = np.array(weights, dtype=np.float64)
    sets = list(heaviest_sets(values, size))
    assert sorted(sets) == sorted(combinations(range(len(weights)), size))
    totals = [values[list(members)].sum() for members in sets]
    assert totals == sorted(totals, reverse=True)
    assert len(list(islice(heaviest_sets(values, size), 3))) <= 3


def test_too_many_features_are_refused() -> None:
    with pytest.raises(BudgetError, match="counterfactuals cannot sample a text of 10,001"):
        next(decisive_sets(10_001, 10))


def test_a_text_without_words_has_nothing_to_remove() -> None:
    found = run_plan(decisive_sets(0, 10), lambda kept: np.full(len(kept), -1.0))
    assert found == FoundSets(
        FoundSet(None), FoundSet((), irreducible=True), is_given=False, n_reused=1
    )


# ── The lead of a label ───────────────────────────────────────────────────────────────────────────


@examples(60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["single_label", "multi_label"]), st.booleans())
def test_the_sign_of_a_lead_is_what_the_rule_decides(
    seed: int, task: Task, with_threshold: bool
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(40, 3)).round(1)
    rule = DecisionRule(task, {1: 0.7} if with_threshold else {})
    for column in range(3):
        np.testing.assert_array_equal(
            leads(scores, column, rule) > 0, rule.holds(scores)[:, column]
        )
        assert (leads(scores, column, rule) != 0).all()


# ── On texts ──────────────────────────────────────────────────────────────────────────────────────


def negation(texts: Sequence[Text]) -> list[list[float]]:
    """Return scores by which "not" turns "good", and "awful" alone decides."""
    rows = []
    for text in texts:
        words = (" ".join(text) if isinstance(text, tuple) else text).lower().split()
        good = "good" in words and "not" not in words and "awful" not in words
        rows.append([-1.0, 1.0] if good else [1.0, -1.0])
    return rows


def model(**options: Any) -> FunctionClassifier:
    return FunctionClassifier(negation, ["negative", "positive"], output="scores", **options)


def words_of(found: Counterfactual, one: DecisiveSet) -> tuple[str, ...] | None:
    return None if one.places is None else found.features_of(one)


def test_the_word_that_turns_an_answer_is_named_and_the_text_without_it_is_verified() -> None:
    found = explain.counterfactual(model(), "it is not a good film")
    assert (found.target.label, found.is_given) == ("negative", True)
    necessary = found.necessary
    assert words_of(found, necessary) == ("not",)
    assert (necessary.predicted, necessary.is_given, necessary.is_confirmed) == (
        "positive",
        False,
        True,
    )
    assert necessary.parts == ("it is a good film",)
    assert necessary.probability == pytest.approx(1 / (1 + np.exp(-2)))
    assert (necessary.smallest, necessary.n_equal) == (True, 1)
    # Without any word the answer is negative as well.
    assert (found.sufficient.places, found.sufficient.parts) == ((), ("",))
    assert found.evaluations >= 2


def test_what_suffices_is_named() -> None:
    found = explain.counterfactual(model(), "a good film")
    assert words_of(found, found.sufficient) == words_of(found, found.necessary) == ("good",)
    assert found.sufficient.parts == ("good",)


def test_no_change_is_said_with_how_far_it_was_looked_for() -> None:
    found = explain.counterfactual(model(), "an awful film")
    assert found.necessary.places is None
    assert found.necessary.all_tried == 3
    assert not found.necessary.smallest
    assert found.necessary.predicted is None


def test_a_pair_is_searched_across_both_texts() -> None:
    found = explain.counterfactual(model(), ("it is not", "a good film"))
    assert words_of(found, found.necessary) == ("not",)
    assert found.necessary.parts == ("it is", "a good film")


def test_a_label_that_is_not_given_is_asked_for() -> None:
    found = explain.counterfactual(model(), "it is not a good film", target="positive")
    assert (found.is_given, found.necessary.is_given) == (False, True)
    assert words_of(found, found.necessary) == ("not",)


def test_of_several_labels_each_is_its_own_question() -> None:
    def rows(texts: Sequence[str]) -> list[list[float]]:
        return [[2.0 * ("bad" in t) - 1, 2.0 * ("late" in t) - 1] for t in map(str, texts)]

    labels = FunctionClassifier(rows, ["quality", "delay"], output="scores", task="multi_label")
    found = explain.counterfactual(labels, "bad and late", target="delay")
    assert words_of(found, found.necessary) == ("late",)
    assert found.necessary.is_given is False
    assert found.necessary.probability == pytest.approx(1 / (1 + np.e))


def test_a_threshold_decides_what_changes() -> None:
    def rows(texts: Sequence[str]) -> list[list[float]]:
        logits = [text.split().count("good") - 0.5 for text in texts]
        return [[0.0, logit] for logit in logits]

    counting = FunctionClassifier(rows, ["no", "yes"], output="scores")
    text = "good good good"
    assert len(explain.counterfactual(counting, text).necessary.places or ()) == 3
    strict = explain.counterfactual(counting, text, threshold=0.8)
    assert len(strict.necessary.places or ()) == 2
    assert strict.necessary.predicted == "no"
    # From p = .9 on the text itself is a "no", and no removal makes it a "yes".
    stricter = explain.counterfactual(counting, text, threshold={"yes": 0.95})
    assert (stricter.target.label, stricter.necessary.places) == ("no", None)


def test_a_model_that_answers_otherwise_the_next_time_is_not_confirmed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("explain.attribution.counterfactuals.requests.ask_again", lambda *_: None)
    answers: dict[str, int] = {}

    def fickle(texts: Sequence[str]) -> list[list[float]]:
        rows = []
        for text in texts:
            answers[text] = answers.get(text, 0) + 1
            first = "not" in text or (text == "a good film" and answers[text] > 1)
            rows.append([1.0, -1.0] if first else [-1.0, 1.0])
        return rows

    unsure = FunctionClassifier(fickle, ["negative", "positive"], output="scores")
    found = explain.counterfactual(unsure, "not a good film")
    assert words_of(found, found.necessary) == ("not",)
    assert found.necessary.is_confirmed is False


def test_a_regression_has_no_other_answer() -> None:
    number = FunctionClassifier(
        lambda texts: [[1.0]] * len(texts), ["x"], output="scores", task="regression"
    )
    with pytest.raises(CapabilityError, match="no answer that could be another one"):
        explain.counterfactual(number, "a text")


def test_failures_and_unknown_names_are_said() -> None:
    def fails(texts: Sequence[str]) -> list[list[float]]:
        if any("film" not in text for text in texts):
            raise ValueError("no film")
        return negation(texts)

    with pytest.raises(PredictionError, match="no film"):
        explain.counterfactual(
            FunctionClassifier(fails, ["negative", "positive"], output="scores"), "a good film"
        )
    with pytest.raises(ConfigurationError, match="no label 'postive'; did you mean 'positive'"):
        explain.counterfactual(model(), "a good film", target="postive")


def test_the_audit_finds_them_and_reuses_what_attributions_have_scored() -> None:
    rows = [
        {"text": f"it is {word} good {noun}"} for word in ("not", "a") for noun in ("film", "x")
    ]
    record = explain.audit(model(), rows, methods=["shap"], checks=["explanations"])
    found = [one for instance in record.instances for one in instance.counterfactuals]
    assert len(found) == 4
    for one in found:
        # Of five words all texts were scored for the Shapley values.
        assert one.evaluations == one.reused == 2**5
        assert one.necessary.is_confirmed
        text = text_of(one.necessary.parts)
        assert model().predict([text]).argmax() != one.target.index
    frame = record.to_frame("counterfactuals")
    assert list(frame.kind) == ["necessary", "sufficient"] * 4
    assert set(frame.features.map(tuple)[frame.kind == "necessary"]) == {("not",), ("good",)}
    assert explain.AuditRecord.from_json(record.to_json()).instances == record.instances


def test_nothing_is_searched_for_a_regression_or_beside_random_values() -> None:
    rows = [{"text": "a good film"}] * 3
    number = FunctionClassifier(
        lambda texts: [[1.0]] * len(texts), ["x"], output="scores", task="regression"
    )
    for subject, methods in ((number, ["lime"]), (model(), ["random"])):
        record = explain.audit(subject, rows, methods=methods, checks=["explanations"])
        assert not any(instance.counterfactuals for instance in record.instances)
        assert record.to_frame("counterfactuals").empty
