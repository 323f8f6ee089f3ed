"""Metrics are what their definitions say, and tell an explanation from random values."""

from collections.abc import Sequence
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from explain.adapters import FunctionClassifier
from explain.attribution import AttributionSettings
from explain.attribution.methods import make_explainer
from explain.engine import Engine
from explain.engine.games import Values
from explain.errors import CapabilityError
from explain.evaluation.agreement import chance_taus, common_values
from explain.evaluation.faithfulness import Faithfulness, erasure, faithfulness
from explain.evaluation.infidelity import Infidelity, infidelities, infidelity
from explain.evaluation.plausibility import (
    Plausibility,
    Rationale,
    plausibility,
    plausibility_results,
)
from explain.evaluation.randomisation import randomised
from explain.evaluation.scorecard import (
    agreement_result,
    dispute_result,
    disputes,
    faithfulness_results,
    infidelity_result,
    randomisation_result,
    sensitivity_result,
    stability_results,
)
from explain.evaluation.sensitivity import (
    MOVES,
    Sensitivity,
    max_sensitivities,
    max_sensitivity,
)
from explain.evaluation.stability import Stability, compare, stability
from explain.record import Agreement, Attribution, Measure, NotMeasured
from explain.text.spans import Span, Text
from tests.helpers import strategies
from tests.helpers.attributions import answer_of, attribution, explain_texts, rng
from tests.helpers.plans import run_and_record, run_plan, table_game
from tests.helpers.search import examples

WEIGHTS = {w: (-1) ** i * (1.0 + i * i) for i, w in enumerate("abcdefghij")}
TEXTS: list[Text] = [
    "a b c d e f g",
    "g a d b c f e",
    "j i h g f e d",
    "b d f h j a c",
    "a c e g i b d h",
    "c d e f g h",
    "h g c b a j d",
    "e j a b i",
]


def additive(texts: Sequence[Text]) -> list[list[float]]:
    """Return scores that are sums of the weights of the words."""
    return [[0.0, sum(WEIGHTS[word] for word in str(text).split())] for text in texts]


ADDITIVE = FunctionClassifier(additive, ["no", "yes"], name="additive", output="scores")


def value(cell: object) -> float:
    assert isinstance(cell, Measure)
    assert cell.value is not None
    return cell.value


# ── Infidelity ────────────────────────────────────────────────────────────────────────────────────


def slow_infidelity(phi: Sequence[float], v: Any, coalitions: np.ndarray) -> float:
    """Return E[(b I'phi - (v(N) - v(S)))^2] / E[(v(N) - v(S))^2] with the best b, one at a time."""
    full = float(v(np.ones((1, len(phi)), dtype=bool))[0])
    pairs = []
    for kept in coalitions:
        removed = [0.0 if keep else 1.0 for keep in kept]
        foretold = sum(i * p for i, p in zip(removed, phi, strict=True))
        pairs.append((foretold, full - float(v(kept[None])[0])))
    power = sum(f * f for f, _ in pairs)
    best = sum(f * c for f, c in pairs) / power if power else 0.0
    return sum((best * f - c) ** 2 for f, c in pairs) / sum(c * c for _, c in pairs)


@examples(20)
@given(values=strategies.games(2, 5), seed=st.integers(0, 50))
def test_infidelity_is_its_definition(values: Values, seed: int) -> None:
    v = table_game(np.round(values, 2))
    phi = rng(seed).normal(size=len(values).bit_length() - 1).tolist()
    found, coalitions = run_and_record(infidelity(phi, rng(seed)), v)
    if found is None:
        assert np.ptp(v(coalitions)) == 0
    else:
        assert found.observed == pytest.approx(slow_infidelity(phi, v, coalitions[1:]), abs=1e-9)


@examples(20)
@given(
    phi=st.lists(st.integers(-20, 20), min_size=2, max_size=6).filter(any),
    scale=st.sampled_from([1.0, -0.5, 1e3]),
)
@example(phi=[1, -1], scale=1.0)
def test_exact_values_of_an_additive_game_have_no_infidelity(phi: list[int], scale: float) -> None:
    found = run_plan(
        infidelity([scale * p for p in phi], rng()), lambda kept: kept @ np.array(phi) + 7
    )
    assert found is not None
    assert found.observed == pytest.approx(0, abs=1e-9)
    # Two opposite values, exchanged, are the same but for a factor, which infidelity leaves out.
    if len(set(phi)) > 1 and phi != [phi[0], -phi[0]]:
        assert (found.random >= -1e-9).all()
        assert found.random.mean() > 0


def test_a_game_that_never_changes_has_no_infidelity_to_measure() -> None:
    assert run_plan(infidelity([1.0, 2.0], rng()), lambda kept: np.ones(len(kept))) is None


def test_values_of_zero_leave_all_of_the_change_unexplained() -> None:
    found = run_plan(infidelity([0.0, 0.0], rng()), lambda kept: kept @ np.array([1.0, 2.0]))
    assert found is not None
    assert found.observed == 1


def test_infidelity_costs_nothing_after_faithfulness() -> None:
    engine, masker = Engine(ADDITIVE), AttributionSettings.of(ADDITIVE).masker
    given_ = [a for _, a in explain_texts(ADDITIVE, "occlusion", TEXTS)]
    faithfulness(engine, given_, masker, 0)
    before = engine.evaluations
    found = infidelities(engine, given_, masker, 0)
    assert engine.evaluations == before > 0
    assert [one.observed for one in found if isinstance(one, Infidelity)] == pytest.approx([0] * 8)


@pytest.mark.parametrize(("method", "better"), [("shap", True), ("random", False)])
def test_only_random_values_foretell_removals_no_better_than_random(
    method: str, better: bool
) -> None:
    engine, masker = Engine(ADDITIVE), AttributionSettings.of(ADDITIVE).masker
    given_ = [a for _, a in explain_texts(ADDITIVE, method, TEXTS)]
    fits = infidelities(engine, given_, masker, 0)
    reading = infidelity_result([f for f in fits if isinstance(f, Infidelity)])
    assert (answer_of(reading) == "passed") is better
    ranks = faithfulness(engine, given_, masker, 0)
    readings = faithfulness_results([f for f in ranks if isinstance(f, Faithfulness)], "log_odds")
    assert [answer_of(reading) == "passed" for reading in readings] == [better, better]


def test_random_erasures_are_the_same_for_both_measures() -> None:
    v = table_game(rng(4).normal(size=2**5))
    _, by_ranking = run_and_record(erasure([5.0, 4.0, 3.0, 2.0, 1.0], rng(9)), v)
    _, by_fit = run_and_record(infidelity([5.0, 4.0, 3.0, 2.0, 1.0], rng(9)), v)
    assert {*map(bytes, by_fit)} <= {*map(bytes, by_ranking)}


# ── Stability ─────────────────────────────────────────────────────────────────────────────────────


def slow_tau_b(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return (concordant - discordant) / sqrt(pairs untied in one * pairs untied in the other)."""
    signs = [
        (np.sign(one[i] - one[j]), np.sign(other[i] - other[j]))
        for i, j in combinations(range(len(one)), 2)
    ]
    untied = sum(a != 0 for a, _ in signs) * sum(b != 0 for _, b in signs)
    return float(sum(a * b for a, b in signs) / untied**0.5) if untied else None


@examples(30)
@given(
    pairs=st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=3, max_size=9),
)
def test_two_runs_are_compared_by_tau_b_and_jaccard(pairs: list[tuple[int, int]]) -> None:
    spans = tuple(Span(0, i, i + 1) for i in range(len(pairs)))
    one, other = (
        attribution(
            parts=("x" * len(pairs),),
            spans=spans,
            values=tuple(float(pair[side]) for pair in pairs),
            standard_errors=None,
            efficient=False,
        )
        for side in (0, 1)
    )
    found = compare(one, other)
    expected = slow_tau_b(one.values, other.values)
    if expected is None:
        assert found is None
        return
    assert found is not None
    tops = [
        {i for i, _ in sorted(enumerate(a.values), key=lambda e: -abs(e[1]))[: -(-len(pairs) // 5)]}
        for a in (one, other)
    ]
    assert found[0] == pytest.approx(expected)
    assert found[1] == pytest.approx(len(tops[0] & tops[1]) / len(tops[0] | tops[1]))


def test_runs_with_other_features_are_compared_on_those_they_share() -> None:
    spans = tuple(Span(0, i, i + 1) for i in range(5))
    text = {"parts": ("abcde",), "standard_errors": None, "efficient": False}
    one = attribution(spans=spans[:4], values=(1.0, 2.0, 3.0, 4.0), **text)
    other = attribution(spans=spans[1:], values=(5.0, 6.0, 7.0, 8.0), **text)
    assert common_values(one, other) == ([2.0, 3.0, 4.0], [5.0, 6.0, 7.0])
    assert compare(one, attribution(spans=spans[2:], values=(1.0, 2.0, 3.0), **text)) is None


def test_exact_values_are_stable_and_random_ones_are_not() -> None:
    setting = AttributionSettings.of(ADDITIVE)
    engine = Engine(ADDITIVE)
    exact = stability(
        engine, explain_texts(ADDITIVE, "shap", TEXTS), make_explainer("shap"), setting
    )
    assert exact.varied == "seeds"
    assert exact.taus == pytest.approx((1.0,) * 8)
    assert exact.overlaps == (1.0,) * 8
    assert [answer_of(r) for r in stability_results(exact)[:1]] == ["passed"]
    null = stability(
        engine, explain_texts(ADDITIVE, "random", TEXTS), make_explainer("random"), setting
    )
    tau, overlap = stability_results(null)
    assert answer_of(tau) != "passed"
    assert abs(value(tau.measure)) < 0.4
    assert overlap.flag is None


@pytest.mark.parametrize(
    ("taus", "expected"),
    [
        ([0.4] * 8, "flagged"),
        ([0.6] * 8, "passed"),
        ([0.6] * 7 + [0.4], "not resolved"),
        ([1.0] * 5, "too few"),
        ([], "not measured"),
    ],
)
def test_stability_is_judged_by_the_interval_of_its_median(
    taus: list[float], expected: str
) -> None:
    found = Stability("seeds", tuple(taus), (0.5,) * len(taus))
    assert answer_of(stability_results(found)[0]) == expected


@pytest.mark.parametrize("n", [6, 8, 9, 20])
def test_the_interval_of_a_median_holds_it_in_95_percent_of_samples(n: int) -> None:
    hits = 0
    for seed in range(400):
        drawn = rng(seed).exponential(size=n)
        measure = stability_results(Stability("seeds", tuple(drawn), (0.5,) * n))[0].measure
        assert measure is not None
        assert measure.lower is not None
        assert measure.upper is not None
        hits += measure.lower <= np.log(2) <= measure.upper
    assert hits >= 0.93 * 400


# ── Max-sensitivity ───────────────────────────────────────────────────────────────────────────────


def test_methods_that_see_texts_have_no_max_sensitivity() -> None:
    for method in ("shap", "random"):
        given_ = explain_texts(ADDITIVE, method, TEXTS[:1])
        found = max_sensitivities(
            Engine(ADDITIVE), given_, make_explainer(method), AttributionSettings.of(ADDITIVE)
        )
        reading = sensitivity_result(method, found)
        assert reading.measure is None
        assert answer_of(reading) == "not measured"
        assert reading.flag is not None
        assert "only removes whole pieces of it" in reading.flag.sentence


def test_random_values_are_as_sensitive_as_random() -> None:
    def found(seed: int, noise: float) -> Sensitivity:
        own = rng(seed).normal(size=8)
        moved = noise * rng(seed + 100).normal(size=(MOVES, 8)) + (1 - noise) * own
        one = max_sensitivity(own.tolist(), moved.tolist(), rng(seed + 200))
        assert one is not None
        return one

    assert answer_of(sensitivity_result("x", [found(seed, 1.0) for seed in range(40)])) == "flagged"
    assert answer_of(sensitivity_result("x", [found(seed, 0.1) for seed in range(8)])) == "passed"
    assert answer_of(sensitivity_result("x", [found(seed, 0.1) for seed in range(4)])) == "too few"
    assert max_sensitivity([0.0, 0.0], [[1.0, 0.0]], rng()) is None


# ── Parameter randomisation ───────────────────────────────────────────────────────────────────────


def test_a_model_without_known_parameters_is_said() -> None:
    with pytest.raises(CapabilityError, match="no parameters"):
        randomised(ADDITIVE, 0)
    reading = randomisation_result(NotMeasured(reason="additive shows no parameters"))
    assert (reading.measure, answer_of(reading)) == (None, "not measured")


def test_few_features_resemble_each_other_by_chance() -> None:
    short, long = [(1 / 3, 3)] * 6, [(1 / 3, 30)] * 6
    assert answer_of(randomisation_result(short)) == "passed"
    assert answer_of(randomisation_result(long)) == "flagged"
    assert answer_of(randomisation_result([(-0.3, 30)] * 6)) == "flagged"
    assert answer_of(randomisation_result([(0.19, 300)] * 6)) == "passed"


# ── Agreement ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("n", [2, 3, 5])
def test_chance_is_that_of_all_permutations(n: int) -> None:
    taus = [kendalltau(range(n), order).statistic for order in permutations(range(n))]
    drawn = chance_taus(n)
    for tau in {*np.round(taus, 9)}:
        expected = np.isclose(taus, tau).mean()
        assert np.isclose(drawn, tau).mean() == pytest.approx(expected, abs=0.04)
    assert drawn.mean() == pytest.approx(0, abs=0.04)


def agreement(one: str, other: str, tau: float | None, upper: float | None = 0.4) -> Agreement:
    return Agreement(
        methods=(one, other),
        titles=(one, other),
        target="x",
        tau=tau,
        null_upper=upper,
        overlap=0.5,
        top=2,
        null="random" if "random" in (one, other) else None,
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([agreement("shap", "lime", 0.9)] * 8, "passed"),
        ([agreement("lime", "shap", 0.3)] * 16, "flagged"),
        ([agreement("lime", "shap", 0.3)] * 8, "not resolved"),
        ([agreement("lime", "shap", None)] * 16, "flagged"),
        ([agreement("lime", "shap", 0.3), agreement("ig", "shap", 0.5)] * 16, "passed"),
        ([agreement("shap", "lime", 0.9)] * 7, "passed"),
        ([agreement("shap", "random", 0.1)] * 8, "not measured"),
        ([agreement("shap", "lime", 1.0, 1.0)] * 8, "not measured"),
        ([agreement("ig", "lime", 0.9)] * 8, "not measured"),
    ],
)
def test_a_method_that_no_other_agrees_with_is_flagged(
    found: list[Agreement], expected: str
) -> None:
    assert answer_of(agreement_result("shap", found)) == expected


def opposed(one: str, other: str, n_disputed: int, n: int) -> list[Agreement]:
    signed = not {"random", "gradient_l2"} & {one, other}
    undisputed = agreement(one, other, 0.1).model_copy(update={"disputed": () if signed else None})
    disputed = undisputed.model_copy(update={"disputed": (0,) if signed else None})
    return [disputed] * n_disputed + [undisputed] * (n - n_disputed)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (opposed("shap", "ig", 8, 10), "flagged"),
        (opposed("shap", "ig", 4, 10), "not resolved"),
        (opposed("shap", "ig", 0, 20), "passed"),
        (opposed("shap", "lime", 0, 20) + opposed("ig", "shap", 16, 20), "flagged"),
        (opposed("shap", "random", 16, 20), "not measured"),
        (opposed("shap", "poor", 16, 20), "not measured"),
        (opposed("shap", "gradient_l2", 0, 20), "not measured"),
    ],
)
def test_opposite_signs_at_the_top_count_for_both(found: list[Agreement], expected: str) -> None:
    shares = disputes(found)
    assert answer_of(dispute_result("shap", shares, {"poor"})) == expected
    if expected == "flagged":
        assert answer_of(dispute_result("ig", shares, {"poor"})) == "flagged"


# ── Plausibility ──────────────────────────────────────────────────────────────────────────────────

SPANS = tuple(Span(0, i, i + 1) for i in range(6))


def with_values(values: Sequence[float], label: str = "negative") -> Attribution:
    found = attribution(
        parts=("abcdef",),
        spans=SPANS[: len(values)],
        values=tuple(values),
        standard_errors=None,
        efficient=False,
    )
    return found.model_copy(update={"target": found.target.model_copy(update={"label": label})})


def slow_auprc(values: Sequence[float], inside: Sequence[bool]) -> float:
    """Return the mean, over the features of the rationale, of the precision down to each."""
    order = sorted(range(len(values)), key=lambda i: -values[i])
    hits = [inside[i] for i in order]
    return float(np.mean([sum(hits[: k + 1]) / (k + 1) for k, hit in enumerate(hits) if hit]))


@examples(30)
@given(values=st.permutations([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]), size=st.integers(1, 5))
def test_plausibility_is_its_definition(values: list[float], size: int) -> None:
    inside = [i < size for i in range(6)]
    found = plausibility({"a": Rationale(None, [Span(0, 0, size)])}, [("a", with_values(values))])
    assert found.auprc == pytest.approx((slow_auprc(values, inside),))
    top = sorted(range(6), key=lambda i: -values[i])[:size]
    assert found.f1 == pytest.approx((sum(inside[i] for i in top) / size,))
    assert found.chance_auprc == pytest.approx((size / 6,))
    assert found.chance_f1 == pytest.approx((size / 6,))


def test_as_many_features_count_as_the_mean_rationale_has() -> None:
    found = plausibility(
        {"a": Rationale(None, [Span(0, 0, 1)]), "b": Rationale(None, [Span(0, 0, 3)])},
        [
            ("a", with_values([6, 5, 4, 3, 2, 1])),
            ("b", with_values([6, 5, 1, 2, 4, 3])),
        ],
    )
    assert found.f1 == pytest.approx((2 * 1 / 3, 2 * 2 / 5))


def test_random_values_reach_what_chance_says() -> None:
    orders = list(permutations([-2.0, -1.0, 1.0, 2.0, 3.0]))
    rationales = {"a": Rationale(None, SPANS[:2]), "b": Rationale(None, SPANS[:3])}
    found = plausibility(
        rationales,
        [(name, with_values(order)) for order in orders for name in ("a", "b")],
    )
    assert np.mean(found.f1) == pytest.approx(np.mean(found.chance_f1))


def test_only_explanations_of_the_rationales_label_count() -> None:
    rationale = Rationale(("negative",), [Span(0, 0, 2)])
    given_ = [
        ("a", with_values(range(6))),
        ("a", with_values(range(6), "positive")),
        ("b", with_values(range(6))),
    ]
    assert len(plausibility({"a": rationale}, given_).auprc) == 1


def test_a_rationale_of_all_or_no_features_says_nothing() -> None:
    everything = {"a": Rationale(None, SPANS), "b": Rationale(None, ())}
    found = plausibility(everything, [("a", with_values(range(6))), ("b", with_values(range(6)))])
    assert found == Plausibility((), (), (), ())
    assert plausibility_results(found) == []


def test_plausibility_is_never_graded() -> None:
    readings = plausibility_results(Plausibility((0.1,) * 9, (0.5,) * 9, (0.0,) * 9, (0.5,) * 9))
    assert [(r.flag, value(r.measure), value(r.against)) for r in readings] == [
        (None, pytest.approx(0.1), 0.5),
        (None, 0.0, 0.5),
    ]
