"""What a classifier must offer, and what it may offer beyond that."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from explain.errors import ConfigurationError, PredictionError
from explain.record import FileHash, ModelDescription, Task
from explain.text.redaction import message, redacted
from explain.text.spans import Span, Text

if TYPE_CHECKING:
    import torch

__all__ = [
    "INTERRUPTS",
    "AddedTokenClassifier",
    "Contributions",
    "Describable",
    "Encoding",
    "GradientClassifier",
    "LinearClassifier",
    "Scores",
    "Task",
    "TextClassifier",
    "TokenizedClassifier",
    "VocabularyClassifier",
    "check_scores",
    "description_of",
    "failure",
    "first_line",
    "halve_on_failure",
    "is_out_of_memory",
    "log_odds_scores",
]

T = TypeVar("T")
Q = TypeVar("Q")

Scores: TypeAlias = NDArray[np.float64]
"""Scores, shape (n_texts, n_labels), on the natural-log scale and never squashed.

Logits where the model has them, log p (log p/(1-p) for multi-label) where it has only p, plain
values for regression.
"""

PROBABILITY_FLOOR = float(np.finfo(np.float64).eps)
"""Probabilities are floored here before the logarithm, so log-odds stay within ±36."""

SUM_TOLERANCE = 1e-3
"""How far the probabilities of a row may be from summing to one: float16 rounding."""


@runtime_checkable
class TextClassifier(Protocol):
    """Anything that scores texts."""

    @property
    def name(self) -> str:
        """What the model is called in reports."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the columns of the scores."""

    @property
    def task(self) -> Task:
        """How the columns of the scores relate to each other."""

    def predict(self, texts: Sequence[Text]) -> Scores:
        """Return the scores of `texts`, in their order.

        Raises
        ------
        PredictionError
            If the model fails, or its answer is no (n_texts, n_labels) array of numbers.
        """


@runtime_checkable
class TokenizedClassifier(TextClassifier, Protocol):
    """A classifier whose tokens are known by their place in the user's own text."""

    @property
    def mask_token(self) -> str | None:
        """What the model was taught to read as "something is hidden here", if anything."""

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """What the model reads as tokens of its own, even where a user has written it out."""

    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return the spans of the tokens read of each text, special ones left out.

        Raises
        ------
        PredictionError
            If the tokenizer fails.
        """

    def unread(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return the spans of each text that are cut off because it is too long.

        Raises
        ------
        PredictionError
            If the tokenizer fails.
        """


@runtime_checkable
class VocabularyClassifier(TokenizedClassifier, Protocol):
    """A classifier with a vocabulary, which reads what lies outside of it as unknown."""

    def unknown(self, texts: Sequence[Text]) -> list[tuple[int, int]]:
        """Return of each text how many tokens are read as unknown, and how many are read at all.

        Special tokens are left out.

        Raises
        ------
        PredictionError
            If the tokenizer fails.
        """


@runtime_checkable
class AddedTokenClassifier(TokenizedClassifier, Protocol):
    """A classifier whose tokenizer was taught tokens that it reads as one, such as ``<url>``."""

    def added_tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return the spans of each text that are read as one token which was added.

        Special tokens that are written out are among them.

        Raises
        ------
        PredictionError
            If the tokenizer fails.
        """


@dataclass(frozen=True, slots=True)
class Encoding:
    """A batch of texts as a differentiable model reads it.

    Attributes
    ----------
    inputs : dict of str to Tensor
        Model inputs, each of shape (n_texts, n_tokens), ``input_ids`` among them.
    spans : tuple of tuple of tuple of Span or None
        For each embedding layer, text and token its place in the text; None for special and
        padding tokens. The decoder of an encoder-decoder reads the text shifted by one.
    """

    inputs: "dict[str, torch.Tensor]"
    spans: tuple[tuple[tuple[Span | None, ...], ...], ...]


@runtime_checkable
class GradientClassifier(TokenizedClassifier, Protocol):
    """A classifier that can be differentiated with respect to its token embeddings."""

    @property
    def embeddings(self) -> "tuple[torch.nn.Module, ...]":
        """All layers that turn token ids into vectors."""

    @property
    def token_budget(self) -> int:
        """Tokens, padding included, that fit into one batch."""

    def encode(self, texts: Sequence[Text]) -> Encoding:
        """Return `texts` as one padded batch."""

    def baseline_id(self, baseline: str) -> int:
        """Return the token id of the baseline ``mask`` or ``pad``.

        Raises
        ------
        CapabilityError
            If there is no such token, or gradients do not follow what the model does.
        """

    def differentiable_scores(self, inputs: "dict[str, torch.Tensor]") -> "torch.Tensor":
        """Return the scores of an encoded batch, shape (n_texts, n_labels), with gradients."""


@runtime_checkable
class ModuleClassifier(GradientClassifier, Protocol):
    """A classifier whose layers can be looked at one by one."""

    @property
    def network(self) -> "torch.nn.Module":
        """The module that scores are computed by, which no other thread runs."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """What each token of a text adds to the value of a linear model.

    Attributes
    ----------
    tokens : tuple of Span
        The tokens that the model weighs, in reading order.
    values : array, shape (n_tokens,), float64
        What each adds to the log-odds, logit or value of the label.
    additive : bool
        Whether a token adds the same whatever else is in the text.
    """

    tokens: tuple[Span, ...]
    values: NDArray[np.float64]
    additive: bool


@runtime_checkable
class LinearClassifier(TextClassifier, Protocol):
    """A classifier that can tell what each token adds to the value of a label."""

    def contributions(self, text: Text, index: int) -> Contributions:
        """Return what each token of a text adds to the value of the label with that index.

        The scale is that of targets: log-odds, logit or value.

        Raises
        ------
        CapabilityError
            If the value is no sum over tokens.
        PredictionError
            If the tokens of the text are not known.
        """


@runtime_checkable
class Describable(Protocol):
    """A classifier that can say where it comes from."""

    def describe(self) -> ModelDescription:
        """Return what is known of the model without looking at its predictions."""


def description_of(
    model: TextClassifier,
    facts: Mapping[str, JsonValue] | None = None,
    *,
    source: str | None = None,
    files: tuple[FileHash, ...] = (),
) -> ModelDescription:
    """Return what any classifier says of itself, with what is known beyond that.

    Of a model whose labels were renamed, its own are among the facts.

    Parameters
    ----------
    model : TextClassifier
        The model.
    facts : mapping, optional
        What is particular to models of its kind.
    source : str, optional
        The file or folder that it was loaded from.
    files : tuple of FileHash
        The files that it was loaded from.
    """
    facts = dict(facts or {})
    if own := getattr(model, "own_labels", None):
        facts["labels before they were renamed"] = list[JsonValue](own)
    return ModelDescription(
        name=model.name,
        adapter=type(model).__name__,
        source=source,
        task=model.task,
        labels=model.labels,
        facts=facts,
        files=files,
    )


def check_scores(scores: object, n_texts: int, labels: Sequence[str], name: str) -> Scores:
    """Return `scores` as float64.

    Raises
    ------
    PredictionError
        If the shape is not (n_texts, n_labels), or a score is NaN or infinite.
    """
    try:
        array = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PredictionError(
            f"{name} returned {type(scores).__name__} that is no array of numbers: {error}"
        ) from error
    if array.shape != (n_texts, len(labels)):
        raise PredictionError(
            f"{name} returned scores of shape {array.shape} for {n_texts} texts and {len(labels)} "
            f"labels ({', '.join(labels[:5])}{', …' if len(labels) > 5 else ''}); "
            f"expected ({n_texts}, {len(labels)})"
        )
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise PredictionError(
            f"{name} returned NaN or infinite scores for {int(bad.sum())} of {n_texts} texts; "
            "scores must be finite: look at the weights, or at what is special in the text"
        )
    return array


def log_odds_scores(
    probabilities: Scores, task: Task, name: str, decimals: int | None = None
) -> Scores:
    """Return probabilities as scores on the natural-log scale.

    log p for single-label tasks and log p/(1-p) for multi-label ones, p floored at 2.2e-16. Rows
    that are rounded to `decimals` may be off their sum of one by half a step for each label.

    Raises
    ------
    ConfigurationError
        If the task is a regression, which has no probabilities.
    PredictionError
        If a value is outside of [0, 1], or the rows of a single-label task do not sum to one.
    """
    if task == "regression":
        raise ConfigurationError("a regression has no probabilities; pass output='scores'")
    if (probabilities < -SUM_TOLERANCE).any() or (probabilities > 1 + SUM_TOLERANCE).any():
        raise PredictionError(
            f"{name} returned {probabilities.min():.4g} to {probabilities.max():.4g} where "
            "probabilities were expected; pass output='scores' if these are logits"
        )
    sums = probabilities.sum(axis=1)
    rounding = 0 if decimals is None else 0.5 * 10.0**-decimals * probabilities.shape[1]
    allowed = max(SUM_TOLERANCE, 1.001 * rounding)
    if task == "single_label" and not np.allclose(sums, 1, atol=allowed, rtol=0):
        raise PredictionError(
            f"{name} returned probabilities that sum to {sums.min():.4g} to {sums.max():.4g}, not "
            "to 1; pass task='multi_label' if several labels can hold at once, or decimals=2 if "
            "they are rounded to two"
        )
    p = np.clip(probabilities, PROBABILITY_FLOOR, 1)
    log_p: Scores = np.log(p)
    if task == "multi_label":
        log_p -= np.log(np.clip(1 - p, PROBABILITY_FLOOR, 1))
    return log_p


INTERRUPTS = (KeyboardInterrupt, GeneratorExit)
"""What is not the model's doing. Anything else is: `SystemExit`, or a panic of a Rust extension
(``PanicException`` of PyO3), which is no `Exception` either."""


def failure(name: str, error: BaseException) -> PredictionError:
    """Return what a model raised as an error of ours, without keys and not too long.

    One that is ours already stays as it is if it holds none.
    """
    said = message(error)
    if isinstance(error, PredictionError):
        return error if said == str(error) else PredictionError(said)
    line = message(" ".join(redacted(str(error)).split()))
    return PredictionError(f"{name} raised {type(error).__name__}: {line}")


def first_line(error: BaseException) -> str:
    """Return the class and the first line of an error of another library, without keys."""
    lines = redacted(str(error)).strip().splitlines() or ["no message"]
    return f"{type(error).__name__}: {message(lines[0])}"


def halve_on_failure(
    work: Callable[[Sequence[Q]], Iterable[T]],
    items: Sequence[Q],
    name: str,
    catching: type[Exception] = Exception,
) -> list[T | PredictionError]:
    """Return the result of each item; a batch that fails is halved until what fails stands alone.

    Parameters
    ----------
    work : callable
        Takes a batch of items and returns one result for each.
    items : sequence
        The whole batch.
    name : str
        Whose failure it is.
    catching : type of exception
        What counts as a failure of the items; anything else is raised.
    """
    try:
        return [*work(items)]
    except catching as error:
        if len(items) == 1:
            return [failure(name, error)]
    half = len(items) // 2
    return [
        *halve_on_failure(work, items[:half], name, catching),
        *halve_on_failure(work, items[half:], name, catching),
    ]


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether a model ran out of memory, on whatever device."""
    return type(error).__name__ in ("OutOfMemoryError", "MemoryError") or (
        "can't allocate memory" in str(error) or "not enough memory" in str(error)
    )
