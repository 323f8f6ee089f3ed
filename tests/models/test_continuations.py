"""What prompts share is read once, and no score is another one for it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, DynamicCache, PreTrainedTokenizerFast

from explain.adapters.prompted import PromptedClassifier
from explain.adapters.prompts import common_start
from tests.helpers.reference.prompted import label_scores
from tests.helpers.search import seeds
from tests.helpers.tiny import byte_tokenizer, random_model

LIMIT = 640
RULES = "a good film , really good , and a bad film , really bad : " * 3
LONG = RULES * 7
TEMPLATE = RULES + "\nReview: {text}\nSentiment:"
ONE_TOKEN = {"no": " bad", "yes": [" good", " film"]}
SEVERAL = {"no": [" baxy", " bad", " a"], "yes": [" good", " bazz", " failed again"]}
WORDS = ["a", "good", "film", "really", "bad", "the", "payment", "failed", "again", "👍", "مرحبا"]
ROTARY = {"max_position_embeddings": LIMIT, "num_key_value_heads": 1, "head_dim": 8}
SHARING: Mapping[str, dict[str, Any]] = {
    "gpt2": {"n_positions": LIMIT, "n_inner": 32},
    "qwen3": ROTARY,
    "mistral": {**ROTARY, "sliding_window": 8},
    "gemma2": {**ROTARY, "sliding_window": 8, "initializer_range": 0.1},
    "opt": {"max_position_embeddings": LIMIT, "ffn_dim": 32, "word_embed_proj_dim": 16},
    "bloom": {"n_layer": 2, "n_head": 2},
    "gpt_neox": {"max_position_embeddings": LIMIT},
}
NOT_SHARING: Mapping[str, dict[str, Any]] = {
    "mamba": {"state_size": 4},
    "openai-gpt": {"n_positions": LIMIT},
    "llama": {
        **ROTARY,
        "rope_parameters": {"rope_type": "dynamic", "factor": 10.0, "rope_theta": 1e4},
    },
}


def language_model(kind: str, seed: int = 1) -> tuple[Any, PreTrainedTokenizerFast]:
    """Return a tiny random language model that listens to all of its prompt."""
    tokenizer = byte_tokenizer(mask=False, limit=LIMIT)
    options = {**SHARING, **NOT_SHARING}[kind]
    model = random_model(kind, tokenizer, AutoModelForCausalLM, **options)
    torch.manual_seed(seed)
    for name, weight in model.named_parameters():
        if weight.dim() > 1 and "A_log" not in name:
            torch.nn.init.normal_(weight, std=0.2)
    return model, tokenizer


def prompted(pair: tuple[Any, Any], **options: Any) -> PromptedClassifier:
    return PromptedClassifier(*pair, **{"template": TEMPLATE, "verbalizer": ONE_TOKEN, **options})


def texts_of(n: int, seed: int, longest: int = 14) -> list[str]:
    """Return random texts of many lengths."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(0, longest))) for _ in range(n)]


def tokens_computed(model: Any, classifier: PromptedClassifier, texts: list[str]) -> int:
    """Return how many tokens, padding included, a model is given to score texts."""
    counts: list[int] = []
    handle = model.register_forward_pre_hook(
        lambda _, args, kwargs: counts.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    classifier.predict(texts)
    handle.remove()
    return sum(counts)


def one_by_one(
    pair: tuple[Any, Any], words: dict[str, Any], texts: list[str], template: str = TEMPLATE
) -> list[list[float]]:
    """Return the scores of whole sequences, each read alone without a cache."""
    listed = {label: [own] if isinstance(own, str) else own for label, own in words.items()}
    return [label_scores(*pair, template.replace("{text}", text), listed, False) for text in texts]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("qwen3", ONE_TOKEN),
        ("gemma2", ONE_TOKEN),
        *((kind, SEVERAL) for kind in (*SHARING, *NOT_SHARING)),
    ],
)
def test_scores_are_those_of_whole_prompts_read_one_by_one(
    kind: str, words: dict[str, Any]
) -> None:
    pair = language_model(kind)
    classifier = prompted(pair, verbalizer=words)
    assert classifier.describe().facts["what prompts share"] == (
        "read once" if kind in SHARING else "read each time"
    )
    texts = texts_of(8, 0)
    expected = one_by_one(pair, words, texts)
    np.testing.assert_allclose(classifier.predict(texts), expected, atol=1e-4)
    assert np.ptp(expected, axis=0).min() > 0.005


@pytest.mark.parametrize("budget", [1, 40, 100_000])
@pytest.mark.parametrize("seed", seeds(5, 1))
def test_batches_of_any_size_give_the_same_scores(
    seed: int, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = language_model("qwen3", seed)
    classifier = prompted(pair, verbalizer=SEVERAL)
    texts = texts_of(8, seed)
    expected = one_by_one(pair, SEVERAL, texts)
    monkeypatch.setattr(classifier, "token_budget", budget)
    np.testing.assert_allclose(classifier.predict(texts), expected, atol=1e-4)


def test_a_long_beginning_costs_its_tokens_once() -> None:
    """The bar: 400 tokens before texts of 30, a fifth of the work or less."""
    model, tokenizer = language_model("qwen3")
    classifier = prompted((model, tokenizer), template=LONG + TEMPLATE)
    texts = [text for text in texts_of(400, 1, 30) if 25 <= len(tokenizer.tokenize(text)) <= 35]
    rows = classifier._tokenize(texts)["input_ids"]
    start = len(common_start(rows))
    assert start >= 400
    assert len(texts) >= 20
    computed = tokens_computed(model, classifier, texts)
    rests = [len(row) - start for row in rows]
    assert start + sum(rests) <= computed <= start + 1.1 * sum(rests)
    assert sum(map(len, rows)) >= 5 * computed


def test_several_words_after_a_prompt_cost_their_own_tokens() -> None:
    model, tokenizer = language_model("qwen3")
    words = {"no": [" film film", " bad film bad"], "yes": [" good good", " film a"]}
    classifier = prompted((model, tokenizer), template="{text} >", verbalizer=words)
    text = "a good film , really good " * 6
    whole = len(classifier._tokenize([text])["input_ids"][0])
    beginnings = classifier._continuations.readings
    assert len(beginnings) == 3
    assert tokens_computed(model, classifier, [text]) == whole + sum(map(len, beginnings))
    assert classifier.passes == 1


@pytest.mark.parametrize("template", [RULES + "{text}", RULES + "a goo{text} >", "{text} " + RULES])
def test_tokens_that_reach_into_the_text_are_those_of_the_whole_prompt(template: str) -> None:
    """What follows ``goo`` may make another token of it, so strings cannot be shared."""
    pair = language_model("qwen3")
    texts = ["d film", "", " a", "d", "od bad", "👍"]
    words = {"no": " bad", "yes": " good"}
    expected = one_by_one(pair, words, texts, template)
    found = prompted(pair, template=template, verbalizer=words).predict(texts)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_what_was_read_is_never_older_than_the_weights() -> None:
    model, tokenizer = language_model("qwen3")
    classifier = prompted((model, tokenizer))
    texts = texts_of(6, 2)
    before = classifier.predict(texts)
    with torch.no_grad():
        model.get_input_embeddings().weight.add_(0.1)
    after = classifier.predict(texts)
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(after, one_by_one((model, tokenizer), ONE_TOKEN, texts), atol=1e-4)


def test_a_cache_that_changes_scores_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose cache forgets, as one with a state of fixed size does."""
    repeat = DynamicCache.batch_repeat_interleave

    def forget(cache: DynamicCache, repeats: int) -> None:
        repeat(cache, repeats)
        for layer in cache.layers:
            layer.reset()

    monkeypatch.setattr(DynamicCache, "batch_repeat_interleave", forget)
    pair = language_model("qwen3")
    classifier = prompted(pair)
    assert classifier.describe().facts["what prompts share"] == "read each time"
    texts = texts_of(4, 3)
    np.testing.assert_allclose(
        classifier.predict(texts), one_by_one(pair, ONE_TOKEN, texts), atol=1e-4
    )


def test_one_token_of_each_prompt_is_left_to_be_read() -> None:
    assert common_start([[1, 2, 3], [1, 2, 3]]) == (1, 2)
    assert common_start([[1, 2, 3, 4], [1, 2]]) == (1,)
    assert common_start([[1, 2, 3], [1, 9, 3], [1, 2, 3]]) == (1,)
    assert common_start([[1], [2]]) == common_start([[1, 2]]) == common_start([]) == ()
