"""What a language model says after prompts; what these have in common is read once."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache

from explain.adapters.batching import BATCH_COST
from explain.adapters.failures import is_out_of_memory
from explain.adapters.private_copies import PrivateModule
from explain.adapters.prompts import Word, common_start, with_mask, word_exits
from explain.errors import AdapterError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["CACHED_BUDGETS", "KIND", "Continuations", "SharedStart"]

KIND = "causal language model"

CACHED_BUDGETS = 8
"""Tokens in the caches of one batch, in budgets: of a small model they take as much memory as its
weights (SmolLM2-135M, 12,288 tokens)."""

SAME_SCORES = 1e-4
"""How far scores may differ with the cache and without, in float32; what two batches differ by."""

SAME_IN_STEPS = 8
"""The same in steps of a number of less precision."""

STRETCHED = ("dynamic", "longrope")
"""Ways to turn positions into angles that depend on the length of the whole prompt: what was read
of a beginning is then not what is read of it within a longer prompt."""

Readings = Mapping[Word, Sequence[tuple[int, Word]]]
"""For each word beginning the words that it scores, as (label, tokens)."""

Pad = Callable[[Mapping[str, list[list[int]]]], dict[str, torch.Tensor]]


@dataclass(frozen=True)
class SharedStart:
    """The tokens that some prompts begin with, and what the model keeps of them.

    Attributes
    ----------
    ids : tuple of int
        The tokens; none if the prompts share none, or too few.
    cache : DynamicCache
        Keys and values of one sequence of them.
    """

    ids: Word = ()
    cache: DynamicCache = field(default_factory=DynamicCache)

    def of_texts(self, n: int) -> DynamicCache:
        """Return a cache of its own for each of `n` prompts."""
        copied: DynamicCache = deepcopy(self.cache)
        copied.batch_repeat_interleave(n)
        return copied


class Continuations:
    """Scores of the words of labels after prompts.

    Of several prompts the tokens that they all begin with are read once, and of several words after
    one prompt the prompt is. Tokens are shared and not strings, so that each prompt is cut into
    tokens as it is when it stands alone. Where scores are not the same then, each prompt is read
    whole.

    Parameters
    ----------
    model : PrivateModule
        A causal language model.
    readings : mapping
        What must be read after a prompt, and the words that it scores.
    n_labels : int
        Number of labels.
    length_normalised : bool
        Whether the log-likelihood of a word is divided by the number of its tokens.
    with_other : bool
        Whether there is one more column, for all that is none of the words.
    pad : callable
        Makes tensors of rows of tokens, padded on the right.

    Attributes
    ----------
    shares : bool
        Whether what prompts share is read once; `try_sharing` finds out whether it can be.
    """

    def __init__(
        self,
        model: "PrivateModule[PreTrainedModel]",
        readings: Readings,
        n_labels: int,
        *,
        length_normalised: bool,
        with_other: bool,
        pad: Pad,
    ) -> None:
        self.readings = readings
        self.shares = False
        self._model = model
        self._n_labels = n_labels
        self._length_normalised = length_normalised
        self._exits = word_exits(readings) if with_other else {}
        self._pad = pad

    def check_causal(self, prompt: list[int], name: str) -> None:
        """Check that what the model says after a prompt is the same whatever follows.

        Raises
        ------
        AdapterError
            If it is not.
        """
        short = self._log_probabilities(self._pad(with_mask([prompt])), 1)
        longer = self._log_probabilities(self._pad(with_mask([[*prompt, prompt[0]]])), 2)
        rounding = torch.finfo(self._model.original.dtype).eps ** 0.5
        if not torch.allclose(short[:, 0], longer[:, 0], atol=rounding):
            raise AdapterError(
                f"what {name} says after a prompt changes with what follows, so it is no {KIND}; "
                "pass one, or leave the template out"
            )

    def try_sharing(self, prompt: list[int]) -> None:
        """Share from now on what prompts have in common if that leaves scores as they are.

        A model may lack a cache, or keep a state in it that cannot be cut or copied. What it does
        with the beginnings of one prompt shows it.
        """
        config = self._model.original.config
        angles = str(getattr(config, "rope_parameters", None))
        rows = [prompt, prompt[: len(prompt) // 2 + 1]]
        if any(name in angles for name in STRETCHED):
            return
        whole = self.scores(rows, SharedStart())
        self.shares = True
        try:
            shared = self.scores(rows, self._read_start(common_start(rows)))
        except Exception as error:
            if is_out_of_memory(error):
                raise
            self.shares = False
            return
        steps = SAME_IN_STEPS * torch.finfo(self._model.original.dtype).eps
        self.shares = torch.allclose(whole, shared, rtol=0, atol=max(SAME_SCORES, steps))

    def start_of(self, rows: Sequence[list[int]], token_budget: int) -> SharedStart:
        """Return what prompts begin with, read once, if that saves more than a batch costs."""
        ids = common_start(rows)
        if not self.shares or len(ids) * (len(rows) - 1) <= BATCH_COST * token_budget:
            return SharedStart()
        return self._read_start(ids)

    def scores(self, rows: list[list[int]], start: SharedStart) -> torch.Tensor:
        """Return the scores of prompts, shape (n_prompts, n_labels)."""
        if not self.shares or (not start.ids and len(self.readings) == 1):
            return self.scores_of(
                lambda beginning: self._pad(with_mask([[*row, *beginning] for row in rows]))
            )
        return self._combined(self._after_shared(rows, start))

    def scores_of(self, inputs_of: Callable[[Word], dict[str, torch.Tensor]]) -> torch.Tensor:
        """Return the scores of prompts, given the model's inputs for each word beginning."""
        return self._combined(
            lambda beginning: self._log_probabilities(inputs_of(beginning), len(beginning) + 1)
        )

    def _log_probabilities(self, inputs: dict[str, torch.Tensor], last: int) -> torch.Tensor:
        """Return log p of all that may follow each of the last tokens, (n_texts, last, n_ids)."""
        lengths = inputs["attention_mask"].sum(dim=1, keepdim=True)
        return self._read(inputs, lengths - last + torch.arange(last, device=lengths.device))

    def _read_start(self, ids: Word) -> SharedStart:
        start = SharedStart(ids)
        if ids:
            [row] = self._pad(with_mask([[*ids]]))["input_ids"]
            model = self._model.copy_of_thread()
            model(
                input_ids=row[None], past_key_values=start.cache, use_cache=True, logits_to_keep=1
            )
        return start

    def _after_shared(
        self, rows: list[list[int]], start: SharedStart
    ) -> Callable[[Word], torch.Tensor]:
        """Return what gives log p of all that may follow a prompt and each token of a beginning."""
        cache = start.of_texts(len(rows))
        inputs = self._pad(with_mask([row[len(start.ids) :] for row in rows]))
        lengths = inputs["attention_mask"].sum(dim=1, keepdim=True)
        log_p = self._read(inputs, lengths - 1, cache)
        # Of one length together: nothing stands between a prompt and what follows it.
        groups = []
        for length in lengths.unique() if set(self.readings) != {()} else ():
            places = (lengths[:, 0] == length).nonzero()[:, 0]
            of_group = deepcopy(cache)
            of_group.batch_select_indices(places)
            _remove_last(of_group, inputs["input_ids"].shape[1] - int(length))
            groups.append((places, of_group))

        def after(beginning: Word) -> torch.Tensor:
            steps = log_p.new_empty(len(rows), len(beginning) + 1, log_p.shape[-1])
            steps[:, :1] = log_p
            for places, of_group in groups if beginning else ():
                ids = torch.tensor([beginning], device=places.device).expand(len(places), -1)
                every = torch.arange(len(beginning), device=places.device).expand_as(ids)
                read = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
                steps[places, 1:] = self._read(read, every, of_group)
                _remove_last(of_group, len(beginning))
            return steps

        return after

    def _read(
        self,
        inputs: dict[str, torch.Tensor],
        requested_positions: torch.Tensor,
        cache: DynamicCache | None = None,
    ) -> torch.Tensor:
        """Return log p of all that may follow each of the positions, (n_texts, n, n_ids)."""
        mask = inputs["attention_mask"]
        if cache is not None:
            before = mask.new_ones(len(mask), cache.get_seq_length())
            inputs = {**inputs, "attention_mask": torch.cat([before, mask], dim=1)}
        # Only these positions reach the vocabulary: all of them would take most of the memory.
        positions, columns = requested_positions.unique(return_inverse=True)
        model = self._model.copy_of_thread()
        logits = model(
            **inputs,
            logits_to_keep=positions,
            past_key_values=cache,
            use_cache=cache is not None,
        ).logits
        places = torch.arange(len(mask), device=mask.device)[:, None]
        log_p: torch.Tensor = logits[places, columns].float().log_softmax(dim=-1)
        return log_p

    def _combined(self, after: Callable[[Word], torch.Tensor]) -> torch.Tensor:
        """Return the scores of labels, given what may follow each word beginning."""
        columns: list[list[torch.Tensor]] = [[] for _ in range(self._n_labels)]
        outside: list[torch.Tensor] = []
        for beginning, words in self.readings.items():
            log_p = after(beginning)
            for label, word in words:
                steps = log_p[:, range(len(word)), list(word)].sum(dim=1)
                columns[label].append(steps / len(word) if self._length_normalised else steps)
            for start, tokens in self._exits.get(beginning, ()):
                steps = log_p[:, range(len(start)), list(start)].sum(dim=1)
                places = torch.tensor(tokens, device=log_p.device)
                # Their own sum, and not what the words leave of one: that would be all rounding.
                left = log_p[:, len(start)].index_fill(1, places, -torch.inf).logsumexp(dim=1)
                outside.append(steps + left)
        if outside:
            columns.append(outside)
        return torch.stack(
            [torch.logsumexp(torch.stack(scores), dim=0) for scores in columns], dim=1
        )


def _remove_last(cache: DynamicCache, n: int) -> None:
    """Take the last tokens out of a cache; to take none would empty it in older versions."""
    if n:
        cache.crop(-n)
