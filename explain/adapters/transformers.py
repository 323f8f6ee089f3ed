"""Sequence classifiers of the transformers library."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from explain.adapters.loading import load_model, load_tokenizer, on_device, refuse_random
from explain.adapters.origin import UNKNOWN, Origin
from explain.adapters.pretrained import PretrainedClassifier
from explain.adapters.safety import LoadedFiles, check_folder, weight_files
from explain.adapters.scores import Scores, check_scores
from explain.adapters.tokenized import LongText, Pool
from explain.errors import AdapterError, ConfigurationError, nearest
from explain.record import Task

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["KIND", "TransformersClassifier", "labels_of", "task_of"]

KIND = "sequence classifier"
"""What error messages call these models."""

_TASKS: dict[str, Task] = {
    "single_label_classification": "single_label",
    "multi_label_classification": "multi_label",
    "regression": "regression",
}


class TransformersClassifier(PretrainedClassifier):
    """A sequence classifier of the transformers library with its tokenizer.

    Encoders, decoders that pool the last token, and encoder-decoders. A decoder without a padding
    token borrows one of its special tokens for it, which the record says. Decoders are padded on
    the right whatever their tokenizer says, so that positions count from the first token; a text
    of no tokens is read as the token that starts a text.

    Parameters
    ----------
    model : PreTrainedModel
        A model with a sequence classification head, see `PretrainedClassifier`.
    tokenizer : PreTrainedTokenizerBase
        Its tokenizer, a fast one.
    origin
        As for `PretrainedClassifier`.
    task : {"single_label", "multi_label", "regression"}, optional
        How the columns relate to each other; by default what ``problem_type`` of the model says,
        or else a single label. A model of one output that does not say it is refused: its logit
        may be a number, or that of a probability.
    long_text : {"cut", "windows"}
        What happens to a text over the model's limit, see `TokenizerClassifier`.
    pool : {"mean", "max"}
        How windows are pooled, see `TokenizerClassifier`.

    Raises
    ------
    AdapterError
        If labels, task, head, weights and tokenizer of the model do not fit together.
    ConfigurationError
        If `task` contradicts the model, or is missing where it leaves it open, or `long_text` or
        `pool` is unknown.
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerBase",
        *,
        origin: Origin = UNKNOWN,
        task: Task | None = None,
        long_text: LongText = "cut",
        pool: Pool = "mean",
    ) -> None:
        super().__init__(
            model,
            tokenizer,
            labels_of(model.config),
            task=task_of(model.config, task),
            origin=origin,
            long_text=long_text,
            pool=pool,
        )
        with self._private.check_isolation():
            self._score_batch(self._tokenize(["."]))

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        *,
        origin: Origin = UNKNOWN,
        task: Task | None = None,
        long_text: LongText = "cut",
        pool: Pool = "mean",
        dtype: str | None = None,
        device: str | None = None,
    ) -> Self:
        """Return the classifier that ``save_pretrained`` wrote to a folder.

        Only safetensors weights are read, nothing is downloaded, no code of the folder is run.

        Parameters
        ----------
        folder : str or Path
            The folder.
        origin, task, long_text, pool
            As for the class; its source is by default the folder, its name that of the folder.
        dtype : {"float32", "float16", "bfloat16"}, optional
            Type of the weights; by default what ``config.json`` says.
        device : str, optional
            Such as ``cpu`` or ``cuda:0``; by default ``cpu``.

        Raises
        ------
        AdapterError
            If the folder is missing or incomplete, or its weights lack a trained head.
        ConfigurationError
            If an option is unknown or contradicts the model.
        UnsafeModelError
            If loading it would run code.
        """
        path = Path(folder)
        check_folder(path)
        loaded = LoadedFiles.of(path, weight_files(path))
        model, missing = load_model(AutoModelForSequenceClassification, path, KIND, dtype=dtype)
        refuse_random(missing, path, KIND)
        tokenizer = load_tokenizer(path)
        return cls(
            on_device(model, device),
            tokenizer,
            origin=origin.in_folder(path, loaded.unchanged()),
            task=task,
            long_text=long_text,
            pool=pool,
        )

    def differentiable_scores(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the logits of an encoded batch, with gradients."""
        return self._logits(inputs)

    def _logits(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        output = self._private.copy_of_thread()(**inputs)
        logits: object = getattr(output, "logits", None)
        if not isinstance(logits, torch.Tensor):
            raise AdapterError(
                f"{type(self.model).__name__} returns a {type(output).__name__} without logits: "
                "it has no classification head; load it with AutoModelForSequenceClassification, "
                "from a folder that holds a trained head, or wrap a function"
            )
        return logits

    def _score_batch(self, encoded: Mapping[str, Any]) -> Scores:
        scores = np.empty((len(encoded["input_ids"]), len(self.labels)))
        for rows in self._scored_together(encoded["input_ids"]):
            batch = {key: [values[i] for i in rows] for key, values in encoded.items()}
            with torch.inference_mode():
                logits = self._logits(self._pad(batch))
            scores[rows] = check_scores(
                logits.double().cpu().numpy(), len(rows), self.labels, self.name
            )
        return scores

    def _scored_together(self, ids: Sequence[Sequence[int]]) -> list[list[int]]:
        """Return the rows that can be one batch.

        Encoder-decoders take only rows with as many end tokens, which a user may have written out.
        """
        if not self.model.config.is_encoder_decoder:
            return [list(range(len(ids)))]
        rows_by_ends: dict[int, list[int]] = {}
        for row, ids_of_row in enumerate(ids):
            rows_by_ends.setdefault(ids_of_row.count(self.model.config.eos_token_id), []).append(
                row
            )
        return list(rows_by_ends.values())


def labels_of(config: "PretrainedConfig") -> list[str]:
    """Return the names of the columns.

    Raises
    ------
    AdapterError
        If ``id2label`` leaves a column out.
    """
    names = {int(index): str(label) for index, label in (config.id2label or {}).items()}
    if sorted(names) != list(range(len(names))):
        raise AdapterError(
            f"id2label of the model names the columns {sorted(names)}, "
            f"expected 0 to {len(names) - 1}; mend config.json"
        )
    return [names[index] for index in range(len(names))]


def task_of(config: "PretrainedConfig", stated_task: Task | None) -> Task:
    """Return how the columns relate to each other.

    Raises
    ------
    AdapterError
        If ``problem_type`` is unknown, or a regression has more than one column.
    ConfigurationError
        If `stated_task` contradicts the model, or is missing where the model leaves it open.
    """
    if stated_task is not None and stated_task not in _TASKS.values():
        raise ConfigurationError(
            f"there is no task {stated_task!r}; {nearest(stated_task, _TASKS.values())}"
        )
    problem: str | None = config.problem_type
    if problem is not None and problem not in _TASKS:
        raise AdapterError(
            f"problem_type of the model is {problem!r}; {nearest(str(problem), _TASKS)}"
        )
    default_task: Task = "regression" if config.num_labels == 1 else "single_label"
    if problem is None and stated_task is None and default_task == "regression":
        raise ConfigurationError(
            "the model has one output and no problem_type, so it may predict a number, or the "
            "log-odds of its one label, to which a pipeline applies the sigmoid; pass "
            "task='regression' or task='multi_label' (--model-option task=...)"
        )
    task = stated_task or default_task if problem is None else _TASKS[problem]
    if stated_task not in (None, task):
        raise ConfigurationError(
            f"problem_type of the model is {problem!r}, which is not {stated_task}; leave task out"
        )
    if (task == "regression" and config.num_labels != 1) or (task, default_task) == (
        "single_label",
        "regression",
    ):
        raise (AdapterError if stated_task is None else ConfigurationError)(
            f"the model has {config.num_labels} outputs, which is no {task}; "
            "a regression has one, a single-label classifier two or more"
        )
    return task
