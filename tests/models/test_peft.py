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
from tests.helpers.tiny import byte_tokenizer, random_model

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


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return what is opened with torch or asked of the hub, which raises."""
    calls: list[object] = []

    def spy(*args: object, **_: object) -> None:
        calls.append(args)
        raise OSError("opened")

    for place in (
        "torch.load",
        "peft.config.hf_hub_download",
        "peft.utils.save_and_load.hf_hub_download",
        "peft.utils.save_and_load.file_exists",
    ):
        monkeypatch.setattr(place, spy)
    return calls


@pytest.mark.parametrize(
    "settings",
    [
        {"peft_type": "XLORA", "adapters": {"a": "there"}, "hidden_size": 16},
        {
            "peft_type": "MULTITASK_PROMPT_TUNING",
            "prompt_tuning_init": "ONLY_SOURCE_SHARED",
            "prompt_tuning_init_state_dict_path": "there/adapter_model.bin",
            "num_virtual_tokens": 2,
        },
        {"peft_type": "lora"},
    ],
)
def test_a_kind_that_may_open_other_files_never_reaches_peft(
    folder: Path, settings: dict[str, Any], opened: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peft.PeftModel, "from_pretrained", lambda *_, **__: opened.append("peft"))
    edit(folder, **settings)
    with pytest.raises(AdapterError, match=f"kind {settings['peft_type']}, which cannot be merged"):
        explain.load(folder)
    assert opened == []


@pytest.mark.parametrize(
    "config",
    [
        peft.LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["query"], use_dora=True),
        peft.AdaLoraConfig(task_type="SEQ_CLS", target_modules=["query"], total_step=9),
        peft.LoHaConfig(task_type="SEQ_CLS", r=4, target_modules=["query"]),
        peft.LoKrConfig(task_type="SEQ_CLS", r=4, target_modules=["query"]),
        peft.IA3Config(task_type="SEQ_CLS", target_modules=["query"], feedforward_modules=[]),
    ],
    ids=lambda config: config.peft_type.value,
)
def test_a_kind_that_merges_opens_its_safetensors_alone(
    tmp_path: Path, config: Any, opened: list[object]
) -> None:
    base = tmp_path / "base"
    tokenizer = byte_tokenizer(mask=True, limit=64)
    model = random_model("bert", tokenizer, max_position_embeddings=64, id2label=LABELS)
    model.save_pretrained(base)
    tokenizer.save_pretrained(base)
    own = peft.get_peft_model(model, config).eval()
    for name, weight in own.named_parameters():
        if any(part in name for part in ("lora_", "hada_", "lokr_", "ia3_")):
            torch.nn.init.normal_(weight, std=0.3)
    own.save_pretrained(str(tmp_path / "adapter"))
    encoded = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        expected = own(**encoded).logits.numpy()
        with own.disable_adapter():
            without = own(**encoded).logits.numpy()
    assert np.abs(expected - without).max() > 1e-4
    scores = explain.load(tmp_path / "adapter", base=base).predict(TEXTS)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert opened == []


def test_a_head_that_peft_cannot_put_back_is_one_line(base: Path, tmp_path: Path) -> None:
    config = peft.LoHaConfig(task_type="SEQ_CLS", r=4, target_modules=["query"])
    model = AutoModelForSequenceClassification.from_pretrained(base)
    peft.get_peft_model(model, config).save_pretrained(str(tmp_path / "adapter"))
    with pytest.raises(AdapterError, match="cannot be loaded as a mergeable adapter"):
        explain.load(tmp_path / "adapter", base=base)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("auto_mapping", {"base_model_class": "System", "parent_library": "antigravity"}),
        ("auto_mapping", "antigravity"),
        ("corda_config", {"cache_file": "there.pt"}),
        ("corda_config", {"covariance_file": "there.pt"}),
    ],
)
def test_settings_that_name_other_files_or_modules_are_refused(
    folder: Path, key: str, value: object
) -> None:
    edit(folder, **{key: value})
    with pytest.raises(UnsafeModelError, match=rf"outside of the adapter \({key}\)"):
        explain.load(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "is a list, expected an object"),
        ({}, "peft_type of .* is None, expected a string"),
        ({"peft_type": ["LORA"]}, "peft_type of .* expected a string"),
        (
            {"peft_type": "LORA", "base_model_name_or_path": 3},
            "base_model_name_or_path of .* is 3, expected a string",
        ),
    ],
)
def test_damaged_settings_are_one_line(
    base: Path, folder: Path, content: object, message: str
) -> None:
    (folder / "adapter_config.json").write_text(json.dumps(content))
    with pytest.raises(AdapterError, match=message) as caught:
        explain.load(folder, base=base)
    assert "\n" not in str(caught.value)


def test_damaged_weights_are_one_line(folder: Path) -> None:
    (folder / "adapter_model.safetensors").write_bytes(b"damaged")
    with pytest.raises(AdapterError, match="cannot be loaded as a complete adapter") as caught:
        explain.load(folder)
    assert "\n" not in str(caught.value)


def test_without_the_package_the_error_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(AdapterError, match=r'pip install "explain-audit\[peft\]"'):
        explain.load(folder)


def test_an_unknown_option_names_the_known_ones(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'base'"):
        explain.load(folder, bass="x")
