"""The words of a decision letter: only those of which the errors allow to tell the side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from explain.record import Agreement, Attribution
from explain.text.spans import Span
from reports.doubts import misses_its_sum
from reports.languages import translate as _
from reports.text import shorten

__all__ = ["CertainWords", "certain_words", "reasons_against", "trusted_explanation"]

CONFIDENCE = 0.95
"""Certainty with which all words of a letter together are on the side that it says."""

SMALLEST = 0.05
"""Share of the largest value that a word must reach beyond its error: less is not worth a word."""

LONGEST_NAME = 60
"""Columns of the name of a method that are shown."""

MOST_WORDS = 6
"""Words that are listed of a side."""

GRADES = ("A", "B", "C", None)
"""Grades of explanations that a letter rests on, the best first; None was not tested."""


@dataclass(frozen=True, slots=True)
class CertainWords:
    """Places of features whose side is certain, the most certain size first."""

    towards: tuple[int, ...]
    against: tuple[int, ...]
    n_more: int
    """Features that are certain too, and not listed."""
    n_unsure: int
    """Features that count less, or whose side cannot be told."""
    disputed: tuple[int, ...]
    """Features that would be listed, had another method not found the opposite."""

    @property
    def places(self) -> tuple[int, ...]:
        """All that are listed."""
        return (*self.towards, *self.against)


def trusted_explanation(attributions: Sequence[Attribution]) -> Attribution | None:
    """Return the best explanation that nothing speaks against; None if there is none."""
    trusted = [a for a in attributions if not a.is_null and not [*reasons_against(a)]]
    return min(trusted, key=lambda a: GRADES.index(a.grade), default=None)


def reasons_against(attribution: Attribution) -> Iterator[str]:
    """Yield why a letter must not rest on an explanation, in sentences."""
    method = shorten(attribution.method_title, LONGEST_NAME)
    if attribution.grade == "D":
        yield _("{method} failed our tests (grade D).", method=method)
    if not attribution.signed:
        yield _("{method} does not tell what speaks for from what speaks against.", method=method)
    if attribution.standard_errors is None:
        yield _("{method} does not state how exact it is.", method=method)
    if attribution.diagnostics.converged is False or misses_its_sum(attribution):
        yield _("The values of {method} do not add up to what they explain.", method=method)


def certain_words(
    attribution: Attribution,
    attributions: Sequence[Attribution],
    agreements: Sequence[Agreement],
) -> CertainWords:
    """Return the words of which the stated errors tell the side, all of them at once.

    The intervals are those of Bonferroni: as many as there are features. A feature that another
    explanation which can be trusted puts on the other side is left out.

    Parameters
    ----------
    attribution : Attribution
        The explanation; it states its errors.
    attributions : sequence of Attribution
        All explanations of the same label.
    agreements : sequence of Agreement
        How far each two of them agree.
    """
    values, errors = attribution.values, attribution.standard_errors or ()
    z = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / (2 * max(len(values), 1)))
    least = [abs(value) - z * error for value, error in zip(values, errors, strict=True)]
    largest = max(map(abs, values), default=0.0)
    certain = [p for p, bound in enumerate(least) if bound > SMALLEST * largest]
    certain.sort(key=lambda place: -least[place])
    opposed = _opposed(attribution, attributions, agreements)
    sides = [
        [p for p in certain if p not in opposed and values[p] * side > 0][:MOST_WORDS]
        for side in (1, -1)
    ]
    disputed = [place for place in certain if place in opposed]
    return CertainWords(
        towards=tuple(sides[0]),
        against=tuple(sides[1]),
        n_more=len(certain) - sum(map(len, sides)) - len(disputed),
        n_unsure=len(values) - len(certain),
        disputed=tuple(disputed[:MOST_WORDS]),
    )


def _opposed(
    attribution: Attribution, attributions: Sequence[Attribution], agreements: Sequence[Agreement]
) -> set[int]:
    """Return the features to which another trusted explanation gives the opposite sign."""
    trusted = {a.method: a for a in attributions if not a.is_null and a.grade != "D"}
    spans: set[Span] = set()
    for agreement in agreements:
        is_own = agreement.target == attribution.target.label
        if (
            is_own
            and attribution.method in agreement.methods
            and {*agreement.methods} <= {*trusted}
        ):
            # Their numbers count the features of both: methods that are compared have the same.
            named = trusted[agreement.methods[0]].spans
            spans |= {named[place] for place in agreement.disputed or () if place < len(named)}
    return {place for place, span in enumerate(attribution.spans) if span in spans}
