"""A model under test, and the texts that it is tested on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, cycle, islice, repeat, takewhile
from typing import TypeVar

import numpy as np

from explain.adapters import Scores, TextClassifier, TokenizedClassifier
from explain.adapters.failures import failure
from explain.adapters.scores import check_scores
from explain.errors import PredictionError
from explain.text.spans import Text, parts_of, text_of

__all__ = ["PAIRS", "SCRIPTS", "TEXTS", "Fault", "NotApplicable", "Subject"]

T = TypeVar("T")

SHORTEST, LONGEST = 25, 10_000
"""Words of the shortest text that may be too long for a model, and of the longest that is tried."""

TEXTS: tuple[Text, ...] = (
    "a stunning , lyrical work of considerable force and truth .",
    "No.",
    "The battery died after 3 days; I want my money back!",
    "Good film",
    "It's neither good nor bad, and that is all there is to say about it, as far as I can tell.",
    "Where is my order #4711?",
    "really bad",
    "The payment failed again, but support was quick to help.",
)
"""Ordinary texts, long and short in no order, so that a batch must be padded."""

PAIRS: tuple[Text, ...] = (
    ("A man sleeps on a bench in the park .", "A person rests ."),
    ("Two dogs run .", "The animals are all asleep inside of the house ."),
    ("A woman plays the violin on a stage .", "She is at home ."),
    ("Children play football .", "Some kids do sports ."),
)
"""Ordinary pairs of texts."""

SCRIPTS = {
    "Arabic": "هذا الفيلم رائع جدا",
    "Chinese": "这部电影很好看。",
    "Thai": "ภาพยนตร์เรื่องนี้ดีมาก",
    "Hindi": "यह फ़िल्म अच्छी है।",
    "Japanese": "この映画はカタカナで面白い",
    "Hebrew with a mark of direction": "סרט\u200f טוב",
    "accents of their own": "cafe\u0301 u\u0308ber naïve a\u0323\u0308",
    "emoji": "👩‍👩‍👧‍👦 ok 👍🏽 🇩🇪🇫🇷",
    "line breaks": "one\r\ntwo\nthree",
    "NUL": "a\x00b",
    "a bidirectional override": "good \u202eyrev\u202c bad",
    "an invisible space": "zero\u200bwidth",
    "marks only": "?!... — “”",
    "markup": "<b>bold</b> &amp; [MASK] </s>",
}
"""Short texts, each with something that tokenizers and tables trip over."""

DISTINCT_FACTOR = 10
"""Times the tolerance by which scores of texts must differ, so that equal rows say something."""


class Fault(Exception):
    """What a check found to be wrong: what was seen, what was expected, what to do."""


class NotApplicable(Exception):
    """Why a check cannot be made of this model."""


@dataclass(frozen=True)
class Subject:
    """A model under test.

    Attributes
    ----------
    model : TextClassifier
        The model.
    texts : tuple of Text
        Ordinary texts: all of them single texts, or all of them pairs.
    tolerance : float
        Largest difference that counts as rounding, relative to scores beyond one.
    """

    model: TextClassifier
    texts: tuple[Text, ...]
    tolerance: float

    @cached_property
    def rows(self) -> Scores:
        """Scores of the ordinary texts, shape (n_texts, n_labels)."""
        return self.scores(self.texts)

    @property
    def reads_pairs(self) -> bool:
        """Whether the texts are pairs."""
        return len(parts_of(self.texts[0])) == 2

    def call_model(self, call: Callable[[list[Text]], T], texts: Sequence[Text]) -> T:
        """Return what a method of the model answers; an exception of its own is a fault."""
        try:
            return call(list(texts))
        except (Exception, SystemExit) as error:
            raise Fault(str(failure(self.model.name, error))) from error

    def scores(self, texts: Sequence[Text]) -> Scores:
        """Return a copy of the scores of `texts`; what is no such array is a fault."""
        answer = self.call_model(self.model.predict, texts)
        try:
            return check_scores(answer, len(texts), self.model.labels, self.model.name).copy()
        except PredictionError as error:
            raise Fault(str(error)) from error

    def score_alone(self, texts: Sequence[Text]) -> Scores:
        """Return the scores of `texts`, each asked for in a call of its own."""
        return np.vstack([self.scores([text]) for text in texts])

    def text(self, string: str) -> Text:
        """Return a string as a text of the kind that the model reads: a pair has it twice."""
        return (string, string) if self.reads_pairs else string

    @cached_property
    def long_text(self) -> Text:
        """A text of more than ten times what the model reads, or of `LONGEST` words.

        No longer than needed: the tokenizers library cuts pairs in time and memory that grow with
        the product of their lengths.
        """
        sizes = takewhile(lambda n: n < LONGEST, accumulate(repeat(SHORTEST), lambda n, _: 2 * n))
        cut = next((n for n in sizes if self._is_cut(self._words(n))), None)
        return self._words(LONGEST if cut is None else 10 * cut)

    def _words(self, n_words: int) -> Text:
        """Return a text whose parts have `n_words` words each, taken from the ordinary texts."""
        sides = zip(*map(parts_of, self.texts), strict=True)
        return text_of([" ".join(islice(cycle(" ".join(side).split()), n_words)) for side in sides])

    def _is_cut(self, text: Text) -> bool:
        try:
            return isinstance(self.model, TokenizedClassifier) and any(self.model.unread([text]))
        except Exception:
            # What is wrong with `unread` is what its own check says.
            return False

    def require_equal(self, scores: Scores, expected_scores: Scores, advice: str) -> str:
        """Return the largest difference between scores; one beyond rounding is a fault."""
        difference = self.difference(scores, expected_scores)
        figures = f"largest difference {difference:.2g}, at most {self.tolerance:.2g}"
        if not difference <= self.tolerance:
            raise Fault(f"{figures}; {advice}")
        return figures

    def require_own_rows(self, scores: Scores, expected_scores: Scores, advice: str) -> str:
        """Return what `require_equal` does, if rows could be mistaken for one another at all."""
        figures = self.require_equal(scores, expected_scores, advice)
        spread = self.difference(self.rows, self.rows[:1])
        if spread <= DISTINCT_FACTOR * self.tolerance:
            raise NotApplicable(
                f"{figures}, but the texts are told apart by {spread:.2g} only; pass texts of the "
                "model's domain"
            )
        return figures

    @staticmethod
    def difference(scores: Scores, expected_scores: Scores) -> float:
        """Return the largest difference between scores, relative to those beyond one."""
        return float((abs(scores - expected_scores) / np.maximum(1, abs(expected_scores))).max())
