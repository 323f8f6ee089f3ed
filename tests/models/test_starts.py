"""A long text is read as transformers reads it, whatever is cut off before."""

from collections.abc import Callable, Sequence
from functools import partial

import pytest
from tokenizers import Regex, normalizers
from transformers import BatchEncoding, PreTrainedTokenizerFast

from explain.adapters.long_text_starts import LONG, SPARE, Starts
from explain.adapters.private_copies import PrivateTokenizer
from tests.helpers.tiny import LIMIT, byte_tokenizer, piece_tokenizer, unigram_tokenizer

TEXTS = {
    "words": "a good film, really good. " * 500,
    "spaces": "a good" + " " * 10_000 + "film",
    "only spaces": " " * 10_000,
    "letters": "x" * 10_000,
    "emoji": "👩\u200d👩\u200d👧" * 2_000,
    "marks": "e" + "\u0301" * 10_000,
    "late": "\u200b" * 5_000 + "good film " * 300,
    "lines": "\n" * 10_000 + "good",
    "bidi": "good \u202e" * 2_000,
    "a long word across": "a good " + "x" * 10_000 + " film" * 3_000,
    "few words, then many": "good" + " " * 5_000 + "film good " * 2_000,
}


def looks_at_the_end() -> PreTrainedTokenizerFast:
    """Return a tokenizer that reads the first word by the last one."""
    tokenizer = piece_tokenizer()
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(
        Regex(r"\Aa good(?=.*end\z)"), "a bad"
    )
    return tokenizer


TOKENIZERS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "pieces": piece_tokenizer,
    "bytes": partial(byte_tokenizer, mask=True),
    "unigram": partial(unigram_tokenizer, mask=True),
    "looks at the end": looks_at_the_end,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("name", TOKENIZERS)
def test_the_same_tokens_are_read_of_the_start_of_a_long_text(name: str, text: str) -> None:
    assert len(text) > LONG * LIMIT
    tokenizer = TOKENIZERS[name]()
    starts = Starts(PrivateTokenizer(tokenizer, "m"), LIMIT)

    def tokens_of(text: str) -> dict[str, object]:
        options = {"truncation": True, "max_length": LIMIT, "return_offsets_mapping": True}
        return dict(tokenizer(text, verbose=False, **options))

    for _ in range(2):
        start = starts.of(text)
        assert text.startswith(start)
        assert tokens_of(start) == tokens_of(text)


def test_a_long_text_of_words_is_cut_and_a_short_one_is_not() -> None:
    starts = Starts(PrivateTokenizer(piece_tokenizer(), "m"), LIMIT)
    assert len(starts.of(TEXTS["words"])) < LIMIT * 7 + SPARE
    short = TEXTS["words"][: LONG * LIMIT]
    assert starts.of(short) is short


@pytest.mark.parametrize("name", ["pieces", "bytes"])
def test_no_more_of_a_very_long_text_is_read_than_tells(name: str) -> None:
    longest = 0

    class Reader(PrivateTokenizer):
        def __call__(self, *sides: Sequence[str] | str, **options: object) -> BatchEncoding:
            nonlocal longest
            longest = max(longest, *(len(text) for side in sides for text in side))
            return super().__call__(*sides, **options)

    starts = Starts(Reader(TOKENIZERS[name](), "m"), LIMIT)
    assert len(starts.of("a good film, really good. " * 40_000)) < LIMIT * 7 + SPARE
    assert longest <= LONG * LIMIT


def test_what_depends_on_the_end_is_not_cut() -> None:
    starts = Starts(PrivateTokenizer(looks_at_the_end(), "m"), LIMIT)
    text = TEXTS["words"] + "end"
    assert starts.of(text) is text
