"""What classifiers behind a tokenizer of the transformers library have in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from scipy.special import log_softmax

from explain.adapters.batching import score_in_batches
from explain.adapters.failures import failure
from explain.adapters.labels import check_labels
from explain.adapters.long_text_starts import Starts
from explain.adapters.private_copies import PrivateTokenizer
from explain.adapters.scores import Scores
from explain.adapters.token_roundtrip import BETWEEN_WORDS, is_read_as_one
from explain.adapters.token_spans import cut_spans, with_marks
from explain.errors import AdapterError, ConfigurationError, PredictionError, nearest
from explain.record import Task
from explain.text.spans import Span, Text, parts_of

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerBase

__all__ = [
    "CPU_TOKEN_BUDGET",
    "GPU_TOKEN_BUDGET",
    "LongText",
    "PadSide",
    "Padding",
    "Pool",
    "TokenizerClassifier",
]

CPU_TOKEN_BUDGET = 1536
"""Tokens of a batch on a CPU: more is slower, as activations leave the cache (benchmarks/)."""

GPU_TOKEN_BUDGET = 32_768
"""Tokens of a batch on an accelerator, which needs large batches to be busy."""


OVERLAP = 4
"""Neighbouring windows share a fourth of their tokens."""

SPARE = 8
"""Tokens beyond the limit that are left to a long side of a pair, as a cut may change the last."""

LongText: TypeAlias = Literal["cut", "windows"]
"""What happens to a text over the model's limit."""

Pool: TypeAlias = Literal["mean", "max"]
"""How the scores of the windows of a text become one."""

PadSide: TypeAlias = Literal["left", "right"]
"""On which side of a text its padding stands."""


@dataclass(frozen=True, slots=True)
class Padding:
    """What fills up the shorter texts of a batch.

    Attributes
    ----------
    token_id : int
        The id of the token.
    side : {"left", "right"}
        On which side of a text it stands.
    """

    token_id: int
    side: PadSide


class TokenizerClassifier(ABC):
    """A classifier behind a fast tokenizer of the transformers library.

    All texts of a call are tokenized, sorted by length and packed into batches of at most
    `token_budget` tokens; the budget halves when memory runs out.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
        The tokenizer, a fast one. A copy of it is used, so none of its settings is changed.
    labels : sequence of str
        Names of the columns of the scores.
    task : {"single_label", "multi_label", "regression"}
        How the columns relate to each other.
    max_length : int
        Tokens that the model reads, special ones included.
    name : str
        What the model is called in reports.
    padding : Padding
        What fills up the shorter texts of a batch, and where.
    long_text : {"cut", "windows"}
        A text over the limit is cut, and `unread` tells what was never read; or it is scored in
        windows of `max_length` tokens, a fourth of them shared with the next, and pooled.
    pool : {"mean", "max"}
        How windows are pooled, label by label, on the natural-log scale (log p for single-label
        models, logits for multi-label ones, values for regression).

    Raises
    ------
    AdapterError
        If the tokenizer does not know where its tokens come from, or the labels are ambiguous.
    ConfigurationError
        If `long_text` or `pool` is unknown.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        labels: Sequence[str],
        *,
        task: Task,
        max_length: int,
        name: str,
        padding: Padding,
        long_text: LongText = "cut",
        pool: Pool = "mean",
    ) -> None:
        for option, value, allowed in (
            ("long_text", long_text, ("cut", "windows")),
            ("pool", pool, ("mean", "max")),
        ):
            if value not in allowed:
                raise ConfigurationError(
                    f"there is no {option} {value!r}; {nearest(value, allowed)}"
                )
        if not tokenizer.is_fast:
            raise AdapterError(
                f"the tokenizer of {name} ({type(tokenizer).__name__}) does not know where its "
                "tokens come from; save it as a fast one (tokenizer.json), or wrap a function"
            )
        self.tokenizer = tokenizer
        self._private_tokenizer = PrivateTokenizer(tokenizer, name)
        self.labels = check_labels(labels, task)
        self.task = task
        self.max_length = max_length
        self.name = name
        self.long_text = long_text
        self.pool = pool
        self._pad_id = padding.token_id
        self._pad_side = padding.side
        mask: str | None = tokenizer.mask_token
        self._mask_token = (
            mask if mask is not None and is_read_as_one(self._private_tokenizer, mask) else None
        )
        self._special_tokens = tuple(
            token
            for token in sorted(tokenizer.all_special_tokens)
            if is_read_as_one(self._private_tokenizer, token, [BETWEEN_WORDS])
        )
        self.token_budget = CPU_TOKEN_BUDGET
        self._starts = Starts(self._private_tokenizer, max_length)

    @property
    def mask_token(self) -> str | None:
        """The tokenizer's mask token, if it is read as one wherever it is written in a text."""
        return self._mask_token

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """The tokenizer's special tokens, if they are read as such where they are written out."""
        return self._special_tokens

    def predict(self, texts: Sequence[Text]) -> Scores:
        """Return the scores of `texts`, shape (n_texts, n_labels), float64, natural-log scale.

        Raises
        ------
        PredictionError
            If the tokenizer or the model fails.
        """
        if not texts:
            return np.empty((0, len(self.labels)))
        if self.long_text == "cut":
            return self._scores(self._tokenize(texts))
        windows = self._tokenize(texts, return_overflowing_tokens=True, stride=self._stride)
        owners = np.array(windows.pop("overflow_to_sample_mapping"))
        if len(owners) > len(texts) and not isinstance(texts[0], str):
            raise PredictionError(
                f"a pair is longer than {self.max_length} tokens, and windows are for single "
                "texts; pass long_text='cut'"
            )
        return self._pool_windows(self._scores(windows), owners)

    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return the spans of the tokens that the model reads of each text.

        Raises
        ------
        PredictionError
            If the tokenizer fails.
        """
        if not texts:
            return []
        encoded = self._tokenize(texts, truncation=self.long_text == "cut")
        return [
            tuple(span for span in spans if span is not None)
            for spans in self._spans(encoded, texts)
        ]

    def unknown(self, texts: Sequence[Text]) -> list[tuple[int, int]]:
        """Return of each text how many tokens are read as unknown, and how many are read at all.

        Raises
        ------
        PredictionError
            If the tokenizer fails.
        """
        if not texts:
            return []
        encoded = self._tokenize(texts, truncation=self.long_text == "cut")
        counts = []
        for ids, spans in zip(encoded["input_ids"], self._spans(encoded, texts), strict=True):
            ids_read = [id_ for id_, span in zip(ids, spans, strict=True) if span is not None]
            counts.append((ids_read.count(self.tokenizer.unk_token_id), len(ids_read)))
        return counts

    def added_tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return the spans of each text that are read as one token which was added.

        Those are special tokens that are written out, and tokens that the tokenizer was taught.

        Raises
        ------
        PredictionError
            If the tokenizer fails.
        """
        added = self.tokenizer.added_tokens_decoder
        if all(token.special for token in added.values()) and not any(
            token in part
            for text in texts
            for part in parts_of(text)
            for token in self.special_tokens
        ):
            return [()] * len(texts)
        # What is read as unknown has the id of a special token, and is none.
        unknown = self.tokenizer.unk_token

        def is_added(id_: int, span: Span, text: Text) -> bool:
            surface = parts_of(text)[span.part][span.start : span.end]
            return id_ in added and (str(added[id_]) != unknown or unknown in surface)

        encoded = self._tokenize(texts, truncation=False)
        rows = zip(encoded["input_ids"], self._spans(encoded, texts), texts, strict=True)
        return [
            tuple(s for i, s in zip(ids, spans, strict=True) if s and is_added(i, s, text))
            for ids, spans, text in rows
        ]

    def unread(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return the spans of each text that are cut off because it is too long.

        Raises
        ------
        PredictionError
            If the tokenizer fails.
        """
        if not texts or self.long_text == "windows":
            return [()] * len(texts)
        whole = self._tokenize(texts, truncation=False)
        long = [i for i, ids in enumerate(whole["input_ids"]) if len(ids) > self.max_length]
        all_spans = self._spans(whole, texts) if long else []
        read_spans = dict(zip(long, self.tokens([texts[i] for i in long]), strict=True))
        return [
            cut_spans(all_spans[i], read_spans[i], len(parts_of(text))) if i in read_spans else ()
            for i, text in enumerate(texts)
        ]

    @abstractmethod
    def _score_batch(self, encoded: Mapping[str, Any]) -> Scores:
        """Return the scores of one batch of encoded texts, lists of unpadded rows."""

    @property
    def _stride(self) -> int:
        return self.max_length // OVERLAP

    def _facts(self) -> dict[str, JsonValue]:
        """Return what a record says of the tokenizer."""
        long_text = (
            f"cut on the {self.tokenizer.truncation_side}"
            if self.long_text == "cut"
            else f"windows of {self.max_length} tokens, {self._stride} shared, {self.pool} of the "
            "log scale"
        )
        has_padding = self.tokenizer.pad_token_id is not None
        return {
            "padding": f"{self.tokenizer.convert_ids_to_tokens(self._pad_id)} on the "
            f"{self._pad_side}{'' if has_padding else ', borrowed: there is no padding token'}",
            "maximum tokens": self.max_length,
            "long text": long_text,
            "tokenizer": type(self.tokenizer).__name__,
            "special tokens": list[JsonValue](self.special_tokens),
            **self._unused_mask(),
        }

    def _unused_mask(self) -> dict[str, JsonValue]:
        """Return why the tokenizer's mask token is not used, if it is not."""
        mask = self.tokenizer.mask_token
        if mask is None or self.mask_token is not None:
            return {}
        return {"mask token": f"none, as {mask} in a text is not read as one token"}

    def _tokenize(
        self, texts: Sequence[Text], *, truncation: bool = True, **options: Any
    ) -> MutableMapping[str, Any]:
        pairs = [parts_of(text) for text in texts]
        if len({len(parts) for parts in pairs}) > 1:
            raise PredictionError(
                f"{self.name} was given single texts and pairs in one call; pass one kind"
            )
        sides = [[parts[side] for parts in pairs] for side in range(len(pairs[0]))]
        if truncation and self.tokenizer.truncation_side == "right":
            if len(sides) == 2:
                sides = [self._cut_parts(side) for side in sides]
            elif not options:
                sides = [[self._starts.of(text) for text in sides[0]]]
        # MiniLM and others store padding and truncation in tokenizer.json: both are always stated.
        try:
            encoded: BatchEncoding = self._private_tokenizer(
                *sides,
                truncation=truncation,
                max_length=self.max_length if truncation else None,
                padding=False,
                verbose=False,
                **options,
            )
        except Exception as error:
            raise failure(f"the tokenizer of {self.name}", error) from error
        return encoded

    def _cut_parts(self, side: Sequence[str]) -> list[str]:
        """Return one side of pairs without what is far beyond the limit and cut off anyway.

        The tokenizers library cuts both sides of a pair into all windows, and all pairs of those.
        """
        bounded = list(side)
        for number, part in enumerate(side):
            if len(part) > self.max_length:
                offsets = self._private_tokenizer(
                    part, add_special_tokens=False, return_offsets_mapping=True, verbose=False
                )["offset_mapping"]
                last = self.max_length + SPARE
                bounded[number] = part if len(offsets) <= last else part[: offsets[last][1]]
        return bounded

    def _spans(
        self, encoded: Mapping[str, Any], texts: Sequence[Text]
    ) -> list[tuple[Span | None, ...]]:
        """Return the place of each token of each text, None for special tokens."""
        return [
            with_marks(
                [
                    Span(part, start, end) if part is not None and end > start else None
                    for part, (start, end) in zip(row.sequence_ids, row.offsets, strict=True)
                ],
                parts_of(text),
            )
            for row, text in zip(cast("BatchEncoding", encoded).encodings or (), texts, strict=True)
        ]

    @property
    def _start_id(self) -> int:
        """The token that starts a text, which a text of no tokens is read as."""
        start: int | None = self.tokenizer.bos_token_id
        return self._pad_id if start is None else start

    def _pad_rows(self, encoded: Mapping[str, Any]) -> dict[str, NDArray[np.int64]]:
        """Return a batch as arrays of one width; no row is empty."""
        empty_row = {"input_ids": [self._start_id], "attention_mask": [1]}
        fill = {"input_ids": self._pad_id, "token_type_ids": self.tokenizer.pad_token_type_id}
        arrays = {}
        for key, rows in encoded.items():
            filled = [row or empty_row.get(key, [0]) for row in rows]
            width = max(map(len, filled))
            arrays[key] = np.full((len(filled), width), fill.get(key, 0), dtype=np.int64)
            for line, row in zip(arrays[key], filled, strict=True):
                first = width - len(row) if self._pad_side == "left" else 0
                line[first : first + len(row)] = row
        return arrays

    def _scores(self, encoded: Mapping[str, Any]) -> Scores:
        def score(batch: list[int]) -> Scores:
            return self._score_batch({key: [v[i] for i in batch] for key, v in encoded.items()})

        return score_in_batches(self, encoded["input_ids"], score)

    def _pool_windows(self, scores: Scores, owners: np.ndarray[Any, np.dtype[np.int_]]) -> Scores:
        """Return one row of scores for the windows of each text."""
        logs: Scores = log_softmax(scores, axis=1) if self.task == "single_label" else scores
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        if self.pool == "max":
            return np.maximum.reduceat(logs, starts, axis=0)
        counts = np.diff(starts, append=len(owners))
        return np.add.reduceat(logs, starts, axis=0) / counts[:, None]
