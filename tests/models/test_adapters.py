"""Adapters give the scores of the model itself, and refuse what is unsafe or unclear."""

import json
import shutil
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import TextClassificationPipeline

import explain
from explain.adapters import FunctionClassifier, GradientClassifier, TextClassifier
from explain.adapters.transformers import TransformersClassifier
from explain.errors import AdapterError, CapabilityError, ConfigurationError, UnsafeModelError
from explain.text.spans import Span, Text

TEXTS: list[str] = [
    "good .",
    "a stunning , lyrical work of considerable force and truth .",
    "",
    "bad",
]
HOSTILE = ["👩‍👩‍👧‍👦 ok", "مرحبا بالعالم", "这部电影很好看。", "a\r\nb\x00c", " ", "?!", "x" * 5000]


def logits(model: TransformersClassifier, *sides: str) -> list[float]:
    """Return the logits of one text or pair, as the model card would have it."""
    encoded = model.tokenizer(*sides, truncation=True, max_length=512, return_tensors="pt")
    with torch.inference_mode():
        row: list[float] = model.model(**encoded).logits[0].tolist()
    return row


def test_scores_are_the_logits_of_the_model(sst2: TransformersClassifier) -> None:
    scores = sst2.predict(TEXTS + HOSTILE)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, [logits(sst2, t) for t in TEXTS + HOSTILE], atol=1e-5)


def test_pairs_are_scored_as_pairs(nli: TransformersClassifier) -> None:
    pairs: list[Text] = [("A man sleeps .", "A person rests ."), ("Two dogs run .", "Cats sit .")]
    expected = [logits(nli, *pair) for pair in pairs]
    np.testing.assert_allclose(nli.predict(pairs), expected, atol=1e-5)


@pytest.mark.parametrize("budget", [1, 40, 100_000])
def test_a_batch_of_k_equals_k_singles_within_1e5(
    sst2: TransformersClassifier, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sst2, "token_budget", budget)
    together = sst2.predict(TEXTS + HOSTILE)
    alone = np.vstack([sst2.predict([text]) for text in TEXTS + HOSTILE])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_texts_and_pairs_in_one_call_are_refused(nli: TransformersClassifier) -> None:
    with pytest.raises(AdapterError, match="pass one kind"):
        nli.predict(["one", ("a", "b")])


def test_the_token_budget_halves_when_memory_runs_out(
    sst2: TransformersClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, sizes = sst2._score_batch, []

    def small(encoded: dict[str, Any]) -> Any:
        sizes.append(len(encoded["input_ids"]) * max(map(len, encoded["input_ids"])))
        if sizes[-1] > 20:
            raise torch.OutOfMemoryError("out of memory")
        return real(encoded)

    expected = sst2.predict(TEXTS)
    monkeypatch.setattr(sst2, "token_budget", 1000)
    monkeypatch.setattr(sst2, "_score_batch", small)
    np.testing.assert_allclose(sst2.predict(TEXTS), expected, atol=1e-5)
    assert sst2.token_budget < 1000
    assert sizes[0] > 20 >= sizes[-1]


def test_batches_are_sorted_by_length_and_stay_within_the_token_budget(
    sst2: TransformersClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, lengths = sst2._score_batch, []

    def spy(encoded: dict[str, Any]) -> Any:
        lengths.append([len(ids) for ids in encoded["input_ids"]])
        return real(encoded)

    monkeypatch.setattr(sst2, "token_budget", 60)
    monkeypatch.setattr(sst2, "_score_batch", spy)
    sst2.predict(["word " * n for n in (9, 1, 30, 2, 17, 1, 80, 4)])
    assert [n for batch in lengths for n in batch] == [3, 3, 4, 6, 11, 19, 32, 82]
    assert all(len(batch) * max(batch) <= 60 for batch in lengths if len(batch) > 1)


def test_tokens_tell_where_they_stand_in_the_text(sst2: TransformersClassifier) -> None:
    text = "a stunning\r\nwork 👍"
    (tokens,) = sst2.tokens([text])
    assert [text[t.start : t.end] for t in tokens] == ["a", "stunning", "work", "👍"]


def test_what_lies_beyond_the_limit_is_no_token(sst2: TransformersClassifier) -> None:
    (tokens,) = sst2.tokens(["word " * 600])
    assert len(tokens) == 510
    assert tokens[-1] == Span(0, 509 * 5, 509 * 5 + 4)


def test_a_folder_loads_as_float32_with_gradients(sst2: TransformersClassifier) -> None:
    assert isinstance(sst2, GradientClassifier)
    description = sst2.describe()
    assert description.labels == ("negative", "positive")
    assert description.facts["dtype"] == "float32"
    assert {file.path for file in description.files} >= {"config.json", "model.safetensors"}


def test_live_objects_are_wrapped(sst2: TransformersClassifier) -> None:
    pair = explain.wrap((sst2.model, sst2.tokenizer), name="live")
    piped = explain.wrap(TextClassificationPipeline(model=sst2.model, tokenizer=sst2.tokenizer))
    for model in (pair, piped):
        np.testing.assert_array_equal(model.predict(TEXTS), sst2.predict(TEXTS))
    assert explain.wrap(pair) is pair


def test_a_function_is_a_classifier_once_its_labels_are_named() -> None:
    def certain(texts: Sequence[str]) -> list[list[float]]:
        return [[0.0, 1.0] for _ in texts]

    model = explain.wrap(certain, labels=["no", "yes"])
    assert isinstance(model, TextClassifier)
    assert model.name == "certain"
    assert np.isfinite(model.predict(["x"])).all()
    with pytest.raises(ConfigurationError, match="pass labels="):
        explain.wrap(certain)
    with pytest.raises(AdapterError, match="appears 2 times"):
        explain.wrap(certain, labels=["no", "no"])


def test_multi_label_probabilities_become_their_own_log_odds() -> None:
    model = FunctionClassifier(lambda t: [[0.5, 0.9]] * len(t), ["a", "b"], task="multi_label")
    np.testing.assert_allclose(model.predict(["x"]), [[0, np.log(9)]])


def test_what_is_no_classifier_is_refused(sst2: TransformersClassifier) -> None:
    with pytest.raises(AdapterError, match="no classifier that can be wrapped"):
        explain.wrap(3)
    with pytest.raises(AdapterError, match="in this order"):
        explain.wrap((sst2.tokenizer, sst2.model))
    with pytest.raises(AdapterError, match="needs at least 2 labels"):
        explain.wrap(lambda texts: [[1.0]] * len(texts), labels=["only"])
    with pytest.raises(ConfigurationError, match="not multi_label"):
        explain.wrap(sst2, task="multi_label")


def test_a_model_without_the_token_asked_for_says_what_it_has(
    sst2: TransformersClassifier,
) -> None:
    with pytest.raises(CapabilityError, match="it has: mask, pad"):
        sst2.baseline_id("eos")


@pytest.fixture
def folder(shared: Path, tmp_path: Path) -> Path:
    """Return a copy of a model folder, to be spoilt."""
    return Path(shutil.copytree(shared / "models/sst2-minilm", tmp_path / "model"))


def edit(path: Path, **changes: object) -> None:
    path.chmod(0o644)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_missing_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="no folder"):
        explain.load(tmp_path / "missing")


def test_a_hub_id_is_not_fetched_offline() -> None:
    with pytest.raises(AdapterError, match="no folder here, and the hub did not give it"):
        explain.load("nobody/nothing")


def test_a_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(AdapterError, match="holds no weights"):
        explain.load(folder)


def test_weights_in_a_pickle_are_refused_before_they_are_opened(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"not even a pickle")
    with pytest.raises(UnsafeModelError, match="as safetensors"):
        explain.load(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_remote_code_is_refused(folder: Path, name: str) -> None:
    edit(folder / name, auto_map={"AutoModel": "modeling.Model"})
    with pytest.raises(UnsafeModelError, match="auto_map"):
        explain.load(folder)


def test_python_code_is_refused(folder: Path) -> None:
    (folder / "modeling.py").write_text("raise SystemExit('this ran')")
    with pytest.raises(UnsafeModelError, match=r"modeling\.py"):
        explain.load(folder)


def test_a_model_without_a_trained_head_is_refused(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    kept = {key: value for key, value in weights.items() if not key.startswith("classifier")}
    (folder / "model.safetensors").unlink()
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(AdapterError, match="which would be random"):
        explain.load(folder)


def test_broken_json_and_duplicate_labels_are_refused(folder: Path) -> None:
    edit(folder / "config.json", id2label={"0": "same", "1": "same"})
    with pytest.raises(AdapterError, match="'same' appears 2 times"):
        explain.load(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(AdapterError, match=r"config\.json is no JSON"):
        explain.load(folder)


def test_a_tokenizer_of_another_model_is_refused(sst2: TransformersClassifier) -> None:
    other = deepcopy(sst2.tokenizer)
    other.add_tokens(["zzqqx"])
    with pytest.raises(AdapterError, match="belongs to the model"):
        explain.wrap((sst2.model, other))
