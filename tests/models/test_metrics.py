"""Metrics that ask a module: they are captum's, and tell an explanation from random values."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max as captum_sensitivity
from scipy.stats import kendalltau

import explain
from explain.adapters import GradientClassifier, TorchClassifier
from explain.attribution import AttributionSettings, attribute
from explain.attribution.methods import make_explainer
from explain.engine import Engine
from explain.errors import CapabilityError
from explain.evaluation.infidelity import infidelity
from explain.evaluation.randomisation import randomised, resemblances
from explain.evaluation.scorecard import (
    randomisation_result,
)
from explain.evaluation.sensitivity import (
    MOVES,
    RADIUS,
    max_sensitivities,
    nudged,
)
from explain.evaluation.stability import stability
from explain.record import NotMeasured
from explain.text.spans import Text
from tests.helpers.attributions import answer_of, explain_texts, rng
from tests.helpers.demo import DEMO
from tests.helpers.modules import WORDS, lstm, tokenize
from tests.helpers.plans import run_and_record, table_game
from tests.helpers.tiny import ARCHITECTURES


def test_infidelity_is_that_of_captum() -> None:
    v = table_game(rng(1).normal(size=2**6))
    phi = rng(2).normal(size=6)
    found, coalitions = run_and_record(infidelity(phi.tolist(), rng(3)), v)
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
    assert found.observed * np.mean(changes**2) == pytest.approx(float(theirs))


def test_integrated_gradients_are_asked_again_from_two_other_baselines() -> None:
    model = explain.load(DEMO / "model")
    texts: list[Text] = ["I forgot my password again!", "please cancel my plan and refund me"]
    method = make_explainer("integrated_gradients")
    engine = Engine(model)
    found = stability(
        engine, explain_texts(model, method, texts), method, AttributionSettings.of(model)
    )
    assert found.varied == "baselines"
    assert engine.gradients >= 2 * 2 * 16
    for number, text in enumerate(texts):
        runs = [
            attribute(model, text, method="integrated_gradients", target=1, baseline=baseline)
            for baseline in ("mask", "pad", "mean")
        ]
        taus = [kendalltau(a.values, b.values).statistic for a, b in combinations(runs, 2)]
        assert found.taus[number] == pytest.approx(np.mean(taus))


def test_max_sensitivity_is_that_of_captum() -> None:
    model = lstm()
    module: Any = model.module
    text = "a good film , really good"
    ((question, own),) = explain_texts(model, "gradient_x_input", [text])
    measured = max_sensitivities(
        Engine(model),
        [(question, own)],
        make_explainer("gradient_x_input"),
        AttributionSettings.of(model),
    )
    assert not isinstance(measured, NotMeasured)
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
    assert found.observed == pytest.approx(float(theirs), rel=1e-3)
    assert found.observed < 0.5 < found.random


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
        Engine(model), explain_texts(model, method, texts), method, AttributionSettings.of(model)
    )
    assert not isinstance(found, NotMeasured)
    assert [one.observed for one in found] == pytest.approx([0, 0], abs=1e-5)


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
    given_ = explain_texts(model, method, ["a good film , really good"])
    found = max_sensitivities(Engine(model), given_, method, AttributionSettings.of(model))
    assert not isinstance(found, NotMeasured)
    assert 0 < found[0].observed < 1
    assert explain_texts(model, method, ["a good film , really good"])[0][1] == given_[0][1]


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
    own = [a for _, a in explain_texts(model, "random", texts)]
    found = resemblances(twin, make_explainer("random"), own, AttributionSettings.of(model))
    assert not isinstance(found, NotMeasured)
    assert [tau for tau, _ in found] == pytest.approx([1.0] * 3)
    assert [n for _, n in found] == [6, 6, 3]
    assert answer_of(randomisation_result([*found, *found])) == "flagged"
    assert answer_of(randomisation_result(found)) == "too few"
