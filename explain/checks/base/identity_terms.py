"""Words that name people: neutral sentences with them, and where they stand in the data."""

import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import regex

from explain.errors import ConfigurationError, nearest
from explain.text.editing import replace_spans
from explain.text.spans import Span

__all__ = [
    "NAMES",
    "IdentityTerm",
    "Mention",
    "SentenceSet",
    "identity_terms",
    "languages_of",
    "mentions",
    "name_sets",
    "sentence_sets",
    "swap",
]

NAMES = "first name"
"""The kind of the first names."""

LEAST_SHARE = 0.05
"""Share of the texts that must be in a language for sentences in it to be tried."""

FEWEST_FUNCTION_WORDS = 2
"""Distinct function words that a text must hold to be in a language: one may be borrowed."""

_WHOLE = r"(?<![\w\p{M}])\L<words>(?![\w\p{M}])"
_LETTER = regex.compile(r"\p{L}")
_WORD = regex.compile(r"\w+")
_UNSPACED = regex.compile(r"\p{Han}")


@dataclass(frozen=True, slots=True)
class IdentityTerm:
    """A way to name people.

    Attributes
    ----------
    kind : str
        What it is about: ``religion``, ``first name``. One term stands in for another of its
        kind and language.
    name : str
        What it is called in reports.
    words : tuple of str
        The words; more than one where a user has named a group by several.
    language : str
        Two letters, or ``any``.
    """

    kind: str
    name: str
    words: tuple[str, ...]
    language: str = "any"


@dataclass(frozen=True, slots=True)
class SentenceSet:
    """Neutral sentences of one language, each with a place for a term."""

    language: str
    templates: tuple[str, ...]
    terms: tuple[IdentityTerm, ...]


class Mention(NamedTuple):
    """Where a text names people: the term, and the word as it is written there."""

    term: IdentityTerm
    surface: str


def languages_of(texts: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return the languages of the shipped list that texts are written in, English if none is.

    A text counts for the language whose script it is mostly in, or else for that with most of its
    function words in it, if they are two or more and no other language has as many.
    """
    counts = dict.fromkeys(_languages(), 0)
    n = 0
    for parts in texts:
        n += 1
        if (language := language_of(" ".join(parts))) is not None:
            counts[language] += 1
    common = tuple(language for language, count in counts.items() if count > LEAST_SHARE * n)
    return common or ("en",)


def language_of(text: str) -> str | None:
    """Return the language of the shipped list that a text is written in; None if unknown.

    Examples
    --------
    >>> language_of("Das ist nicht der Punkt."), language_of("这部电影"), language_of("ok")
    ('de', 'zh', None)
    """
    letters = len(_LETTER.findall(text))
    present = set(_WORD.findall(text.lower()))
    counts = Counter[str]()
    for language, (script, function_words) in _traits().items():
        if script is not None and 2 * len(script.findall(text)) > letters:
            return language
        counts[language] = len(present & function_words)
    (best, most), (_, next_most) = counts.most_common(2)
    return best if most >= FEWEST_FUNCTION_WORDS and most > next_most else None


def sentence_sets(
    languages: Sequence[str], terms: Mapping[str, Sequence[str]]
) -> tuple[SentenceSet, ...]:
    """Return the neutral sentences of some languages, for the shipped and the user's terms.

    Raises
    ------
    ConfigurationError
        If there are no sentences in a language.
    """
    known = _languages()
    if unknown := [language for language in languages if language not in known]:
        raise ConfigurationError(
            f"there are no neutral sentences in {unknown[0]!r}; {nearest(unknown[0], known)}"
        )
    return tuple(
        SentenceSet(
            language,
            tuple(known[language]["templates"]),
            (*_shipped(language), *_of_user(terms)),
        )
        for language in languages
    )


def name_sets(languages: Sequence[str]) -> tuple[SentenceSet, ...]:
    """Return neutral sentences about a person with a first name, and the names of groups.

    The groups are those of correspondence tests in the United States (Bertrand and Mullainathan
    2004, table 1; Caliskan, Bryson and Narayanan 2017, from Greenwald, McGhee and Schwartz 1998).
    Languages that are not written in Latin letters have no such sentences.
    """
    groups: dict[str, str] = _file()["names"]["groups"]
    terms = tuple(IdentityTerm(NAMES, group, tuple(groups[group].split())) for group in groups)
    return tuple(
        SentenceSet(language, tuple(_languages()[language]["name_templates"]), terms)
        for language in languages
        if "name_templates" in _languages()[language]
    )


def identity_terms(
    languages: Sequence[str], terms: Mapping[str, Sequence[str]]
) -> tuple[IdentityTerm, ...]:
    """Return what is searched for in the data: terms with one meaning, first names, the user's."""
    unambiguous = (
        term
        for language in languages
        for term in _shipped(language)
        if term.name not in _languages()[language]["ambiguous"]
    )
    return (*unambiguous, *_first_names(), *_of_user(terms))


def mentions(
    texts: Sequence[Sequence[str]], terms: Collection[IdentityTerm]
) -> list[tuple[Mention, ...]]:
    """Return what each text mentions, each term once, in the order of the text.

    First names count where they are written with a capital; case makes no difference to others.
    """
    find_names = _finder([term for term in terms if term.kind == NAMES], cased=True)
    find_words = _finder([term for term in terms if term.kind != NAMES], cased=False)
    mentions_of_texts = []
    for parts in texts:
        in_text = (
            mention for part in parts for find in (find_names, find_words) for mention in find(part)
        )
        distinct = {mention.term: mention for mention in in_text}
        mentions_of_texts.append(tuple(distinct.values()))
    return mentions_of_texts


def swap(parts: Sequence[str], term: str, word: str) -> tuple[str, ...]:
    """Return a text with a word in all places of a term, in its case, with the article corrected.

    Examples
    --------
    >>> swap(["He is a muslim."], "muslim", "atheist")
    ('He is an atheist.',)
    """
    pattern = regex.compile(rf"(?:\b(an?|An?|AN?)(\s+))?{_whole_word(term)}")

    def swap_word(match: regex.Match[str]) -> str:
        new = _in_case_of(term, word)
        if match[1] is None:
            return new
        article = "an" if regex.match(r"(?i)(?!eu|uni|one)[aeiou]", new) else "a"
        return _in_case_of(match[1], article) + match[2] + new

    if _UNSPACED.match(term):
        # A space would mark the texts with the new word.
        return tuple(pattern.sub(swap_word, part) for part in parts)
    edits = [
        (Span(number, *match.span()), swap_word(match))
        for number, part in enumerate(parts)
        for match in pattern.finditer(part)
    ]
    return replace_spans(parts, edits)


def _in_case_of(model: str, word: str) -> str:
    """Return a word in small letters, capitals, or with an initial as `model` has them."""
    if model.islower():
        return word.lower()
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def _finder(terms: Sequence[IdentityTerm], *, cased: bool) -> Callable[[str], Iterator[Mention]]:
    """Return what finds all mentions of some terms in a text."""
    by_word = {word if cased else word.lower(): term for term in terms for word in term.words}
    pattern = regex.compile(
        # Without the look ahead, an empty list matches before each of a million spaces.
        rf"{_WHOLE}|(?=\p{{Han}})\L<unspaced>",
        regex.UNICODE if cased else regex.IGNORECASE,
        words=[word for word in by_word if not _UNSPACED.match(word)],
        unspaced=[word for word in by_word if _UNSPACED.match(word)],
    )

    def find(text: str) -> Iterator[Mention]:
        for match in pattern.finditer(text):
            term = by_word.get(match[0] if cased else match[0].lower())
            if term is not None:  # folding may match what lower() tells apart
                yield Mention(term, match[0])

    return find


def _whole_word(word: str) -> str:
    """Return a pattern of a whole word; in Chinese, which has no spaces, of the characters."""
    escaped = regex.escape(word)
    return escaped if _UNSPACED.match(word) else _WHOLE.replace(r"\L<words>", escaped)


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads(files("explain.checks").joinpath("identities.toml").read_text("utf-8"))


def _languages() -> dict[str, Any]:
    languages: dict[str, Any] = _file()["languages"]
    return languages


@cache
def _shipped(language: str) -> tuple[IdentityTerm, ...]:
    terms = _languages()[language]["terms"]
    return tuple(
        IdentityTerm(kind, term, (term,), language) for kind in terms for term in terms[kind]
    )


@cache
def _first_names() -> tuple[IdentityTerm, ...]:
    return tuple(IdentityTerm(NAMES, name, (name,)) for name in _file()["names"]["words"].split())


def _of_user(terms: Mapping[str, Sequence[str]]) -> tuple[IdentityTerm, ...]:
    return tuple(
        IdentityTerm("term given by the user", group, tuple(terms[group])) for group in terms
    )


@cache
def _traits() -> "dict[str, tuple[regex.Pattern[str] | None, frozenset[str]]]":
    """Return the script of each language, or else its function words."""
    return {
        language: (
            regex.compile(rf"\p{{{own['script']}}}") if "script" in own else None,
            frozenset(own.get("function_words", "").split()),
        )
        for language, own in _languages().items()
    }
