"""No adapter opens a connection unless a hub id was given, and nothing reports what is done."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import explain
from explain.errors import AdapterError, ExplainError
from tests.helpers.connections import watched_connections
from tests.helpers.endpoint import FORMATS, QUESTIONS, Server
from tests.helpers.tiny import byte_tokenizer, piece_tokenizer, random_model

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")

TEXTS = ["a good film", "a bad film", "good", "bad", "the payment failed"]


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return what was tried to reach, where no variable says that one is offline."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with watched_connections() as events:
        yield events


def transformer(folder: Path) -> Any:
    tokenizer = piece_tokenizer()
    random_model("bert", tokenizer, max_position_embeddings=64).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder, {}


def sharded(folder: Path) -> Any:
    tokenizer = byte_tokenizer(mask=True)
    model = random_model("roberta", tokenizer, max_position_embeddings=66)
    model.save_pretrained(folder, max_shard_size="20KB")
    tokenizer.save_pretrained(folder)
    assert (folder / "model.safetensors.index.json").is_file()
    return folder, {}


def mistral(folder: Path) -> Any:
    """Write a model of a family whose tokenizers transformers looks up at the hub."""
    tokenizer = byte_tokenizer(mask=False)
    options = {"max_position_embeddings": 64, "num_key_value_heads": 1, "head_dim": 8}
    random_model("mistral", tokenizer, **options).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder, {}


def prompted(folder: Path) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = byte_tokenizer(mask=False)
    config = AutoConfig.for_model(
        "gpt2", vocab_size=len(tokenizer), n_embd=8, n_layer=1, n_head=2, n_positions=64
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder, {"template": "{text} is", "verbalizer": {"x": " good", "y": " bad"}}


def adapter(folder: Path) -> Any:
    peft = pytest.importorskip("peft")
    transformer(folder / "base")
    model = random_model("bert", piece_tokenizer(), max_position_embeddings=64)
    lora = peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"])
    made = peft.get_peft_model(model, lora)
    made.save_pretrained(str(folder), save_embedding_layers=False)
    return folder, {"base": folder / "base"}


def skops(folder: Path) -> Any:
    io = pytest.importorskip("skops.io")
    io.dump(estimator(), folder / "m.skops")
    return folder / "m.skops", {}


def pickled(folder: Path) -> Any:
    joblib.dump(estimator(), folder / "m.joblib")
    return folder / "m.joblib", {"allow_pickle": True}


def estimator() -> Any:
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, [1, 0, 1, 0, 0])


SAVE_MODEL: dict[str, Callable[[Path], Any]] = {
    "transformer": transformer,
    "sharded": sharded,
    "mistral": mistral,
    "prompted": prompted,
    "adapter": adapter,
    "skops": skops,
    "pickle": pickled,
}


@pytest.fixture
def saved_model(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return path and options of a saved model; peft asks a hub while it saves one."""
    return SAVE_MODEL[request.param](tmp_path)


@pytest.mark.parametrize("saved_model", SAVE_MODEL, indirect=True)
def test_a_saved_model_is_loaded_and_explained_without_a_connection(
    saved_model: Any, reached: list[str]
) -> None:
    path, options = saved_model
    model = explain.load(path, **options)
    explain.attribute(model, TEXTS[0], method="occlusion")
    assert reached == []


@pytest.mark.parametrize("kind", FORMATS)
def test_an_endpoint_is_asked_by_nobody_but_its_own_transport(
    kind: str, reached: list[str]
) -> None:
    server, question = Server(kind), dict[str, Any](QUESTIONS[kind])
    address = "http://endpoint.test/x"
    model = explain.load(address, kind=kind, transport=server.transport, **question)
    explain.attribute(model, TEXTS[0], method="occlusion")
    assert server.requests > 0
    assert reached == []


def test_a_live_model_is_wrapped_without_a_connection(reached: list[str]) -> None:
    tokenizer = piece_tokenizer()
    model = random_model("bert", tokenizer, max_position_embeddings=64)
    for live in ((model, tokenizer), estimator()):
        explain.attribute(explain.wrap(live), TEXTS[0], method="occlusion")
    assert reached == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("modle", "model"),
        ("./modle", "model"),
        ("models/modle", "models/model"),
        ("mdels/model", "models/model"),
        ("models/model/modle", None),
        ("bert-base-uncased", None),
        ("m.skps", "m.skops"),
        ("m.skop/x/y", "m.skops/x/y"),
        ("../other/model", None),
        ("a b", None),
        ("", None),
        ("~/model", None),
    ],
)
def test_a_mistyped_folder_is_not_sent_to_a_hub(
    name: str,
    meant: str | None,
    tmp_path: Path,
    reached: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "models/model").mkdir(parents=True)
    (tmp_path / "model").mkdir()
    (tmp_path / "m.skops").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AdapterError) as error:
        explain.load(name)
    assert reached == []
    if meant is not None:
        assert f"did you mean {meant!r}?" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_hub_id_is_asked_for(reached: list[str], tmp_path: Path) -> None:
    with pytest.raises(ExplainError, match="the hub did not give it"):
        explain.load("owner/name")
    assert reached


def test_telemetry_is_off_before_anything_is_imported(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    program = (
        "import explain, sys, time\n"
        "assert 'onnxruntime' not in sys.modules and 'huggingface_hub' not in sys.modules\n"
        "import onnxruntime, huggingface_hub.constants as hub\n"
        "assert hub.HF_HUB_DISABLE_TELEMETRY\n"
        "onnxruntime.InferenceSession\n"
        "onnxruntime.get_available_providers(), onnxruntime.SessionOptions()\n"
    )
    removed = ("CI", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY")
    kept = {name: value for name, value in os.environ.items() if name not in removed}
    homes = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    root = str(Path(explain.__file__).parents[1])
    subprocess.run(
        [sys.executable, "-c", program], env={**kept, **homes, "PYTHONPATH": root}, check=True
    )
    # Where telemetry is on, onnxruntime keeps the number of this device there.
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
