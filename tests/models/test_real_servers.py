"""What is said of endpoints holds of servers that others wrote."""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

import explain
from explain.adapters import PerTextClassifier
from explain.adapters.question import QuestionClassifier, QuestionVariant
from explain.adapters.remote.kinds.top_k import bounds_of_labels
from explain.errors import EndpointError, PredictionError
from tests.helpers.command import run
from tests.helpers.real_servers import (
    llama_server,
    mlserver,
    smollm2_file,
    transformers_server,
    with_systemone,
)
from tests.helpers.search import NIGHTLY
from tests.helpers.tiny import bare_tokenizer

TUTORIAL = Path(__file__).parents[2] / "docs/endpoint-tutorial.md"
QUESTION = "Is this review positive?"
OPTIONS = ("negative", "positive")
REVIEWS = [
    "a stunning , lyrical work", "a dull mess", "not bad at all", "i hated every minute",
    "one of the best films of the year", "the film is strictly routine .", "too bad .",
    "a slick , engrossing melodrama .", "it never quite works", "a joy from start to end",
    "flat and lifeless", "sweet , funny and wise", "an hour too long", "gorgeous to look at",
    "nobody needs this", "a small triumph", "loud , stupid and cheap", "tender and true",
    "the plot makes no sense", "i laughed all the way", "a waste of good actors",
    "warm , smart storytelling", "painfully slow", "the finale is superb",
]  # fmt: skip


# ── transformers serve, with a tiny Qwen3 ─────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("qwen")
    tokenizer = bare_tokenizer(limit=2048)
    tokenizer.chat_template = (
        "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=16, max_position_embeddings=2048,
    )  # fmt: skip
    model = Qwen3ForCausalLM(config)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def transformers_url(qwen: Path) -> Iterator[str]:
    with transformers_server(qwen, qwen / "server.log") as address:
        yield address


def log_probabilities(folder: Path, texts: Sequence[str]) -> Any:
    """Return what the weights say, by the prompt that transformers documents for the endpoint."""
    tokenizer = bare_tokenizer(limit=2048).__class__.from_pretrained(folder)
    model = Qwen3ForCausalLM.from_pretrained(folder).eval()
    letters = [tokenizer.convert_tokens_to_ids(letter) for letter in "AB"]
    rows = []
    for text in texts:
        asked = (
            f"{text}\n\n{QUESTION}\nA. negative\nB. positive\n"
            "Answer with the letter of the option that fits best (A to B) only."
        )
        ids = tokenizer(f"user: {asked}\nassistant: ", add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, -1, letters].double()
        rows.append(logits.log_softmax(0).numpy())
    return np.array(rows)


def test_scores_of_transformers_serve_are_those_of_the_weights(
    qwen: Path, transformers_url: str
) -> None:
    model = explain.load(transformers_url, kind="systemone", question=QUESTION, options=OPTIONS)
    expected = log_probabilities(qwen, REVIEWS)
    np.testing.assert_allclose(model.predict(REVIEWS), expected, atol=1e-5)
    assert np.ptp(expected[:, 0]) > 1e-2
    local = explain.wrap(
        lambda texts: log_probabilities(qwen, texts), labels=list(OPTIONS), output="scores"
    )
    said: dict[str, Any] = {"method": "shap", "target": "positive", "masker": "delete"}
    here = explain.attribute(local, REVIEWS[1], **said)
    there = explain.attribute(model, REVIEWS[1], **said)
    np.testing.assert_allclose(there.values, here.values, atol=1e-5)
    assert max(map(abs, here.values)) > 1e-3


def test_transformers_serve_gives_no_log_probabilities_and_that_ends_all(
    qwen: Path, transformers_url: str
) -> None:
    words = {"negative": "bad", "positive": "good"}
    with pytest.raises(EndpointError, match="gives no log-probabilities; use kind='sampled'"):
        explain.load(
            transformers_url, kind="chat", template="{text}", verbalizer=words, model=str(qwen)
        )


def test_a_model_that_is_not_served_ends_all_in_the_words_of_the_server(
    transformers_url: str,
) -> None:
    with pytest.raises(EndpointError, match="pinned"):
        explain.load(
            transformers_url, kind="systemone", question=QUESTION, options=OPTIONS, model="other"
        )


@pytest.mark.nightly
def test_the_tutorial_works_as_it_stands(transformers_url: str, tmp_path: Path) -> None:
    page = TUTORIAL.read_text(encoding="utf-8")
    (config,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "audit.toml").write_text(config, encoding="utf-8")
    rows = [f'"{text}",{OPTIONS[place % 2]}' for place, text in enumerate(REVIEWS)]
    (tmp_path / "reviews.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    commands = re.findall(r"^explain (.*)$", page, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        said = command.replace("http://127.0.0.1:8000", transformers_url).split()
        done = run(*said, cwd=tmp_path, seconds=1_800)
        assert done.returncode == 0, done.stderr
    first, second = (tmp_path / name / "audit.json" for name in ("audit", "again"))
    assert first.read_bytes() == second.read_bytes()


# ── llama.cpp, with SmolLM2-135M as a chat model ──────────────────────────────────────────────────


PROMPT = "Is this review positive or negative? Answer with one word.\n"
WHOLE = 60_000
"""More tokens than there are: all come back."""
REPEATED = 1e-3
"""How far log-probabilities of the same prompt may be apart: 6e-5 were seen, as what is computed
anew depends on what was kept."""

N_TEXTS, N_PAIRS = (24, 50) if NIGHTLY else (4, 125)
"""500 cases by day, 1,200 at night: a text of 49,152 log-probabilities takes four seconds."""


@pytest.fixture(scope="module")
def chat_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with llama_server(smollm2_file(), tmp_path_factory.mktemp("llama") / "log") as address:
        yield address


def first_token(url: str, text: str, top: int) -> dict[bytes, float]:
    """Return the log-probabilities of the best tokens, as the server itself says them."""
    body = {
        "messages": [{"role": "user", "content": PROMPT + text}], "max_tokens": 1,
        "temperature": 0, "logprobs": True, "top_logprobs": top,
    }  # fmt: skip
    answer = httpx2.post(f"{url}/v1/chat/completions", json=body, timeout=300).json()
    (position,) = answer["choices"][0]["logprobs"]["content"]
    return {bytes(entry["bytes"]): entry["logprob"] for entry in position["top_logprobs"]}


def test_bounds_of_the_best_tokens_hold_what_the_whole_vocabulary_says(chat_url: str) -> None:
    rng = np.random.default_rng(0)
    held, resolved, n = 0, {5: 0, 20: 0}, 0
    for text in REVIEWS[:N_TEXTS]:
        first_token(chat_url, text, 1)  # What is kept of the prompt is then the same for all.
        best = {top: first_token(chat_url, text, top) for top in resolved}
        whole = first_token(chat_url, text, WHOLE)
        assert len(whole) > 40_000
        ranked = sorted(whole, key=lambda token: whole[token], reverse=True)
        for _ in range(N_PAIRS):
            # Two labels of one or two tokens each, some probable, some not.
            size, most = int(rng.integers(1, 3)), int(rng.choice([8, 30, 300, len(ranked)]))
            drawn = [ranked[place] for place in rng.permutation(most)[: 2 * size]]
            words = drawn[:size], drawn[size:]
            masses = [math.fsum(math.exp(whole[token]) for token in own) for own in words]
            truth = math.log(masses[0] / masses[1])
            for top, seen in best.items():
                spelled = {token.decode("latin-1"): logged for token, logged in seen.items()}
                labels = [[token.decode("latin-1") for token in own] for own in words]
                low, high = bounds_of_labels(spelled, labels, top).log_odds[0]
                held += low - REPEATED <= truth <= high + REPEATED
                resolved[top] += high - low < REPEATED
            n += 1
    assert n >= 500
    assert held == 2 * n
    assert resolved[20] > 2 * resolved[5] > 0


def chat(url: str, **options: Any) -> Any:
    words = {"negative": ["negative", "Negative"], "positive": ["positive", "Positive"]}
    return explain.load(
        url, kind="chat", model="smollm2", template=PROMPT + "{text}",
        **{"verbalizer": words, **options},
    )  # fmt: skip


def test_a_label_that_no_answer_shows_is_not_identified(chat_url: str) -> None:
    model = chat(chat_url, verbalizer={"negative": "negative", "other": "zebra"})
    (row,) = model.predict_each([REVIEWS[1]])
    assert isinstance(row, PredictionError)
    assert "'other' is not identified" in str(row)
    assert "-36" not in str(row)


def test_attributions_of_a_chat_model_are_those_of_its_answers(chat_url: str) -> None:
    text = "a stunning work"
    model = chat(chat_url, top_logprobs=300)
    found = explain.attribute(model, text, method="shap", target="positive", masker="delete")

    def value(kept: Sequence[str]) -> float:
        log_probs = first_token(chat_url, " ".join(kept), 300)
        sums = [
            math.fsum(math.exp(log_probs[word]) for word in own)
            for own in ((b"positive", b"Positive"), (b"negative", b"Negative"))
        ]
        return math.log(sums[0] / sums[1])

    words = text.split()
    # Shapley values of three features, by their definition.
    values = {
        kept: value([word for word, is_kept in zip(words, kept, strict=True) if is_kept])
        for kept in np.ndindex(2, 2, 2)
    }
    for place, said in enumerate(found.values):
        expected = 0.0
        for kept, without in values.items():
            if not kept[place]:
                joined = tuple(1 if i == place else k for i, k in enumerate(kept))
                expected += {0: 2, 1: 1, 2: 2}[sum(kept)] / 6 * (values[joined] - without)
        assert said == pytest.approx(expected, abs=REPEATED)
    assert max(map(abs, found.values)) > 0.05


def test_a_chat_model_offers_no_decisions(chat_url: str) -> None:
    with pytest.raises(EndpointError, match="does not offer"):
        explain.load(chat_url, kind="systemone", question=QUESTION, options=OPTIONS)


# ── llama.cpp, with SmolLM2-135M as a decision model ──────────────────────────────────────────────


@pytest.fixture(scope="module")
def decision_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("decisions")
    model = with_systemone(smollm2_file(), folder / "model.gguf")
    with llama_server(model, folder / "log") as address:
        yield address


SHORT = [text for text in REVIEWS if len(text.split()) <= 4][:12]


def answer_in_order(url: str, text: str, options: Sequence[str]) -> str:
    question = {"type": "choice", "instructions": QUESTION, "criteria": dict.fromkeys(options)}
    body = {"state": text, "questions": {"question": question}}
    answer = httpx2.post(f"{url}/v1/systemone", json=body, timeout=300).json()
    return str(answer["answers"]["question"]["choice"])


def test_a_server_sees_the_options_in_the_order_that_is_asked_for(decision_url: str) -> None:
    model = explain.load(decision_url, kind="systemone", question=QUESTION, options=OPTIONS)
    assert isinstance(model, QuestionClassifier)
    reverse = model.asked_as(QuestionVariant(order=(1, 0)))
    assert reverse.labels == OPTIONS
    for asked, shown in ((model, OPTIONS), (reverse, OPTIONS[::-1])):
        said = [OPTIONS[column] for column in asked.predict(SHORT[:4]).argmax(axis=1)]
        assert said == [answer_in_order(decision_url, text, shown) for text in SHORT[:4]]
        assert said == [shown[0]] * 4


@pytest.mark.nightly
def test_the_order_of_the_options_decides_what_a_small_model_says(decision_url: str) -> None:
    texts = SHORT
    record = explain.audit(
        decision_url, [{"text": text} for text in texts], kind="systemone", methods=[],
        instances=0, checks=["language_model"],
        endpoint={"question": QUESTION, "options": OPTIONS},
    )  # fmt: skip
    (section,) = (s for s in record.sections if s.id == "language_model")
    (finding,) = (f for f in section.findings if f.code == "language-model.order")
    flips = [
        answer_in_order(decision_url, text, OPTIONS)
        != answer_in_order(decision_url, text, OPTIONS[::-1])
        for text in texts
    ]
    assert finding.measure is not None
    assert finding.measure.n == len(texts)
    assert finding.measure.value == pytest.approx(np.mean(flips))
    assert sum(flips) >= 10
    # The same question again is no reason: this server repeats itself.
    again = next(m for m in section.measures if m.name.endswith("asked again"))
    assert again.value == 0


def test_a_text_that_is_too_long_for_the_server_is_lost_alone(decision_url: str) -> None:
    model = explain.load(decision_url, kind="systemone", question=QUESTION, options=OPTIONS)
    assert isinstance(model, PerTextClassifier)
    short, long = model.predict_each(["a dull mess", "word " * 2_000])
    assert not isinstance(short, PredictionError)
    assert "longer than the model reads" in str(long)


# ── mlserver ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.nightly
def test_an_open_inference_server_is_read_by_the_columns_that_were_stated(tmp_path: Path) -> None:
    with mlserver(tmp_path) as address:
        stated: dict[str, Any] = {"kind": "inference-v2", "labels": OPTIONS, "channel": "logits"}
        model = explain.load(address, **stated)
        totals = np.array([sum(map(len, text.split())) - 12.0 for text in REVIEWS])
        expected = np.column_stack([-totals, totals / 2])
        np.testing.assert_allclose(model.predict(REVIEWS), expected, atol=1e-5)
        # Log-odds are a sum over the letters, so each word is worth 1.5 times its own.
        found = explain.attribute(model, REVIEWS[0], method="shap", masker="delete")
        letters = [1.5 * len(word) for word in found.features]
        sign = 1 if found.target.label == "positive" else -1
        np.testing.assert_allclose(found.values, np.multiply(sign, letters), atol=1e-4)
        with pytest.raises(EndpointError, match="Model other not found"):
            explain.load(address.replace("words", "other"), **stated)
