"""Whether the model sees the small change by which two texts have different labels."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy import stats

from explain.checks.base import LEVEL
from explain.checks.base.section_part import Part
from explain.checks.shortcuts.decisive_words import lower_end
from explain.checks.shortcuts.metrics import CONTRAST_MISSED, CONTRAST_RIGHT
from explain.checks.shortcuts.search import ShortcutSearch
from explain.checks.shortcuts.spurious_findings import SECTION
from explain.record import Finding, Measure, Sentence
from explain.statistics.intervals import proportion

__all__ = ["find_contrast_failures"]

FEWEST_SETS = 20
"""Contrast sets below which nothing is said of them."""

LARGEST_SET = 4
"""Texts of a set; more are no edits of one text."""

SAME_WORDS = 0.5
"""Share of the words of two texts (Jaccard) that both hold, from which one is an edit of the other.
The median of the edited reviews of Kaushik et al. (2020) is above .8."""

SMALLEST_MISSED = 0.25
"""Share of the sets that get one answer, with the whole interval above it: as of exchanged words,
which are the smallest edit that changes a label."""

MOST_EVIDENCE = 5


def find_contrast_failures(search: ShortcutSearch) -> Part:
    """Return in how many contrast sets all answers are right, and how many get one answer.

    A contrast set (Gardner et al. 2020, "Evaluating models' local decision boundaries") is a text
    with edits of it that have other labels. A set is what has one value in a column of groups or
    slices, where the texts share most words.
    """
    context = search.context
    if context.model.task != "single_label" or not context.dataset.has_labels:
        return Part()
    parts = (
        _of_column(search, column) for column in dict.fromkeys((*context.group, *context.slices))
    )
    return sum((part for part in parts if part.n_tried), Part())


def _of_column(search: ShortcutSearch, column: str) -> Part:
    context = search.context
    edits = _sets_of_edits(search, column)
    contrasts = [rows for rows in edits if len(set(context.labels[rows].tolist())) > 1]
    if len(contrasts) < FEWEST_SETS:
        return Part()
    right = sum(bool((context.predicted[rows] == context.labels[rows]).all()) for rows in contrasts)
    same = [rows for rows in contrasts if len(set(context.predicted[rows].tolist())) == 1]
    all_right = proportion(CONTRAST_RIGHT.title, right, len(contrasts), column)
    missed = proportion(CONTRAST_MISSED.title, len(same), len(contrasts), column)
    sentence = Sentence(
        "{n} sets of nearly equal texts (column {column:quoted}) have different labels. The model "
        "is right on all texts of {right} of them, and gives one answer to all texts of {missed}.",
        n=len(contrasts),
        column=column,
        right=all_right,
        missed=missed,
    )
    findings = []
    if lower_end(missed) > SMALLEST_MISSED and _p_value(search, edits) <= LEVEL:
        ids = [context.instances[row].id for rows in same for row in rows][:MOST_EVIDENCE]
        findings.append(_finding(column, missed, ids))
    return Part([all_right, missed], findings=findings, sentence=sentence, n_tried=1)


def _sets_of_edits(search: ShortcutSearch, column: str) -> list[list[int]]:
    """Return the rows of each small set of labelled texts that share most words."""
    context = search.context
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, instance in enumerate(context.instances):
        if (value := instance.columns.get(column)) not in (None, "") and context.labels[row] >= 0:
            rows_of[value].append(row)
    small = [rows for rows in rows_of.values() if 2 <= len(rows) <= LARGEST_SET]
    return [rows for rows in small if _share_words(search, rows)]


def _share_words(search: ShortcutSearch, rows: Sequence[int]) -> bool:
    first, *others = (
        {search.instance(row).parts[s.part][s.start : s.end].casefold()
         for s in search.context.words[row]}
        for row in rows
    )  # fmt: skip
    return all(len(first & o) >= SAME_WORDS * len(first | o) for o in others)


def _p_value(search: ShortcutSearch, edits: Sequence[Sequence[int]]) -> float:
    """Return how often so many sets with one answer had different labels by the model's own word.

    A model that is unsure of both texts says itself that their labels may differ. The number of
    sets is taken as binomial with the mean probability, which varies no less (Hoeffding 1956).
    """
    context = search.context
    same = [rows for rows in edits if len(set(context.predicted[rows].tolist())) == 1]
    differ = [len(set(context.labels[rows].tolist())) > 1 for rows in same]
    expected = [1 - context.probabilities[rows].prod(axis=0).sum() for rows in same]
    return float(stats.binom.sf(sum(differ) - 1, len(same), np.clip(np.mean(expected), 0, 1)))


def _finding(column: str, share_missed: Measure, ids: Sequence[str]) -> Finding:
    return Finding(
        code="shortcuts.contrast",
        subject=column,
        claim=Sentence(
            "The model does not notice small changes that change the label. Of {missed.n} sets of "
            "nearly equal texts with different labels, it gives {missed} one answer for all texts, "
            "more often than its own probabilities admit.",
            missed=share_missed,
        ),
        severity="major",
        size=share_missed.distance_from(0),
        measure=share_missed,
        evidence=(SECTION, *ids),
        suggestion="Read these sets to see what the model looks at instead. Train it on texts with "
        "edits that change the label.",
    )
