"""Metrics are what their definitions say, and tell an explanation from random values."""

from collections.abc import Sequence
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest
import torch
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max as captum_sensitivity
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

import explain
from explain.adapters import FunctionClassifier, GradientClassifier, TextClassifier, TorchClassifier
from explain.attribution import Setting, ask, attribute
from explain.engine import Engine
from explain.errors import CapabilityError
from explain.explainers import Explainer, make_explainer
from explain.games import Question, Values
from explain.metrics.agreement import chance_taus, common_values
from explain.metrics.faithfulness import Faithfulness, erasure, faithfulness
from explain.metrics.infidelity import Infidelity, infidelities, infidelity
from explain.metrics.plausibility import Plausibility, Rationale, plausibility
from explain.metrics.randomisation import randomised, resemblances
from explain.metrics.readings import (
    agreement_reading,
    dispute_reading,
    disputes,
    faithfulness_readings,
    infidelity_reading,
    plausibility_readings,
    randomisation_reading,
    sensitivity_reading,
    stability_readings,
)
from explain.metrics.sensitivity import (
    MOVES,
    RADIUS,
    Sensitivity,
    max_sensitivities,
    max_sensitivity,
    nudged,
)
from explain.metrics.stability import Stability, compared, stability
from explain.metrics.verdicts import Answer, Reading
from explain.record import Agreement, Attribution, Measure
from explain.spans import Span, Text
from tests.helpers import strategies
from tests.helpers.attributions import attribution
from tests.helpers.demo import DEMO
from tests.helpers.modules import WORDS, lstm, tokenize
from tests.helpers.play import asked, play, table_game
from tests.helpers.search import examples
from tests.helpers.tiny import ARCHITECTURES

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


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def additive(texts: Sequence[Text]) -> list[list[float]]:
    """Return scores that are sums of the weights of the words."""
    return [[0.0, sum(WEIGHTS[word] for word in str(text).split())] for text in texts]


ADDITIVE = FunctionClassifier(additive, ["no", "yes"], name="additive", output="scores")


def explained(
    model: TextClassifier, method: str | Explainer, texts: Sequence[Text] = TEXTS
) -> list[tuple[Question, Attribution]]:
    """Return questions and their attributions, for the second label."""
    found = attribute(model, list(texts), method=method, target=1)
    posed = ask(Engine(model), list(texts), Setting.of(model), [1] * len(texts))
    assert all(isinstance(question, Question) for question in posed)
    return list(zip(posed, found, strict=True))  # type: ignore[arg-type]


def answered(reading: Reading) -> Answer:
    assert reading.verdict is not None
    return reading.verdict.answer


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
    found, coalitions = asked(infidelity(phi, rng(seed)), v)
    if found is None:
        assert np.ptp(v(coalitions)) == 0
    else:
        assert found.own == pytest.approx(slow_infidelity(phi, v, coalitions[1:]), abs=1e-9)


def test_infidelity_is_that_of_captum() -> None:
    v = table_game(rng(1).normal(size=2**6))
    phi = rng(2).normal(size=6)
    found, coalitions = asked(infidelity(phi.tolist(), rng(3)), v)
    assert found is not None
    removed = torch.tensor(~coalitions[1:]).double()

    def perturb(inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return removed, inputs - removed

    (theirs,) = captum_infidelity(
        lambda kept: torch.tensor(v(kept.numpy() > 0.5)),
        perturb,
        torch.ones(1, 6).double(),
        torch.tensor(phi)[None],
        n_perturb_samples=len(removed),
        normalize=True,
    )
    changes = v(coalitions[:1]) - v(coalitions[1:])
    assert found.own * np.mean(changes**2) == pytest.approx(float(theirs))


@examples(20)
@given(
    phi=st.lists(st.integers(-20, 20), min_size=2, max_size=6).filter(any),
    scale=st.sampled_from([1.0, -0.5, 1e3]),
)
def test_exact_values_of_an_additive_game_have_no_infidelity(phi: list[int], scale: float) -> None:
    found = play(infidelity([scale * p for p in phi], rng()), lambda kept: kept @ np.array(phi) + 7)
    assert found is not None
    assert found.own == pytest.approx(0, abs=1e-9)
    if len(set(phi)) > 1:
        assert (found.random >= -1e-9).all()
        assert found.random.mean() > 0


def test_a_game_that_never_changes_has_no_infidelity_to_measure() -> None:
    assert play(infidelity([1.0, 2.0], rng()), lambda kept: np.ones(len(kept))) is None


def test_values_of_zero_leave_all_of_the_change_unexplained() -> None:
    found = play(infidelity([0.0, 0.0], rng()), lambda kept: kept @ np.array([1.0, 2.0]))
    assert found is not None
    assert found.own == 1


def test_infidelity_costs_nothing_after_faithfulness() -> None:
    engine, masker = Engine(ADDITIVE), Setting.of(ADDITIVE).masker
    given_ = [a for _, a in explained(ADDITIVE, "occlusion")]
    faithfulness(engine, given_, masker, 0)
    before = engine.evaluations
    found = infidelities(engine, given_, masker, 0)
    assert engine.evaluations == before > 0
    assert [one.own for one in found if isinstance(one, Infidelity)] == pytest.approx([0] * 8)


@pytest.mark.parametrize(("method", "better"), [("shap", True), ("random", False)])
def test_only_random_values_foretell_removals_no_better_than_random(
    method: str, better: bool
) -> None:
    engine, masker = Engine(ADDITIVE), Setting.of(ADDITIVE).masker
    given_ = [a for _, a in explained(ADDITIVE, method)]
    fits = infidelities(engine, given_, masker, 0)
    reading = infidelity_reading([f for f in fits if isinstance(f, Infidelity)])
    assert (answered(reading) == "passed") is better
    ranks = faithfulness(engine, given_, masker, 0)
    readings = faithfulness_readings([f for f in ranks if isinstance(f, Faithfulness)], "log_odds")
    assert [answered(reading) == "passed" for reading in readings] == [better, better]


def test_random_erasures_are_the_same_for_both_measures() -> None:
    v = table_game(rng(4).normal(size=2**5))
    _, by_ranking = asked(erasure([5.0, 4.0, 3.0, 2.0, 1.0], rng(9)), v)
    _, by_fit = asked(infidelity([5.0, 4.0, 3.0, 2.0, 1.0], rng(9)), v)
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
    found = compared(one, other)
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
    assert compared(one, attribution(spans=spans[2:], values=(1.0, 2.0, 3.0), **text)) is None


def test_exact_values_are_stable_and_random_ones_are_not() -> None:
    setting = Setting.of(ADDITIVE)
    engine = Engine(ADDITIVE)
    exact = stability(engine, explained(ADDITIVE, "shap"), make_explainer("shap"), setting)
    assert exact.varied == "seeds"
    assert exact.taus == pytest.approx((1.0,) * 8)
    assert exact.overlaps == (1.0,) * 8
    assert [answered(r) for r in stability_readings(exact)[:1]] == ["passed"]
    null = stability(engine, explained(ADDITIVE, "random"), make_explainer("random"), setting)
    tau, overlap = stability_readings(null)
    assert answered(tau) != "passed"
    assert abs(value(tau.measure)) < 0.4
    assert overlap.verdict is None


def test_integrated_gradients_are_asked_again_from_two_other_baselines() -> None:
    model = explain.load(DEMO / "model")
    texts: list[Text] = ["I forgot my password again!", "please cancel my plan and refund me"]
    method = make_explainer("integrated_gradients")
    engine = Engine(model)
    found = stability(engine, explained(model, method, texts), method, Setting.of(model))
    assert found.varied == "baselines"
    assert engine.gradients >= 2 * 2 * 16
    for number, text in enumerate(texts):
        runs = [
            attribute(model, text, method="integrated_gradients", target=1, baseline=baseline)
            for baseline in ("mask", "pad", "mean")
        ]
        taus = [kendalltau(a.values, b.values).statistic for a, b in combinations(runs, 2)]
        assert found.taus[number] == pytest.approx(np.mean(taus))


@pytest.mark.parametrize(
    ("taus", "expected"),
    [
        ([0.4] * 8, "flagged"),
        ([0.6] * 8, "passed"),
        ([0.6] * 7 + [0.4], "too few"),
        ([1.0] * 5, "too few"),
        ([], "not measured"),
    ],
)
def test_stability_is_judged_by_the_interval_of_its_median(
    taus: list[float], expected: str
) -> None:
    found = Stability("seeds", tuple(taus), (0.5,) * len(taus))
    assert answered(stability_readings(found)[0]) == expected


@pytest.mark.parametrize("n", [6, 8, 9, 20])
def test_the_interval_of_a_median_holds_it_in_95_percent_of_samples(n: int) -> None:
    hits = 0
    for seed in range(400):
        drawn = rng(seed).exponential(size=n)
        measure = stability_readings(Stability("seeds", tuple(drawn), (0.5,) * n))[0].measure
        assert measure is not None
        assert measure.lower is not None
        assert measure.upper is not None
        hits += measure.lower <= np.log(2) <= measure.upper
    assert hits >= 0.93 * 400


# ── Max-sensitivity ───────────────────────────────────────────────────────────────────────────────


def test_max_sensitivity_is_that_of_captum() -> None:
    model = lstm()
    module: Any = model.module
    text = "a good film , really good"
    ((question, own),) = explained(model, "gradient_x_input", [text])
    measured = max_sensitivities(
        Engine(model), [(question, own)], make_explainer("gradient_x_input"), Setting.of(model)
    )
    assert not isinstance(measured, str)
    (found,) = measured
    ids = torch.tensor([[number for number, _, _ in tokenize(text)]])
    vectors = model.embedding(ids).detach()

    @torch.enable_grad()
    def explanation(given_: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        inputs = given_[0].detach().requires_grad_()
        states, _ = module.rnn(inputs)
        scores = module.head(torch.cat([states[:, -1, :6], states[:, 0, 6:]], dim=1))
        others = torch.logsumexp(scores[:, [0, 2]], dim=1)
        (gradient,) = torch.autograd.grad((scores[:, 1] - others).sum(), inputs)
        return ((gradient * inputs).sum(-1),)

    def perturb(inputs: torch.Tensor, radius: float) -> tuple[torch.Tensor]:
        uniform = torch.rand(inputs.shape, generator=torch.Generator().manual_seed(0))
        size = radius * float(vectors.pow(2).mean()) ** 0.5
        return (inputs + size * (2 * uniform - 1),)

    (theirs,) = captum_sensitivity(
        explanation, vectors, perturb, perturb_radius=RADIUS, n_perturb_samples=MOVES
    )
    assert found.own == pytest.approx(float(theirs), rel=1e-3)
    assert found.own < 0.5 < found.random


class Bag(torch.nn.Module):
    """A linear model of the sum of the vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(len(WORDS), 8)
        self.head = torch.nn.Linear(8, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.head(self.embedding(ids).sum(dim=1))
        return scores


def bag() -> TorchClassifier:
    torch.manual_seed(0)
    module = Bag()
    return TorchClassifier(module, tokenize, module.embedding, ["no", "yes"])


def test_gradients_of_a_linear_model_do_not_move() -> None:
    model = bag()
    texts: list[Text] = ["a good film", "a bad film , really"]
    method = make_explainer("gradient_l2")
    found = max_sensitivities(
        Engine(model), explained(model, method, texts), method, Setting.of(model)
    )
    assert not isinstance(found, str)
    assert [one.own for one in found] == pytest.approx([0, 0], abs=1e-5)


def test_vectors_are_moved_within_the_ball_and_baselines_stay() -> None:
    model = bag()
    (layer,) = model.embeddings
    ids = torch.tensor([[2, 3, 4], [3, 3, 3]])
    before, alone = layer(ids), layer(ids[:, :1])
    with nudged(model, seed=3):
        after, again = layer(ids), layer(ids)
        assert torch.equal(layer(ids[:, :1]), alone)
    moves = (after - before).abs().amax(dim=(1, 2)) / before.pow(2).mean(dim=(1, 2)).sqrt()
    assert ((moves > 0.8 * RADIUS) & (moves <= RADIUS * 1.001)).all()
    assert not torch.equal(after, again)
    assert torch.equal(layer(ids), before)


@pytest.mark.parametrize("name", ["BERT", "GPT-2", "BART", "T5"])
def test_max_sensitivity_is_measured_on_other_architectures(name: str) -> None:
    (model,) = [a.classifier() for a in ARCHITECTURES if a.name == name]
    method = make_explainer("gradient_x_input")
    given_ = explained(model, method, ["a good film , really good"])
    found = max_sensitivities(Engine(model), given_, method, Setting.of(model))
    assert not isinstance(found, str)
    assert 0 < found[0].own < 1
    assert explained(model, method, ["a good film , really good"])[0][1] == given_[0][1]


def test_methods_that_see_texts_have_no_max_sensitivity() -> None:
    for method in ("shap", "random"):
        given_ = explained(ADDITIVE, method, TEXTS[:1])
        found = max_sensitivities(
            Engine(ADDITIVE), given_, make_explainer(method), Setting.of(ADDITIVE)
        )
        reading = sensitivity_reading(method, found)
        assert reading.measure is None
        assert answered(reading) == "not measured"
        assert reading.verdict is not None
        assert "cannot be moved a little" in reading.verdict.sentence


def test_random_values_are_as_sensitive_as_random() -> None:
    def found(seed: int, noise: float) -> Sensitivity:
        own = rng(seed).normal(size=8)
        moved = noise * rng(seed + 100).normal(size=(MOVES, 8)) + (1 - noise) * own
        one = max_sensitivity(own.tolist(), moved.tolist(), rng(seed + 200))
        assert one is not None
        return one

    assert answered(sensitivity_reading("x", [found(seed, 1.0) for seed in range(40)])) == "flagged"
    assert answered(sensitivity_reading("x", [found(seed, 0.1) for seed in range(8)])) == "passed"
    assert answered(sensitivity_reading("x", [found(seed, 0.1) for seed in range(4)])) == "too few"
    assert max_sensitivity([0.0, 0.0], [[1.0, 0.0]], rng()) is None


# ── Parameter randomisation ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["BERT", "GPT-2", "T5", "own module"])
def test_a_randomised_copy_has_the_same_numbers_elsewhere(name: str) -> None:
    model: Any = lstm() if name == "own module" else None
    if model is None:
        (model,) = [a.classifier() for a in ARCHITECTURES if a.name == name]
    texts: list[Text] = ["a good film , really good", "a bad film"]
    before = model.predict(texts)
    twin, again = randomised(model, 5), randomised(model, 5)
    assert (model.predict(texts) == before).all()
    assert not np.allclose(twin.predict(texts), before)
    assert (twin.predict(texts) == again.predict(texts)).all()
    assert isinstance(twin, GradientClassifier)
    for mine, theirs in zip(model.network.parameters(), twin.network.parameters(), strict=True):
        assert torch.equal(mine.flatten().sort()[0], theirs.flatten().sort()[0])
    moved = attribute(twin, texts[0], method="integrated_gradients", target=0)
    assert moved.full_value == pytest.approx(attribute(again, texts[0], target=0).full_value)


def test_a_model_without_known_parameters_is_said() -> None:
    with pytest.raises(CapabilityError, match="no parameters"):
        randomised(ADDITIVE, 0)
    reading = randomisation_reading("additive shows no parameters")
    assert (reading.measure, answered(reading)) == (None, "not measured")


def test_a_module_that_cannot_be_copied_is_said() -> None:
    model = bag()
    model.module.cache = model.embedding(torch.tensor([1]))  # No leaf of the graph.
    with pytest.raises(CapabilityError, match="cannot be copied"):
        randomised(model, 0)


def test_a_method_that_explains_the_text_resembles_itself() -> None:
    model = lstm()
    texts: list[Text] = [
        "a good film , really good",
        "really bad , a bad film",
        "the payment failed",
    ]
    twin = Engine(randomised(model, 0))
    own = [a for _, a in explained(model, "random", texts)]
    found = resemblances(twin, make_explainer("random"), own, Setting.of(model))
    assert not isinstance(found, str)
    assert [tau for tau, _ in found] == pytest.approx([1.0] * 3)
    assert [n for _, n in found] == [6, 6, 3]
    assert answered(randomisation_reading([*found, *found])) == "flagged"
    assert answered(randomisation_reading(found)) == "too few"


def test_few_features_resemble_each_other_by_chance() -> None:
    short, long = [(1 / 3, 3)] * 6, [(1 / 3, 30)] * 6
    assert answered(randomisation_reading(short)) == "passed"
    assert answered(randomisation_reading(long)) == "flagged"
    assert answered(randomisation_reading([(-0.3, 30)] * 6)) == "flagged"
    assert answered(randomisation_reading([(0.19, 300)] * 6)) == "passed"


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
        methods=(one, other), target="x", tau=tau, null_upper=upper, overlap=0.5, top=2
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([agreement("shap", "lime", 0.9)] * 8, "passed"),
        ([agreement("lime", "shap", 0.3)] * 16, "flagged"),
        ([agreement("lime", "shap", 0.3)] * 8, "too few"),
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
    assert answered(agreement_reading("shap", found)) == expected


def opposed(one: str, other: str, n_disputed: int, n: int) -> list[Agreement]:
    disputed = agreement(one, other, 0.1).model_copy(update={"disputed": (0,)})
    return [disputed] * n_disputed + [agreement(one, other, 0.1)] * (n - n_disputed)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (opposed("shap", "ig", 8, 10), "flagged"),
        (opposed("shap", "ig", 4, 10), "too few"),
        (opposed("shap", "ig", 0, 20), "passed"),
        (opposed("shap", "lime", 0, 20) + opposed("ig", "shap", 16, 20), "flagged"),
        (opposed("shap", "random", 16, 20), "not measured"),
        (opposed("shap", "poor", 16, 20), "not measured"),
        (opposed("shap", "gradient_l2", 0, 20), "not measured"),
    ],
)
def test_opposite_signs_at_the_top_count_for_both(found: list[Agreement], expected: str) -> None:
    shares = disputes(found)
    assert answered(dispute_reading("shap", shares, {"poor"})) == expected
    if expected == "flagged":
        assert answered(dispute_reading("ig", shares, {"poor"})) == "flagged"


# ── Plausibility ──────────────────────────────────────────────────────────────────────────────────

SPANS = tuple(Span(0, i, i + 1) for i in range(6))


def marked(values: Sequence[float], label: str = "negative") -> Attribution:
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
    found = plausibility({"a": Rationale(None, [Span(0, 0, size)])}, [("a", marked(values))])
    assert found.auprc == pytest.approx((slow_auprc(values, inside),))
    top = sorted(range(6), key=lambda i: -values[i])[:size]
    assert found.f1 == pytest.approx((sum(inside[i] for i in top) / size,))
    assert found.chance_auprc == pytest.approx((size / 6,))
    assert found.chance_f1 == pytest.approx((size / 6,))


def test_as_many_features_count_as_the_mean_rationale_has() -> None:
    found = plausibility(
        {"a": Rationale(None, [Span(0, 0, 1)]), "b": Rationale(None, [Span(0, 0, 3)])},
        [("a", marked([6, 5, 4, 3, 2, 1])), ("b", marked([6, 5, 1, 2, 4, 3]))],
    )
    assert found.f1 == pytest.approx((2 * 1 / 3, 2 * 2 / 5))


def test_random_values_reach_what_chance_says() -> None:
    orders = list(permutations([-2.0, -1.0, 1.0, 2.0, 3.0]))
    rationales = {"a": Rationale(None, SPANS[:2]), "b": Rationale(None, SPANS[:3])}
    found = plausibility(
        rationales, [(name, marked(order)) for order in orders for name in ("a", "b")]
    )
    assert np.mean(found.f1) == pytest.approx(np.mean(found.chance_f1))


def test_only_explanations_of_the_rationales_label_count() -> None:
    rationale = Rationale(("negative",), [Span(0, 0, 2)])
    given_ = [("a", marked(range(6))), ("a", marked(range(6), "positive")), ("b", marked(range(6)))]
    assert len(plausibility({"a": rationale}, given_).auprc) == 1


def test_a_rationale_of_all_or_no_features_says_nothing() -> None:
    everything = {"a": Rationale(None, SPANS), "b": Rationale(None, ())}
    found = plausibility(everything, [("a", marked(range(6))), ("b", marked(range(6)))])
    assert found == Plausibility((), (), (), ())
    assert plausibility_readings(found) == []


def test_plausibility_is_never_graded() -> None:
    readings = plausibility_readings(Plausibility((0.1,) * 9, (0.5,) * 9, (0.0,) * 9, (0.5,) * 9))
    assert [(r.verdict, value(r.measure), value(r.against)) for r in readings] == [
        (None, pytest.approx(0.1), 0.5),
        (None, 0.0, 0.5),
    ]
