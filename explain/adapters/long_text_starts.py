"""The starts of long texts, which are read just as the whole texts are."""

from typing import TypeAlias

from explain.adapters.private_copies import PrivateTokenizer

__all__ = ["Starts"]

LONG = 32
"""Characters for each token of the limit above which a text is long: no language writes as many."""

MOST_KEPT = 16
"""Long texts of which the start is remembered."""

SPARE = 256
"""Characters after the last that is read which are left, as a cut may change what is before it."""

_TokenRows: TypeAlias = list[tuple[int, tuple[int, int], int, int, int | None]]
"""Of each token its id, place, type, whether it is attended to, and which text it is of."""


class Starts:
    """What a tokenizer that cuts on the right reads of long texts.

    The same long text is asked for many times, alone and beside others, and the tokenizers library
    reads all of it each time before it cuts.

    Parameters
    ----------
    tokenizer : PrivateTokenizer
        The tokenizer.
    max_length : int
        Tokens that are read, special ones included.
    """

    def __init__(self, tokenizer: PrivateTokenizer, max_length: int) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._start_of_text: dict[str, str] = {}

    def of(self, text: str) -> str:
        """Return a start of a text of which the same tokens are read, or the text itself.

        That they are the same is seen for each text, not supposed.
        """
        if len(text) <= LONG * self._max_length:
            return text
        start = self._start_of_text.get(text)
        if start is None:
            start = self._start(text)
            # Another thread may be here too: what is kept is replaced, never taken from.
            if len(self._start_of_text) >= MOST_KEPT:
                self._start_of_text = {}
            self._start_of_text[text] = start
        return start

    def _start(self, text: str) -> str:
        whole = self._token_rows(text)
        last = max((end for _, (_, end), *_ in whole), default=0)
        start = text[: last + SPARE]
        return start if len(start) < len(text) and self._token_rows(start) == whole else text

    def _token_rows(self, text: str) -> _TokenRows:
        encoded = self._tokenizer(
            [text], truncation=True, max_length=self._max_length, padding=False, verbose=False
        )
        return [
            token
            for row in encoded.encodings or ()
            for token in zip(
                row.ids,
                row.offsets,
                row.type_ids,
                row.attention_mask,
                row.sequence_ids,
                strict=True,
            )
        ]
