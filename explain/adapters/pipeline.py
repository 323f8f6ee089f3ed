"""Text-classification pipelines of transformers, where they are no more than model and tokenizer.

A pipeline may clean the text, cut it, apply another function to the logits or name labels by
itself. So what it gives for a few texts is compared with what its model and tokenizer give alone,
and the task is the one by which the two agree.
"""

from collections.abc import Callable, Sequence
from copy import copy, deepcopy
from typing import Any

import numpy as np
from scipy.special import expit, softmax
from transformers import Pipeline, TextClassificationPipeline

from explain.adapters.failures import first_line
from explain.adapters.origin import Origin
from explain.adapters.scores import Scores, check_scores
from explain.adapters.transformers import TransformersClassifier, labels_of
from explain.errors import AdapterError
from explain.record import Task

__all__ = ["wrap_pipeline"]

PROBES = (
    "good",
    "Dr. Müller's THIRD e-mail, it's NOT good?!",
    "(<b>$10.50</b>) \r\n\n\t cost   too much… 👍🏽",
    "@user https://example.com/a?b=1 #fail",
)
"""A short text, and texts with much that cleaning takes away: capitals, marks, accents, markup,
numbers, white space, emoji, addresses."""

LONGEST_PROBE = 1100
"""Tokens up to which a text over the limit is tried: beyond, one evaluation costs seconds."""

TOLERANCE = 1e-4
"""How far two probabilities of one text may be apart: the rounding of float32, and some more."""

RELATIVE = 1e-2
"""The same as a share of the smaller of the two, for probabilities close to zero."""

MOST_SHOWN = 40
"""Characters of a text that an error message shows."""

_FUNCTIONS: dict[Task, tuple[str, Callable[[Scores], Scores]]] = {
    "single_label": ("the softmax", lambda scores: softmax(scores, axis=1)),
    "multi_label": ("the sigmoid", expit),
    "regression": ("the plain output", lambda scores: scores),
}


def wrap_pipeline(
    pipeline: Pipeline, *, name: str | None = None, task: Task | None = None
) -> TransformersClassifier:
    """Return a text-classification pipeline as a classifier of its own probabilities.

    Parameters
    ----------
    pipeline : Pipeline
        The pipeline.
    name : str, optional
        What the model is called in reports; by default its class.
    task : {"single_label", "multi_label", "regression"}, optional
        How the columns relate to each other; by default what ``problem_type`` of the model says,
        or else what the pipeline makes of its logits.

    Raises
    ------
    AdapterError
        If it is a pipeline of another task, has steps of its own, or gives other probabilities
        than its model and tokenizer do alone.
    ConfigurationError
        If `task` contradicts the model.
    """
    labels = labels_of(pipeline.model.config)
    _require_plain(pipeline, labels)
    open_task = task is None and pipeline.model.config.problem_type is None
    tokenizer: Any = pipeline.tokenizer
    model = TransformersClassifier(
        pipeline.model,
        tokenizer,
        origin=Origin(name),
        task="multi_label" if open_task else task,
    )
    if isinstance(limit := pipeline._preprocess_params.get("max_length"), int):
        model.max_length = min(model.max_length, limit)
    # The pipeline of the user, on copies of what others may use meanwhile.
    pipeline = copy(pipeline)
    pipeline.model, pipeline.tokenizer = model._private.copy_of_thread(), deepcopy(tokenizer)
    if open_task:
        model.task = _task_of(_scores_of_pipeline(pipeline, PROBES[0], labels))
    for text in (*PROBES, "good " * model.max_length + "Bad, never again!"):
        _compare(pipeline, model, text)
    return model


def _require_plain(pipeline: Pipeline, labels: Sequence[str]) -> None:
    """Refuse pipelines that do more, or something else, than to classify a text."""
    kind = type(pipeline).__name__
    if not isinstance(pipeline, TextClassificationPipeline):
        raise AdapterError(
            f"{kind} is a pipeline of another task ({pipeline.task or 'none'}), not of "
            "text-classification; wrap a function of a list of texts that returns one probability "
            "for each label: explain.wrap(lambda texts: [...], labels=[...])"
        )
    if own := _own_steps(pipeline):
        raise AdapterError(
            f"{kind} has a {own[0]} of its own, which model and tokenizer alone would leave out; "
            f"{_way_out(labels)}"
        )


def _own_steps(pipeline: Pipeline) -> list[str]:
    """Return the methods of the library's pipeline that a subclass or an object overrides."""
    classes = type(pipeline).__mro__
    subclasses = classes[: classes.index(TextClassificationPipeline)]
    return [
        name
        for attributes in (vars(pipeline), *map(vars, subclasses))
        for name in attributes
        if callable(getattr(TextClassificationPipeline, name, None))
        and (name == "__call__" or not name.startswith("__"))
    ]


def _way_out(labels: Sequence[str]) -> str:
    named = ", ".join(map(repr, labels[:3])) + (", ..." if len(labels) > 3 else "")
    return (
        f"wrap a function: names = [{named}]; explain.wrap(lambda texts: [[{{d['label']: "
        "d['score'] for d in row}[n] for n in names] for row in pipe(texts, top_k=None)], "
        "labels=names)"
    )


def _scores_of_pipeline(pipeline: Pipeline, text: str, labels: Sequence[str]) -> Scores:
    """Return what a pipeline gives for a text alone, shape (n_labels,)."""
    try:
        (entries,) = pipeline([text], top_k=None, verbose=False)
        by_label = {entry["label"]: entry["score"] for entry in entries}
        row = [by_label[label] for label in labels]
    except Exception as error:
        raise AdapterError(
            f"{type(pipeline).__name__} gives no score for each label of {text[:MOST_SHOWN]!r} "
            f"({first_line(error)}); {_way_out(labels)}"
        ) from error
    scores: Scores = check_scores([row], 1, labels, type(pipeline).__name__)[0]
    return scores


def _task_of(scores: Scores) -> Task:
    """Return the task of a pipeline of whose model nothing else is known."""
    if scores.min() < 0 or scores.max() > 1:
        return "regression" if len(scores) == 1 else "single_label"
    one_each = len(scores) > 1 and abs(scores.sum() - 1) <= TOLERANCE
    return "single_label" if one_each else "multi_label"


def _compare(pipeline: Pipeline, model: TransformersClassifier, text: str) -> None:
    """Refuse a pipeline that gives other probabilities than its model and tokenizer do alone.

    One that fails on a text over the limit is fine: no answer of it is explained wrongly. On an
    accelerator that is not tried, as ids that are out of range end the process there.

    Raises
    ------
    AdapterError
        If it does.
    """
    n_read = len(model._tokenize([text])["input_ids"][0])
    n_more = _n_tokens(pipeline, text) - n_read
    if n_more > 0 and (n_read + n_more > LONGEST_PROBE or pipeline.device.type != "cpu"):
        return
    try:
        of_pipeline = _scores_of_pipeline(pipeline, text, model.labels)
    except AdapterError:
        if n_more > 0:
            return
        raise
    function, apply = _FUNCTIONS[model.task]
    of_model = apply(model.predict([text]))[0]
    if _agree(of_model, of_pipeline):
        return
    worst = int(np.argmax(np.abs(of_model - of_pipeline)))
    quotation = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
    cause = (
        f"it reads {n_read + n_more} tokens where the model states {model.max_length}; pass "
        "truncation=True to the pipeline"
        if n_more > 0
        else "leave out what the pipeline is told beyond them"
    )
    raise AdapterError(
        f"the pipeline gives {model.labels[worst]} {of_pipeline[worst]:.4g} for {quotation!r}, "
        f"and {function} of its model and tokenizer alone is {of_model[worst]:.4g}, which is what "
        f"would be explained; {cause}, or {_way_out(model.labels)}"
    )


def _n_tokens(pipeline: Pipeline, text: str) -> int:
    """Return how many tokens a pipeline reads of a text; none where it fails."""
    try:
        encoded: Any = pipeline.preprocess(
            text, **{**pipeline._preprocess_params, "verbose": False}
        )
        return int(encoded["input_ids"].shape[-1])
    except Exception:
        return 0


def _agree(of_model: Scores, of_pipeline: Scores) -> bool:
    """Tell whether two scores of each label are equal but for rounding, those near zero too."""
    larger = np.maximum(1, np.maximum(np.abs(of_model), np.abs(of_pipeline)))
    smaller = np.minimum(np.abs(of_model), np.abs(of_pipeline))
    allowed = np.minimum(TOLERANCE * larger, RELATIVE * smaller + np.finfo(np.float32).tiny)
    return bool((np.abs(of_model - of_pipeline) <= allowed).all())
