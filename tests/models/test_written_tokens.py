"""A mask token is one wherever it is written, and a token that was added is one feature."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken
from torch import nn

import explain
from explain.adapters import TorchClassifier
from explain.adapters.transformers import TransformersClassifier
from explain.attribution import segment
from explain.engine import Engine
from explain.errors import CapabilityError, ConfigurationError
from explain.evaluation.planted_rules import Kind, Rule, plant
from explain.text.spans import Segmentation, Span
from explain.text.words import words
from tests.helpers.strategies import texts
from tests.helpers.tiny import (
    ARCHITECTURES,
    LIMIT,
    Architecture,
    byte_tokenizer,
    piece_tokenizer,
    random_model,
    unigram_tokenizer,
)

TEXT = "a good film, really good"


def bert(tokenizer: Any, limit: int = LIMIT) -> TransformersClassifier:
    model = random_model("bert", tokenizer, max_position_embeddings=limit)
    return TransformersClassifier(model, tokenizer)


# ── The mask token ────────────────────────────────────────────────────────────────────────────────


def split_special(tokenizer: Any) -> None:
    tokenizer.split_special_tokens = True


def outside_of_the_vocabulary(tokenizer: Any) -> None:
    tokenizer._special_tokens_map["mask_token"] = "[nowhere]"


def an_ordinary_word(tokenizer: Any) -> None:
    tokenizer._special_tokens_map["mask_token"] = "good"


def a_word_of_its_own_only(tokenizer: Any) -> None:
    tokenizer.add_special_tokens({"mask_token": AddedToken("<hide>", single_word=True)})


@pytest.mark.parametrize(
    "spoil",
    [split_special, outside_of_the_vocabulary, an_ordinary_word, a_word_of_its_own_only],
)
@pytest.mark.parametrize("tokenizer", [piece_tokenizer, lambda: byte_tokenizer(mask=True)])
def test_a_mask_token_that_is_not_read_as_one_is_not_used(
    spoil: Callable[[Any], None], tokenizer: Callable[[], Any]
) -> None:
    spoilt = tokenizer()
    spoil(spoilt)
    model = bert(spoilt)
    assert model.mask_token is None
    assert "is not read as one token" in str(model.describe().facts["mask token"])
    attribution = explain.attribute(model, TEXT, method="occlusion")
    assert attribution.removal == "delete"
    with pytest.raises(CapabilityError, match="has no mask token; pass masker='delete'"):
        explain.attribute(model, TEXT, masker="mask_token")
    with pytest.raises(CapabilityError, match="it has: pad"):
        model.baseline_id("mask")


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.name)
def test_a_mask_token_that_is_read_as_one_is_used(architecture: Architecture) -> None:
    model = architecture.classifier()
    assert model.mask_token == model.tokenizer.mask_token
    assert set(model.special_tokens) == set(model.tokenizer.all_special_tokens)
    assert "mask token" not in model.describe().facts


def test_special_tokens_that_are_split_are_no_features_and_no_warning() -> None:
    tokenizer = piece_tokenizer()
    tokenizer.split_special_tokens = True
    model = bert(tokenizer)
    attribution = explain.attribute(model, "refund [MASK] now", method="random")
    assert attribution.features == ("refund", "[", "MASK", "]", "now")
    assert not attribution.diagnostics.special_tokens


@pytest.mark.parametrize("pattern", ["split", "glued"])
def test_a_function_that_reads_the_mask_token_only_alone_is_refused(pattern: str) -> None:
    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(50, 2)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            vectors: torch.Tensor = self.embedding(ids).mean(dim=1)
            return vectors

    def tokenize(text: str) -> list[tuple[int, int, int]]:
        found, end = [], 0
        for word in text.split() if pattern == "split" else [text]:
            start = text.index(word, end)
            end = start + len(word)
            found.append((1 if word == "<unk>" else 2 + len(word) % 40, start, end))
        return found

    module = Bag()
    with pytest.raises(ConfigurationError, match="let it know the token, or leave mask_token out"):
        TorchClassifier(module, tokenize, module.embedding, ["a", "b"], mask_token="<unk>")
    assert TorchClassifier(module, tokenize, module.embedding, ["a", "b"]).mask_token is None


# ── Added tokens ──────────────────────────────────────────────────────────────────────────────────

TOKENIZERS = [
    piece_tokenizer,
    lambda: byte_tokenizer(mask=True),
    lambda: unigram_tokenizer(mask=True),
]


def taught(
    make: Callable[[], Any], *tokens: str | AddedToken, limit: int = LIMIT
) -> TransformersClassifier:
    tokenizer = make()
    tokenizer.add_tokens(list(tokens))
    return bert(tokenizer, limit)


@pytest.mark.parametrize("make", TOKENIZERS)
def test_a_token_that_was_added_is_one_feature(make: Callable[[], Any]) -> None:
    model = taught(make, "<url>", "@user", "New York")
    (attribution,) = explain.attribute(
        model, ["@user says: see (<url>), in New York"], method="random"
    )
    assert attribution.features == ("@user", "says", ":", "see", "(", "<url>", ")", ",", "in",
                                    "New York")  # fmt: skip
    assert not attribution.diagnostics.special_tokens
    (of_a_pair,) = explain.attribute(model, [("see <url>", "<url> now")], method="random")
    assert of_a_pair.features == ("see", "<url>", "<url>", "now")


def test_a_token_that_is_read_in_lower_case_is_found_as_it_is_written() -> None:
    attribution = explain.attribute(taught(piece_tokenizer, "<url>"), "see <URL>", method="random")
    assert attribution.features == ("see", "<URL>")


@pytest.mark.parametrize("make", TOKENIZERS)
@pytest.mark.parametrize(
    "token",
    ["good", "ood", "ness", AddedToken("good", single_word=True), AddedToken("oo", lstrip=True)],
)
def test_added_letters_of_a_word_do_not_cut_it(
    make: Callable[[], Any], token: str | AddedToken
) -> None:
    text = "goodness, a good mood"
    attribution = explain.attribute(taught(make, token), text, method="random")
    assert attribution.features == ("goodness", ",", "a", "good", "mood")


def test_text_that_only_looks_like_an_added_token_is_cut_as_ever() -> None:
    single = AddedToken("<url>", single_word=True)
    attribution = explain.attribute(taught(piece_tokenizer, single), "x<url>y", method="random")
    assert attribution.features == ("x", "<", "url", ">", "y")


@pytest.mark.parametrize("kind", ["token", "context"])
def test_a_control_cuts_texts_as_the_model_that_it_is_planted_in(kind: Kind) -> None:
    model = taught(piece_tokenizer, "<url>", "New York")
    texts = ["see <url> in New York", "good things in New York"]
    rule = Rule(kind, ("good",) if kind == "token" else ("good", "things"), 0, 1.0)
    planted = plant(Engine(model), rule, texts)
    assert segment(texts, planted, "word") == segment(texts, model, "word")


TAUGHT = ("<url>", "good", "a b", "...", "oo", "的")


@given(text=st.one_of(texts, st.lists(st.sampled_from([*TAUGHT, "x", " ", "ness"])).map("".join)))
def test_features_are_whole_words_and_whole_added_tokens(text: str) -> None:
    (added,) = TAUGHT_TOKENIZER.added_tokens([text])
    whole = [trimmed(span, text) for span in (*words([text]), *added)]
    (cut,) = segment([text], TAUGHT_TOKENIZER, "word")
    assert isinstance(cut, Segmentation)
    for span in filter(None, whole):
        assert sum(f.start <= span.start and span.end <= f.end for f in cut.spans) == 1
    edges = {(edge, number) for span in filter(None, whole) for number, edge in enumerate(span[1:])}
    assert {(edge, number) for f in cut.spans for number, edge in enumerate(f[1:])} <= edges


def trimmed(span: Span, text: str) -> Span | None:
    """Return a span without the white space around it; None if there is nothing else."""
    piece = text[span.start : span.end]
    start = span.start + len(piece) - len(piece.lstrip())
    return Span(span.part, start, start + len(piece.strip())) if piece.strip() else None


TAUGHT_TOKENIZER = taught(lambda: piece_tokenizer(limit=5000), *TAUGHT, limit=5000)
