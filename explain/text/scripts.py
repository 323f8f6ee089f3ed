"""Which script a text is written in."""

import unicodedata
from collections import Counter
from functools import cache

__all__ = ["main_script", "scripts_of"]

UNSPACED = ("CJK", "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts that set no spaces between words."""

_WITH_CHINESE = dict.fromkeys(
    ("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "BOPOMOFO", "IDEOGRAPHIC"), "CJK"
)
"""Scripts that are written among Chinese characters."""

_NO_SCRIPTS = ("MODIFIER", "FEMININE", "MASCULINE")
"""First words of the names of letters that any script may use."""


@cache
def _script_of(letter: str) -> str:
    # Without its width or its mathematical face, a letter is named after its script.
    plain = unicodedata.normalize("NFKC", letter)[0]
    return unicodedata.name(plain, "unnamed").split(maxsplit=1)[0]


def scripts_of(text: str) -> Counter[str]:
    """Return how many letters of a text are of each script, by its first word in Unicode's names.

    Examples
    --------
    >>> scripts_of("T恤 Ж")
    Counter({'LATIN': 1, 'CJK': 1, 'CYRILLIC': 1})
    """
    scripts = Counter[str]()
    for letter, n in Counter(text).items():
        if letter.isalpha() and (script := _script_of(letter)) not in _NO_SCRIPTS:
            scripts[script] += n
    return scripts


def main_script(text: str) -> str:
    """Return the script of most letters of a text, kana counted as Chinese; empty without letters.

    Examples
    --------
    >>> main_script("これはペンです"), main_script("T恤很好"), main_script("123")
    ('CJK', 'CJK', '')
    """
    merged = Counter[str]()
    for script, n in scripts_of(text).items():
        merged[_WITH_CHINESE.get(script, script)] += n
    return merged.most_common(1)[0][0] if merged else ""
