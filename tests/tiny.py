"""Tiny random transformers of several kinds, with tokenizers trained on a few lines."""

from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

LINES = ["a good film , really good", "a bad film , really bad", "the payment failed again !"] * 4
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def byte_tokenizer(*, mask: bool, limit: int) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer in the manner of RoBERTa."""
    names = [*SPECIAL.values(), *(["<mask>"] if mask else [])]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        LINES,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=names,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 1)],
    )
    extra = {"mask_token": "<mask>"} if mask else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=limit, **SPECIAL, **extra
    )


def random_model(
    kind: str,
    tokenizer: PreTrainedTokenizerFast,
    auto: Any = AutoModelForSequenceClassification,
    **options: Any,
) -> PreTrainedModel:
    """Return a random model of a transformers model type, a sequence classifier by default."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **options,
    )
    model: PreTrainedModel = auto.from_config(config)
    return model
