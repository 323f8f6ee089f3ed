"""Long texts are explained by sentences, then by words, and the sums hold at both levels."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import explain
import reports
from explain.attribution.methods import (
    Estimate,
    Lime,
    Occlusion,
    Random,
    RefinedEstimate,
    Shap,
    sentence_runs,
    sentences_then_words,
)
from explain.attribution.methods.shap import exact_shapley_values
from explain.engine.games import Values
from explain.errors import BudgetError
from explain.record import Attribution
from explain.text.spans import Segmentation, Span
from explain.text.words import words
from tests.helpers import strategies
from tests.helpers.plans import run_and_record, run_plan, runs, table_game
from tests.helpers.reference.owen import owen_by_orders
from tests.helpers.search import examples

WORDY = "it is a dull film and a good one too . "
"""Eleven words, the mark included."""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def cut(text: str, unread: tuple[Span, ...] = ()) -> tuple[str, ...]:
    """Return the sentences of a text as they are explained."""
    segmentation = Segmentation((text,), words([text]), unread)
    return tuple(
        text[segmentation.spans[run[0]].start : segmentation.spans[run[-1]].end]
        for run in sentence_runs(segmentation)
    )


@st.composite
def games_in_groups(draw: st.DrawFn) -> tuple[Values, list[range]]:
    """Draw the table of a game of 2 to 8 words, and the runs that its words are grouped in."""
    n = draw(st.integers(2, 8))
    values = rng(draw(st.integers(0, 999))).normal(size=2**n)
    inner_edges = draw(st.sets(st.integers(1, n - 1)))
    return values, [range(a, b) for a, b in pairwise([0, *sorted(inner_edges), n])]


def of_groups(values: Values, groups: Sequence[range]) -> Values:
    """Return the table of the game whose players are the groups."""
    bits = [sum(1 << word for word in group) for group in groups]
    index = [
        sum(bit for place, bit in enumerate(bits) if kept >> place & 1)
        for kept in range(2 ** len(groups))
    ]
    return values[index]


def word_values(estimate: RefinedEstimate) -> Values:
    """Return the values of the words of a game all of whose sentences were refined."""
    return np.concatenate([estimate.inner[number].values for number in range(len(estimate.groups))])


# ── Right by definition ───────────────────────────────────────────────────────────────────────────


@examples(25)
@given(st.integers(0, 999), st.sampled_from([(3, 2, 3), (1, 4, 2), (2, 2, 2), (5, 1, 1)]))
def test_with_all_contexts_shap_gives_owen_values(seed: int, sizes: tuple[int, ...]) -> None:
    values = rng(seed).normal(size=2 ** sum(sizes))
    plan = sentences_then_words(Shap(budget=2_000), runs(*sizes), rng())
    found = run_plan(plan, table_game(values))
    np.testing.assert_allclose(word_values(found), owen_by_orders(values, runs(*sizes)), atol=1e-9)
    np.testing.assert_allclose(
        found.outer.values, exact_shapley_values(of_groups(values, runs(*sizes))), atol=1e-12
    )
    assert found.estimate().standard_errors is not None
    corrections = [own.diagnostics.correction for own in found.inner.values()]
    assert all(correction is not None and abs(correction) < 1e-9 for correction in corrections)


def test_with_drawn_contexts_shap_gives_owen_values_on_average() -> None:
    values = rng(5).normal(size=2**8)
    groups = runs(2, 1, 2, 1, 1, 1)
    drawn = []
    for seed in range(600):
        found = run_plan(
            sentences_then_words(Shap(budget=132), groups, rng(seed)), table_game(values)
        )
        assert found.estimate().standard_errors is None
        assert all(own.diagnostics.contexts != 2**5 for own in found.inner.values())
        drawn.append(word_values(found))
    expected = owen_by_orders(values, groups)
    errors = np.std(drawn, axis=0) / np.sqrt(len(drawn))
    assert (np.abs(np.mean(drawn, axis=0) - expected) < 4 * errors + 1e-9).all()
    assert errors[0] > 1e-3


@examples(40)
@given(games_in_groups(), st.integers(24, 300), st.integers(0, 99))
def test_the_sums_hold_at_both_levels_within_the_budget(
    game: tuple[Values, list[range]], budget: int, seed: int
) -> None:
    values, groups = game
    plan = sentences_then_words(Shap(budget=budget), groups, rng(seed))
    found, coalitions = run_and_record(plan, table_game(values))
    assert len(np.unique(coalitions, axis=0)) <= budget
    assert found.outer.values.sum() == pytest.approx(values[-1] - values[0], abs=1e-6)
    assert found.inner
    for number, own in found.inner.items():
        assert own.values.sum() == pytest.approx(found.outer.values[number], abs=1e-9)
    estimate = found.estimate()
    assert estimate.values.sum() == pytest.approx(found.outer.values.sum(), abs=1e-9)
    assert (estimate.empty_value, estimate.full_value) == (values[0], values[-1])


@pytest.mark.parametrize("explainer", [Shap(), Shap(budget=2_000)])
def test_the_words_of_an_additive_game_have_their_weights(explainer: Any) -> None:
    groups = runs(12, 9, 11, 14, 8, 10, 3, 20)
    weights = rng().normal(size=groups[-1].stop)
    found = run_plan(sentences_then_words(explainer, groups, rng()), lambda kept: kept @ weights)
    expected = [weights[list(run)].sum() for run in found.features]
    np.testing.assert_allclose(found.estimate().values, expected, rtol=0, atol=0.1)
    largest = np.argsort(-np.abs(found.outer.values))
    assert set(found.inner) == set(largest[: len(found.inner)].tolist())


def test_the_occlusion_of_a_word_is_what_it_is_without_sentences() -> None:
    values = rng(1).normal(size=2**8)
    groups = runs(3, 2, 3)
    found = run_plan(sentences_then_words(Occlusion(), groups, rng()), table_game(values))
    flat = run_plan(Occlusion().plan(8, rng()), table_game(values))
    np.testing.assert_allclose(word_values(found), flat.values, atol=1e-12)
    gone = [values[-1] - values[255 ^ sum(1 << word for word in group)] for group in groups]
    np.testing.assert_allclose(found.outer.values, gone, atol=1e-12)
    errors = found.estimate().standard_errors
    assert errors is not None
    assert not errors.any()


# ── Which sentences, at what price ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("budget", "refined"), [(60, 1), (128, 1), (256, 3), (1_000, 5), (20_000, 5)]
)
def test_more_sentences_are_refined_while_budget_and_60_words_allow(
    budget: int, refined: int
) -> None:
    groups = runs(*[12] * 9)
    weights: Values = np.repeat(np.arange(9.0), 12)
    plan = sentences_then_words(Shap(budget=budget), groups, rng())
    found, coalitions = run_and_record(plan, lambda kept: kept @ weights)
    assert set(found.inner) == set(range(9 - refined, 9))
    assert len(np.unique(coalitions, axis=0)) <= budget


@pytest.mark.parametrize("explainer", [Shap(), Lime(), Lime(budget=64), Occlusion(budget=80)])
def test_no_method_exceeds_its_budget(explainer: Any) -> None:
    groups = runs(20, 15, 25, 9, 30, 1, 12)
    weights = rng(3).normal(size=groups[-1].stop)
    plan = sentences_then_words(explainer, groups, rng())
    found, coalitions = run_and_record(plan, lambda kept: kept @ weights + kept[:, 0])
    assert len(np.unique(coalitions, axis=0)) <= explainer.budget
    assert found.inner


def test_a_method_without_a_budget_takes_what_it_needs() -> None:
    groups = runs(20, 15, 25, 9)
    found, coalitions = run_and_record(
        sentences_then_words(Random(), groups, rng()), lambda kept: kept.sum(axis=1) * 1.0
    )
    assert len(np.unique(coalitions, axis=0)) == 2 + len(found.inner)
    assert found.estimate().standard_errors is None


@pytest.mark.parametrize(
    ("explainer", "features"),
    [
        (Shap(budget=6), 9),
        (Shap(budget=10), 12),
        (Lime(budget=30), 9),
        (Shap("exact", budget=1_024), 12),
        (Occlusion(budget=12), 9),
        (Random(budget=2), 9),
    ],
)
def test_a_budget_too_small_for_both_levels_is_refused(explainer: Any, features: int) -> None:
    plan = sentences_then_words(explainer, runs(*[12] * 9), rng())
    with pytest.raises(BudgetError, match=f"these {features} features .* raise it in proportion"):
        run_plan(plan, lambda kept: kept.sum(axis=1) * 1.0)


def test_the_same_seed_gives_the_same_values_and_another_other_values() -> None:
    values = rng(2).normal(size=2**8)

    def run(seed: int) -> Estimate:
        plan = sentences_then_words(Shap(budget=48), runs(2, 1, 1, 1, 1, 2), rng(seed))
        return run_plan(plan, table_game(values)).estimate()

    np.testing.assert_array_equal(run(1).values, run(1).values)
    assert not np.array_equal(run(1).values, run(2).values)


# ── Sentences ─────────────────────────────────────────────────────────────────────────────────────


def test_sentences_are_runs_of_words() -> None:
    assert cut("Fine. Not bad! \n\n And so on") == ("Fine.", "Not bad!", "And so on")
    assert cut("") == ()


def test_a_sentence_without_end_is_cut_into_even_runs() -> None:
    sizes = [len(piece.split()) for piece in cut("word " * 61)]
    assert sizes == [20, 20, 21]


def test_no_sentence_reaches_across_what_was_never_read() -> None:
    text = "one two three four"
    segmentation = Segmentation((text,), (Span(0, 0, 3), Span(0, 14, 18)), (Span(0, 3, 13),))
    assert sentence_runs(segmentation) == (range(1), range(1, 2))


@given(strategies.parts)
def test_every_word_lies_in_one_sentence_of_its_own_part(parts: tuple[str, ...]) -> None:
    segmentation = Segmentation(parts, words(parts))
    found = sentence_runs(segmentation)
    assert [word for run in found for word in run] == list(range(len(segmentation)))
    assert all(len({segmentation.spans[word].part for word in run}) == 1 for run in found)
    assert all(0 < len(run) <= 30 for run in found)


# ── Texts ─────────────────────────────────────────────────────────────────────────────────────────


def by_marks(texts: Sequence[str]) -> list[list[float]]:
    """Return probabilities that grow with each ``good`` and shrink with each ``dull``."""
    odds = [0.3 * text.count("good") - 0.2 * text.count("dull") for text in texts]
    return [[1 / (1 + np.exp(x)), 1 / (1 + np.exp(-x))] for x in odds]


MODEL = explain.wrap(by_marks, labels=["no", "yes"])


@pytest.mark.parametrize("method", ["shap", "lime", "occlusion", "random"])
def test_sixty_words_are_explained_one_by_one_and_sixty_one_are_not(method: str) -> None:
    text = (WORDY * 6).split()
    short = explain.attribute(MODEL, " ".join(text[:60]), method=method, unit="auto")
    long = explain.attribute(MODEL, " ".join(text[:61]), method=method, unit="auto")
    assert short.groups == ()
    assert short.parameters["features"] == "words"
    flat = explain.attribute(MODEL, " ".join(text[:60]), method=method)
    assert (short.values, short.evaluations) == (flat.values, flat.evaluations)
    assert len(long.groups) == 6
    assert long.parameters["unit"] == "auto"
    assert long.parameters["features"] == "sentences, then words"
    assert len(long.spans) < 61
    assert " ".join(long.features) == " ".join(text[:61])
    assert Attribution.from_json(long.to_json()) == long


def test_values_stand_with_the_right_words() -> None:
    dull = "it is a film and it is one of many , with a plot . "
    text = dull * 4 + "what a good thing . " + dull
    found = explain.attribute(MODEL, text, method="shap", unit="auto", target="yes")
    assert dict(zip(found.features, found.values, strict=True))["good"] == pytest.approx(
        0.3, abs=0.01
    )
    largest = max(found.groups, key=lambda group: group.value)
    assert text[largest.span.start : largest.span.end] == "what a good thing ."


def test_an_audit_explains_only_long_texts_by_sentences() -> None:
    record = explain.audit(
        MODEL,
        [{"text": WORDY}, {"text": WORDY * 7}],
        methods=["shap", "occlusion"],
        instances=2,
        unit="auto",
    )
    assert record.skipped == ()
    groups = [[len(a.groups) for a in instance.attributions] for instance in record.instances]
    assert groups == [[0, 0], [7, 7]]
    assert "7 sentences, which were explained first" in reports.render_html(record)


@pytest.mark.parametrize("text", ["", " ", "word " * 80, ("a b c . " * 20, "d e " * 9)])
def test_empty_texts_endless_sentences_and_pairs_are_explained(text: Any) -> None:
    found = explain.attribute(MODEL, text, unit="auto")
    parts = (text,) if isinstance(text, str) else text
    assert found.parts == parts
    assert {span.part for span in found.spans} == {span.part for span in words(parts)}
    assert abs(found.completeness_gap) < 1e-9


def test_a_record_refuses_groups_that_do_not_fit_its_features() -> None:
    found = explain.attribute(MODEL, WORDY * 8, unit="auto")
    kept = found.model_dump()
    first, *others = kept["groups"]
    whole = next(n for n, group in enumerate(found.groups) if len(found.places_in(group)) == 1)
    part, start, end = found.groups[whole].span
    cut_short = [dict(group) for group in kept["groups"]]
    cut_short[whole]["span"] = (part, start, end - 1)
    for groups in (
        [{**first, "value": first["value"] + 0.01}, *others],
        others,
        [*others, first],
        kept["groups"][:-1],
        [{**first, "span": (0, 0, 3)}, *others],
        cut_short,
    ):
        with pytest.raises(ValidationError, match=r"group|sum to"):
            Attribution.model_validate({**kept, "groups": groups})
