"""What comes with a model folder or file runs nothing, reads nothing else, and costs little.

Each case is a folder that would have transformers, tokenizers, onnxruntime or skops do so. It is
loaded in a process of its own, whose memory and time are limited, and that notes what it opens.
"""

import json
import multiprocessing
import os
import pickle
import resource
import shutil
import signal
import socket
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import explain
from explain.adapters import loading, safety
from explain.adapters.base import Describable
from explain.adapters.folder_settings import MOST_JSON_BYTES, MOST_TOKENIZER_BYTES
from explain.adapters.pattern_time import quiet_panics
from explain.adapters.safety import MOST_ENTRIES
from explain.errors import AdapterError, ExplainError, PredictionError, UnsafeModelError
from explain.record import ModelDescription
from tests.helpers.tiny import piece_tokenizer, random_model

SECONDS, BYTES = 60, 4 * 2**30
"""What a case may take; the memory beyond that of the tests themselves."""

Spoils = Callable[[Path], object]

REPLACE = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}


class Runs:
    """A pickle that leaves a trace when it is opened."""

    def __reduce__(self) -> Any:
        return os.system, (f"touch {TRACE}",)


TRACE = "/tmp/explain-audit-was-run"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny model, beside weights that lie outside of it."""
    folder = tmp_path_factory.mktemp("models") / "model"
    tokenizer = piece_tokenizer()
    random_model("bert", tokenizer, max_position_embeddings=64).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    shutil.copy(folder / "model.safetensors", folder.parent / "outside.safetensors")
    (folder.parent / "outside.json").write_text("{}")
    (folder.parent / "evil.bin").write_bytes(pickle.dumps(Runs()))
    return folder


@pytest.fixture
def folder(model: Path, tmp_path: Path) -> Path:
    """Return a copy of all that, to be spoilt."""
    return Path(shutil.copytree(model.parent, tmp_path / "models")) / "model"


# ── How to spoil a folder ─────────────────────────────────────────────────────────────────────────


def index(content: object) -> Spoils:
    """Put an index in the place of the weights."""

    def spoil(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "part.safetensors")
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / "model.safetensors.index.json").write_text(text)

    return spoil


def folder_with_name(name: object, make: Callable[[Path], object] = lambda path: None) -> Spoils:
    """Have an index name weights, and make them."""

    def spoil(folder: Path) -> None:
        keys = load_file(folder / "model.safetensors")
        index({"metadata": {}, "weight_map": dict.fromkeys(keys, name)})(folder)
        make(folder / str(name))

    return spoil


def edit(file: str, **changes: Any) -> Spoils:
    def spoil(folder: Path) -> None:
        path = folder / file
        content = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**content, **changes}))

    return spoil


def normalizer(*steps: object) -> Spoils:
    return edit("tokenizer.json", normalizer={"type": "Sequence", "normalizers": steps})


def pieces(**changes: Any) -> Spoils:
    """Have a tokenizer cut words up in another way."""

    def spoil(folder: Path) -> None:
        model = json.loads((folder / "tokenizer.json").read_text())["model"]
        edit("tokenizer.json", model={**model, **changes})(folder)

    return spoil


def padded(**changes: Any) -> Spoils:
    """Have a tokenizer fill up all texts."""
    padding = {"direction": "Right", "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}
    how = {"strategy": "BatchLongest", "pad_to_multiple_of": None}
    return edit("tokenizer.json", padding={**padding, **how, **changes})


ENDLESS = {
    "type": "Split",
    "pattern": {"Regex": f"({'|'.join(['[a-z ]'] * 9)})+[!?]"},
    "behavior": "Removed",
    "invert": False,
}
"""Where Oniguruma gives up, tokenizers panics, which is no `Exception`."""

SLOW = {**ENDLESS, "pattern": {"Regex": r"\s*\s*\s*\s*\s*!"}}
"""Where Oniguruma does not give up, but takes seconds for a line of spaces."""

SLOW_IN_ALL = {**ENDLESS, "pattern": {"Regex": "[a-z ]*[a-z ]*[a-z ]*[a-z ]*#"}}

FRAME = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "[NONE]", "type_id": 0}}],
    "pair": [],
    "special_tokens": {},
}


def write(file: str, content: bytes | str) -> Spoils:
    def spoil(folder: Path) -> None:
        data = content if isinstance(content, bytes) else content.encode()
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(data)

    return spoil


def sparse(file: str, size: int) -> Spoils:
    def spoil(folder: Path) -> None:
        with (folder / file).open("ab") as stream:
            stream.truncate(size)

    return spoil


def gone(file: str, make: Callable[[Path], object]) -> Spoils:
    """Put something else in the place of a file."""

    def spoil(folder: Path) -> None:
        (folder / file).unlink(missing_ok=True)
        make(folder / file)

    return spoil


def link(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as own:
        here = os.open(path.parent, os.O_RDONLY)
        own.bind(f"/proc/self/fd/{here}/{path.name}")


def with_repeated_name(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    content["post_processor"]["single"] = [{"Sequence": {"id": "A", "type_id": 0}}] * 5_000
    (folder / "tokenizer.json").write_text(json.dumps(content))


def only_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    shutil.copy(folder.parent / "evil.bin", folder / "pytorch_model.bin")


def many_files(folder: Path) -> None:
    (folder / "many").mkdir()
    for number in range(MOST_ENTRIES):
        (folder / f"many/{number}").touch()


def adapter(**settings: object) -> Spoils:
    def spoil(folder: Path) -> None:
        write("adapter_config.json", json.dumps({"peft_type": "LORA", **settings}))(folder)
        save_file({"x": torch.zeros(1)}, folder / "adapter_model.safetensors")

    return spoil


HEADER = b'{"__metadata__":{"format":"pt"}}'
COMPLEX = b'{"w":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}'
KERNEL = "evil/flash-kernel"
DEEP = "[" * 100_000 + "]" * 100_000
MANY = {str(number): f"label {number}" for number in range(200_000)}

FOLDERS: dict[str, tuple[Spoils, str]] = {
    "index of a pickle": (
        folder_with_name("x.bin", lambda p: shutil.copy(p.parents[1] / "evil.bin", p)),
        "no safetensors",
    ),
    "index of a pickle outside": (folder_with_name("../evil.bin"), "outside of the folder"),
    "index above": (folder_with_name("../outside.safetensors"), "outside of the folder"),
    "index from the root": (folder_with_name("/dev/zero"), "outside of the folder"),
    "index below": (folder_with_name("below/part.safetensors"), "outside of the folder"),
    "index with other strokes": (
        folder_with_name("..\\outside.safetensors"),
        "outside of the folder",
    ),
    "index of this folder": (folder_with_name("."), "outside of the folder"),
    "index of nothing": (folder_with_name(""), "outside of the folder"),
    "index of a list": (folder_with_name(["part.safetensors"]), "no safetensors"),
    "index of a pipe": (
        folder_with_name("x.safetensors", os.mkfifo),
        "a pipe, a socket or a device",
    ),
    "index of a link": (
        folder_with_name("x.safetensors", link("../outside.safetensors")),
        "is a link",
    ),
    "index of a device": (folder_with_name("x.safetensors", link("/dev/zero")), "is a link"),
    "index of what is not there": (folder_with_name("x.safetensors"), "which is not there"),
    "index without weights": (index({"metadata": {}}), "no weight_map"),
    "index of no weights": (index({"weight_map": {}}), "names no weights"),
    "index that is a list": (index(["part.safetensors"]), "no weight_map"),
    "index that is no JSON": (index("{"), "no JSON"),
    "index that is huge": (index(" " * (MOST_JSON_BYTES + 1)), "at most"),
    "another index above": (
        lambda folder: edit("x.safetensors.index.json", weight_map={"a": "../a.safetensors"})(
            folder
        ),
        "outside of the folder",
    ),
    "weights that the configuration names": (
        edit("config.json", transformers_weights="../evil.bin"),
        "asks for weights",
    ),
    "weights of an adapter that it names": (
        edit("config.json", transformers_weights="adapter_model.bin"),
        "asks for weights",
    ),
    "weights that are a pickle": (
        write("model.safetensors", pickle.dumps(Runs())),
        "cannot be loaded",
    ),
    "weights that are a link": (gone("model.safetensors", link("../outside.safetensors")), "link"),
    "weights that are a pipe": (gone("model.safetensors", os.mkfifo), "a pipe"),
    "weights that are a folder": (gone("model.safetensors", Path.mkdir), "holds no weights"),
    "weights without end": (write("model.safetensors", b"\xff" * 7 + b"\x0f{"), "cannot be loaded"),
    "weights of wrong length": (
        write("model.safetensors", struct.pack("<Q", len(HEADER)) + HEADER[:-9]),
        "cannot be loaded",
    ),
    "weights that are empty": (write("model.safetensors", b""), ""),
    "weights that are complex": (
        write("model.safetensors", struct.pack("<Q", len(COMPLEX)) + COMPLEX + bytes(8)),
        "complex numbers",
    ),
    "weights before 40 GB of zeros": (sparse("model.safetensors", 40 * 10**9), "40,000,000,000"),
    "weights with a head without end": (
        write("model.safetensors", struct.pack("<Q", 2**60) + b"{}"),
        "cannot be loaded",
    ),
    "weights with a head of lists": (
        write("model.safetensors", struct.pack("<Q", len(DEEP)) + DEEP.encode()),
        "cannot be loaded",
    ),
    "only a pickle": (only_pickle, "only as a pickle"),
    "code": (write("modeling_bert.py", f"open({TRACE!r}, 'w')"), "holds Python code"),
    "code below": (write("below/x.py", f"open({TRACE!r}, 'w')"), "holds Python code"),
    "code by the configuration": (
        edit("config.json", auto_map={"AutoModelForSequenceClassification": "x--y.Z"}),
        "auto_map",
    ),
    "code by a part of it": (edit("config.json", text_config={"auto_map": {"a": "b"}}), "auto_map"),
    "code by the tokenizer": (
        edit("tokenizer_config.json", auto_map={"AutoTokenizer": ["x--y.Z", None]}),
        "auto_map",
    ),
    "code by a processor": (edit("processor_config.json", auto_map={}), "auto_map"),
    "code of a hub": (edit("config.json", attn_implementation=KERNEL), "code of a hub"),
    "code of a hub for a part": (
        edit("config.json", _attn_implementation={"": KERNEL}),
        "code of a hub",
    ),
    "a billion labels": (edit("config.json", num_labels=10**9), "num_labels 1,000,000,000"),
    "a billion labels as a fraction": (edit("config.json", num_labels=1e9), "num_labels"),
    "labels by the thousand": (edit("config.json", id2label=MANY), "entries of id2label"),
    "a label without end": (
        edit("config.json", id2label={"0": "x" * 10**6, "1": "y"}, num_labels=2),
        "a label has 1,000,000 characters",
    ),
    "labels that the weights do not have": (
        edit("config.json", id2label=dict.fromkeys("0123456", "x"), num_labels=7),
        "have the shape",
    ),
    "a million layers": (edit("config.json", num_hidden_layers=10**6), "num_hidden_layers"),
    "a million layers of a part": (edit("config.json", x={"n_layer": 10**6}), "n_layer"),
    "hidden sizes": (edit("config.json", hidden_size=10**9), "hidden_size"),
    "hidden sizes that only just fit": (edit("config.json", hidden_size=2**24), "describes"),
    "a vocabulary": (edit("config.json", vocab_size=10**8), "describes"),
    "wide layers": (edit("config.json", intermediate_size=2**27), "describes"),
    "positions": (edit("config.json", max_position_embeddings=10**12), "max_position"),
    "positions that only just fit": (
        edit("config.json", max_position_embeddings=2**27),
        "describes",
    ),
    "a negative size": (edit("config.json", hidden_size=-1), "cannot be loaded"),
    "a size that is infinite": (edit("config.json", hidden_size=float("inf")), "hidden_size inf"),
    "a size that is no number": (
        edit("config.json", num_hidden_layers=[]),
        "expected int, got list",
    ),
    "sizes that are words": (edit("config.json", hidden_size="9" * 5_000), "cannot be loaded"),
    "configuration of 1.5 GB": (sparse("config.json", 3 * 2**29), "at most"),
    "configuration of deep lists": (write("config.json", DEEP), "no JSON"),
    "configuration of bytes": (write("config.json", b"\xff\xfe\0"), "no JSON"),
    "configuration elsewhere": (gone("config.json", link("/etc/passwd")), "is a link"),
    "configuration that is a pipe": (gone("config.json", os.mkfifo), "a pipe"),
    "configuration that is a folder": (gone("config.json", Path.mkdir), "holds no config.json"),
    "configuration of another kind": (edit("config.json", model_type="evil"), "cannot be loaded"),
    "tokenizer elsewhere": (gone("tokenizer.json", link("../outside.json")), "is a link"),
    "tokenizer that is a pipe": (gone("tokenizer.json", os.mkfifo), "a pipe"),
    "tokenizer that is huge": (sparse("tokenizer.json", MOST_TOKENIZER_BYTES + 1), "at most"),
    "tokenizer that is no JSON": (write("tokenizer.json", "{"), "cannot be loaded"),
    "tokenizer that names a file": (
        edit("tokenizer_config.json", vocab_file="../outside.json"),
        "names a file outside",
    ),
    "tokenizer that names a file of the system": (
        edit("tokenizer_config.json", tokenizer_file="/etc/passwd"),
        "names a file outside",
    ),
    "tokenizer that doubles": (normalizer(*[REPLACE] * 60), "makes"),
    "tokenizer of a long word": (normalizer({**REPLACE, "content": "b" * 10**6}), "makes"),
    "tokenizer of a long word for any": (
        normalizer({**REPLACE, "pattern": {"Regex": "."}, "content": "b" * 10**6}),
        "makes",
    ),
    "tokenizer that prepends": (normalizer({"type": "Prepend", "prepend": "b" * 10**6}), "makes"),
    "tokenizer that repeats": (with_repeated_name, "makes"),
    "tokenizer that fills up": (padded(strategy={"Fixed": 10**9}), "padding"),
    "tokenizer that fills up to a multiple": (padded(pad_to_multiple_of=10**9), "padding"),
    "tokenizer of a pattern without end": (
        edit("tokenizer.json", pre_tokenizer=ENDLESS),
        "retry-limit",
    ),
    "tokenizer of a slow pattern": (edit("tokenizer.json", pre_tokenizer=SLOW), "seconds for"),
    "tokenizer of a table that is not there": (
        normalizer({"type": "Precompiled", "precompiled_charsmap": "/////w=="}),
        "precompiled_charsmap",
    ),
    "tokenizer of a table that is none": (
        edit("tokenizer.json", normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        "PanicException",
    ),
    "tokenizer with a frame that is not there": (
        edit("tokenizer.json", post_processor=FRAME),
        "PanicException",
    ),
    "tokenizer that adds tokens": (edit("tokenizer.json", added_tokens=[{}] * 30_001), "added"),
    "tokenizer that adds tokens elsewhere": (
        write("added_tokens.json", json.dumps({str(i): i for i in range(30_001)})),
        "at most 30,000",
    ),
    "tokenizer of many special tokens": (
        edit("tokenizer_config.json", additional_special_tokens=[*map(str, range(30_001))]),
        "additional_special_tokens",
    ),
    "tokenizer of words of any length": (
        pieces(max_input_chars_per_word=10**15),
        "max_input_chars_per_word",
    ),
    "tokenizer of a long prefix": (
        pieces(continuing_subword_prefix="x" * 10**6),
        "letters of continuing_subword_prefix",
    ),
    "name with a line break": (write("x\n\x1b[2J.py", "x"), "characters that cannot be shown"),
    "name that turns a line round": (
        write("x\u202e.json", "{}"),
        "characters that cannot be shown",
    ),
    "more files than any model has": (many_files, "holds more than"),
    "link to itself": (gone("loop", link("loop")), "link to itself"),
    "folder elsewhere": (gone("more", link("/etc")), "is a link"),
    "socket": (gone("x.sock", listening), "a pipe, a socket or a device"),
    "adapter of a hub": (adapter(base_model_name_or_path="evil/base"), "nothing is downloaded"),
    "adapter over the system": (adapter(base_model_name_or_path="/etc"), ""),
    "adapter over itself": (adapter(base_model_name_or_path="."), "holds an adapter"),
    "adapter of a huge rank": (adapter(r=10**9), "says r"),
    "adapter of a huge rank somewhere": (adapter(rank_pattern={"query": 10**9}), "rank_pattern"),
    "adapter that repeats layers": (adapter(layer_replication=[[0, 2]] * 1_000), "repeats 2,000"),
    "adapter with a pattern without end": (
        adapter(target_modules=r"(\w+\.?)+!", base_model_name_or_path="."),
        "may never end",
    ),
    "adapter with a module": (adapter(auto_mapping={"parent_library": "os"}), "outside of the"),
}
"""How a folder is spoilt, and what must be said of it."""


# ── A process that is watched ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class LoadOutcome:
    """What loading led to, and what was opened and printed on the way."""

    error: str
    said: str
    opened: tuple[str, ...]
    printed: str
    seconds: float


class AnsweringInput(Exception):
    """Somebody asked a question on standard input."""


class NobodyThere:
    """A standard input that must not be read."""

    def readline(self, *_: object) -> str:
        raise AnsweringInput

    read = __iter__ = readline


EVENTS = ("open", "os.system", "subprocess.Popen", "socket.connect", "os.exec", "os.posix_spawn")


def report_load(results: Connection, source: str, options: dict[str, Any]) -> None:
    """Load a model, and send what happened."""
    signal.alarm(SECONDS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, used + BYTES))
    sys.stdin = NobodyThere()
    opened: list[str] = []
    printed = os.memfd_create("stderr")
    os.dup2(printed, 2)
    sys.addaudithook(
        lambda event, args: opened.append(f"{event} {args[0]}") if event in EVENTS else None
    )
    started = time.monotonic()
    try:
        explain.load(source, **options).predict(["a good film"])
    except ExplainError as error:
        result = (type(error).__name__, str(error))
    except BaseException as error:
        result = (repr(error), "")
    else:
        result = ("", "")
    seconds, said = time.monotonic() - started, os.pread(printed, 10_000, 0).decode()
    results.send(LoadOutcome(*result, tuple(opened), said, seconds))
    results.close()
    os._exit(0)


def load(source: str, **options: Any) -> LoadOutcome:
    """Load a model in a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=report_load, args=(theirs, source, options)
    )
    process.start()
    theirs.close()
    try:
        seen = ours.recv()
    except EOFError:
        process.join()
        pytest.fail(f"the process ended with {process.exitcode}")
    process.join()
    assert isinstance(seen, LoadOutcome)
    return seen


def outside(outcome: LoadOutcome, folder: Path) -> list[str]:
    """Return what was opened that is neither in the folder nor of Python's own."""
    homes = (f"open {folder}/", *(f"open {path}/" for path in (sys.prefix, sys.base_prefix)))
    own = f"open {Path(explain.__file__).parents[1]}"
    modules = (
        "open /proc/",
        "open None",
        "open /dev/null",
        "open /usr/share/zoneinfo/",
        "open /etc/os-release",
    )
    harmless = (*homes, own, *modules)
    return [
        event
        for event in outcome.opened
        if not event.startswith(harmless) and not event.removeprefix("open ").isdecimal()
    ]


def check(outcome: LoadOutcome, folder: Path, says: str) -> None:
    assert outcome.error in ("AdapterError", "UnsafeModelError", "PredictionError"), outcome
    assert says in outcome.said
    assert "\n" not in outcome.said
    assert len(outcome.said) < 1_000
    assert outside(outcome, folder) == []
    assert outcome.printed == ""
    assert not Path(TRACE).exists()
    assert outcome.seconds < SECONDS / 2


def described(folder: Path) -> ModelDescription:
    model = explain.load(folder)
    assert isinstance(model, Describable)
    return model.describe()


def test_threads_that_load_at_once_leave_standard_error_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load_for(seconds: float) -> None:
        with quiet_panics():
            time.sleep(seconds)

    before = os.fstat(2)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(load_for, [0.02, 0.01, 0.03, 0.0]))
    after = os.fstat(2)
    assert (before.st_dev, before.st_ino) == (after.st_dev, after.st_ino)
    monkeypatch.setattr(sys, "stderr", None)
    load_for(0.0)


@pytest.mark.parametrize("case", FOLDERS)
def test_a_hostile_folder_is_one_line(case: str, folder: Path) -> None:
    spoil, says = FOLDERS[case]
    spoil(folder)
    check(load(str(folder)), folder, says)


def test_the_folder_that_is_spoilt_is_sound(folder: Path) -> None:
    seen = load(str(folder))
    assert (seen.error, outside(seen, folder)) == ("", [])


# ── Single files, and ONNX ────────────────────────────────────────────────────────────────────────


def archive(**entries: bytes) -> Spoils:
    """Write a .skops file with entries of zeros, or what is given."""

    def spoil(folder: Path) -> None:
        with zipfile.ZipFile(folder / "m.skops", "w", zipfile.ZIP_DEFLATED) as written:
            for name, content in entries.items():
                written.writestr(name.replace("_json", ".json"), content)

    return spoil


def zip_bomb(folder: Path) -> None:
    with (
        zipfile.ZipFile(folder / "m.skops", "w", zipfile.ZIP_DEFLATED) as written,
        written.open("schema.json", "w", force_zip64=True) as stream,
    ):
        for _ in range(80):
            stream.write(bytes(2**24))


def huge_array(folder: Path) -> None:
    """Write an array of 10^12 numbers that are not there."""
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    array = b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode()
    schema = {
        "__class__": "ndarray",
        "__module__": "numpy",
        "__loader__": "NdArrayNode",
        "type": "numpy",
        "file": "a.npy",
        "__id__": 1,
        "protocol": 2,
        "_skops_version": "0.16",
    }
    with zipfile.ZipFile(folder / "m.skops", "w") as written:
        written.writestr("schema.json", json.dumps(schema))
        written.writestr("a.npy", array)


FILES: dict[str, tuple[str, Spoils, str]] = {
    "archive that expands": ("m.skops", zip_bomb, "expands to"),
    "archive of an endless array": ("m.skops", huge_array, ""),
    "archive of deep lists": ("m.skops", archive(schema_json=DEEP.encode()), "no skops file"),
    "archive of nothing": ("m.skops", archive(), "no skops file"),
    "archive that is none": ("m.skops", write("m.skops", b"PK"), "is no skops file"),
    "archive that is a pipe": ("m.skops", gone("m.skops", os.mkfifo), "no file"),
    "archive that is a device": ("m.skops", gone("m.skops", link("/dev/zero")), "no file"),
    "pickle": ("m.joblib", write("m.joblib", pickle.dumps(Runs())), "which can run any code"),
    "pickle by another name": ("m.pkl", write("m.pkl", pickle.dumps(Runs())), "can run any code"),
    "pickle by the name of an archive": (
        "m.skops",
        write("m.skops", pickle.dumps(Runs())),
        "is no skops file",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_a_hostile_file_is_one_line(case: str, folder: Path) -> None:
    pytest.importorskip("skops")
    name, spoil, says = FILES[case]
    spoil(folder)
    check(load(str(folder / name)), folder, says)


def graph(*nodes: Any, **options: Any) -> Spoils:
    """Put an ONNX model in the place of the weights."""

    def spoil(folder: Path) -> None:
        onnx = pytest.importorskip("onnx")
        make = onnx.helper
        ids = make.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, ["b", "t"])
        logits = make.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, None)
        made = [make.make_node(*node[:3], **node[3]) for node in nodes]
        built = make.make_graph(made, "g", [ids], [logits], **options)
        opset = [make.make_opsetid("", 17)]
        data = make.make_model(built, opset_imports=opset, ir_version=9).SerializeToString()
        (folder / "model.safetensors").unlink()
        (folder / "model.onnx").write_bytes(data)

    return spoil


def instead(file: str, content: bytes) -> Spoils:
    """Put other weights in the place of the weights."""

    def spoil(folder: Path) -> None:
        only_pickle(folder)
        write(file, content)(folder)

    return spoil


def constant(name: str, *values: int) -> tuple[Any, ...]:
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor(name, onnx.TensorProto.INT64, [len(values)], values)
    return ("Constant", [], [name], {"value": value})


def external(location: str) -> Spoils:
    def spoil(folder: Path) -> None:
        onnx = pytest.importorskip("onnx")
        weight = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[4])
        weight.data_location = onnx.TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=location)
        graph(("Identity", ["w"], ["logits"], {}), initializer=[weight])(folder)

    return spoil


GRAPHS: dict[str, tuple[Callable[[], Spoils], str]] = {
    "no graph": (lambda: graph(), "cannot be loaded"),
    "not an ONNX file": (
        lambda: instead("model.onnx", b"\xff" * 99),
        "cannot be loaded",
    ),
    "an empty file": (
        lambda: instead("model.onnx", b""),
        "cannot be loaded",
    ),
    "weights above": (lambda: external("../outside.safetensors"), "cannot be loaded"),
    "weights from the root": (lambda: external("/etc/passwd"), "cannot be loaded"),
    "weights of a device": (lambda: external("/dev/zero"), "cannot be loaded"),
    "a constant that expands": (
        lambda: graph(
            constant("shape", 2**18, 2**18), ("ConstantOfShape", ["shape"], ["logits"], {})
        ),
        "",
    ),
    "an operation of a library": (
        lambda: graph(("Evil", ["input_ids"], ["logits"], {"domain": "evil.ops"})),
        "cannot be loaded",
    ),
}


def endless(folder: Path) -> None:
    """Write a graph that counts to 2^62."""
    onnx = pytest.importorskip("onnx")
    make, kinds = onnx.helper, onnx.TensorProto
    scalar = make.make_tensor_value_info
    body = make.make_graph(
        [make.make_node("Identity", [f"{name} in"], [f"{name} out"]) for name in ("go", "sum")],
        "body",
        [
            scalar("n", kinds.INT64, []),
            scalar("go in", kinds.BOOL, []),
            scalar("sum in", kinds.INT64, []),
        ],
        [scalar("go out", kinds.BOOL, []), scalar("sum out", kinds.INT64, [])],
    )
    constants = [("trips", kinds.INT64, 2**62), ("go", kinds.BOOL, True), ("zero", kinds.INT64, 0)]
    graph(
        *(
            ("Constant", [], [name], {"value": make.make_tensor(name, kind, [], [value])})
            for name, kind, value in constants
        ),
        ("Loop", ["trips", "go", "zero"], ["sum"], {"body": body}),
        ("Add", ["input_ids", "sum"], ["both"], {}),
        ("Cast", ["both"], ["logits"], {"to": kinds.FLOAT}),
    )(folder)


def test_a_graph_without_end_is_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx = pytest.importorskip("explain.adapters.onnx")
    monkeypatch.setattr(onnx, "MOST_SECONDS", 1.0)
    endless(folder)
    check(load(str(folder)), folder, "terminate")


@pytest.mark.parametrize("case", GRAPHS)
def test_a_hostile_graph_is_one_line(case: str, folder: Path) -> None:
    pytest.importorskip("onnxruntime")
    make, says = GRAPHS[case]
    make()(folder)
    check(load(str(folder)), folder, says)


# ── What is hashed ────────────────────────────────────────────────────────────────────────────────


def test_what_is_never_loaded_is_not_hashed(folder: Path) -> None:
    for name in ("old.bin", "optimizer.pt", "train.json", "notes.txt", "more.safetensors"):
        sparse(name, 40 * 10**9)(folder)
    started = time.monotonic()
    files = [file.path for file in described(folder).files]
    assert time.monotonic() - started < 10
    assert files == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]


def test_all_parts_of_an_index_are_hashed(folder: Path) -> None:
    folder_with_name("part 1.safetensors", link("part.safetensors"))(folder)
    files = [file.path for file in described(folder).files]
    assert {"part 1.safetensors", "model.safetensors.index.json"} <= set(files)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_file_that_changes_while_it_is_loaded_is_noticed(
    file: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_model = loading.load_model

    def meanwhile(*args: Any, **options: Any) -> Any:
        before = (folder / file).stat()
        (folder / file).write_bytes((folder / file).read_bytes())
        os.utime(folder / file, ns=(before.st_atime_ns, before.st_mtime_ns))
        return load_model(*args, **options)

    monkeypatch.setattr("explain.adapters.transformers.load_model", meanwhile)
    with pytest.raises(AdapterError, match="was changed while it was loaded"):
        explain.load(folder)


def test_links_as_in_the_cache_of_a_hub_are_followed(folder: Path, tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "models--a--b/blobs", tmp_path / "models--a--b/snapshots/0123"
    snapshot.mkdir(parents=True)
    folder.rename(blobs)
    for path in blobs.iterdir():
        (snapshot / path.name).symlink_to(f"../../blobs/{path.name}")
    assert len(described(snapshot).files) == 4
    (snapshot / "vocab.txt").symlink_to("../../../models/outside.json")
    with pytest.raises(UnsafeModelError, match="is a link"):
        explain.load(snapshot)


@pytest.mark.parametrize("name", ["sst2-minilm", "nli-minilm"])
def test_real_models_are_within_all_limits(name: str, shared: Path) -> None:
    safety.check_folder(shared / "models" / name)
    assert safety.weight_files(shared / "models" / name)


def test_a_pattern_that_is_a_little_slow_everywhere_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explain.adapters.pattern_time.MOST_PROBES_SECONDS", 0.8)
    edit("tokenizer.json", pre_tokenizer=SLOW_IN_ALL)(folder)
    check(load(str(folder)), folder, "seconds for")


@pytest.mark.parametrize(
    "pattern",
    [
        "(x+x+)+y",
        pytest.param(r"(\w+\s?)*;", marks=pytest.mark.nightly),
        pytest.param("(a|a)+!", marks=pytest.mark.nightly),
    ],
)
def test_a_pattern_of_a_vectorizer_that_never_ends_is_one_line(
    pattern: str, tmp_path: Path
) -> None:
    skops = pytest.importorskip("skops.io")
    estimator = make_pipeline(TfidfVectorizer(), LogisticRegression())
    estimator.fit(["a good film", "a bad film"], [1, 0])
    estimator.set_params(tfidfvectorizer__token_pattern=pattern)
    skops.dump(estimator, tmp_path / "m.skops")
    outcome = load(str(tmp_path / "m.skops"))
    assert outcome.error == "AdapterError"
    assert "tfidfvectorizer__token_pattern" in outcome.said
    assert "seconds for" in outcome.said
    assert outcome.seconds < SECONDS / 2


@pytest.mark.parametrize(
    "pattern", [r" ?\p{L}+| ?\p{N}+|\s+(?!\S)|\s+", r"(?=(\d{3})+(?!\d))", r"\s*[\r\n]+|\p{N}{1,3}"]
)
def test_patterns_of_sound_tokenizers_are_within_the_limit(pattern: str, folder: Path) -> None:
    edit("tokenizer.json", pre_tokenizer={**ENDLESS, "pattern": {"Regex": pattern}})(folder)
    assert load(str(folder)).error == ""


def test_a_tokenizer_that_took_far_too_long_is_asked_nothing_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = explain.load(folder)
    model.predict(["a good film"])
    monkeypatch.setattr("explain.adapters.pattern_time.MOST_SECONDS", -1.0)
    model.predict(["a good film"])
    with pytest.raises(PredictionError, match="is asked nothing more"):
        model.predict(["another film"])
