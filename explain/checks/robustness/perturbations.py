"""Ways to write a text differently: most change nothing for a reader, two reverse its meaning."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import regex

from explain.checks.base.identity_terms import language_of
from explain.text.editing import replace_spans, without_spans
from explain.text.spans import Span

__all__ = ["NEGATIONS", "PERTURBATIONS", "SHORTEST_WORD", "Transform", "rewrite"]

Rewrite: TypeAlias = Callable[[str, np.random.Generator], str]

SHORTEST_WORD = 5
"""Letters of a word that a slip leaves readable (Rawlinson 1976)."""

_WORD = regex.compile(rf"[^\W\d_]{{{SHORTEST_WORD},}}")
_NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
)  # fmt: skip
_NUMBER = regex.compile(r"(?<![\w.,:/#$£€%+-])(?:[02-9]|1[0-2])(?![\w:/%-]|[.,]\d)")
# Not "one", which mostly is a pronoun: "the one that I like".
_NUMBER_WORD = regex.compile(rf"(?<![\w-])(?:{'|'.join(_NUMBERS[2:])})(?![\w-])", regex.IGNORECASE)
_NOT = regex.compile(
    r"\b(is|are|was|were|am|could|will|would|should|must|does|did)\b"
    r"(?! (?:not|n't|i|you|he|she|it|we|they|this|that|there)\b)",
    regex.IGNORECASE,
)
_NEGATED = regex.compile(r"\b(?:not|never|no|nor|none|nothing|cannot)\b|n['’]t\b", regex.IGNORECASE)
_NOT_ALONE = regex.compile(r"\bnot\b", regex.IGNORECASE)
_NEGATION = regex.compile(r"(?<=\bca) ?(n)['’]t\b| ?n['’]t\b|(?<=\bcan)not\b", regex.IGNORECASE)

END_MARKS = ".!?…。！？।؟۔"
"""What ends a sentence, in the scripts that have such marks."""

_CONFUSIONS = (("rn", "m"), ("m", "rn"), ("cl", "d"), ("l", "1"), ("i", "l"), ("o", "0"),
               ("e", "c"), ("h", "b"), ("s", "5"), ("vv", "w"), ("w", "vv"))  # fmt: skip
"""What scanners mistake for each other."""

_LOOKALIKES = str.maketrans("aceiopxyABCEHIKMOPTX", "асеіорхуАВСЕНІКМОРТХ")
"""Latin letters and the Cyrillic ones that look the same (Unicode TR39)."""

_ACCENTED = str.maketrans("aeiouAEIOU", "áéíóúÁÉÍÓÚ")


@dataclass(frozen=True, slots=True)
class Transform:
    """One way to write a text differently.

    Attributes
    ----------
    name : str
        What is done to the text.
    family : str
        Kind of the transform; one finding tells of all of a kind.
    visible : bool
        Whether a reader would see a fault. Otherwise the text is as good as before.
    participle : str
        What the texts are afterwards: "texts that are ... often get another answer".
    rewrite : callable
        Takes a text and a random stream, and returns the text, unchanged where nothing applies.
    """

    name: str
    family: str
    visible: bool
    participle: str
    rewrite: Rewrite


def rewrite(
    parts: Sequence[str],
    unread: Sequence[Span],
    transform: Transform,
    rng: np.random.Generator,
) -> tuple[str, ...]:
    """Return each part of a text rewritten as far as the model reads it."""
    rewritten_parts = []
    for number, part in enumerate(parts):
        pieces, start = [], 0
        for span in (span for span in unread if span.part == number):
            pieces += [
                transform.rewrite(part[start : span.start], rng),
                part[span.start : span.end],
            ]
            start = span.end
        rewritten_parts.append("".join([*pieces, transform.rewrite(part[start:], rng)]))
    return tuple(rewritten_parts)


def _in_one_word(change: Callable[[str, np.random.Generator], str]) -> Rewrite:
    """Return a rewrite of one of the longer words, drawn at random among those that change."""

    def rewrite_text(text: str, rng: np.random.Generator) -> str:
        matches = list(_WORD.finditer(text))
        for i in rng.permutation(len(matches)):
            start, end = matches[i].span()
            if (new := change(text[start:end], rng)) != text[start:end]:
                return text[:start] + new + text[end:]
        return text

    return rewrite_text


def _typo(word: str, rng: np.random.Generator) -> str:
    """Return a word with two inner neighbours swapped, or an inner letter dropped."""
    place = int(rng.integers(1, len(word) - 2))
    if rng.random() < 0.5:
        return word[:place] + word[place + 1 :]
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _misread(word: str, rng: np.random.Generator) -> str:
    """Return a word with one group of letters as a scanner may take it."""
    places = [
        (place, seen, read)
        for seen, read in _CONFUSIONS
        for place in range(len(word))
        if word.startswith(seen, place)
    ]
    if not places:
        return word
    place, seen, read = places[int(rng.integers(len(places)))]
    return word[:place] + read + word[place + len(seen) :]


def _accented(word: str, rng: np.random.Generator) -> str:
    """Return a word with an accent on one of its plain vowels."""
    places = [place for place, letter in enumerate(word) if ord(letter) in _ACCENTED]
    if not places:
        return word
    place = places[int(rng.integers(len(places)))]
    return word[:place] + word[place].translate(_ACCENTED) + word[place + 1 :]


def _without_accents(text: str) -> str:
    decomposed = regex.sub(
        r"(\p{Latin})[\u0300-\u036F]+", r"\1", unicodedata.normalize("NFD", text)
    )
    return unicodedata.normalize("NFC", decomposed)


def _spaced(text: str) -> str:
    return f"  {text.replace(' ', '  ')}\n" if text else text


def _without_end_mark(text: str) -> str:
    body = text.rstrip()
    unmarked = body.rstrip(END_MARKS)
    return text if unmarked == body else unmarked.rstrip() + text[len(body) :]


def _numbers_in_words(text: str) -> str:
    if language_of(text) != "en":
        return text
    return _with_words(text, _NUMBER, lambda number: _NUMBERS[int(number)])


def _numbers_in_digits(text: str) -> str:
    if language_of(text) != "en":
        return text
    return _with_words(text, _NUMBER_WORD, lambda word: str(_NUMBERS.index(word.lower())))


def _with_words(text: str, pattern: regex.Pattern[str], new: Callable[[str], str]) -> str:
    """Return a text with a new word for each that a pattern finds."""
    edits = [(Span(0, *match.span()), new(match[0])) for match in pattern.finditer(text)]
    return replace_spans([text], edits)[0] if edits else text


def _negated(text: str) -> str:
    if _NEGATED.search(text) or language_of(text) != "en":
        return text
    return _NOT.sub(r"\1 not", text, count=1)


def _affirmed(text: str) -> str:
    if len(_NEGATED.findall(text)) != 1 or regex.search(r"\bwon['’]t\b", text.lower()):
        return text
    if match := _NOT_ALONE.search(text):
        return without_spans([text], [Span(0, *match.span())])[0]
    return _NEGATION.sub(r"\1", text)


def _plain(change: Callable[[str], str]) -> Rewrite:
    return lambda text, _: change(text)


PERTURBATIONS = (
    Transform("lower case", "case", False, "written in small letters", _plain(str.lower)),
    Transform("upper case", "case", False, "written in capital letters", _plain(str.upper)),
    Transform(
        "initial capitals",
        "case",
        False,
        "written with a capital at the start of each word",
        _plain(lambda text: regex.sub(r"(?<!\S)\p{Ll}", lambda m: m[0].upper(), text)),
    ),
    Transform("white space", "white space", False, "spaced more widely", _plain(_spaced)),
    Transform(
        "no end mark",
        "end mark",
        False,
        "written without the mark at their end",
        _plain(_without_end_mark),
    ),
    Transform(
        "emoji",
        "emoji",
        False,
        "followed by a neutral emoji (a paper clip)",
        _plain(lambda text: text + " " * (not text[-1].isspace()) + "📎" if text else text),
    ),
    Transform(
        "number in words",
        "number words",
        False,
        "written with small numbers in words",
        _plain(_numbers_in_words),
    ),
    Transform(
        "number in digits",
        "number words",
        False,
        "written with small numbers in digits",
        _plain(_numbers_in_digits),
    ),
    Transform("no accents", "accents", True, "written without accents", _plain(_without_accents)),
    Transform("accent", "accents", True, "written with a stray accent", _in_one_word(_accented)),
    Transform("typo", "typo", True, "written with one typing error", _in_one_word(_typo)),
    Transform(
        "OCR",
        "OCR",
        True,
        "written as if one letter had been misread in a scan",
        _in_one_word(_misread),
    ),
    Transform(
        "homoglyph",
        "homoglyph",
        True,
        "written with one word in look-alike letters of another script",
        _in_one_word(lambda word, _: word.translate(_LOOKALIKES)),
    ),
)
"""What leaves the meaning as it is."""

NEGATIONS = (
    Transform("not inserted", "negation", True, "negated", _plain(_negated)),
    Transform("not removed", "negation", True, "written without their negation", _plain(_affirmed)),
)
"""What reverses the meaning of an English sentence, where a simple pattern finds its verb."""
