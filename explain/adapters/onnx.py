"""Sequence classifiers in the ONNX format."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from packaging.version import Version
from transformers import AutoModelForSequenceClassification

from explain.adapters.base import description_of
from explain.adapters.extras import import_extra
from explain.adapters.loading import load_config, load_tokenizer, loading
from explain.adapters.origin import UNKNOWN, Origin
from explain.adapters.reading_limits import check_vocabulary, max_length_of, pad_id_of, pad_side_of
from explain.adapters.safety import LoadedFiles, check_folder
from explain.adapters.scores import SUM_TOLERANCE, Scores, check_scores
from explain.adapters.tokenized import LongText, Padding, Pool, TokenizerClassifier
from explain.adapters.transformers import KIND, labels_of, task_of
from explain.errors import AdapterError, ConfigurationError, nearest
from explain.record import ModelDescription, Task

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

__all__ = ["OnnxClassifier"]

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

PROBES = (".", "good", "This is bad, and it will get worse.", "no 1 2 3", "Where? Here!")
"""Texts that tell probabilities from logits: few logits lie in 0 to 1 for all of them."""

MOST_SECONDS = 600.0
"""Time for one batch, after which a model counts as one that never ends."""

SAFE = Version("1.24.1")
"""The first onnxruntime that reads no external weights from outside of the model's folder."""


class OnnxClassifier(TokenizerClassifier):
    """A sequence classifier of the transformers library that was exported to ONNX.

    It has scores and tokens, but no gradients. The scores are the output ``logits``, or else the
    only one; an output of probabilities is refused, as its log-odds would be wrong.
    Padding and the longest text are those of the architecture that ``config.json`` names; of that,
    no weights are made.

    Parameters
    ----------
    session : InferenceSession
        The model in onnxruntime; its inputs are among what the tokenizer gives, (batch, tokens).
    tokenizer : PreTrainedTokenizerBase
        Its tokenizer, a fast one.
    config : PretrainedConfig
        Its configuration: architecture, ``id2label``, ``problem_type``.
    origin : Origin
        Where it comes from, and what reports call it.
    task : {"single_label", "multi_label", "regression"}, optional
        As for `TransformersClassifier`.
    long_text, pool
        As for `TokenizerClassifier`.

    Raises
    ------
    AdapterError
        If session, tokenizer and configuration do not fit together, no output is known to be the
        logits, or what it gives for some texts are probabilities.
    ConfigurationError
        If `task` contradicts the model, or `long_text` or `pool` is unknown.
    """

    def __init__(
        self,
        session: "InferenceSession",
        tokenizer: "PreTrainedTokenizerBase",
        config: "PretrainedConfig",
        *,
        origin: Origin,
        task: Task | None = None,
        long_text: LongText = "cut",
        pool: Pool = "mean",
    ) -> None:
        with torch.device("meta"):
            outline = AutoModelForSequenceClassification.from_config(config)
        check_vocabulary(outline, tokenizer)
        super().__init__(
            tokenizer,
            labels_of(config),
            task=task_of(config, task),
            max_length=max_length_of(outline, tokenizer),
            name=origin.name or type(self).__name__,
            padding=Padding(pad_id_of(outline, tokenizer), pad_side_of(outline, tokenizer)),
            long_text=long_text,
            pool=pool,
        )
        self._session = session
        self._architecture = type(outline).__name__
        self._origin = origin
        self._output = self._find_output()
        self._inputs = [entry.name for entry in session.get_inputs()]
        self._check_inputs()
        self._check_logits()

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        *,
        origin: Origin = UNKNOWN,
        task: Task | None = None,
        long_text: LongText = "cut",
        pool: Pool = "mean",
        device: str = "cpu",
    ) -> Self:
        """Return the classifier in a folder: ``model.onnx``, tokenizer and ``config.json``.

        Nothing is downloaded, no library of custom operators is loaded, and weights in files of
        their own are read from inside the folder only.

        Parameters
        ----------
        folder : str or Path
            The folder, with ``model.onnx`` or a single other ``*.onnx``.
        origin, task, long_text, pool
            As for the class; its source is by default the folder, its name that of the folder.
        device : str
            ``cpu``, or ``cuda`` or ``cuda:0`` with a build of onnxruntime for it.

        Raises
        ------
        AdapterError
            If onnxruntime is missing or too old, the folder is missing or incomplete, or it holds
            no sequence classifier.
        ConfigurationError
            If an option is unknown or contradicts the model, or there is no such device.
        UnsafeModelError
            If it comes with code.
        """
        runtime = import_extra("onnxruntime", "onnx")
        path = Path(folder)
        check_folder(path, weights=".onnx")
        file = _model_file(path)
        loaded = LoadedFiles.of(path, [file, *_external_files(file)])
        config = load_config(path, KIND)
        session, tokenizer = _session(runtime, file, device), load_tokenizer(path)
        return cls(
            session,
            tokenizer,
            config,
            origin=origin.in_folder(path, loaded.unchanged()),
            task=task,
            long_text=long_text,
            pool=pool,
        )

    def describe(self) -> ModelDescription:
        """Return what is known of the model, with the hashes of its files."""
        return description_of(
            self,
            {
                "architecture": self._architecture,
                "format": "ONNX",
                "exported by": self._session.get_modelmeta().producer_name,
                "device": self._session.get_providers()[0].removesuffix("ExecutionProvider"),
                "threads": self._session.get_session_options().intra_op_num_threads,
                **self._facts(),
            },
            source=self._origin.source,
            files=self._origin.files,
        )

    def _find_output(self) -> str:
        outputs = [output.name for output in self._session.get_outputs()]
        if "logits" not in outputs and len(outputs) != 1:
            raise AdapterError(
                f"{self.name} has the outputs {', '.join(outputs)}, none of them called 'logits'; "
                "export it again with that name for its logits"
            )
        return "logits" if "logits" in outputs else outputs[0]

    def _check_logits(self) -> None:
        """Refuse probabilities, which a softmax or sigmoid at the end of the model gives."""
        scores = self.predict(PROBES)
        if self.task == "regression" or not ((scores >= 0) & (scores <= 1 + SUM_TOLERANCE)).all():
            return
        summed = np.abs(scores.sum(axis=1) - 1).max() <= SUM_TOLERANCE
        if self.task == "multi_label" or summed:
            raise AdapterError(
                f"the output {self._output!r} of {self.name} gives probabilities (all scores of "
                f"{len(PROBES)} texts lie in 0 to 1{' and sum to 1' if summed else ''}), expected "
                "logits; export the model again without the softmax or sigmoid at its end"
            )

    def _check_inputs(self) -> None:
        inputs = list(self._tokenize(["."]))
        if unknown := sorted(set(self._inputs) - set(inputs)):
            raise AdapterError(
                f"{self.name} asks for the input {unknown[0]!r}, its tokenizer gives "
                f"{', '.join(inputs)}; export the model again with these inputs"
            )
        for entry in self._session.get_inputs():
            if entry.type != "tensor(int64)" or any(isinstance(size, int) for size in entry.shape):
                raise AdapterError(
                    f"{self.name} was exported with an input {entry.name!r} of {entry.type} and "
                    f"shape {entry.shape}; export it again with int64 and free axes (dynamic_axes)"
                )

    def _score_batch(self, encoded: Mapping[str, Any]) -> Scores:
        inputs = self._pad_rows({key: encoded[key] for key in self._inputs})
        (logits,) = _run(self._session, self._output, inputs)
        return check_scores(logits, len(encoded["input_ids"]), self.labels, self.name)


def _model_file(folder: Path) -> Path:
    """Return ``model.onnx``, or the only ``*.onnx`` of a folder."""
    files = sorted(folder.glob("*.onnx"))
    if (folder / "model.onnx") in files or len(files) == 1:
        return folder / "model.onnx" if len(files) > 1 else files[0]
    raise AdapterError(
        f"{str(folder)!r} holds {len(files)} *.onnx files at its top; "
        "expected model.onnx, or a single one"
    )


def _external_files(file: Path) -> list[Path]:
    """Return the files beside a model that its weights are in.

    The format writes their names as entries of the key ``location``, the length of a string before
    the string. onnxruntime itself refuses those outside of the folder.
    """
    if not file.stat().st_size:
        return []
    with file.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as content:
        names = {
            content[match.end() : match.end() + match[1][0]]
            for match in re.finditer(rb"\x0a\x08location\x12([\x01-\x7f])", content)
        }
    folder = file.parent.resolve()
    paths = [folder / os.fsdecode(name) for name in sorted(names)]
    return [
        file.parent / path.relative_to(folder)
        for path in map(Path.resolve, paths)
        if path.is_relative_to(folder) and path.is_file()
    ]


def _run(session: "InferenceSession", output: str, inputs: Mapping[str, Any]) -> list[Any]:
    """Return the outputs of a model, which is stopped where it runs without end."""
    from onnxruntime import RunOptions

    options = RunOptions()
    timer = Timer(MOST_SECONDS, setattr, (options, "terminate", True))
    timer.daemon = True
    timer.start()
    try:
        outputs: list[Any] = session.run([output], inputs, options)
    finally:
        timer.cancel()
    return outputs


@cache
def _limit_memory(runtime: Any) -> None:
    """Bound what all models in onnxruntime may take together to half of the memory there is.

    A small graph can ask for any amount. Where memory is limited already, that is left alone.
    """
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    kind, memory = runtime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, runtime.OrtMemType.DEFAULT
    place = runtime.OrtMemoryInfo("Cpu", kind, 0, memory)
    with suppress(RuntimeError):
        runtime.create_and_register_allocator(place, runtime.OrtArenaCfg({"max_mem": most}))


def _session(runtime: Any, file: Path, device: str) -> "InferenceSession":
    """Return a model on a device, as deterministic as onnxruntime can be."""
    if Version(runtime.__version__) < SAFE:
        raise AdapterError(
            f"onnxruntime {runtime.__version__} would read weights from outside of a model's "
            f'folder, {SAFE} does not; pip install "explain-audit[onnx]"'
        )
    kind, _, number = str(device).partition(":")
    provider = PROVIDERS.get(kind)
    devices = [
        name
        for name, provider_name in PROVIDERS.items()
        if provider_name in runtime.get_available_providers()
    ]
    if kind not in devices or not (number or "0").isdecimal():
        raise ConfigurationError(f"there is no device {device!r}; {nearest(str(device), devices)}")
    _limit_memory(runtime)
    options = runtime.SessionOptions()
    options.add_session_config_entry("session.use_env_allocators", "1")
    # What goes wrong is raised as well.
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    settings = {"device_id": number or "0"} if kind != "cpu" else {}
    with loading(file, "model of onnxruntime"):
        session: InferenceSession = runtime.InferenceSession(
            str(file), options, providers=[(provider, settings)]
        )
    return session
