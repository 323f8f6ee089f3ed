"""An exported model scores as its original does, and says that it has no gradients."""

import json
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from onnx.external_data_helper import convert_model_to_external_data

import explain
from explain.adapters import GradientClassifier, TokenizedClassifier
from explain.adapters.onnx import OnnxClassifier
from explain.adapters.transformers import TransformersClassifier
from explain.errors import (
    AdapterError,
    CapabilityError,
    ConfigurationError,
    PredictionError,
    UnsafeModelError,
)
from tests.helpers.connections import watched_connections
from tests.helpers.tiny import byte_tokenizer, random_model

TEXTS = ["a good film 👍", "really bad", "", "the payment failed again !", "film " * 200, "a\r\nb"]


@pytest.fixture(scope="module")
def original() -> TransformersClassifier:
    tokenizer = byte_tokenizer(mask=True, limit=10**30)
    labels = {0: "no", 1: "maybe", 2: "yes"}
    model = random_model("roberta", tokenizer, max_position_embeddings=66, id2label=labels)
    torch.manual_seed(1)
    # As initialised all scores are nearly zero, and any model would agree.
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return TransformersClassifier(model, tokenizer)


@pytest.fixture(scope="module")
def exported(original: TransformersClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the exported model."""
    folder = tmp_path_factory.mktemp("onnx")
    export(original, folder / "model.onnx")
    original.tokenizer.save_pretrained(folder)
    original.model.config.save_pretrained(folder)
    return folder


def export(original: TransformersClassifier, file: Path, *, free: bool = True) -> None:
    inputs = dict(original.tokenizer(["a good film", "bad film ,"], return_tensors="pt"))
    axes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC} if free else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            original.model,
            kwargs=inputs,
            f=file,
            dynamic_shapes=dict.fromkeys(inputs, axes),
            output_names=["logits"],
            verbose=False,
            external_data=False,
        )


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """Return a copy of the folder, to be spoilt."""
    for file in exported.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.fixture(scope="module")
def model(exported: Path) -> OnnxClassifier:
    loaded = explain.load(exported)
    assert isinstance(loaded, OnnxClassifier)
    return loaded


def test_scores_are_those_of_the_torch_model(
    model: OnnxClassifier, original: TransformersClassifier
) -> None:
    scores = model.predict(TEXTS)
    assert np.ptp(scores) > 0.1
    np.testing.assert_allclose(scores, original.predict(TEXTS), atol=1e-4)
    assert model.labels == ("no", "maybe", "yes")


@pytest.mark.parametrize("budget", [1, 40, 100_000])
def test_a_batch_equals_single_texts(
    model: OnnxClassifier, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "token_budget", budget)
    alone = np.vstack([model.predict([text]) for text in TEXTS])
    np.testing.assert_allclose(model.predict(TEXTS), alone, atol=1e-5)


def test_texts_are_cut_where_the_torch_model_cuts_them(
    model: OnnxClassifier, original: TransformersClassifier
) -> None:
    assert model.max_length == original.max_length == 66 - 2 - 1
    assert model.unread(TEXTS) == original.unread(TEXTS)
    assert model.tokens(TEXTS) == original.tokens(TEXTS)


def test_it_is_explained_without_gradients(model: OnnxClassifier) -> None:
    assert isinstance(model, TokenizedClassifier)
    assert not isinstance(model, GradientClassifier)
    (attribution,) = explain.attribute(model, TEXTS[:1], method="shap", unit="token")
    assert abs(attribution.completeness_gap) < 1e-6
    with pytest.raises(CapabilityError, match="no gradients"):
        explain.attribute(model, TEXTS[:1], method="integrated_gradients")


def test_an_audit_says_why_it_has_no_integrated_gradients(model: OnnxClassifier) -> None:
    rows = [{"text": text, "label": "yes"} for text in TEXTS]
    record = explain.audit(model, rows, label="label", methods=["shap", "integrated_gradients"])
    (unable,) = [s for s in record.sections if s.id == "method-integrated_gradients"]
    assert unable.skipped is not None
    assert "no gradients" in unable.skipped
    assert record.provenance.model.facts["format"] == "ONNX"
    assert {file.path for file in record.provenance.model.files} >= {"model.onnx", "config.json"}
    assert {a.method for i in record.instances for a in i.attributions} >= {"shap"}


def test_a_task_that_contradicts_the_model_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="no regression"):
        explain.load(folder, task="regression")
    assert explain.load(folder, task="multi_label").task == "multi_label"


def test_an_output_that_does_not_fit_the_labels_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {"0": "a", "1": "b"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(PredictionError, match=r"shape \(5, 3\) for 5 texts and 2 labels"):
        explain.load(folder)


def test_the_output_called_logits_is_taken_wherever_it_stands(
    folder: Path, original: TransformersClassifier
) -> None:
    graph = onnx.load(folder / "model.onnx")
    (logits,) = graph.graph.output
    inner = onnx.helper.make_tensor_value_info("twice", TensorProto.FLOAT, None)
    graph.graph.node.append(onnx.helper.make_node("Add", ["logits", "logits"], ["twice"]))
    del graph.graph.output[:]
    graph.graph.output.extend([inner, logits])
    onnx.save(graph, folder / "model.onnx")
    scores = explain.load(folder).predict(TEXTS)
    np.testing.assert_allclose(scores, original.predict(TEXTS), atol=1e-4)


def end_in(folder: Path, kind: str, output: str) -> None:
    """Put a softmax or the like behind the logits, as the only output."""
    graph = onnx.load(folder / "model.onnx")
    for node in graph.graph.node:
        node.output[:] = ["inner" if name == "logits" else name for name in node.output]
    graph.graph.node.append(onnx.helper.make_node(kind, ["inner"], [output]))
    del graph.graph.output[:]
    graph.graph.output.append(onnx.helper.make_tensor_value_info(output, TensorProto.FLOAT, None))
    onnx.save(graph, folder / "model.onnx")


@pytest.mark.parametrize("output", ["probs", "logits"])
@pytest.mark.parametrize(
    ("kind", "task"),
    [("Softmax", "single_label"), ("Sigmoid", "multi_label"), ("Softmax", "multi_label")],
)
def test_probabilities_are_never_taken_for_logits(
    folder: Path, kind: str, task: str, output: str
) -> None:
    end_in(folder, kind, output)
    with pytest.raises(AdapterError, match=f"'{output}'.*gives probabilities.*without the softmax"):
        explain.load(folder, task=task)


def test_probabilities_in_half_precision_are_refused(folder: Path) -> None:
    end_in(folder, "Softmax", "probs")
    graph = onnx.load(folder / "model.onnx")
    cast = onnx.helper.make_node("Cast", ["probs"], ["half"], to=TensorProto.FLOAT16)
    graph.graph.node.append(cast)
    half = onnx.helper.make_tensor_value_info("half", TensorProto.FLOAT16, None)
    graph.graph.output[0].CopyFrom(half)
    onnx.save(graph, folder / "model.onnx")
    with pytest.raises(AdapterError, match="gives probabilities"):
        explain.load(folder)


@pytest.mark.parametrize("kind", ["Identity", "LogSoftmax"])
def test_the_only_output_needs_no_name(
    folder: Path, original: TransformersClassifier, kind: str
) -> None:
    end_in(folder, kind, "scores")
    found, expected = explain.load(folder).predict(TEXTS), original.predict(TEXTS)
    for scores in (found, expected):
        scores -= scores.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_of_several_outputs_one_must_be_called_logits(folder: Path) -> None:
    end_in(folder, "Identity", "scores")
    graph = onnx.load(folder / "model.onnx")
    graph.graph.output.append(onnx.helper.make_tensor_value_info("inner", TensorProto.FLOAT, None))
    onnx.save(graph, folder / "model.onnx")
    with pytest.raises(AdapterError, match="outputs scores, inner, none of them called 'logits'"):
        explain.load(folder)


def test_an_input_that_the_tokenizer_does_not_give_is_named(folder: Path) -> None:
    graph = onnx.load(folder / "model.onnx")
    extra = onnx.helper.make_tensor_value_info("pixels", TensorProto.INT64, ["n", "t"])
    graph.graph.input.append(extra)
    onnx.save(graph, folder / "model.onnx")
    with pytest.raises(AdapterError, match="asks for the input 'pixels'"):
        explain.load(folder)


def test_a_model_of_a_fixed_size_is_refused(folder: Path, original: TransformersClassifier) -> None:
    export(original, folder / "model.onnx", free=False)
    with pytest.raises(AdapterError, match="export it again with int64 and free axes"):
        explain.load(folder)


def test_one_onnx_file_needs_no_name_and_several_do(folder: Path) -> None:
    (folder / "model.onnx").rename(folder / "other.onnx")
    assert np.isfinite(explain.load(folder).predict(TEXTS)).all()
    (folder / "another.onnx").write_bytes(b"")
    with pytest.raises(AdapterError, match=r"holds 2 \*\.onnx files"):
        explain.load(folder)


def test_a_broken_model_is_one_line(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"no model")
    with pytest.raises(AdapterError, match="cannot be loaded as a model of onnxruntime") as caught:
        explain.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["../weights.bin", "link.bin"])
def test_weights_outside_of_the_folder_are_never_read(folder: Path, place: str) -> None:
    inside = folder / "inside"
    inside.mkdir()
    for file in folder.glob("*.json"):
        (inside / file.name).write_bytes(file.read_bytes())
    graph = onnx.load(folder / "model.onnx")
    convert_model_to_external_data(graph, location="weights.bin", size_threshold=1024)
    onnx.save(graph, inside / "model.onnx")
    assert np.isfinite(explain.load(inside).predict(TEXTS)).all()
    graph = onnx.load(inside / "model.onnx", load_external_data=False)
    (inside / "weights.bin").rename(folder / "weights.bin")
    (inside / "link.bin").symlink_to(folder / "weights.bin")
    for tensor in graph.graph.initializer:
        for entry in tensor.external_data:
            entry.value = place if entry.key == "location" else entry.value
    (inside / "model.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(AdapterError, match=r"External data path|outside of the folder"):
        explain.load(inside)


def test_code_beside_the_model_is_refused(folder: Path) -> None:
    (folder / "ops.py").write_text("raise SystemExit('this ran')")
    with pytest.raises(UnsafeModelError, match=r"ops\.py"):
        explain.load(folder)


@pytest.mark.parametrize("device", ["tpu", "cuda:x", 0, None, ["cpu"]])
def test_a_device_that_is_not_here_is_named(folder: Path, device: object) -> None:
    named = re.escape(repr(device))
    with pytest.raises(ConfigurationError, match=rf"there is no device {named}; .*cpu"):
        explain.load(folder, device=device)


def test_without_the_package_the_error_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(AdapterError, match=r'pip install "explain-audit\[onnx\]"'):
        explain.load(folder)


def test_a_runtime_that_reads_outside_of_the_folder_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxruntime.__version__", "1.23.2")
    with pytest.raises(AdapterError, match="weights from outside"):
        explain.load(folder)


def test_an_exported_model_opens_no_connection(exported: Path) -> None:
    with watched_connections() as reached:
        explain.attribute(explain.load(exported), "a good film", method="occlusion")
    assert reached == []
