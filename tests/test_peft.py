"""An adapter folder gives the scores that peft gives, or one clear error."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

import explain
from explain.adapters.transformers import TransformersClassifier
from explain.errors import AdapterError, ConfigurationError, UnsafeModelError
from tests.tiny import byte_tokenizer, random_model

# Raised inside peft when a test makes an adapter.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")

TEXTS = ["a good film 👍", "really bad", "", "the payment failed again !"]
LABELS = {0: "no", 1: "maybe", 2: "yes"}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Return the folder of a model without a head."""
    tokenizer = byte_tokenizer(mask=True, limit=64)
    model = random_model(
        "roberta", tokenizer, AutoModel, max_position_embeddings=66, id2label=LABELS
    )
    model.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def adapted(base: Path, folder: Path | None = None) -> Any:
    """Return peft's own model: of a folder, or a new one, random in all that it would train."""
    model = AutoModelForSequenceClassification.from_pretrained(base)
    if folder is not None:
        return peft.PeftModel.from_pretrained(model, str(folder)).eval()
    config = peft.LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["query", "value"])
    lora = peft.get_peft_model(model, config)
    torch.manual_seed(1)
    for name, weight in lora.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    return lora


@pytest.fixture
def folder(base: Path, tmp_path: Path) -> Path:
    """Return the folder of an adapter, its base model beside it."""
    adapted(base).save_pretrained(tmp_path / "adapter")
    edit(tmp_path / "adapter", base_model_name_or_path="../base")
    return tmp_path / "adapter"


def edit(folder: Path, **changes: object) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def drop(folder: Path, part: str) -> None:
    """Remove the weights whose name holds `part`."""
    path = folder / "adapter_model.safetensors"
    weights = load_file(path)
    kept = {key: value for key, value in weights.items() if part not in key}
    assert len(kept) < len(weights)
    path.unlink()
    save_file(kept, path, metadata={"format": "pt"})


def test_scores_are_those_of_peft(base: Path, folder: Path) -> None:
    model = explain.load(folder)
    theirs = adapted(base, folder)
    encoded = AutoTokenizer.from_pretrained(base)(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        expected = theirs(**encoded).logits.numpy()
        with theirs.disable_adapter():
            without = theirs(**encoded).logits.numpy()
    np.testing.assert_allclose(model.predict(TEXTS), expected, atol=1e-5)
    assert np.abs(expected - without).max() > 1e-3
    assert model.labels == ("no", "maybe", "yes")


@pytest.mark.parametrize("method", ["shap", "integrated_gradients"])
def test_attributions_run_with_and_without_gradients(folder: Path, method: str) -> None:
    model = explain.load(folder)
    (attribution,) = explain.attribute(model, TEXTS[:1], method=method)
    assert abs(attribution.completeness_gap) < 0.01 * abs(
        attribution.full_value - attribution.empty_value
    )


def test_the_record_names_adapter_and_base_and_hashes_both(base: Path, folder: Path) -> None:
    model = explain.load(folder)
    assert isinstance(model, TransformersClassifier)
    description = model.describe()
    assert description.facts["adapter"] == "LORA, merged"
    assert description.facts["base"] == (folder / "../base").as_posix()
    paths = {file.path for file in description.files}
    assert {"adapter_model.safetensors", "base/model.safetensors", "base/config.json"} <= paths


def test_a_base_inside_the_adapters_folder_is_hashed_once(base: Path, folder: Path) -> None:
    base.rename(folder / "base")
    edit(folder, base_model_name_or_path="base")
    model = explain.load(folder)
    assert isinstance(model, TransformersClassifier)
    paths = [file.path for file in model.describe().files]
    assert len(paths) == len(set(paths))
    assert "base/model.safetensors" in paths


def test_labels_beside_the_adapter_win(base: Path, folder: Path) -> None:
    config = json.loads((base / "config.json").read_text())
    config["id2label"] = {"0": "a", "1": "b", "2": "c"}
    (folder / "config.json").write_text(json.dumps(config))
    assert explain.load(folder).labels == ("a", "b", "c")


@pytest.mark.parametrize("named", ["org/model", None])
def test_a_base_that_is_no_folder_is_never_fetched(
    base: Path, folder: Path, named: str | None
) -> None:
    edit(folder, base_model_name_or_path=named)
    with pytest.raises(AdapterError, match="nothing is downloaded; pass base='FOLDER'"):
        explain.load(folder)
    assert np.isfinite(explain.load(folder, base=base).predict(TEXTS)).all()


def test_both_folders_are_checked_before_they_are_loaded(base: Path, folder: Path) -> None:
    (base / "modeling.py").write_text("raise SystemExit('this ran')")
    with pytest.raises(UnsafeModelError, match=r"modeling\.py"):
        explain.load(folder)
    (folder / "modeling.py").write_text("raise SystemExit('this ran')")
    with pytest.raises(UnsafeModelError, match=r"adapter.*modeling\.py"):
        explain.load(folder)


def test_an_adapter_that_names_a_module_to_import_is_refused(folder: Path) -> None:
    edit(folder, megatron_config={"x": 1}, megatron_core="antigravity")
    with pytest.raises(UnsafeModelError, match="megatron_config"):
        explain.load(folder)


def test_an_adapter_in_a_pickle_is_refused(folder: Path) -> None:
    weights = folder / "adapter_model.safetensors"
    weights.rename(folder / "adapter_model.bin")
    with pytest.raises(UnsafeModelError, match="as safetensors"):
        explain.load(folder)
    (folder / "other.safetensors").write_bytes(b"")
    with pytest.raises(AdapterError, match=r"holds no adapter_model\.safetensors"):
        explain.load(folder)


@pytest.mark.parametrize("part", ["classifier", "layer.1.attention.self.value.lora_B"])
def test_weights_that_are_missing_are_never_random(folder: Path, part: str) -> None:
    drop(folder, part)
    with pytest.raises(AdapterError, match="complete adapter"):
        explain.load(folder)


def test_a_head_that_the_adapter_never_held_is_never_random(base: Path, folder: Path) -> None:
    edit(folder, modules_to_save=None, task_type=None)
    drop(folder, "classifier")
    with pytest.raises(AdapterError, match=r"sequence classifier \(classifier\."):
        explain.load(folder)


def test_an_adapter_upon_an_adapter_is_refused(folder: Path) -> None:
    with pytest.raises(AdapterError, match="merge it into its base"):
        explain.load(folder, base=folder)


def test_an_adapter_that_cannot_be_merged_is_refused(base: Path, tmp_path: Path) -> None:
    config = peft.PrefixTuningConfig(
        task_type="SEQ_CLS", num_virtual_tokens=2, num_layers=2, token_dim=16,
        num_attention_heads=2,
    )  # fmt: skip
    model = AutoModelForSequenceClassification.from_pretrained(base)
    peft.get_peft_model(model, config).save_pretrained(str(tmp_path / "prefix"))
    with pytest.raises(AdapterError, match="PREFIX_TUNING, which cannot be merged"):
        explain.load(tmp_path / "prefix", base=base)


def test_without_the_package_the_error_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(AdapterError, match=r'pip install "explain-audit\[peft\]"'):
        explain.load(folder)


def test_an_unknown_option_names_the_known_ones(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'base'"):
        explain.load(folder, bass="x")
