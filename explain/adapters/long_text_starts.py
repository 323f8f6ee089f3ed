"""The starts of long texts, which are read just as the whole texts are."""

from typing import Any, TypeAlias

from explain.adapters.private_copies import PrivateTokenizer
from explain.adapters.tokenizer_steps import steps_of

__all__ = ["Starts"]

LONG = 32
"""Characters for each token of the limit above which a text is long: no language writes as many."""

MOST_KEPT = 16
"""Long texts of which the start is remembered."""

SPARE = 256
"""Characters after the last that is read which are left, as a cut may change what is before it."""

NORMALIZERS = frozenset(
    {"BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled", "Prepend",
     "Replace", "Strip", "StripAccents"}
)  # fmt: skip
"""Steps of the tokenizers library that look no further than at a few characters, patterns apart."""

SPLITS_AT_SPACES = frozenset(
    {"BertPreTokenizer", "ByteLevel", "Metaspace", "Whitespace", "WhitespaceSplit"}
)
"""Steps that part words at spaces, so that none is read by what stands beyond the next space."""

OTHER_SPLITS = frozenset({"Digits", "Punctuation", "UnicodeScripts"})
"""Steps that may stand beside those."""

_TokenRows: TypeAlias = list[tuple[int, tuple[int, int], int, int, int | None]]
"""Of each token its id, place, type, whether it is attended to, and which text it is of."""


class Starts:
    """What a tokenizer that cuts on the right reads of long texts.

    The same long text is asked for many times, alone and beside others, and the tokenizers library
    reads all of it each time before it cuts. Where words are read one by one, a start of whole
    words that holds more than is read shows what is read of the text; else all of it is read once.

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
        self._reads_words = _reads_words(getattr(tokenizer.original, "backend_tokenizer", None))
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
        read = self._read_tokens(text)
        start = text[: _last_end(read) + SPARE]
        return start if len(start) < len(text) and self._token_rows(start) == read else text

    def _read_tokens(self, text: str) -> _TokenRows:
        """Return what is read of a text, without a look at all of it if the first words tell."""
        size = LONG * self._max_length
        while self._reads_words and size < len(text):
            words = text[: max(0, text.rfind(" ", 0, size))]
            tokens = self._token_rows(words) if words else []
            if len(tokens) == self._max_length and _last_end(tokens) + SPARE <= len(words):
                return tokens
            size *= 2
        return self._token_rows(text)

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


def _last_end(tokens: _TokenRows) -> int:
    """Return the place after the last character that is read."""
    return max((end for _, (_, end), *_ in tokens), default=0)


def _reads_words(backend: Any) -> bool:
    """Return whether a tokenizer is known to read each word without those beyond the next."""
    try:
        splits = [*steps_of(getattr(backend, "pre_tokenizer", None))]
        normalizers = [*steps_of(getattr(backend, "normalizer", None))]
    except Exception:
        # A step that is written in Python has no state to read.
        return False
    kinds = {step.get("type") for step in splits if step.get("use_regex") is not False}
    return (
        all(step.get("type") in NORMALIZERS and "Regex" not in str(step) for step in normalizers)
        and all(step.get("type") in SPLITS_AT_SPACES | OTHER_SPLITS for step in splits)
        and not any(step.get("split") is False for step in splits)
        and bool(kinds & SPLITS_AT_SPACES)
    )
