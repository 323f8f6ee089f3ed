"""Texts cut into words and sentences, in every script (Unicode UAX #29)."""

import warnings
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib import import_module
from itertools import compress, pairwise
from types import ModuleType
from typing import Any

import regex

from explain.text.spans import Span
from explain.text.windows import stretches

__all__ = ["han_rule", "is_japanese", "sentences", "word_starts", "words"]

LONGEST_HAN = 200
"""Han characters that jieba is given at once: its time grows with the square of unknown ones."""

LONGEST_KNOWN, MOST_KNOWN = 32, 2**16
"""Characters of a stretch whose words are remembered, and how many stretches are: nearly all words
of a table with their marks, in some ten megabytes."""

_GRAPHEME = regex.compile(r"\X")
_FLAG = regex.compile(r"[🇦-🇿]{2}")
_MARK = regex.compile(r"[\p{P}\p{S}]")
# All marks of ASCII, and the one grapheme of two characters in it.
_ASCII_RUN = regex.compile(r"([!-/:-@\[-`{-~])\1+|\r\n")
_HAN = regex.compile(rf"\p{{Han}}{{1,{LONGEST_HAN}}}")
# A lone の or katakana letter is fashion or part of a face in Chinese: 鲜の每日, ¯\_(ツ)_/¯.
_JAPANESE = regex.compile(
    r"(?!の)\p{Hiragana}[\p{Han}\p{Hiragana}]|\p{Han}(?!の)\p{Hiragana}|\p{Katakana}{2}"
)

# The words of UAX #29. The library's own (?w)\b glues an apostrophe to a vowel after it ('apple')
# and a full stop to a word that ends in a combining mark (اليُتّمِ.).
_AFTER = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]"
_LETTER = r"[\p{WB=ALetter}\p{WB=Hebrew_Letter}]"
_LETTERS_AND_DIGITS = rf"""(?:
    {_LETTER} {_AFTER}*+
    (?: (?![:：﹕])[\p{{WB=MidLetter}}\p{{WB=MidNumLet}}'] {_AFTER}*+ (?={_LETTER})
      | (?<=\p{{WB=Hebrew_Letter}}{_AFTER}*+) (?: ' | " (?=\p{{WB=Hebrew_Letter}}) ) {_AFTER}*+ )?+
  | \p{{WB=Numeric}} {_AFTER}*+
    (?: [\p{{WB=MidNum}}\p{{WB=MidNumLet}}'] {_AFTER}*+ (?=\p{{WB=Numeric}}) )?+
)++"""
_RUN = rf"(?: {_LETTERS_AND_DIGITS} | (?:\p{{WB=Katakana}}{_AFTER}*+)++ )"
_JOINED_WORD = rf"(?: (?:(?!\s)\p{{WB=ExtendNumLet}}{_AFTER}*+)++ {_RUN}?+ )"
_WORD = rf"(?: {_RUN} {_JOINED_WORD}*+ | {_JOINED_WORD}++ )"
_ADDRESS = r"""
    (?i:(?:https?://|www\.) [!#-;=?-~]*[a-z0-9/])
  | (?<![\w.%+-]) (?i:[a-z0-9._%+-]++ @ [a-z0-9-]++ (?:\.[a-z0-9-]++)++)
"""
_CONSONANT = r"[ก-ฮກ-ຮໜ-ໟក-ឳက-ဪဿ]"
_CLUSTER = rf"""
    [เ-ไເ-ໄ]? {_CONSONANT}              # a vowel written before its consonant
    (?: [\u0E31\u0E47\u0EB1\u0EBB] \p{{M}}? {_CONSONANT} (?!\p{{M}})  # a short vowel needs a final
      | (?<=เ.) \u0E35 \p{{M}}? ย (?!\p{{M}})                         # เ-ีย
      | \u0E37 \p{{M}}? อ (?!\p{{M}})                                 # -ือ
      | (?: [\u1039\u17D2] {_CONSONANT} | \p{{M}} )*+                 # stacked consonants, marks
    )
    [ะาำๅະາຳ]*+                         # vowels written after
    (?: {_CONSONANT} [\u0E34\u0E38\u1037]? [\u0E4C\u0ECC\u103A\u17CB\u17CD] \p{{M}}*+ )*+  # silent
"""
_WHOLE = regex.compile(
    rf"(?x) {_ADDRESS} | {_CLUSTER} | \p{{Hiragana}}[\p{{Hiragana}}\p{{M}}ー]*+ | {_WORD}"
)
_JOINT = regex.compile(rf"(?<=(?<!\w)[@#＠＃])(?=\w)|(?<=\S)(?=[\u200b་༌]|{_AFTER})")

_CLOSING = r"""["'”’)\]»」』）】》]"""
_SPACED = r".!?…\u037E"
_UNSPACED = r"。｡！？؟۔।॥။።፧។៕།༎"
_SENTENCE_END = regex.compile(
    rf"""(?x)
    (?: (?<![{_SPACED}{_UNSPACED}])
        (?: [{_SPACED}]*+ [{_UNSPACED}] [{_SPACED}{_UNSPACED}]*+ {_CLOSING}*+
          | [{_SPACED}]++ {_CLOSING}*+ (?=\s) )
      | (?<=\p{{Greek}}\p{{M}}?) ; (?=\s)
      | (?<=[ก-\u0E4Eກ-\u0ECD]) (?=[ ]++[ก-ฮเ-ไກ-ຮໜ-ໟເ-ໄ])
      | \R
    ) \s*+
    """
)


def words(parts: Sequence[str], *, japanese: bool | None = None) -> tuple[Span, ...]:
    """Return the words and marks of each part, white space left out.

    A word is one by the default rules of Unicode (UAX #29), but no colon joins two; so a
    hyphenated word is cut at its hyphens. No grapheme cluster is ever cut, a zero-width space
    belongs to what is before it, and a run of one and the same mark or emoji (``...``, ``!!!``)
    is one feature. Unicode leaves the following open. One feature is

    - a web or mail address, and ``@`` or ``#`` with the word after it;
    - in Chinese, a word as jieba finds it where it is installed, else a character (`han_rule`);
    - in Japanese, a run of kanji, of hiragana or of katakana, with its long-vowel marks. A part is
      Japanese that holds hiragana (a lone ``の`` is none) beside kana or kanji, or two katakana in
      a row;
    - in Thai, Lao, Khmer and Burmese, a character cluster: what no reader would split, a consonant
      with the vowels and marks around it and a final that cannot stand alone. It is a part of a
      word, as no dictionary is used (Theeramunkong et al. 2000, doi:10.1145/355214.355225; much
      abridged);
    - in Tibetan, a syllable with the dot that ends it.

    Parameters
    ----------
    parts : sequence of str
        One text, or a pair.
    japanese : bool, optional
        Whether they are Japanese; by default what the characters of each part say.

    Examples
    --------
    >>> [part[s.start:s.end] for part in ["It's no good..."] for s in words([part])]
    ["It's", 'no', 'good', '...']
    """
    return tuple(
        Span(number, start, end)
        for number, part in enumerate(parts)
        for start, end in _pieces(
            part, word_starts(part, japanese=is_japanese(part) if japanese is None else japanese)
        )
    )


def han_rule() -> str:
    """Return how Chinese is cut into words: ``jieba`` with its version, or ``by character``."""
    jieba = _jieba()
    return "by character" if jieba is None else f"jieba {jieba.__version__}"


def sentences(parts: Sequence[str]) -> tuple[Span, ...]:
    """Return the sentences of each part, split after sentence marks and at line breaks.

    Marks of the Latin kind, and the Greek question mark, count before white space only. Thai and
    Lao have no marks and are split at spaces between letters, which part clauses as well.

    Examples
    --------
    >>> [part[s.start:s.end] for part in ["Fine. Not bad!"] for s in sentences([part])]
    ['Fine.', 'Not bad!']
    """
    return tuple(
        Span(number, start, end)
        for number, part in enumerate(parts)
        for start, end in _pieces(part, [end.end() for end in _SENTENCE_END.finditer(part)])
    )


def is_japanese(part: str) -> bool:
    """Tell whether the Han characters of a part are cut by the rule of Japanese."""
    return bool(_JAPANESE.search(part))


def word_starts(part: str, *, japanese: bool) -> list[int]:
    """Return the starts of the graphemes of `part` that begin a word or mark, or the space before.

    `japanese` says by which rule Han characters are cut.
    """
    starts, place = [], 0
    # How Han is cut depends on what is installed, and on the rest of the text.
    longest = 0 if _HAN.search(part) else LONGEST_KNOWN
    for stretch in stretches(part):
        if place:
            starts.append(place - 1)
        if len(stretch) > longest:
            starts += [place + start for start in _starts_of(stretch, japanese=japanese)]
        elif (known := _known_starts(stretch)) == (0,):
            starts.append(place)
        else:
            starts += [place + start for start in known]
        place += len(stretch) + 1
    return starts


@lru_cache(maxsize=MOST_KNOWN)
def _known_starts(stretch: str) -> tuple[int, ...]:
    return tuple(_starts_of(stretch, japanese=False))


def _starts_of(stretch: str, *, japanese: bool) -> Iterator[int]:
    """Return where words, marks and white space begin in what stands between two spaces."""
    starts = _ascii_marks(stretch) if stretch.isascii() else _graphemes(stretch)
    wholes = (match.span() for match in _WHOLE.finditer(stretch))
    for units in (wholes, _han_words(stretch, japanese)):
        for start, end in units:
            starts[start + 1 : end] = bytes(end - start - 1)
    for joint in _JOINT.finditer(stretch):
        starts[joint.start()] = False
    return compress(range(len(starts)), starts)


def _ascii_marks(stretch: str) -> bytearray:
    """Return whether a grapheme or a run of one mark begins at each character, all being ASCII."""
    starts = bytearray(b"\1") * len(stretch)
    for match in _ASCII_RUN.finditer(stretch):
        start, end = match.span()
        starts[start + 1 : end] = bytes(end - start - 1)
    return starts


def _graphemes(stretch: str) -> bytearray:
    """Return whether a grapheme or a run of one mark begins at each character."""
    # A stand-in for flags, of their length and one grapheme each: before every regional indicator
    # the regex library counts all those before it, so a million of them would take hours.
    flagless = _FLAG.sub("¤\u0301", stretch)
    graphemes = [match.span() for match in _GRAPHEME.finditer(flagless)]
    starts = bytearray(len(stretch))
    for start, _ in graphemes:
        starts[start] = True
    for start, end in _repeats(stretch, graphemes):
        starts[start + 1 : end] = bytes(end - start - 1)
    return starts


def _repeats(part: str, graphemes: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield each pair of neighbouring graphemes that are the same mark."""
    for (start, middle), (_, end) in pairwise(graphemes):
        if part[start:middle] == part[middle:end] and _MARK.match(part, start):
            yield start, end


def _han_words(part: str, japanese: bool) -> Iterator[tuple[int, int]]:
    """Yield the units of the runs of Han characters; none where each character is one."""
    runs = [match.span() for match in _HAN.finditer(part)]
    if japanese:
        yield from runs
    elif runs and (jieba := _jieba()):
        cutter = _cutter(jieba)
        for start, end in runs:
            for word in cutter.cut(part[start:end]):
                yield start, start + len(word)
                start += len(word)


@cache
def _jieba() -> ModuleType | None:
    """Return the package jieba, or None where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return import_module("jieba")
        except ImportError:
            return None


@cache
def _cutter(jieba: Any) -> Any:
    """Return a tokenizer of jieba with its own dictionary and nothing else."""
    cutter = jieba.Tokenizer()
    # Not by initialize(), which trusts a file of a known name in a folder that others can write.
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    return cutter


def _pieces(part: str, cuts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the pieces between `cuts`, trimmed of white space, empty ones left out."""
    edges = [0, *cuts, len(part)]
    for start, end in pairwise(edges):
        piece = part[start:end]
        if body := piece.strip():
            begin = start + piece.index(body)
            yield begin, begin + len(body)
