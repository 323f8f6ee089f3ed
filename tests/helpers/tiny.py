"""Tiny random transformers of every kind, with tokenizers trained on a few lines."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from explain.adapters.origin import Origin
from explain.adapters.transformers import TransformersClassifier

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "byte_tokenizer",
    "piece_tokenizer",
    "random_model",
    "unigram_tokenizer",
]

LINES = ["a good film , really good", "a bad film , really bad", "the payment failed again !"] * 4
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
BERT = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
LIMIT = 64
"""Tokens that the tiny models read."""


def byte_tokenizer(*, mask: bool, limit: int = LIMIT) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer in the manner of RoBERTa."""
    names = [*SPECIAL.values(), *(["<mask>"] if mask else [])]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=names,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    _frame(tokenizer, "<s> $A </s>", "<s> $A </s> $B </s>")
    extra = {"mask_token": "<mask>"} if mask else {}
    return _fast(tokenizer, limit, **SPECIAL, **extra)


def bare_tokenizer(*, side: str = "right", limit: int = LIMIT) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer in the manner of GPT-2: one special token, never added."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    return _fast(tokenizer, limit, padding_side=side, bos_token="<|end|>", eos_token="<|end|>")


def piece_tokenizer(*, limit: int = LIMIT) -> PreTrainedTokenizerFast:
    """Return a WordPiece tokenizer in the manner of BERT.

    Its trainer breaks ties another way in every process, so the pieces are the words and letters.
    """
    words = " ".join(LINES).split()
    pieces = [*BERT.values(), "[MASK]", *sorted({*words, *"".join(words)})]
    pieces += [f"##{letter}" for letter in pieces if len(letter) == 1]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    _frame(tokenizer, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")
    names = ["input_ids", "token_type_ids", "attention_mask"]
    return _fast(tokenizer, limit, mask_token="[MASK]", model_input_names=names, **BERT)


def unigram_tokenizer(
    frame: str = "<s> $A </s>", *, mask: bool = False, pad: bool = True, limit: int = LIMIT
) -> PreTrainedTokenizerFast:
    """Return a SentencePiece (Unigram) tokenizer in the manner of XLM-R, T5 and Llama."""
    special = {key: name for key, name in SPECIAL.items() if pad or key != "pad_token"}
    extra = {"mask_token": "<mask>"} if mask else {}
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120,
        special_tokens=[*special.values(), *extra.values()],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    # Its trainer sums in another order in every process.
    learned = json.loads(tokenizer.to_str())["model"]["vocab"]
    pieces = [(piece, round(score, 3)) for piece, score in learned]
    first = len(special) + len(extra)
    pieces[first:] = sorted(pieces[first:], key=lambda piece: (-piece[1], piece[0]))
    tokenizer.model = models.Unigram(pieces, unk_id=list(special).index("unk_token"))
    _frame(tokenizer, frame, frame.replace("$A", "$A $B"))
    return _fast(tokenizer, limit, **special, **extra)


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
        **{
            "vocab_size": len(tokenizer),
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            # Fresh weights of .02 make a model that hardly listens to its input.
            "initializer_range": 0.3,
            **options,
        },
    )
    model: PreTrainedModel = auto.from_config(config).eval()
    return model


@dataclass(frozen=True)
class Architecture:
    """How to make a tiny random classifier of one architecture."""

    name: str
    kind: str
    tokenizer: Callable[[], PreTrainedTokenizerFast]
    options: dict[str, Any] = field(default_factory=dict)

    def classifier(self, **options: Any) -> TransformersClassifier:
        tokenizer = self.tokenizer()
        model = random_model(self.kind, tokenizer, **self.options)
        return TransformersClassifier(model, tokenizer, origin=Origin(self.name), **options)


_ROTARY = {"max_position_embeddings": LIMIT, "num_key_value_heads": 1, "head_dim": 8}
_LLAMA = partial(unigram_tokenizer, "<s> $A", pad=False)

ARCHITECTURES = (
    Architecture("BERT", "bert", piece_tokenizer, {"max_position_embeddings": LIMIT}),
    Architecture(
        "RoBERTa", "roberta", partial(byte_tokenizer, mask=True), {"max_position_embeddings": 67}
    ),
    Architecture(
        "DistilBERT",
        "distilbert",
        piece_tokenizer,
        {
            "dim": 16,
            "hidden_dim": 32,
            "n_layers": 2,
            "n_heads": 2,
            "max_position_embeddings": LIMIT,
        },
    ),
    Architecture(
        "DeBERTa-v2",
        "deberta-v2",
        partial(unigram_tokenizer, mask=True),
        {
            "max_position_embeddings": LIMIT,
            "relative_attention": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
            "pooler_hidden_size": 16,
        },
    ),
    Architecture(
        "ELECTRA",
        "electra",
        piece_tokenizer,
        {"embedding_size": 8, "max_position_embeddings": LIMIT},
    ),
    Architecture(
        "ALBERT",
        "albert",
        partial(unigram_tokenizer, mask=True),
        {"embedding_size": 8, "max_position_embeddings": LIMIT},
    ),
    Architecture(
        "XLM-R",
        "xlm-roberta",
        partial(unigram_tokenizer, mask=True),
        {"max_position_embeddings": 67},
    ),
    Architecture(
        "ModernBERT",
        "modernbert",
        partial(byte_tokenizer, mask=True),
        {"max_position_embeddings": LIMIT, "cls_token_id": 0, "sep_token_id": 1},
    ),
    Architecture(
        "Longformer",
        "longformer",
        partial(byte_tokenizer, mask=True),
        {"max_position_embeddings": 131, "attention_window": [8, 8]},
    ),
    Architecture("GPT-2", "gpt2", bare_tokenizer, {"n_positions": LIMIT, "n_inner": 32}),
    Architecture(
        "GPT-2, padded left",
        "gpt2",
        partial(bare_tokenizer, side="left"),
        {"n_positions": LIMIT, "n_inner": 32},
    ),
    Architecture("Llama", "llama", _LLAMA, _ROTARY),
    Architecture("Mistral", "mistral", _LLAMA, {**_ROTARY, "sliding_window": 16}),
    Architecture("Qwen2", "qwen2", bare_tokenizer, _ROTARY),
    Architecture(
        "Gemma",
        "gemma",
        partial(unigram_tokenizer, "<s> $A"),
        {**_ROTARY, "initializer_range": 0.1},
    ),
    Architecture(
        "T5",
        "t5",
        partial(unigram_tokenizer, "$A </s>"),
        {
            "d_model": 16,
            "d_kv": 8,
            "d_ff": 32,
            "num_layers": 2,
            "num_heads": 2,
            "decoder_start_token_id": 2,
            "initializer_factor": 0.5,
        },
    ),
    Architecture(
        "BART",
        "bart",
        partial(byte_tokenizer, mask=True),
        {
            "d_model": 16,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_ffn_dim": 32,
            "decoder_ffn_dim": 32,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "max_position_embeddings": LIMIT,
            "decoder_start_token_id": 1,
            "init_std": 0.3,
        },
    ),
)
"""Tiny models of every architecture that docs/models.md names."""


def _frame(tokenizer: Tokenizer, single: str, pair: str) -> None:
    """Put special tokens around a text and a pair."""
    names = {word.partition(":")[0] for word in f"{single} {pair}".split() if word[0] != "$"}
    ids = [(name, tokenizer.token_to_id(name)) for name in sorted(names)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=ids
    )


def _fast(tokenizer: Tokenizer, limit: int, **options: Any) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=limit, **options)
