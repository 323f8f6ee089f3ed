"""What a classifier must offer, and what it may offer beyond that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from explain.adapters.scores import Row, Scores
from explain.errors import EndpointError, PredictionError
from explain.record import FileHash, ModelDescription, Task
from explain.text.spans import Span, Text

if TYPE_CHECKING:
    import torch

__all__ = [
    "AddedTokenClassifier",
    "Contributions",
    "Describable",
    "Encoding",
    "GradientClassifier",
    "LinearClassifier",
    "NamesItsLabels",
    "PerTextClassifier",
    "SampledClassifier",
    "TextClassifier",
    "TokenizedClassifier",
    "VocabularyClassifier",
    "description_of",
]


class NamesItsLabels(Protocol):
    """A model, or an endpoint to which nothing was sent yet, whose labels are known."""

    @property
    def name(self) -> str:
        """What the model is called in reports."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the columns of the scores."""

    @property
    def task(self) -> Task:
        """How the columns of the scores relate to each other."""


@runtime_checkable
class TextClassifier(NamesItsLabels, Protocol):
    """Anything that scores texts."""

    def predict(self, texts: Sequence[Text]) -> Scores:
        """Return the scores of `texts`, in their order.

        Raises
        ------
        PredictionError
            If the model fails, or its answer is no (n_texts, n_labels) array of numbers.
        """


@runtime_checkable
class PerTextClassifier(TextClassifier, Protocol):
    """A classifier that says of each text apart why it has no scores, and may be paid by the call.

    What fails in a batch is then not asked for again to find out which text it was.
    """

    @property
    def end_error(self) -> EndpointError | None:
        """Why nothing more is asked; None while it is."""

    @property
    def texts_per_call(self) -> int:
        """Most texts that one call carries."""

    def predict_each(
        self, texts: Sequence[Text], *, fresh: bool = False
    ) -> list[Row | PredictionError]:
        """Return the scores of each text, or why it has none.

        Parameters
        ----------
        texts : sequence of Text
            The texts.
        fresh : bool
            Whether they are asked for once more although they have an answer.

        Raises
        ------
        PredictionError
            If the model answers no more.
        """


@runtime_checkable
class SampledClassifier(TextClassifier, Protocol):
    """A classifier that may only count answers, so that its scores come with known variances."""

    @property
    def is_sampled(self) -> bool:
        """Whether its scores are logarithms of counts, of which each is a half more."""


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
    if labels_before := getattr(model, "own_labels", None):
        facts["labels before they were renamed"] = list[JsonValue](labels_before)
    return ModelDescription(
        name=model.name,
        adapter=type(model).__name__,
        source=source,
        task=model.task,
        labels=model.labels,
        facts=facts,
        files=files,
    )
