"""Methods of gradients are what captum says, and say how far they are off."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import explain
from explain.adapters.transformers import TransformersClassifier
from explain.attribution import AttributionSettings, make_requests
from explain.attribution.methods import (
    DeepLift,
    GradientShap,
    IntegratedGradients,
    integrated_gradients,
)
from explain.attribution.methods.base import relative_gap
from explain.engine import Engine
from explain.engine.games import AttributionRequest
from explain.errors import CapabilityError, ConfigurationError
from tests.helpers.architectures import TEXTS, build_classifier, every_architecture
from tests.helpers.modules import WORDS, Perceptron, lstm, wrap_module
from tests.helpers.reference.captum_package import layer_method_by_hand

SENTENCE = "a stunning , lyrical work ."
ONE_PASS = ["gradient_x_input", "gradient_l2", "gradient_shap", "deep_lift"]


def question(model: Any, text: str, seed: int = 0) -> AttributionRequest:
    (request,) = make_requests(Engine(model), [text], AttributionSettings.of(model, seed=seed))
    assert isinstance(request, AttributionRequest)
    return request


def test_twenty_four_sentences_close_their_gap_with_few_gradients(
    sst2: TransformersClassifier, shared: Path
) -> None:
    with (shared / "data/sst2/dev.csv").open() as file:
        texts = [row["text"] for row in csv.DictReader(file)][:24]
    found = explain.attribute(sst2, texts, method="integrated_gradients")
    for one in found:
        assert one.diagnostics.ended_by == "tolerance"
        total = one.full_value - one.empty_value
        assert abs(one.completeness_gap) <= 0.01 * abs(total)
        assert one.diagnostics.gradients == one.evaluations
    assert np.mean([one.evaluations for one in found]) <= 29
    assert min(one.evaluations for one in found) == 16


def test_gradients_are_counted_as_they_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    model = lstm()
    taken = 0
    scores = type(model).differentiable_scores

    def count_calls(self: Any, inputs: dict[str, Tensor]) -> Tensor:
        nonlocal taken
        found = scores(self, inputs)
        taken += len(found) * found.requires_grad
        return found

    monkeypatch.setattr(type(model), "differentiable_scores", count_calls)
    found = explain.attribute(
        model, "a good film , really good", method="integrated_gradients", tolerance=1e-4
    )
    assert taken == found.evaluations > 20
    steps, gradients = found.diagnostics.steps, found.diagnostics.gradients
    assert steps is not None
    assert gradients is not None
    assert steps < gradients


@pytest.mark.parametrize("budget", [2, 7, 12, 33])
def test_integrated_gradients_keep_to_their_budget(budget: int) -> None:
    found = explain.attribute(
        lstm(), "a good film", method="integrated_gradients", tolerance=1e-9, budget=budget
    )
    assert 2 <= found.evaluations <= budget
    assert found.diagnostics.ended_by == "budget"
    assert found.diagnostics.converged is False


def test_integrated_gradients_stop_when_their_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(integrated_gradients, "CLOCK", lambda: next(clock))
    found = explain.attribute(
        lstm(), "a good film", method="integrated_gradients", tolerance=1e-9, seconds=2
    )
    assert found.diagnostics.ended_by == "seconds"
    assert 20 < found.evaluations <= 60


def test_a_text_that_is_its_own_baseline_is_exact(sst2: TransformersClassifier) -> None:
    for text in ("", "[MASK]"):
        found = explain.attribute(sst2, text, method="integrated_gradients")
        assert (found.diagnostics.ended_by, found.evaluations) == ("exact", 0)
        assert found.empty_value == found.full_value
        assert not any(found.values)


def test_the_mean_baseline_is_the_mean_of_all_vectors() -> None:
    model = lstm()
    found = explain.attribute(model, "good", method="integrated_gradients", baseline="mean")
    assert found.removal == "mean embedding"
    with torch.no_grad():
        vector = model.embedding.weight.mean(dim=0)
        model.embedding.weight[WORDS.index("good")] = vector
    assert found.empty_value == pytest.approx(
        explain.attribute(model, "good", method="random", target=found.target.index).full_value,
        abs=1e-5,
    )


@pytest.mark.parametrize("method", ONE_PASS)
def test_other_methods_equal_captum_called_by_hand(
    sst2: TransformersClassifier, method: str
) -> None:
    found = explain.attribute(sst2, SENTENCE, method=method)
    seed = int(question(sst2, SENTENCE).rng().integers(2**32))
    tokens = layer_method_by_hand(
        sst2, SENTENCE, found.target.index, method, GradientShap().budget, seed
    )
    expected = [
        sum(v for start, end, v in tokens if span.start <= start < end <= span.end)
        for span in found.spans
    ]
    np.testing.assert_allclose(found.values, expected, atol=1e-5)
    assert np.ptp(expected) > 1e-3


@every_architecture
@pytest.mark.parametrize("method", ONE_PASS)
def test_every_architecture_is_explained_alike_alone_and_in_a_batch(name: str, method: str) -> None:
    together = explain.attribute(build_classifier(name), TEXTS, method=method)
    for text, one in zip(TEXTS[:2], together, strict=False):
        alone = explain.attribute(build_classifier(name), text, method=method)
        np.testing.assert_allclose(one.values, alone.values, atol=2e-4)
        assert any(one.values)


def test_gradient_shap_draws_from_its_seed_and_nothing_else() -> None:
    model = lstm()
    np.random.seed(0)
    torch.manual_seed(0)
    expected = np.random.random(2).tolist(), torch.rand(2).tolist()
    np.random.seed(0)
    torch.manual_seed(0)
    one, again, other = (
        explain.attribute(model, "a good film", method="gradient_shap", seed=s) for s in (0, 0, 1)
    )
    assert (np.random.random(2).tolist(), torch.rand(2).tolist()) == expected
    assert one.values == again.values != other.values


def test_gradient_shap_tends_to_integrated_gradients_as_its_errors_say() -> None:
    text = "a good film , really good"
    exact = explain.attribute(lstm(), text, method="integrated_gradients", tolerance=1e-4)
    found = explain.attribute(lstm(), text, method="gradient_shap", budget=2000)
    assert found.standard_errors is not None
    errors = np.array(found.standard_errors)
    off = np.abs(np.subtract(found.values, exact.values))
    assert (off <= 4 * errors + 1e-6).all()
    assert errors.max() < 0.1 * np.abs(exact.values).max()


def test_deep_lift_sums_where_every_activation_is_a_module() -> None:
    model = wrap_module(Perceptron(shared=False), "multi_label")
    model.labels = ("x", "y", "z")
    texts = ["a good film", "really bad film", "the payment failed again !"]
    for found in explain.attribute(model, texts, method="deep_lift"):
        assert found.diagnostics.complete is True
        assert abs(found.completeness_gap) <= 1e-4 * abs(found.full_value - found.empty_value)


def test_deep_lift_says_what_functions_leave_unexplained() -> None:
    model = wrap_module(Perceptron(shared=False, functional=True), "multi_label")
    found = explain.attribute(model, "a good film", method="deep_lift")
    total = found.full_value - found.empty_value
    assert found.diagnostics.complete is False
    assert found.diagnostics.relative_gap == pytest.approx(abs(found.completeness_gap / total))


def test_deep_lift_refuses_an_activation_that_is_called_twice() -> None:
    model = wrap_module(Perceptron(shared=True), "multi_label")
    with pytest.raises(CapabilityError, match="calls its Tanh 'one' 2 times"):
        explain.attribute(model, "a good film", method="deep_lift")


def test_deep_lift_needs_a_model_that_shows_its_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    model = lstm()
    monkeypatch.delattr(type(model), "network")
    assert IntegratedGradients().removal(model) == "embedding of the mask token"
    with pytest.raises(CapabilityError, match="does not show its modules"):
        DeepLift().removal(model)


def test_values_without_a_sign_have_none() -> None:
    found = explain.attribute(lstm(), "a good bad film", method="gradient_l2")
    assert min(found.values) > 0
    assert (found.efficient, found.removal) == (False, "zero embedding")


@pytest.mark.parametrize("option", [{"seconds": 0}, {"tolerance": 0}, {"baseline": "cls"}])
def test_options_out_of_range_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="cannot take"):
        explain.attribute(lstm(), "a", method="integrated_gradients", **option)


def test_a_gap_is_relative_to_what_is_explained() -> None:
    assert relative_gap(np.array([1.0, 2.0]), 4.0) == 0.25
    assert relative_gap(np.zeros(2), 0.0) == 0
