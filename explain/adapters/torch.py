"""PyTorch modules of one's own over word ids: LSTM, GRU, CNN."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch.nn.utils.rnn import pad_sequence

from explain.adapters.base import Encoding, description_of
from explain.adapters.batching import score_in_batches
from explain.adapters.failures import failure
from explain.adapters.labels import Labels, check_labels
from explain.adapters.private_copies import PrivateModule
from explain.adapters.scores import Scores, check_scores
from explain.adapters.token_roundtrip import PLACES, ids_over, written_into
from explain.adapters.tokenized import CPU_TOKEN_BUDGET, GPU_TOKEN_BUDGET
from explain.errors import AdapterError, CapabilityError, ConfigurationError, PredictionError
from explain.record import ModelDescription, Task
from explain.text.spans import Span, Text

__all__ = ["TorchClassifier"]

Token: TypeAlias = tuple[int, int, int]
"""A token: its id, and the half-open range of characters of the text that it stands for."""


class TorchClassifier:
    """A PyTorch module over token ids, with the function that turns a text into tokens.

    ``module(ids)`` takes a LongTensor of shape (n_texts, n_tokens) and returns scores of shape
    (n_texts, n_labels). All texts of a batch have the same number of tokens, so the module never
    sees padding that is not the text's own, and needs neither lengths nor a mask: the scores of a
    text do not depend on what else is in its batch.

    A text of fewer than `min_length` tokens is padded to them on the right with `pad_id`. So an
    empty text is read as one padding token. A module that was trained on texts padded to a fixed
    length sees the same here if `min_length` is that length.

    Gradients are taken with respect to what `embedding` returns, without cuDNN, whose recurrent
    layers have no gradients in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
        The model. It stays as it is: copies in evaluation mode that share its weights are run.
    tokenize : callable
        Takes a text and returns its tokens in reading order, each ``(id, start, end)``: the token
        stands for ``text[start:end]``. A token that stands for no character (the mark of a
        beginning) has ``start == end``.
    embedding : torch.nn.Embedding
        The layer of the module that turns ids into vectors. The module calls it once, with the
        ids as they were given.
    labels : sequence of str
        Names of the columns of the scores.
    task : {"single_label", "multi_label", "regression"}
        How the columns relate to each other. The scores are logits, or plain values.
    name : str, optional
        What the model is called in reports; by default its class.
    pad_id : int
        Id of the padding token.
    mask_token : str, optional
        What the module was taught to read as "something is hidden here", such as ``<unk>`` if it
        saw words hidden at random. `tokenize` must read it as one token.
    min_length, max_length : int
        Tokens that a text is padded to at least, and cut to at most; None for no limit.

    Raises
    ------
    AdapterError
        If module, embedding and labels do not fit together.
    ConfigurationError
        If `mask_token` is not one token, or `min_length` and `max_length` contradict each other.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        tokenize: Callable[[str], Iterable[Token]],
        embedding: torch.nn.Embedding,
        labels: Labels,
        *,
        task: Task = "single_label",
        name: str | None = None,
        pad_id: int = 0,
        mask_token: str | None = None,
        min_length: int = 1,
        max_length: int | None = None,
    ) -> None:
        if min_length < 1 or (max_length is not None and max_length < min_length):
            raise ConfigurationError(
                f"min_length={min_length} and max_length={max_length} leave no text; "
                "pass 1 <= min_length <= max_length"
            )
        self.module = module
        self.tokenize = tokenize
        self.embedding = embedding
        self.labels = check_labels(labels, task)
        self.task = task
        self.name = name or type(module).__name__
        self._private = PrivateModule(_Layers(module, embedding), self.name)
        self.pad_id = pad_id
        self.mask_token = mask_token
        self.min_length = min_length
        self.max_length = max_length
        self.token_budget = CPU_TOKEN_BUDGET if self._device.type == "cpu" else GPU_TOKEN_BUDGET
        self._mask_id = self._id_of_mask()
        self._probe()

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """The mask token, if there is one."""
        return () if self.mask_token is None else (self.mask_token,)

    @property
    def embeddings(self) -> tuple[torch.nn.Module, ...]:
        """The layer that turns the ids of a whole batch into vectors."""
        return (self._private.copy_of_thread().lookup,)

    @property
    def network(self) -> torch.nn.Module:
        """The module that scores are computed by in this thread."""
        return self._private.copy_of_thread().module

    def predict(self, texts: Sequence[Text]) -> Scores:
        """Return the scores of `texts`, shape (n_texts, n_labels), natural-log scale.

        Raises
        ------
        PredictionError
            If `tokenize` or the module fails, or a text is a pair.
        """
        ids = [self._ids(self._tokens_of(text)) for text in texts]
        module = self._private.follow().module

        def score(batch: list[int]) -> Scores:
            with torch.inference_mode():
                scores = self._tensor_of(module(self._tensor([ids[i] for i in batch])))
            return self._check_scores(scores, len(batch))

        return score_in_batches(self, ids, score, equal_lengths=True)

    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return the spans of the tokens read of each text.

        Raises
        ------
        PredictionError
            If `tokenize` fails, or a text is a pair.
        """
        return [
            tuple(s for s in map(_span, self._tokens_of(text)[: self.max_length]) if s is not None)
            for text in texts
        ]

    def unread(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return the spans of each text that are cut off because it is too long.

        Raises
        ------
        PredictionError
            If `tokenize` fails, or a text is a pair.
        """
        if self.max_length is None:
            return [()] * len(texts)
        cut = [list(filter(None, map(_span, self._tokens_of(t)[self.max_length :]))) for t in texts]
        return [(Span(0, spans[0].start, spans[-1].end),) if spans else () for spans in cut]

    def encode(self, texts: Sequence[Text]) -> Encoding:
        """Return `texts` as one batch, padded on the right; the module reads no padding of it.

        Raises
        ------
        PredictionError
            If `tokenize` fails, or a text is a pair.
        """
        self._private.follow()
        tokens = [self._tokens_of(text)[: self.max_length] for text in texts]
        ids = [torch.tensor(self._ids(row)) for row in tokens]
        padded = pad_sequence(ids, batch_first=True, padding_value=self.pad_id)
        lengths = torch.tensor([len(row) for row in ids])
        mask = torch.arange(padded.shape[1]) < lengths[:, None]
        spans = (
            (*map(_span, row), *[None] * (padded.shape[1] - len(row)))
            for row in tokens
        )  # fmt: skip
        inputs = {"input_ids": padded, "attention_mask": mask}
        return Encoding({k: v.to(self._device) for k, v in inputs.items()}, (tuple(spans),))

    def baseline_id(self, baseline: str) -> int:
        """Return the token id of the baseline ``mask`` or ``pad``.

        Raises
        ------
        CapabilityError
            If there is no such token.
        """
        if baseline == "pad":
            return self.pad_id
        if baseline == "mask" and self._mask_id is not None:
            return self._mask_id
        raise CapabilityError(
            f"{self.name} has no {baseline} token to start from; "
            f"it has: {'pad' if self._mask_id is None else 'mask, pad'}"
        )

    def differentiable_scores(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the scores of an encoded batch, with gradients."""
        ids, lengths = inputs["input_ids"], inputs["attention_mask"].sum(dim=1)
        vectors = self._private.copy_of_thread().lookup(ids)
        groups = [torch.nonzero(lengths == n)[:, 0] for n in torch.unique(lengths)]
        scores = [
            self._scores_of(ids[rows, : int(lengths[rows[0]])], vectors[rows]) for rows in groups
        ]
        return torch.cat(scores)[torch.argsort(torch.cat(groups))]

    def describe(self) -> ModelDescription:
        """Return what is known of the model."""
        weight = self.embedding.weight
        return description_of(
            self,
            {
                "architecture": type(self.module).__name__,
                "parameters": sum(p.numel() for p in self.module.parameters()),
                "dtype": str(weight.dtype).removeprefix("torch."),
                "device": str(weight.device),
                "threads": torch.get_num_threads(),
                "minimum tokens": self.min_length,
                "maximum tokens": self.max_length,
                "padding": f"id {self.pad_id}, on the right, up to the minimum",
                "special tokens": list(self.special_tokens),
            },
        )

    @property
    def _device(self) -> torch.device:
        return self.embedding.weight.device

    def _tokens_of(self, text: Text) -> list[Token]:
        """Return all tokens of a text, checked."""
        if not isinstance(text, str):
            raise PredictionError(
                f"{self.name} reads one text, and a pair was given; join the two in one text, or "
                "wrap a function of pairs"
            )
        try:
            tokens = [
                (int(number), int(start), int(end)) for number, start, end in self.tokenize(text)
            ]
        except Exception as error:
            raise failure(f"the tokenize function of {self.name}", error) from error
        rows = self.embedding.num_embeddings
        for number, start, end in tokens:
            if not (0 <= number < rows and 0 <= start <= end <= len(text)):
                raise PredictionError(
                    f"the tokenize function of {self.name} gave the token ({number}, {start}, "
                    f"{end}) of a text of {len(text)} characters; expected (id, start, end) with "
                    f"an id below {rows} and a range within the text"
                )
        return tokens

    def _ids(self, tokens: Sequence[Token]) -> list[int]:
        """Return the ids that the module reads of a text, at least `min_length`."""
        ids = [number for number, _, _ in tokens[: self.max_length]]
        return ids + [self.pad_id] * (self.min_length - len(ids))

    def _tensor(self, ids: Sequence[Sequence[int]]) -> torch.Tensor:
        return torch.tensor(ids, device=self._device)

    def _scores_of(self, ids: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        """Return the scores of texts of one length whose embeddings are `vectors`."""
        vectors, calls = vectors[:, : ids.shape[1]], 0
        layers = self._private.copy_of_thread()

        def embed(_: torch.nn.Module, arguments: tuple[Any, ...], __: object) -> torch.Tensor:
            nonlocal calls
            calls += 1
            if not torch.equal(arguments[0], ids):
                raise CapabilityError(
                    f"{self.name} gives its embedding ids of shape {tuple(arguments[0].shape)} "
                    f"that are not those it was given, {tuple(ids.shape)}; embed first, and "
                    "transpose or cut the vectors after"
                )
            return vectors

        handle = layers.lookup.embedding.register_forward_hook(embed)
        try:
            with _without_cudnn(ids.device):
                scores = self._tensor_of(layers.module(ids))
        finally:
            handle.remove()
        if calls != 1:
            raise CapabilityError(
                f"{self.name} calls its embedding {calls} times, expected once; "
                "pass the layer that embeds the ids"
            )
        return scores

    def _tensor_of(self, output: object) -> torch.Tensor:
        if not isinstance(output, torch.Tensor):
            raise AdapterError(
                f"{self.name} returned a {type(output).__name__}, expected one tensor of shape "
                f"(n_texts, {len(self.labels)}); return the scores alone, in a module around it if "
                "need be"
            )
        return output

    def _check_scores(self, scores: torch.Tensor, n_texts: int) -> Scores:
        return check_scores(scores.double().cpu().numpy(), n_texts, self.labels, self.name)

    def _id_of_mask(self) -> int | None:
        if self.mask_token is None:
            return None
        token, ids_seen = self.mask_token, set()
        for text, start in written_into(PLACES, token):
            ids = ids_over(self._tokens_of(text), start, start + len(token))
            ids_seen.update(ids)
            if len(ids) != 1 or len(ids_seen) != 1:
                raise ConfigurationError(
                    f"the tokenize function of {self.name} reads the mask token {token!r} as "
                    f"{len(ids)} tokens in {text!r}, expected one, the same everywhere; let it "
                    "know the token, or leave mask_token out"
                )
        return ids_seen.pop()

    def _probe(self) -> None:
        """Score two padded texts, so that what does not fit together is found at once."""
        if not 0 <= self.pad_id < self.embedding.num_embeddings:
            raise ConfigurationError(
                f"pad_id={self.pad_id} is no row of the embedding, which has "
                f"{self.embedding.num_embeddings}"
            )
        ids = torch.full((2, self.min_length + 2), self.pad_id, device=self._device)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        try:
            with torch.no_grad(), self._private.check_isolation():
                scores = self.differentiable_scores(inputs)
        except AdapterError:
            raise
        except Exception as error:
            raise failure(self.name, error) from error
        self._check_scores(scores, 2)


class _Layers(torch.nn.Module):
    """A module, and the embedding in it: what a copy must hold together."""

    def __init__(self, module: torch.nn.Module, embedding: torch.nn.Embedding) -> None:
        super().__init__()
        self.module = module
        self.lookup = _Lookup(embedding)


class _Lookup(torch.nn.Module):
    """The embedding of a whole padded batch, before it is cut into batches of equal length."""

    def __init__(self, embedding: torch.nn.Embedding) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        vectors: torch.Tensor = self.embedding(ids)
        return vectors


_CUDNN = threading.Lock()


@contextmanager
def _without_cudnn(device: torch.device) -> Iterator[None]:
    """Do without cuDNN for a while, which is a setting of the whole process."""
    if device.type != "cuda":
        yield
        return
    with _CUDNN:
        before = torch.backends.cudnn.enabled
        torch.backends.cudnn.enabled = False
        try:
            yield
        finally:
            torch.backends.cudnn.enabled = before


def _span(token: Token) -> Span | None:
    """Return the place of a token, None if it stands for no character."""
    _, start, end = token
    return Span(0, start, end) if end > start else None
