"""What decides a prediction and should not: words, lines, orders, lengths, one side of a pair."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from explain.checks.base import AuditContext, not_measured
from explain.checks.base.phrases import read_corpus
from explain.checks.base.section_part import Part
from explain.checks.shortcuts.contrast_sets import find_contrast_failures
from explain.checks.shortcuts.length_ranges import find_length_range_shortcut
from explain.checks.shortcuts.metrics import (
    CONTRAST_MISSED,
    CONTRAST_RIGHT,
    CUT_TO_LENGTH,
    EXCHANGE,
    INSERTION,
    LENGTH,
    MOVED_AWAY,
    MOVED_THERE,
    OVERLAP,
    PADDING,
    PARTIAL_INPUT,
    RESTYLED,
    SHARED_WORDS,
    SHORTCUTS,
    STYLED,
)
from explain.checks.shortcuts.pair_overlap import find_overlap_shortcut
from explain.checks.shortcuts.partial_input import find_length_shortcut, find_partial_inputs
from explain.checks.shortcuts.position import find_position_shortcuts
from explain.checks.shortcuts.search import ShortcutSearch
from explain.checks.shortcuts.spurious_words import find_spurious_words
from explain.checks.shortcuts.style import find_style_shortcuts
from explain.checks.shortcuts.word_order import find_decisive_orders
from explain.record import MetricSpec, Section
from explain.statistics.intervals import count

__all__ = ["ShortcutsCheck"]

MOST_FINDINGS = 5

LONG = 100
"""Words of a text on average from which fewer texts are edited, in proportion: scoring one costs
as much more."""

FEWEST_TEXTS = 20
"""Texts that are edited in any case: if the answer changes in all, the interval begins at .84."""


@dataclass(frozen=True, slots=True)
class ShortcutsCheck:
    """Words, lines, orders and lengths that predict a label, and what happens where they are put.

    Everything that predicts a label is content to some and a shortcut to others; no statistic tells
    the two apart (Gardner et al. 2021, "Competency problems"). What can be measured is whether one
    thing outweighs all the rest of a text. A finding is one of these:

    - a word or phrase that changes nearly all answers of which the model is sure when it is put
      into the texts, or more than a third of any, while at most two other words of the label do
      the same;
    - a line or remark that stands word for word at one end of many texts, apart from the rest, as
      signatures and marks of a source do, predicts a label, and brings other texts to that label;
    - two words whose order predicts a label, and whose exchange changes predictions;
    - a way of writing, such as a format of dates, capitals or emoji, that predicts a label, where
      texts that are rewritten in it get the label, or lose it with it;
    - a length that predicts a label, and neutral words that add to the length and change the label,
      as texts of neutral words alone do not get it already when they are short; or a cut to that
      length that changes it where the same words at the old length do not;
    - a side of a pair from which alone the label can be told;
    - words that the two texts of a pair share, where the label comes with them, or where the model
      follows them against the labels of the data;
    - a word that stands first or last, where texts get the label, or lose it, when it is moved;
    - nearly equal texts with different labels that get one answer.

    A strong word of the content ("terrible" of a review) predicts a label and changes answers as
    well, but in fewer texts, and other words do about the same; it is in the table, and not a
    finding. A word that defines its label ("How many" asks for a number) may change nearly all
    answers: it is a finding, "critical" if the model follows it against the labels of the data, and
    "minor" if it always comes with its label, and the label is lost without it. A shortcut that
    does not occur in the data cannot be found, nor one that the model follows no more than content.

    Attributes
    ----------
    candidates : int
        Phrases that predict a label and are inserted into three texts each; the strongest quarter
        is inserted into twelve.
    strongest_candidates : int
        Of those, how many of the strongest are then measured.
    texts : int
        Texts into which each of those is inserted, and at most half as many from which it is
        deleted. Where texts are long, fewer texts and fewer candidates are tried.
    """

    id: ClassVar[str] = "shortcuts"
    title: ClassVar[str] = "Shortcuts"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (
        SHORTCUTS,
        INSERTION,
        EXCHANGE,
        PADDING,
        STYLED,
        RESTYLED,
        LENGTH,
        PARTIAL_INPUT,
        OVERLAP,
        SHARED_WORDS,
        MOVED_THERE,
        MOVED_AWAY,
        CONTRAST_RIGHT,
        CONTRAST_MISSED,
        CUT_TO_LENGTH,
    )

    candidates: Annotated[int, Field(ge=1)] = 120
    strongest_candidates: Annotated[int, Field(ge=1)] = 12
    texts: Annotated[int, Field(ge=FEWEST_TEXTS)] = 60

    def run(self, context: AuditContext) -> Section:
        """Return what predicts a label, and what the model does about it."""
        if context.model.task == "regression":
            return not_measured(self, "a regression has no labels that a word could give away")
        corpus = read_corpus(context.instances, context.words)
        share = min(1.0, LONG * len(context.words) / max(1, sum(map(len, context.words))))
        texts = max(FEWEST_TEXTS, int(share * self.texts))
        search = ShortcutSearch.of(context, corpus, context.rng(self.id), texts)
        if not search.several_labels:
            return not_measured(
                self, "the model gives every text the same label, which leaves nothing to predict"
            )
        words = find_spurious_words(
            search, max(1, int(share * self.candidates)), self.strongest_candidates
        )
        orders = find_decisive_orders(search)
        parts = [
            words,
            orders,
            find_length_shortcut(search),
            find_style_shortcuts(search),
            find_partial_inputs(search),
            find_overlap_shortcut(search),
            find_position_shortcuts(search, orders.findings),
            find_length_range_shortcut(search),
            find_contrast_failures(search),
        ]
        whole = sum(parts, Part())
        return Section(
            id=self.id,
            title=self.title,
            summary=whole.sentence,
            measures=(count(SHORTCUTS.title, len(whole.findings), whole.n_tried), *whole.measures),
            figures=tuple(whole.figures),
            tables=tuple(table for table in whole.tables if table.rows),
            findings=tuple(
                sorted(whole.findings, key=lambda finding: finding.rank)[:MOST_FINDINGS]
            ),
        )
