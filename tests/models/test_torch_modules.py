"""PyTorch modules of one's own score a text alike whatever its batch, and differentiate."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import explain
from explain.adapters import GradientClassifier, TorchClassifier
from explain.attribution.methods.integrated_gradients import IntegratedGradients
from explain.engine.games import target_values
from explain.errors import (
    AdapterError,
    CapabilityError,
    ConfigurationError,
    PredictionError,
)
from explain.text.spans import Span
from tests.helpers.modules import (
    LABELS,
    WORDS,
    Convolutional,
    Recurrent,
    lstm,
    tokenize,
    wrap_module,
)

TEXTS = [
    "a good film , really good",
    "bad",
    "",
    "the payment failed again !",
    "really\r\nbad 👍 film .",
    "a bad film",
    "unknown words",
]


def gru(task: str = "single_label", **options: Any) -> TorchClassifier:
    return wrap_module(Recurrent(nn.GRU, len(LABELS[task])), task, **options)


def cnn(task: str = "single_label", **options: Any) -> TorchClassifier:
    return wrap_module(Convolutional(len(LABELS[task])), task, min_length=3, **options)


Make = Callable[..., TorchClassifier]
every_kind = pytest.mark.parametrize("make", [lstm, gru, cnn])


@every_kind
@pytest.mark.parametrize("budget", [1, 12, 100_000])
def test_a_batch_of_k_equals_k_singles_within_1e5(make: Make, budget: int) -> None:
    model = make()
    model.token_budget = budget
    together = model.predict(TEXTS * 2)
    alone = np.vstack([model.predict([text]) for text in TEXTS * 2])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.ptp(alone[:, 0]) > 0.1


@every_kind
def test_the_scores_are_those_of_the_module(make: Make) -> None:
    model = make()
    ids = torch.tensor([[number for number, _, _ in tokenize(TEXTS[0])]])
    with torch.inference_mode():
        expected = model.module(ids).double().numpy()
    np.testing.assert_allclose(model.predict(TEXTS[:1]), expected, atol=1e-6)


@every_kind
def test_scores_with_gradients_are_the_scores(make: Make) -> None:
    model = make()
    assert isinstance(model, GradientClassifier)
    scores = model.differentiable_scores(model.encode(TEXTS).inputs)
    np.testing.assert_allclose(scores.detach().numpy(), model.predict(TEXTS), atol=1e-5)


@every_kind
def test_gradients_equal_finite_differences(make: Make) -> None:
    model = make()
    model.module.double()
    inputs = model.encode(TEXTS).inputs
    (layer,) = model.embeddings
    vectors = layer(inputs["input_ids"]).detach().requires_grad_()

    def score(moved: Tensor) -> Tensor:
        handle = layer.register_forward_hook(lambda *_: moved)
        try:
            return model.differentiable_scores(inputs)[:, 1]
        finally:
            handle.remove()

    (gradient,) = torch.autograd.grad(score(vectors).sum(), vectors)
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        step = 1e-6 * torch.randn(vectors.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            difference = score(vectors + step) - score(vectors - step)
        expected = 2 * (gradient * step).sum(dim=(1, 2))
        torch.testing.assert_close(difference, expected, rtol=1e-4, atol=1e-10)


@every_kind
@pytest.mark.parametrize("task", list(LABELS))
def test_integrated_gradients_sum_to_what_they_explain(make: Make, task: str) -> None:
    model = make(task)
    for text, attribution in zip(
        TEXTS, explain.attribute(model, TEXTS, method="integrated_gradients"), strict=True
    ):
        total = attribution.full_value - attribution.empty_value
        assert abs(attribution.completeness_gap) <= max(0.01 * abs(total), 1e-6)
        expected = target_values(model.predict([text]), attribution.target)[0]
        assert attribution.full_value == pytest.approx(expected, abs=1e-5)
        alone = explain.attribute(model, text, method="integrated_gradients")
        np.testing.assert_allclose(attribution.values, alone.values, atol=1e-4)


@every_kind
@pytest.mark.parametrize("task", list(LABELS))
def test_shapley_values_sum_to_what_they_explain(make: Make, task: str) -> None:
    for attribution in explain.attribute(make(task), TEXTS, method="shap"):
        assert attribution.removal == "<unk>"
        assert abs(attribution.completeness_gap) < 1e-6


@pytest.mark.parametrize(
    ("task", "scale"),
    [("single_label", "log_odds"), ("multi_label", "logit"), ("regression", "value")],
)
def test_an_audit_of_each_task(task: str, scale: str) -> None:
    record = explain.audit(lstm(task), [{"text": text} for text in TEXTS], instances=2)
    explained = [i for i in record.instances if i.attributions]
    assert {a.target.scale for i in explained for a in i.attributions} == {scale}
    assert {a.method for a in explained[0].attributions} == {"shap", "lime", "integrated_gradients"}
    assert record.provenance.model.facts["architecture"] == "Recurrent"


def test_an_empty_text_is_read_as_padding() -> None:
    model = cnn()
    with torch.inference_mode():
        expected = model.module(torch.zeros((1, 3), dtype=torch.long)).double().numpy()
    np.testing.assert_allclose(model.predict([""]), expected, atol=1e-6)
    assert model.tokens([""]) == [()]
    assert model.predict([]).shape == (0, 3)


def test_a_text_over_the_limit_is_cut_and_what_was_never_read_is_said() -> None:
    model = lstm(max_length=3)
    assert model.tokens(["a good bad film !"]) == [(Span(0, 0, 1), Span(0, 2, 6), Span(0, 7, 10))]
    assert model.unread(["a good bad film !", "a"]) == [(Span(0, 11, 17),), ()]
    np.testing.assert_array_equal(
        model.predict(["a good bad film !"]), model.predict(["a good bad"])
    )
    assert lstm().unread(TEXTS) == [()] * len(TEXTS)


def test_units_can_be_the_tokens_of_the_module() -> None:
    attribution = explain.attribute(lstm(), "It's bad!", method="occlusion", unit="token")
    assert attribution.features == ("It", "'", "s", "bad", "!")


def test_gradients_start_at_the_mask_token_or_else_at_padding() -> None:
    with_mask, without = lstm(), lstm(mask_token=None)
    assert IntegratedGradients().removal(with_mask) == "embedding of the mask token"
    assert with_mask.baseline_id("mask") == 1
    assert IntegratedGradients().removal(without) == "embedding of the pad token"
    with pytest.raises(CapabilityError, match="no mask token to start from; it has: pad"):
        without.baseline_id("mask")
    assert without.special_tokens == ()
    assert explain.attribute(without, "a good film").removal == "delete"


def test_dropout_is_off_whatever_the_module_was_doing() -> None:
    model = lstm()
    np.testing.assert_array_equal(model.predict(TEXTS), model.predict(TEXTS))


def test_pairs_are_refused() -> None:
    with pytest.raises(PredictionError, match="reads one text, and a pair was given"):
        lstm().predict([("a", "b")])


@pytest.mark.parametrize("token", [(99, 0, 1), (-1, 0, 1), (1, 0, 9), (1, 1, 0), (1, 2), 3])
def test_tokens_that_make_no_sense_are_refused(token: Any) -> None:
    model = lstm()
    model.tokenize = lambda text: [token]
    with pytest.raises(PredictionError, match="tokenize function of Recurrent"):
        model.predict(["bad"])


class TimeMajor(Recurrent):
    """Transposes the ids instead of their vectors."""

    def forward(self, ids: Tensor) -> Tensor:
        states, _ = self.rnn(self.embedding(ids.T).transpose(0, 1))
        scores: Tensor = self.head(states[:, -1])
        return scores


def test_what_does_not_fit_together_is_refused() -> None:
    module = Recurrent(nn.LSTM, 3)
    with pytest.raises(PredictionError, match=r"shape \(2, 3\) for 2 texts and 2 labels"):
        TorchClassifier(module, tokenize, module.embedding, ["no", "yes"])
    with pytest.raises(CapabilityError, match="calls its embedding 0 times"):
        TorchClassifier(module, tokenize, nn.Embedding(20, 8), LABELS["single_label"])
    with pytest.raises(CapabilityError, match="transpose or cut the vectors after"):
        wrap_module(TimeMajor(nn.LSTM, 3))
    with pytest.raises(ConfigurationError, match=r"pad_id=12 is no row .* has 12"):
        wrap_module(module, pad_id=len(WORDS))
    with pytest.raises(ConfigurationError, match="'<mask>' as 3 tokens"):
        wrap_module(module, mask_token="<mask>")
    with pytest.raises(ConfigurationError, match="leave no text"):
        wrap_module(module, min_length=4, max_length=3)
    with pytest.raises(AdapterError, match="Kernel size"):
        wrap_module(Convolutional(3), min_length=1, max_length=2).predict(["a"])
