"""Words and clusters are those of Unicode's own tables, but for the deviations listed here."""

from collections.abc import Iterator
from itertools import accumulate, groupby, pairwise
from pathlib import Path

import regex

from explain.text.words import words

TABLES = Path(__file__).parent / "unicode"

BLADES = "\u2701"
"""Upper blade scissors, a picture in older versions of Unicode."""

FLAGS_AND_JOINERS = {
    # A mark stands between two halves of a flag, or a joiner before an emoji that it joins to
    # nothing. Each is two grapheme clusters, and a word of ours never spans two of them there.
    "🇦\u0308🇦": ["🇦\u0308", "🇦"],
    "a🇦\u200d🇧🇨b": ["a", "🇦\u200d", "🇧🇨", "b"],
    "\u200d⌚": ["\u200d", "⌚"],
    "a\u200d🛑": ["a\u200d", "🛑"],
    "\u200d🛑🏿": ["\u200d", "🛑🏿"],
    "\u200d🛑": ["\u200d", "🛑"],
    f"{BLADES}\u200d{BLADES}": [f"{BLADES}\u200d", BLADES],
    f"a\u200d{BLADES}": ["a\u200d", BLADES],
}


def cases(name: str) -> Iterator[list[str]]:
    """Yield the texts of a table, cut where it says."""
    for line in (TABLES / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        _, *pieces = line.rstrip("÷ ").split("÷")
        yield ["".join(chr(int(code, 16)) for code in piece.split("×")) for piece in pieces]


def cut(text: str) -> list[str]:
    return [text[span.start : span.end] for span in words([text])]


def word_breaks(pieces: list[str]) -> list[str]:
    """Return the pieces of a table as `words` promises them.

    White space is left out, no colon joins two letters, and a run of the same mark is one feature.
    """
    shown = [piece.strip() for piece in pieces if piece.strip()]
    apart = [part for piece in shown for part in regex.findall(r":[\p{M}\p{Cf}]*|[^:]+", piece)]
    return [
        part
        for same, run in groupby(apart)
        for part in (["".join(run)] if regex.match(r"[\p{P}\p{S}]", same) else run)
    ]


def test_words_are_those_of_the_table_of_unicode() -> None:
    texts = {"".join(pieces): pieces for pieces in cases("WordBreakTest")}
    assert len(texts) > 1_800
    found = {text: cut(text) for text in texts}
    other = {text: words_ for text, words_ in found.items() if words_ != word_breaks(texts[text])}
    assert other == FLAGS_AND_JOINERS


def test_no_word_cuts_a_cluster_of_the_table_of_unicode() -> None:
    texts = [*cases("GraphemeBreakTest")]
    assert len(texts) > 800
    for pieces in texts:
        text = "".join(pieces)
        boundaries = {0, *accumulate(map(len, pieces))}
        # White space is left out, a mark that stands on it is not.
        edges = pairwise(["", *text, ""])
        spaces = {place for place, both in enumerate(edges) if any(map(str.isspace, both))}
        for span in words([text]):
            assert {span.start, span.end} <= boundaries | spaces, ascii(pieces)
