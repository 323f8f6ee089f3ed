"""When a word decides: it changes the answer of many texts, and other words of its label do not."""

from collections.abc import Sequence

from explain.checks.shortcuts.search import TestedCandidate
from explain.record import Measure

__all__ = [
    "DECISIVE",
    "DECISIVE_FOR_ANY",
    "decides",
    "group_of",
    "lower_end",
    "same_label_words",
    "stands_apart",
]

DECISIVE = 2 / 3
"""Share of the most confident answers that a shortcut changes, with its whole interval above it:
two of three, which no word of content did where we looked. The strongest of them changed .43 in a
transformer trained on SST-2, .23 in linear models of it, .68 (question words, their intervals from
.55) in a linear model of TREC. A token planted in 90 % of the positive training texts of SST-2 and
in 5 % of the negative ones changes .85 to .93 in a linear model."""

DECISIVE_FOR_ANY = 1 / 3
"""Share of any other answers that a shortcut may change instead, with its whole interval above it:
a token in 5 % of the training texts of a linear model changes .70, of the surest ones half."""

DECISIVE_IF_SURE = 0.2
"""Share of the most confident answers that it must change as well: content of linear models turns
texts that are undecided, and of these hardly one (SST-2: .20, from .12)."""

MOST_TOGETHER = 3
"""Words of a label that may change as many answers, within their intervals, with a gap below them.
Content comes in many words that do about the same, each a little less than the one before."""

TWICE = 2
"""How many times as many answers one must change, for certain, as the next word that is not of its
group. The strongest words of content come within that ("差评", bad review: .55, the next .42)."""

LONGEST_WORD = 3
"""Words and marks of a phrase that may be one by that rule: a sentence says what a text is about,
and turns undecided texts as it should."""


def lower_end(measure: Measure | None) -> float:
    """Return the lower end of an interval; zero if there is none."""
    return 0.0 if measure is None or measure.lower is None else measure.lower


def decides(tested_candidate: TestedCandidate) -> bool:
    """Tell whether a word decides many of the texts that it is put into."""
    sure = lower_end(tested_candidate.changed_confident)
    of_any = lower_end(tested_candidate.changed_any)
    return sure > DECISIVE or (of_any > DECISIVE_FOR_ANY and sure > DECISIVE_IF_SURE)


def same_label_words(
    tested_candidate: TestedCandidate, all_tested: Sequence[TestedCandidate]
) -> list[TestedCandidate]:
    """Return the other words that lead to the same label."""
    label = tested_candidate.candidate.label
    return [o for o in all_tested if o is not tested_candidate and o.candidate.label == label]


def group_of(
    tested_candidate: TestedCandidate, all_tested: Sequence[TestedCandidate]
) -> list[TestedCandidate]:
    """Return a word and those of its label that change as many answers, or more.

    Two words of which the intervals meet may do the same; so may one that meets one of the group.
    """
    group = [tested_candidate]
    rest = same_label_words(tested_candidate, all_tested)
    while joined := [o for o in rest if any(not _is_below(o, member) for member in group)]:
        group += joined
        rest = [o for o in rest if o not in joined]
    return group


def stands_apart(tested_candidate: TestedCandidate, all_tested: Sequence[TestedCandidate]) -> bool:
    """Tell whether a word, or a few together, do what no other word of the label does.

    Those that turn nearly all sure answers need be above the others with their intervals. Any other
    must turn twice as many as the next one, and there must be a next one; and it is no sentence.
    """
    group = group_of(tested_candidate, all_tested)
    if len(group) > MOST_TOGETHER:
        return False
    if lower_end(tested_candidate.changed_confident) > DECISIVE:
        return True
    if len(tested_candidate.candidate.phrase.words) > LONGEST_WORD:
        return False
    rest = [o for o in same_label_words(tested_candidate, all_tested) if o not in group]
    bar = lower_end(tested_candidate.changed_any) / TWICE
    return bool(rest) and all((o.changed_any.value or 0) <= bar for o in rest)


def _is_below(other: TestedCandidate, member: TestedCandidate) -> bool:
    """Tell whether a word certainly changes fewer answers, of sure ones or of any."""
    pairs = (
        (other.changed_confident, member.changed_confident),
        (other.changed_any, member.changed_any),
    )
    return any((low.upper or 0) < lower_end(high) for low, high in pairs)
