"""Where in the table the model is wrong more often than elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from explain.checks.base import AuditContext, not_measured
from explain.checks.base.labelled_rows import LabelledRows
from explain.checks.base.metrics import ACCURACY, MEAN_SQUARED_ERROR, SUBSET_ACCURACY
from explain.checks.base.phrases import read_corpus
from explain.checks.slices.candidates import (
    Slice,
    declared_slices,
    distinct_slices,
    slices_by_word,
    traits_of_texts,
)
from explain.checks.slices.tested import (
    LARGE_GAP,
    SMALLEST_GAP,
    SMALLEST_SHARE,
    Losses,
    Tested,
    clearly_worse,
    loss_of,
    tested_against_rest,
    worst_first,
)
from explain.record import (
    Finding,
    InstanceRecord,
    IntervalsFigure,
    Measure,
    MetricSpec,
    Section,
    Severity,
    Table,
)
from explain.record.wording import estimated, percent
from explain.text.spans import words as words_of

__all__ = ["SlicesCheck"]

PROMISING = 0.1
"""Test level in the first half of the table. It only chooses what the second half then tests: low
enough to keep those few, high enough to lose hardly any slice that the second half would show."""

LEAST_LABELLED = 4
"""Times the smallest slice that must be labelled for a search: a slice and a rest in each half."""

MOST_DRAWN = 16

MOST_LISTED = 30

MOST_FINDINGS = 5

MOST_EVIDENCE = 5

MOST_NAMED = 4
"""Slices by words that a finding names beside the worst."""


@dataclass(frozen=True, slots=True)
class SlicesCheck:
    """How often the model is right in slices: values of named columns, and what a search finds.

    The search tries length, script, truncation, capitals, digits, addresses, emoji, final marks,
    frequent words and pairs of them. What looks worse than the rest in one half of the table, drawn
    at random, is tested on the other half alone.

    Attributes
    ----------
    smallest : int
        Rows that a slice must have to be tested.
    """

    id: ClassVar[str] = "slices"
    title: ClassVar[str] = "Slices"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (ACCURACY, SUBSET_ACCURACY, MEAN_SQUARED_ERROR)

    smallest: Annotated[int, Field(ge=10)] = 30

    def run(self, context: AuditContext) -> Section:
        """Return the slices with their errors, the worst first."""
        if not context.dataset.has_labels:
            return not_measured(
                self, "no label column was named, and without labels no error can be seen"
            )
        sample = LabelledRows.of(context, self.id)
        if isinstance(sample, str):
            return not_measured(self, sample)
        counted = sample.answered if context.model.task == "regression" else sample
        instances, failed = sample.instances, counted.failed
        rows = counted.all_rows
        searched = len(rows) >= LEAST_LABELLED * self.smallest
        if not rows or not (context.slices or searched):
            return not_measured(
                self,
                f"{len(rows)} scored rows have a label, of the {LEAST_LABELLED * self.smallest} "
                "that a search for slices needs, and no column of slices was named",
            )
        lost = [*map(loss_of, instances), *(1.0 for _ in failed)]
        losses = Losses(np.array(lost), context.model.task, len(failed))
        declared, notes = declared_slices(context.slices, rows)
        everything = np.ones(len(rows), dtype=bool)
        known = tested_against_rest(
            losses, self._large(declared, everything), everything, found=False
        )
        tried: list[Slice] = []
        found: list[Tested] = []
        if searched:
            words = [context.words[row] for row in sample.rows]
            words += [words_of(row.parts) for row in failed]
            candidates = distinct_slices(
                [*traits_of_texts(rows, words), *slices_by_word(read_corpus(rows, words))]
            )
            tried, found = self._search(candidates, losses, context.rng(self.id))
        overall = losses.measure(everything, "all")
        tests = sorted([*known, *found], key=lambda test: worst_first(test.measure))
        shown = [*(losses.measure(s.members, s.condition) for s in declared),
                 *(test.measure for test in found)]  # fmt: skip
        clear = clearly_worse(tests, losses, self.smallest)
        return Section(
            id=self.id,
            title=self.title,
            summary=_summary(overall, declared, tried, found, len(clear), searched, self)
            + _failures(sample),
            measures=tuple(sorted(shown, key=worst_first)),
            figures=_figures(shown, overall),
            tables=tuple(table for table in (_table(tests), _notes(notes)) if table.rows),
            findings=tuple(_findings(clear, instances, losses)),
        )

    def _search(
        self, candidates: Sequence[Slice], losses: Losses, rng: np.random.Generator
    ) -> tuple[list[Slice], list[Tested]]:
        """Return the slices that were tried on one half of the rows, and those found on the other.

        Only what looks worse on the first half is tested, on the second.
        """
        n = len(losses.values)
        half = np.zeros(n, dtype=bool)
        half[rng.permutation(n)[: n // 2]] = True
        tried = self._large(self._large(candidates, half), ~half)
        promising = [
            s for s in tried if losses.p_value(s.members & half, ~s.members & half) <= PROMISING
        ]
        return tried, tested_against_rest(losses, promising, ~half, found=True)

    def _large(self, slices: Sequence[Slice], among: NDArray[np.bool_]) -> list[Slice]:
        """Return the slices that have enough rows among these, and leave enough others."""
        return [
            s for s in slices
            if min((s.members & among).sum(), (~s.members & among).sum()) >= self.smallest
        ]  # fmt: skip


def _failures(sample: LabelledRows) -> str:
    """Return how rows without an answer count in slices; nothing if there are none."""
    if sample.context.model.task == "regression":
        return sample.left_out("all numbers are")
    if not sample.failed:
        return ""
    return (
        f" {len(sample.failed):,} of {len(sample):,} rows got no answer; they count as wrong. A "
        "slice is called worse only where that also holds without them."
    )


def _findings(
    tests: Sequence[Tested], instances: Sequence[InstanceRecord], losses: Losses
) -> list[Finding]:
    """Return a finding for each named slice and each trait, and one for all words together."""
    about_words = [test for test in tests if test.found and test.slice.of_words]
    others = [test for test in tests if test not in about_words]
    findings = [_finding(test, instances, losses) for test in others]
    if about_words:
        also = [test.slice.condition for test in about_words[1:]]
        findings.append(_finding(about_words[0], instances, losses, also))
    return findings[:MOST_FINDINGS]


def _finding(
    test: Tested,
    instances: Sequence[InstanceRecord],
    losses: Losses,
    also: Sequence[str] = (),
) -> Finding:
    measure, rest = test.measure, test.rest
    wrong = np.flatnonzero(test.slice.members & (losses.values > 0) & losses.answered)
    ranked = sorted(
        wrong.tolist(),
        key=lambda i: (-losses.values[i], -(instances[i].probability or 0), instances[i].id),
    )
    condition = f"where {measure.slice}"
    if measure.unit == "coefficient":
        claim = (
            f"The mean squared error {condition} is {_interval(measure)}; elsewhere it is "
            f"{rest.value:.3g} (n = {measure.n:,})."
        )
    else:
        claim = (
            f"The model is right on {_interval(measure)} of the texts {condition}, and on "
            f"{percent(rest.value)} of the others (n = {measure.n:,})."
        )
    if also:
        names = "; ".join(also[:MOST_NAMED]) + ("; …" if len(also) > MOST_NAMED else "")
        claim += f" It is clearly worse in {len(also)} more slices by words, too: {names}."
    return Finding(
        claim=claim,
        severity=_severity(test, losses),
        measure=measure,
        evidence=(SlicesCheck.id, *(instances[i].id for i in ranked[:MOST_EVIDENCE])),
        suggestion="Read the errors of this slice, and collect or correct labelled texts of it; "
        "until it is better, do not let the model decide there alone.",
    )


def _severity(test: Tested, losses: Losses) -> Severity:
    """Return how severe it is on the rows that the model answered."""
    if losses.task == "regression":
        return "major"
    own, rest = (side & losses.answered for side in test.sides)
    if (losses.measure(own, "").upper or 0) < 1 / 2:
        return "critical"
    return "major" if (losses.gap(own, rest, "").lower or 0) > LARGE_GAP else "minor"


def _interval(measure: Measure) -> str:
    if measure.unit == "coefficient":
        return f"{measure.value:.3g} [{measure.lower:.3g}, {measure.upper:.3g}]"
    return estimated(measure)


def _summary(
    overall: Measure,
    declared: Sequence[Slice],
    tried: Sequence[Slice],
    found: Sequence[Tested],
    clear: int,
    searched: bool,
    check: SlicesCheck,
) -> str:
    sentences = []
    if declared:
        sentences.append(f"{len(declared):,} slices were named.")
    if searched:
        sentences.append(
            f"A search tried {len(tried):,} slices: {len(found):,} looked worse than the rest in "
            "one half of the rows and were tested on the other half."
        )
    else:
        sentences.append(
            f"{overall.n:,} labelled rows are too few to search for more; "
            f"{LEAST_LABELLED * check.smallest} are needed."
        )
    worse = "No slice is" if not clear else f"{clear} {'is' if clear == 1 else 'are'}"
    size = f"at least {percent(SMALLEST_GAP)}"
    if overall.unit == "coefficient":
        size = f"at least {percent(SMALLEST_SHARE)} of the overall error"
    sentences.append(f"{worse} clearly worse than the rest, by {size}.")
    return " ".join(sentences)


def _figures(shown: Sequence[Measure], overall: Measure) -> tuple[IntervalsFigure, ...]:
    drawn = sorted(shown, key=worst_first)[:MOST_DRAWN]
    if not drawn:
        return ()
    name = overall.name
    return (
        IntervalsFigure(
            title=f"{name[0].upper()}{name[1:]} by slice",
            description=f"{name[0].upper()}{name[1:]} with 95 % intervals of the "
            f"{len(drawn)} of {len(shown)} slices with the worst bounds, the worst first. Slices "
            "that a search found are measured on the half of the table that it did not look at.",
            measures=tuple(measure.model_copy(update={"name": measure.slice}) for measure in drawn),
            reference=overall.value,
            reference_label=f"{name} of all labelled rows",
        ),
    )


def _table(tests: Sequence[Tested]) -> Table:
    return Table(
        title="Slices that were tested",
        columns=("slice", "from", "rows", "in the slice", "in the rest", "worse by", "p, adjusted"),
        rows=tuple(
            (
                test.slice.condition,
                "search" if test.found else "named",
                test.measure.n,
                test.measure,
                test.rest,
                test.gap,
                test.p_value,
            )
            for test in tests[:MOST_LISTED]
        ),
        note=f"The {min(len(tests), MOST_LISTED)} of {len(tests)} with the worst bounds. Named "
        "slices are adjusted by Holm, those that a search found by Benjamini and Hochberg and "
        "measured on the half of the table that it did not look at.",
    )


def _notes(notes: Sequence[tuple[str, str]]) -> Table:
    return Table(title="Columns of slices", columns=("column", "note"), rows=tuple(notes))
