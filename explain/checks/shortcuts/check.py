"""What decides a prediction and should not: words, lines, orders, lengths, one half of a pair."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from explain.checks.base import AuditContext, not_measured
from explain.checks.base.part import Part
from explain.checks.base.phrases import read_corpus
from explain.checks.shortcuts.metrics import (
    EXCHANGE,
    INSERTION,
    LENGTH,
    PADDING,
    PARTIAL_INPUT,
    SHORTCUTS,
)
from explain.checks.shortcuts.partial_input import find_length_shortcut, find_partial_inputs
from explain.checks.shortcuts.search import ShortcutSearch
from explain.checks.shortcuts.spurious_words import find_spurious_words
from explain.checks.shortcuts.word_order import find_decisive_orders
from explain.record import MetricSpec, Section
from explain.statistics.intervals import count

__all__ = ["ShortcutsCheck"]

MOST_FINDINGS = 5

LONG = 100
"""Words of a text on average from which fewer texts are edited, in proportion: scoring one costs
as much more."""

FEWEST_TEXTS = 20
"""Texts that are edited in any case: if all turn, the interval begins at .84."""


@dataclass(frozen=True, slots=True)
class ShortcutsCheck:
    """Words, lines, orders and lengths that predict a label, and what happens where they are put.

    Everything that predicts a label is content to some and a shortcut to others; no statistic tells
    the two apart (Gardner et al. 2021, "Competency problems"). What can be measured is whether one
    thing outweighs all the rest of a text. A finding is one of these:

    - a word or phrase that, put into the texts that the model is surest are something else, makes
      it change its mind on nearly all of them, while hardly another word of the label does so;
    - a line or remark that stands word for word at one end of many texts, apart from the rest, as
      signatures and marks of a source do, predicts a label, and moves other texts there;
    - two words whose order predicts a label, and whose exchange changes predictions;
    - a length that predicts a label, and neutral words that make up the length and change it;
    - a side of a pair from which alone the label can be told.

    A strong word of the content ("terrible" of a review) predicts and moves as well, but more
    texts withstand it, and it has its likes; it is in the table, and is no finding. A word that
    defines its label ("How many" asks for a number) may turn nearly all texts as well: it is a
    finding, of severity "critical" only if the model follows it against given labels. What the
    table does not hold cannot be found, nor what a model leans on no more than on content.

    Attributes
    ----------
    candidates : int
        Phrases that predict a label and are screened by inserting them into a few texts.
    confirmed : int
        Of those, how many of the strongest are then measured.
    texts : int
        Texts into which each of those is inserted, and at most half as many from which it is
        deleted. Of long texts they are fewer, and so are the candidates.
    """

    id: ClassVar[str] = "shortcuts"
    title: ClassVar[str] = "Shortcuts"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (
        SHORTCUTS,
        INSERTION,
        EXCHANGE,
        PADDING,
        LENGTH,
        PARTIAL_INPUT,
    )

    candidates: Annotated[int, Field(ge=1)] = 60
    confirmed: Annotated[int, Field(ge=1)] = 12
    texts: Annotated[int, Field(ge=FEWEST_TEXTS)] = 60

    def run(self, context: AuditContext) -> Section:
        """Return what predicts a label, and what the model does about it."""
        if context.model.task == "regression":
            return not_measured(self, "a regression has no label that a word could give away")
        corpus = read_corpus(context.instances, context.words)
        share = min(1.0, LONG * len(context.words) / max(1, sum(map(len, context.words))))
        texts = max(FEWEST_TEXTS, int(share * self.texts))
        ground = ShortcutSearch.of(context, corpus, context.rng(self.id), texts)
        if not ground.several_labels:
            return not_measured(
                self, "the model gives all texts the same label, so nothing can predict which"
            )
        parts = [
            find_spurious_words(ground, max(1, int(share * self.candidates)), self.confirmed),
            find_decisive_orders(ground),
            find_length_shortcut(ground),
            find_partial_inputs(ground),
        ]
        whole = sum(parts, Part())
        return Section(
            id=self.id,
            title=self.title,
            summary=whole.sentence,
            measures=(count(SHORTCUTS.title, len(whole.findings), whole.tried), *whole.measures),
            figures=tuple(whole.figures),
            tables=tuple(table for table in whole.tables if table.rows),
            findings=tuple(whole.findings[:MOST_FINDINGS]),
        )
