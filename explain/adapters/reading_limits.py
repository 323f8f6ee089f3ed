"""How much a model reads, and with what it is filled up."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from explain.adapters.private_copies import PrivateTokenizer
from explain.adapters.tokenized import PadSide
from explain.errors import AdapterError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["check_vocabulary", "limit_of", "max_length_of", "pad_id_of", "pad_side_of"]

UNLIMITED = 1_000_000
"""Tokenizers without a limit state one above this."""


def max_length_of(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> int:
    """Return how many tokens are read: the least that positions, config and tokenizer state.

    Raises
    ------
    AdapterError
        If none of them says it.
    """
    positions = [
        # RoBERTa and its kin count positions from the one after padding.
        module.num_embeddings - module.padding_idx - 1
        for name, module in model.named_modules()
        if name.endswith("position_embeddings")
        and isinstance(module, torch.nn.Embedding)
        and module.padding_idx is not None
    ]
    limit = getattr(model.config, "max_position_embeddings", None)
    return limit_of([tokenizer.model_max_length, limit, *positions])


def check_vocabulary(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Check that the model embeds all tokens of its tokenizer.

    Raises
    ------
    AdapterError
        If it does not.
    """
    embeddings: Any = model.get_input_embeddings()
    rows = embeddings.weight.shape[0]
    n_tokens = max(tokenizer.get_vocab().values(), default=-1) + 1
    if n_tokens > rows:
        raise AdapterError(
            f"the tokenizer has {n_tokens} tokens, the model embeds {rows}; "
            "pass the tokenizer that belongs to the model"
        )


def pad_id_of(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> int:
    """Return the id that stands for padding in model and tokenizer; borrow one if there is none.

    A decoder finds its last token as the last that is no padding, so a token that the tokenizer
    puts at the end of a text cannot be borrowed. What is found is written to the model's
    configuration, where a decoder looks for it.

    Raises
    ------
    AdapterError
        If there is none to borrow, or the model does not embed it.
    """
    config = model.config.get_text_config()
    pad_ids = [
        token_id
        for token_id in (config.pad_token_id, tokenizer.pad_token_id)
        if token_id is not None and token_id >= 0
    ]
    if not pad_ids:
        last = PrivateTokenizer(tokenizer, type(model).__name__)("a")["input_ids"][-1:]
        special = (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.unk_token_id)
        pad_ids = [
            token_id for token_id in special if token_id is not None and token_id not in last
        ]
    if not pad_ids:
        raise AdapterError(
            "the tokenizer has no padding token and no special token to borrow for it, without "
            "which texts cannot be batched; set tokenizer.pad_token"
        )
    embeddings: Any = model.get_input_embeddings()
    if pad_ids[0] >= (rows := embeddings.weight.shape[0]):
        raise AdapterError(
            f"the padding token is {pad_ids[0]}, the model embeds {rows} tokens; mend pad_token_id "
            "in config.json"
        )
    config.pad_token_id = pad_ids[0]
    return int(pad_ids[0])


def pad_side_of(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> PadSide:
    """Return ``right``, so that positions count from the first token of a text.

    Models that read their answer off the last position (XLNet) are padded as their tokenizer says.
    """
    if getattr(model.config, "summary_type", None) != "last":
        return "right"
    return "left" if tokenizer.padding_side == "left" else "right"


def limit_of(limits: Sequence[object]) -> int:
    """Return how many tokens are read: the least of what model and tokenizer state.

    Raises
    ------
    AdapterError
        If none is stated.
    """
    stated_limits = [limit for limit in limits if isinstance(limit, int) and 0 < limit < UNLIMITED]
    if not stated_limits:
        raise AdapterError(
            "neither the model nor its tokenizer states how many tokens it reads; "
            "set tokenizer.model_max_length"
        )
    return min(stated_limits)
