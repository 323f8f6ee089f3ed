"""Tokens that are no words to those who read the texts: signs, emoji, letters of another script."""

import numpy as np
import regex

from explain.checks.base.phrases import NEARLY_ALWAYS, Phrase
from explain.text.scripts import main_script

__all__ = ["FOREIGN_FLIPS", "is_foreign"]

FOREIGN_FLIPS = 0.2
"""Share of any other answers that such a token must change, with its whole interval above it. It
says less than a word, so no other word of its label need be weaker. Of linear models of SST-2,
TREC, SMS, Chinese reviews, and tweets in four languages, the strongest is an emoji of feeling: .30,
from .199, and it is too rare to be significant."""

_SIGN = regex.compile(
    r"(?V1)[[[\p{S}\p{Extended_Pictographic}]--[\p{Sc}\p{ASCII}°×÷±№©®™]]\p{Co}※†‡•·§¶]"
)
"""Signs and emoji. Those of ASCII, money and measures, and marks of punctuation are part
of a language."""


def is_foreign(phrase: Phrase) -> bool:
    """Tell whether a phrase is a sign, or in another script than nearly all texts that hold it."""
    script = main_script(phrase.surface)
    if not script:
        return _SIGN.search(phrase.surface) is not None and not any(
            map(str.isalnum, phrase.surface)
        )
    elsewhere = [phrase.corpus.scripts[row] != script for row in phrase.texts.tolist()]
    return float(np.mean(elsewhere)) >= NEARLY_ALWAYS
