"""Checks of every classifier: its labels, its task, and the scores that it gives."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import get_args

import numpy as np

from explain.adapters import Describable, Scores, TokenizedClassifier
from explain.adapters.scores import SUM_TOLERANCE
from explain.errors import CapabilityError, PredictionError
from explain.record import Task
from explain.testing.subject import PAIRS, SCRIPTS, Fault, NotApplicable, Subject
from explain.text.spans import Text, parts_of

__all__ = ["CHECKS"]

SPACES = (" ", "\t\r\n", "\u3000\u00a0", " " * 500)

_LOOKALIKES: Mapping[str, Callable[[Scores], Scores]] = {
    "probabilities": lambda scores: scores,
    "probabilities in per cent": lambda scores: scores / 100,
    "negative log p": lambda scores: np.exp(-scores),
    "log2 p": lambda scores: 2.0**scores,
    "log10 p": lambda scores: 10.0**scores,
}
"""What is easily taken for scores, and how it becomes probabilities."""


def shape(subject: Subject) -> str:
    """Check that there is one row per text and one column per label."""
    for texts in (subject.texts, subject.texts[:1]):
        actual_shape = np.shape(subject.call_model(subject.model.predict, texts))
        expected_shape = (len(texts), len(subject.model.labels))
        if actual_shape != expected_shape:
            raise Fault(
                f"shape {actual_shape} for {expected_shape[0]} texts and {expected_shape[1]} "
                "labels; return one row per text and one column per label"
            )
    return f"{len(subject.texts)} texts, {len(subject.model.labels)} labels"


def finite(subject: Subject) -> str:
    """Check that every score of an ordinary text is a finite number."""
    rows = subject.scores(subject.texts)
    return f"scores from {rows.min():.4g} to {rows.max():.4g}"


def dtype(subject: Subject) -> str:
    """Check that scores are a numpy array of float64."""
    scores: object = subject.call_model(subject.model.predict, subject.texts)
    type_name = str(scores.dtype) if isinstance(scores, np.ndarray) else type(scores).__name__
    if type_name != "float64":
        raise Fault(f"scores are {type_name}, not a numpy array of float64; convert them")
    return type_name


def labels(subject: Subject) -> str:
    """Check that labels are distinct names that are not empty."""
    names: object = subject.model.labels
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        raise Fault(f"labels are {names!r}; return a tuple of str")
    if blank := sum(not name.strip() for name in names):
        raise Fault(f"{blank} of {len(names)} labels are blank; name them all")
    if len(set(names)) < len(names):
        raise Fault(f"{len(set(names))} of {len(names)} labels are distinct; name them apart")
    return f"{len(names)} distinct labels"


def task(subject: Subject) -> str:
    """Check that the task is one of the three, and has the columns that it needs."""
    task_of_model, columns = subject.model.task, len(subject.model.labels)
    if task_of_model not in get_args(Task):
        raise Fault(f"task is {task_of_model!r}; return one of: {', '.join(get_args(Task))}")
    if task_of_model == "single_label" and columns < 2:
        raise Fault(
            "a single_label model with 1 column has no label to tell from another; return two "
            "columns, or say multi_label or regression"
        )
    return f"{task_of_model} with {columns} columns"


def scale(subject: Subject) -> str:
    """Check that scores are on the natural-log scale: logits, or log p."""
    if subject.model.task != "single_label":
        raise NotApplicable(f"the scale of a {subject.model.task} model cannot be told")
    if _sum_to_one(np.exp(np.minimum(subject.rows, 1))):
        return "log p: exp sums to 1 in every row"
    for name, probabilities in _LOOKALIKES.items():
        with np.errstate(over="ignore"):
            looks = _sum_to_one(probabilities(subject.rows))
        if looks:
            raise Fault(f"all {len(subject.rows)} rows are {name}; return logits, or ln p")
    sums = np.exp(np.minimum(subject.rows, 100)).sum(axis=1)
    return f"logits: exp sums to {sums.min():.3g} up to {sums.max():.3g}"


def describe(subject: Subject) -> str:
    """Check that the description says of the model what the model says of itself."""
    model = subject.model
    if not isinstance(model, Describable):
        raise NotApplicable("the model does not describe itself")
    description = model.describe()
    for field in ("name", "labels", "task"):
        described, actual = getattr(description, field), getattr(model, field)
        if described != actual:
            raise Fault(f"{field} is described as {described!r}, but is {actual!r}; say the same")
    return f"{len(description.facts)} facts, {len(description.files)} files"


def determinism(subject: Subject) -> str:
    """Check that the same texts get the same scores again."""
    return subject.require_equal(
        subject.scores(subject.texts),
        subject.scores(subject.texts),
        "the same call gives other scores: switch dropout and sampling off (evaluation mode)",
    )


def batches(subject: Subject) -> str:
    """Check that a batch of k texts gets the scores of k single texts."""
    return subject.require_own_rows(
        subject.rows,
        subject.score_alone(subject.texts),
        "a text's scores depend on the others of its batch: check the order of the rows, and pass "
        "the attention mask where texts are padded",
    )


def order(subject: Subject) -> str:
    """Check that texts in another order get their rows in that order."""
    places = np.random.default_rng(0).permutation(len(subject.texts))
    return subject.require_own_rows(
        subject.scores([subject.texts[place] for place in places]),
        subject.rows[places],
        "rows do not come in the order of the texts: undo the sorting",
    )


def duplicates(subject: Subject) -> str:
    """Check that a text that comes several times in a batch gets its row each time."""
    places = [0, 1, 0, 0, 1]
    return subject.require_own_rows(
        subject.scores([subject.texts[place] for place in places]),
        subject.rows[places],
        "a text that is repeated gets other rows: do not key rows by their text",
    )


def empty_text(subject: Subject) -> str:
    """Check that a text without a character has finite scores."""
    texts: list[Text] = [("", ""), ("", "good"), ("good", "")] if subject.reads_pairs else [""]
    return _require_scores(subject, {repr(text): text for text in texts})


def white_space(subject: Subject) -> str:
    """Check that a text of white space has finite scores."""
    return _require_scores(subject, {ascii(text[:3]): subject.text(text) for text in SPACES})


def scripts(subject: Subject) -> str:
    """Check that texts of all scripts have finite scores, the same alone as in a batch."""
    return _require_scores(subject, {name: subject.text(text) for name, text in SCRIPTS.items()})


def long_text(subject: Subject) -> str:
    """Check that a text far over the limit has finite scores."""
    subject.scores([subject.long_text, subject.texts[0]])
    return f"{len(parts_of(subject.long_text)[0].split()):,} words"


def pairs(subject: Subject) -> str:
    """Check that both texts of a pair make a difference; a model for single texts refuses pairs."""
    pairs_of_texts = [parts_of(text) for text in (subject.texts if subject.reads_pairs else PAIRS)]
    first_text, second_text = pairs_of_texts[0]
    try:
        subject.model.predict([(first_text, second_text)])
    except PredictionError as error:
        if subject.reads_pairs:
            raise
        raise NotApplicable(f"the model reads single texts: {error}") from error
    firsts = subject.score_alone([(first, second_text) for first, _ in pairs_of_texts])
    seconds = subject.score_alone([(first_text, second) for _, second in pairs_of_texts])
    changes = [subject.difference(rows, rows[:1]) for rows in (firsts, seconds)]
    figures = f"the first text moves a score by {changes[0]:.2g}, the second by {changes[1]:.2g}"
    if min(changes) == 0:
        raise Fault(f"{figures}; read both, or raise PredictionError if pairs are not read")
    return figures


def inputs(subject: Subject) -> str:
    """Check that the list of texts that is passed in stays as it is."""
    model = subject.model
    calls: list[Callable[[list[Text]], object]] = [model.predict]
    if isinstance(model, TokenizedClassifier):
        calls += [model.tokens, model.unread]
    for call in calls:
        texts = list(subject.texts)
        with suppress(CapabilityError):
            call(texts)
        if texts != list(subject.texts):
            raise Fault(f"{call.__name__} changes the list of texts; work on a copy")
    return f"unchanged by {', '.join(call.__name__ for call in calls)}"


def results(subject: Subject) -> str:
    """Check that a later call leaves the scores of an earlier one as they are."""
    scores = subject.call_model(subject.model.predict, subject.texts)
    before = np.array(scores)
    subject.scores(subject.texts[::-1])
    if not np.array_equal(before, scores):
        raise Fault("a later call overwrites the scores of an earlier one; return a new array")
    return "unchanged by a later call"


def properties(subject: Subject) -> str:
    """Check that what the model says of itself is the same before and after a call."""
    names = ["name", "labels", "task"]
    if isinstance(subject.model, TokenizedClassifier):
        names += ["mask_token", "special_tokens"]
    before = {name: getattr(subject.model, name) for name in names}
    if not isinstance(before["name"], str) or not before["name"].strip():
        raise Fault(f"name is {before['name']!r}; return a str that is not blank")
    subject.scores(subject.texts)
    for name in names:
        if (after := getattr(subject.model, name)) != before[name]:
            raise Fault(f"{name} was {before[name]!r} and is {after!r} after a call; keep it")
    return f"unchanged: {', '.join(names)}"


def _require_scores(subject: Subject, texts: Mapping[str, Text]) -> str:
    """Check each text alone and all of them in a batch with an ordinary one."""
    rows = []
    for name, text in texts.items():
        try:
            rows.append(subject.scores([text]))
        except Fault as fault:
            raise Fault(f"{name}: {fault}") from fault
    scores_in_batch = subject.scores([*texts.values(), subject.texts[0]])
    advice = "a text's scores depend on the others of its batch"
    return f"{len(texts)} texts, " + subject.require_equal(
        scores_in_batch[:-1], np.vstack(rows), advice
    )


def _sum_to_one(probabilities: Scores) -> bool:
    inside = (probabilities >= -SUM_TOLERANCE) & (probabilities <= 1 + SUM_TOLERANCE)
    return bool(inside.all() and (abs(probabilities.sum(axis=1) - 1) <= SUM_TOLERANCE).all())


CHECKS: Mapping[str, Callable[[Subject], str]] = {
    "shape": shape,
    "finite": finite,
    "dtype": dtype,
    "labels": labels,
    "task": task,
    "scale": scale,
    "describe": describe,
    "determinism": determinism,
    "batches": batches,
    "order": order,
    "duplicates": duplicates,
    "empty text": empty_text,
    "white space": white_space,
    "scripts": scripts,
    "long text": long_text,
    "pairs": pairs,
    "inputs": inputs,
    "results": results,
    "properties": properties,
}
