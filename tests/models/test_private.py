"""A live model and its tokenizer: what others do with them, and what they find afterwards."""

import contextlib
import pickle
import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForMaskedLM

import explain
from explain.adapters import TorchClassifier
from explain.adapters.transformers import TransformersClassifier
from explain.attribution.methods.gradients import with_hook
from explain.errors import AdapterError, ExplainError, PredictionError
from tests.helpers.modules import LABELS, WORDS, Perceptron, Recurrent, tokenize
from tests.helpers.search import examples
from tests.helpers.tiny import ARCHITECTURES, byte_tokenizer, piece_tokenizer, random_model

TEXT = "a good film , really good ! the payment failed"
TEXTS = [TEXT, "a bad film", "really bad , the film"]
OF_TEXTS = ["shap", "lime", "occlusion", "random"]
OF_GRADIENTS = [
    "gradient_x_input",
    "gradient_l2",
    "integrated_gradients",
    "gradient_shap",
    "deep_lift",
]
METHODS = [*OF_TEXTS, *OF_GRADIENTS]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Let torch sum in the same order in each call."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def bert(**options: Any) -> tuple[Any, Any]:
    """Return a live model and its tokenizer."""
    tokenizer = piece_tokenizer()
    return random_model("bert", tokenizer, max_position_embeddings=64, **options), tokenizer


class Net(nn.Module):
    """A module with what a user may change: weights, buffers, settings, dropout, hooks."""

    def __init__(self, *, forward: str = "tensor") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(len(WORDS), 4)
        self.drop = nn.Dropout(0.5)
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 3)
        self.temperature = 1.0
        self.signs = [1, 1]
        self.returns = forward

    def forward(self, ids: Tensor) -> Any:
        mean = self.signs[0] * self.norm(self.drop(torch.tanh(self.embedding(ids).mean(dim=1))))
        scores = self.head(mean) / self.temperature
        return {"tensor": scores, "tuple": (scores, ids), "dict": {"logits": scores}}[self.returns]


def classifier(module: Any) -> TorchClassifier:
    return TorchClassifier(
        module, tokenize, module.embedding, LABELS["single_label"], mask_token="<unk>"
    )


KINDS: dict[str, Callable[[], Any]] = {
    "module": lambda: classifier(Net()),
    "LSTM": lambda: classifier(Recurrent(nn.LSTM, 3)),
    "activations": lambda: classifier(Perceptron(shared=False)),
    "BERT": lambda: TransformersClassifier(*bert()),
}
"""Classifiers of live modules."""

each_kind = pytest.mark.parametrize("kind", KINDS)


def module_of(model: Any) -> nn.Module:
    module: nn.Module = model.model if isinstance(model, TransformersClassifier) else model.module
    return module


# ── Several threads ───────────────────────────────────────────────────────────────────────────────


def test_eight_threads_and_the_users_own_calls_do_not_see_each_other() -> None:
    model, tokenizer = bert()
    wrapped: Any = explain.wrap((model, tokenizer))
    encoded = [tokenizer(text, return_tensors="pt") for text in TEXTS]
    options: list[dict[str, Any]] = [
        {"truncation": True, "max_length": 4},
        {"padding": "max_length", "max_length": 12},
        {"truncation": True, "max_length": 6, "return_overflowing_tokens": True, "stride": 1},
        {},
    ]

    def answer(number: int) -> Any:
        with torch.no_grad():
            scores = model(**encoded[number % len(encoded)]).logits.tolist()
        return scores, tokenizer(TEXT, **options[number % len(options)])["input_ids"]

    def explained(method: str) -> Any:
        found = explain.attribute(wrapped, TEXT, method=method)
        return found.values, found.standard_errors, found.full_value, found.empty_value

    long = " ".join(["film"] * 100)
    expected = {method: explained(method) for method in METHODS}
    unread = wrapped.unread([long])
    answers = [answer(number) for number in range(12)]
    wrong: list[object] = []

    def asks() -> None:
        wrong.extend(n for n in range(2_000) if answer(n) != answers[n % 12])

    own = threading.Thread(target=asks)
    with ThreadPoolExecutor(8) as pool:
        own.start()
        found = list(pool.map(explained, METHODS * 4))
        cut = list(pool.map(wrapped.unread, [[long], [TEXT]] * 50))
    own.join()
    assert wrong == []
    assert found == [expected[method] for method in METHODS * 4]
    assert cut == [unread, [()]] * 50


@pytest.mark.parametrize("method", OF_GRADIENTS)
@pytest.mark.parametrize("kind", ["module", "LSTM", "activations"])
def test_modules_of_ones_own_are_explained_alike_in_several_threads(kind: str, method: str) -> None:
    model = KINDS[kind]()
    texts = [f"a {w} film" for w in ("good", "bad", "payment")]

    def values(text: str) -> Any:
        return explain.attribute(model, text, method=method).values

    expected = list(map(values, texts))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(values, texts * 4)) == expected * 4


def test_training_beside_explanations_is_what_it_is_alone() -> None:
    def train_step(module: Net) -> list[Any]:
        torch.manual_seed(1)
        module.train()
        for _ in range(150):
            step(module, rate=0.001)
        return [value.tolist() for value in module.state_dict().values()]

    alone, module = train_step(Net()), Net()
    model, done = classifier(module), threading.Event()

    def explains() -> None:
        while not done.is_set():
            for method in METHODS:
                # Weights that change between forward and backward are an error of torch.
                with contextlib.suppress(PredictionError):
                    explain.attribute(model, "a good film", method=method, target=0)

    with ThreadPoolExecutor(3) as pool:
        explaining = [pool.submit(explains) for _ in range(3)]
        beside = train_step(module)
        done.set()
    assert [future.exception() for future in explaining] == [None] * 3
    assert beside == alone


def test_a_module_that_keeps_what_it_saw_is_explained_alike_in_several_threads() -> None:
    class Keeps(Net):
        def forward(self, ids: Tensor) -> Any:
            self.ids = ids
            threading.Event().wait(0.001)
            return super().forward(self.ids)

    model = classifier(Keeps())
    expected = [model.predict([text]).tolist() for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda t: model.predict([t]).tolist(), TEXTS * 5)) == expected * 5


def test_what_is_cut_and_what_is_not_are_told_apart_in_several_threads() -> None:
    wrapped: Any = explain.wrap(bert())
    texts = ["film " * n for n in (3, 70, 5, 90)]
    expected = [wrapped.unread([text]) for text in texts]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: wrapped.unread([text]), texts * 100))
    sys.setswitchinterval(before)
    assert found == expected * 100


def test_the_copy_of_a_thread_is_in_evaluation_mode_at_each_use() -> None:
    model = classifier(Net())
    expected = model.predict(TEXTS)
    model.network.train()
    np.testing.assert_array_equal(model.predict(TEXTS), expected)
    model.network.train()
    assert model.encode(TEXTS) is not None
    assert not model.network.training


def test_a_hook_is_of_the_thread_that_set_it() -> None:
    layer, ids = nn.Embedding(3, 2), torch.tensor([1])
    with with_hook([layer], lambda *_: torch.zeros(1, 2)), ThreadPoolExecutor(1) as pool:
        assert not layer(ids).any()
        assert torch.equal(pool.submit(layer, ids).result(), layer.weight[1:2])


# ── What the user finds afterwards ────────────────────────────────────────────────────────────────


def state(module: nn.Module) -> list[object]:
    """Return all that could have been changed, random streams included."""
    layers = [
        [
            (key, sorted(value) if isinstance(value, dict) else repr(value))
            for key, value in vars(layer).items()
            if key not in ("_parameters", "_buffers", "_modules", "config", "generation_config")
        ]
        for layer in module.modules()
    ]
    weights = [
        (name, p.requires_grad, p.grad, p.dtype, p.detach().tolist())
        for name, p in module.named_parameters()
    ]
    buffers = [(name, buffer.tolist()) for name, buffer in module.named_buffers()]
    configs = [repr(layer.config) for layer in module.modules() if hasattr(layer, "config")]
    streams = (
        pickle.dumps(np.random.get_state()),
        torch.get_rng_state().tolist(),
        random.getstate(),
    )
    return [layers, weights, buffers, configs, streams, torch.is_grad_enabled()]


@each_kind
@pytest.mark.parametrize("fails", [None, PredictionError, KeyboardInterrupt])
def test_nothing_of_a_module_is_changed(kind: str, fails: type[BaseException] | None) -> None:
    model = KINDS[kind]()
    module = module_of(model)
    module.train()
    list(module.children())[-1].eval()
    for parameter in list(module.parameters())[:1]:
        parameter.requires_grad_(False)
    calls = 0

    def fail(*_: object) -> None:
        nonlocal calls
        calls += 1
        if fails is not None and calls == 3:
            raise fails

    handle = module.register_forward_hook(fail)
    before = state(module)
    for method in METHODS:
        calls = 0
        try:
            explain.attribute(model, TEXT, method=method)
        except (ExplainError, KeyboardInterrupt):
            assert fails is not None
        assert state(module) == before
    handle.remove()


def test_nothing_of_a_tokenizer_is_changed() -> None:
    model, tokenizer = bert()
    tokenizer.padding_side = "left"
    tokenizer("a", padding="max_length", max_length=7, truncation=True)
    backend = tokenizer.backend_tokenizer
    before = backend.truncation, backend.padding, dict(vars(tokenizer)), len(tokenizer)
    wrapped: Any = explain.wrap((model, tokenizer))
    explain.attribute(wrapped, [*TEXTS, "film " * 100])
    wrapped.unread(["film " * 100])
    after = backend.truncation, backend.padding, dict(vars(tokenizer)), len(tokenizer)
    assert before == after


def test_a_padding_token_is_borrowed_in_private() -> None:
    (made,) = [a for a in ARCHITECTURES if a.name == "GPT-2"]
    tokenizer = made.tokenizer()
    model = random_model("gpt2", tokenizer, **made.options)
    model.config.pad_token_id = None
    alone = [TransformersClassifier(model, tokenizer).predict([text])[0] for text in TEXTS]
    together = TransformersClassifier(model, tokenizer).predict(TEXTS)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert model.config.pad_token_id is None


# ── What the user changes is seen ─────────────────────────────────────────────────────────────────

Change = Callable[[Net], object]


def step(module: Net, rate: float = 0.5) -> None:
    optimizer = torch.optim.SGD(module.parameters(), lr=rate)
    module(torch.tensor([[2, 3], [4, 5]])).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def replace_weight(module: Net) -> None:
    module.head.weight = nn.Parameter(2 * module.head.weight.detach())


def load(module: Net, assign: bool) -> None:
    state_dict = {k: v + 1 if v.is_floating_point() else v for k, v in module.state_dict().items()}
    module.load_state_dict(state_dict, assign=assign)


CHANGES: dict[str, Change] = {
    "train": lambda module: module.train(),
    "eval": lambda module: module.eval(),
    "freeze a layer": lambda module: module.norm.eval(),
    "train a step": step,
    "replace a parameter": replace_weight,
    "load weights": partial(load, assign=False),
    "load other tensors": partial(load, assign=True),
    "double": lambda module: module.double(),
    "float": lambda module: module.float(),
    "change a buffer": lambda module: module.norm.get_buffer("running_mean").add_(1),
    "temperature": lambda module: setattr(module, "temperature", module.temperature + 1),
    "a list": lambda module: module.signs.__setitem__(0, -module.signs[0]),
    "hook": lambda module: module.head.register_forward_hook(lambda *call: call[2] + 1),
    "hook before": lambda module: module.head.register_forward_pre_hook(
        lambda _, args, kwargs: ((args[0] + 1,), kwargs), with_kwargs=True
    ),
    "no hooks": lambda module: [
        vars(module.head)[kind].clear()
        for kind in ("_forward_hooks", "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs")
    ],
}


@examples(40)
@given(st.lists(st.sampled_from(sorted(CHANGES)), max_size=6))
@example(["hook", "hook before", "no hooks"])
@example(["temperature", "a list", "replace a parameter", "train"])
def test_a_changed_module_is_explained_as_it_is_now(changes: list[str]) -> None:
    module = Net()
    model = classifier(module)
    for name in changes:
        CHANGES[name](module)
        now = deepcopy(module).eval()
        np.testing.assert_array_equal(model.predict(TEXTS), classifier(now).predict(TEXTS))
    for method in ("gradient_x_input", "deep_lift"):
        found, expected = (
            explain.attribute(m, TEXT, method=method) for m in (model, classifier(module))
        )
        assert found.values == expected.values


def test_weights_of_recurrent_layers_may_be_replaced_and_moved() -> None:
    module = Recurrent(nn.LSTM, 3).eval()
    model = classifier(module)
    before = model.predict(TEXTS)
    weight = module.rnn.get_parameter("weight_hh_l0")
    for change in (
        lambda: module.double(),
        lambda: setattr(module.rnn, "weight_hh_l0", nn.Parameter(3 * weight.detach())),
    ):
        change()
        np.testing.assert_array_equal(model.predict(TEXTS), classifier(module).predict(TEXTS))
    assert abs(model.predict(TEXTS) - before).max() > 1e-3


@pytest.mark.parametrize("name", ["BERT", "T5", "GPT-2"])
def test_a_transformer_follows_its_weights(name: str) -> None:
    (made,) = [a for a in ARCHITECTURES if a.name == name]
    model = made.classifier()
    module: Any = model.model
    before = model.predict(TEXTS)
    module.train()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1.1)
    module.get_input_embeddings().weight = nn.Parameter(
        1.1 * module.get_input_embeddings().weight.detach()
    )
    expected = TransformersClassifier(deepcopy(module), model.tokenizer)
    np.testing.assert_array_equal(model.predict(TEXTS), expected.predict(TEXTS))
    assert abs(model.predict(TEXTS) - before).max() > 1e-4
    assert (
        explain.attribute(model, TEXT, method="integrated_gradients").values
        == explain.attribute(expected, TEXT, method="integrated_gradients").values
    )


class Lora(nn.Linear):
    """A layer in the manner of LoRA that merges its weights when it is put into evaluation mode."""

    def __init__(self) -> None:
        super().__init__(4, 3)
        self.update, self.merged = nn.Parameter(torch.ones(3, 4)), False

    def train(self, mode: bool = True) -> "Lora":
        if mode == self.merged:
            self.weight.data += -self.update.data if self.merged else self.update.data
            self.merged = not self.merged
        super().train(mode)
        return self

    def forward(self, vectors: Tensor) -> Tensor:
        own = super().forward(vectors)
        return own if self.merged else own + vectors @ self.update.T


def test_weights_that_merge_with_the_mode_are_counted_once() -> None:
    module = Net()
    module.head = Lora()
    weight = module.head.weight.detach().clone()
    model = classifier(module)
    before = model.predict(TEXTS)
    assert torch.equal(module.head.weight, weight)
    for change in (module.eval, module.train, module.eval):
        change()
        np.testing.assert_allclose(model.predict(TEXTS), before, atol=1e-5)


def test_a_replaced_layer_is_refused() -> None:
    module = Net()
    model = classifier(module)
    module.head = nn.Linear(4, 3)
    with pytest.raises(PredictionError, match=r"layers of Net were replaced .*; wrap it again"):
        model.predict(TEXTS)
    with pytest.raises(PredictionError, match="wrap it again"):
        explain.attribute(model, TEXT, method="gradient_x_input", target=0)


def test_a_tokenizer_cuts_where_its_user_says_and_new_tokens_are_refused() -> None:
    model, tokenizer = bert()
    wrapped: Any = explain.wrap((model, tokenizer))
    text = "good " * 80 + "bad"
    assert wrapped.unread([text])[0][0].end == len(text)
    tokenizer.truncation_side = "left"
    assert wrapped.unread([text])[0][0].start == 0
    tokenizer.add_tokens(["stunning"])
    with pytest.raises(PredictionError, match=r"has 50 tokens, and had 49 .*; wrap it again"):
        wrapped.predict(TEXTS)


@each_kind
def test_a_classifier_can_be_pickled(kind: str) -> None:
    model = KINDS[kind]()
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(again.predict(TEXTS), model.predict(TEXTS), atol=1e-6)
    with torch.no_grad():
        for parameter in module_of(again).parameters():
            parameter.mul_(2)
    assert not np.allclose(again.predict(TEXTS), model.predict(TEXTS))


# ── What cannot be copied is refused ──────────────────────────────────────────────────────────────


def test_a_module_that_cannot_be_copied_is_refused() -> None:
    module: Any = Net()
    module.lock = threading.Lock()
    with pytest.raises(AdapterError, match=r"Net cannot be copied \(TypeError: .*wrap a function"):
        classifier(module)


def test_a_forward_that_calls_the_module_itself_is_refused() -> None:
    module: Any = Net()
    original = module.forward
    module.forward = lambda ids: original(ids)
    with pytest.raises(AdapterError, match=r"calls a .* that is not copied with it"):
        classifier(module)
    model, tokenizer = bert()
    own = model.forward
    model.forward = partial(type(model).forward, model)
    assert TransformersClassifier(model, tokenizer).predict(TEXTS).shape == (3, 2)
    model.forward = lambda **inputs: own(**inputs)
    with pytest.raises(AdapterError, match="wrap a function"):
        TransformersClassifier(model, tokenizer)


def test_a_tokenizer_that_cannot_be_copied_is_refused() -> None:
    model, tokenizer = bert()
    tokenizer.lock = threading.Lock()
    with pytest.raises(AdapterError, match="the tokenizer of BertForSequenceClassification cannot"):
        explain.wrap((model, tokenizer))


# ── What a model returns ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("made", ARCHITECTURES, ids=lambda made: made.name)
def test_scores_do_not_depend_on_return_dict(made: Any) -> None:
    model = made.classifier()
    model.model.config.return_dict = False
    other = TransformersClassifier(model.model, model.tokenizer)
    np.testing.assert_array_equal(other.predict(TEXTS), model.predict(TEXTS))
    found = explain.attribute(other, TEXT, method="gradient_x_input")
    assert found.values == explain.attribute(model, TEXT, method="gradient_x_input").values
    assert model.model.config.return_dict is False


@pytest.mark.parametrize(
    ("head", "kind", "seen"),
    [
        (AutoModel, "bert", "BertModel returns a .* without logits: it has no classification head"),
        (AutoModel, "roberta", "load it with AutoModelForSequenceClassification"),
        (AutoModelForMaskedLM, "roberta", "returned scores of shape"),
    ],
)
def test_a_model_without_a_classification_head_is_refused(head: Any, kind: str, seen: str) -> None:
    tokenizer = piece_tokenizer() if kind == "bert" else byte_tokenizer(mask=True)
    model = random_model(kind, tokenizer, head, max_position_embeddings=66)
    with pytest.raises(ExplainError, match=seen) as refused:
        explain.wrap((model, tokenizer))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("returned", ["tuple", "dict"])
def test_a_module_that_returns_no_tensor_is_refused(returned: str) -> None:
    with pytest.raises(AdapterError, match=f"Net returned a {returned}, expected one tensor"):
        classifier(Net(forward=returned))
