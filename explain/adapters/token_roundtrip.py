"""Whether a token that is written into a text is read as that one token."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from explain.adapters.private_copies import PrivateTokenizer

__all__ = ["BETWEEN_WORDS", "PLACES", "ids_over", "is_read_as_one", "written_into"]

BETWEEN_WORDS = "good {} bad"

PLACES = (
    BETWEEN_WORDS,
    "{}",
    "{} bad",
    "good {}",
    "good, {}.",
    '"{}" ({})',
    "good{}bad",
    "{} {}",
    "{}{}",
    "这{}好",
)
"""Where a hidden word may stand: between words, at either end, beside marks and other hidden words,
and within a script that is written without spaces."""


def is_read_as_one(
    tokenizer: "PrivateTokenizer", token: str, places: Sequence[str] = PLACES
) -> bool:
    """Tell whether a fast tokenizer reads a token as its one id wherever it stands in a text.

    It does not where special tokens are split (``split_special_tokens``), where a token counts as
    a word of its own only (``single_word``), or is not in the vocabulary.
    """
    id_ = tokenizer.original.convert_tokens_to_ids(token)
    if tokenizer.original.convert_ids_to_tokens(id_) != token:
        return False

    def ids(text: str, start: int) -> list[int]:
        encoded = tokenizer(
            text,
            add_special_tokens=False,
            truncation=False,
            padding=False,
            return_offsets_mapping=True,
            verbose=False,
        )
        tokens = (
            (number, *offsets)
            for number, offsets in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        )
        return ids_over(tokens, start, start + len(token))

    return all(ids(*place) == [id_] for place in written_into(places, token))


def written_into(places: Sequence[str], token: str) -> Iterator[tuple[str, int]]:
    """Yield the text of each place, and where a token starts in it, for each time it is there."""
    for place in places:
        pieces = place.split("{}")
        for number in range(1, len(pieces)):
            yield token.join(pieces), len(token.join(pieces[:number]))


def ids_over(tokens: Iterable[tuple[int, int, int]], start: int, end: int) -> list[int]:
    """Return the ids of the tokens ``(id, first, last)`` that hold a character of a range."""
    return [id_ for id_, first, last in tokens if first < last and first < end and last > start]
