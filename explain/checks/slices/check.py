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
from explain.checks.slices.findings import columns_and_rows, findings_of
from explain.checks.slices.slice_tests import (
    SMALLEST_GAP,
    SMALLEST_SHARE,
    Losses,
    TestedSlice,
    accuracy_found,
    compare_with_rest,
    judge_tests,
    loss_of,
    worst_first,
)
from explain.record import (
    IntervalsFigure,
    Measure,
    MetricSpec,
    Section,
    Sentence,
    Table,
    join_sentences,
)
from explain.text.words import words as words_of

__all__ = ["SlicesCheck"]

PROMISING = 0.1
"""Test level in the first half of the table. It only chooses what the second half then tests: low
enough to keep those few, high enough to lose hardly any slice that the second half would show."""

LEAST_LABELLED = 4
"""Times the smallest slice that must be labelled for a search: a slice and a rest in each half."""

MOST_DRAWN = 16

MOST_LISTED = 30


@dataclass(frozen=True, slots=True)
class SlicesCheck:
    """How often the model is right in slices: values of named columns, and what a search finds.

    The search tries length, script, truncation, capitals, digits, addresses, emoji, final marks,
    frequent words and pairs of them. What looks worse than the rest in one half of the table, drawn
    at random, is tested on the other half alone.

    Attributes
    ----------
    smallest : int
        Rows that a slice must have to be tried by the search. Named slices of any size are tested.
    """

    id: ClassVar[str] = "slices"
    title: ClassVar[str] = "Slices"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (ACCURACY, SUBSET_ACCURACY, MEAN_SQUARED_ERROR)

    smallest: Annotated[int, Field(ge=10)] = 30

    def run(self, context: AuditContext) -> Section:
        """Return the slices with their errors, the worst first."""
        if not context.dataset.has_labels:
            return not_measured(
                self, "no label column was named; without labels, errors cannot be counted"
            )
        sample = LabelledRows.of(context, self.id)
        if isinstance(sample, str):
            return not_measured(self, sample)
        counted = sample.answered_rows if context.model.task == "regression" else sample
        instances, unanswered = sample.instances, counted.unanswered
        rows = counted.all_rows
        searched = len(rows) >= LEAST_LABELLED * self.smallest
        if not rows or not (context.slices or searched):
            return not_measured(self, self._nothing_to_test(len(rows)))
        values = [*map(loss_of, instances), *(1.0 for _ in unanswered)]
        losses = Losses(np.array(values), context.model.task, len(unanswered))
        declared, notes = declared_slices(context.slices, rows)
        everything = np.ones(len(rows), dtype=bool)
        compared = [s for s in declared if not s.members.all()]
        declared_tests = compare_with_rest(losses, compared, everything, from_search=False)
        candidates: list[Slice] = []
        promising: list[TestedSlice] = []
        if searched:
            words = [context.words[row] for row in sample.rows]
            words += [words_of(row.parts) for row in unanswered]
            candidates = distinct_slices(
                [*traits_of_texts(rows, words), *slices_by_word(read_corpus(rows, words))]
            )
            candidates, promising = self._search(candidates, losses, context.rng(self.id))
        overall = losses.measure(everything, "all")
        tests = judge_tests([*declared_tests, *promising], losses, self.smallest)
        measures = [*(losses.measure(s.members, s.condition) for s in declared),
                    *(test.measure for test in promising)]  # fmt: skip
        findings = findings_of(tests, instances, losses)
        return Section(
            id=self.id,
            title=self.title,
            summary=join_sentences(
                _declared_sentence(len(declared)),
                self._searched(len(rows), len(candidates), len(promising)),
                _result(overall, sum(not test.reason for test in tests)),
                _power_of_named(tests),
                self._power_of_search(losses, len(promising)) if searched else "",
                _failures(sample),
            ),
            measures=tuple(sorted(measures, key=worst_first)),
            figures=_figures(measures, overall),
            tables=tuple(table for table in (_table(tests), _notes(notes)) if table.rows),
            findings=findings,
        )

    def _search(
        self, candidates: Sequence[Slice], losses: Losses, rng: np.random.Generator
    ) -> tuple[list[Slice], list[TestedSlice]]:
        """Return the slices that were tried on one half of the rows, and those tested on the other.

        Only what looks worse on the first half is tested on the second.
        """
        n = len(losses.values)
        half = np.zeros(n, dtype=bool)
        half[rng.permutation(n)[: n // 2]] = True
        large = self._large(self._large(candidates, half), ~half)
        promising = [
            s for s in large if losses.p_value(s.members & half, ~s.members & half) <= PROMISING
        ]
        return large, compare_with_rest(losses, promising, ~half, from_search=True)

    def _nothing_to_test(self, n: int) -> str:
        return Sentence(
            "{n} scored {n:row has|rows have} a label, but a search for slices needs {least}, and "
            "no column of slices was named",
            n=n,
            least=LEAST_LABELLED * self.smallest,
        )

    def _searched(self, n: int, n_candidates: int, n_promising: int) -> str:
        """Return what a search has tried, or that there are too few rows for one."""
        least = LEAST_LABELLED * self.smallest
        if n < least:
            return Sentence(
                "{n} labelled {n:row is|rows are} too few to search for more slices; {least} are "
                "needed.",
                n=n,
                least=least,
            )
        template = (
            "A search tried {tried} {tried:slice|slices} on one half of the rows. {promising} of "
            "them looked worse than the rest and {promising:was|were} tested on the other half."
        )
        if not n_promising:
            template = (
                "A search tried {tried} {tried:slice|slices} on one half of the rows. None of them "
                "looked worse than the rest."
            )
        return Sentence(
            template,
            tried=n_candidates,
            promising=n_promising,
        )

    def _power_of_search(self, losses: Losses, n_promising: int) -> str:
        """Return what the search would have found in a slice that is just large enough for it."""
        if losses.task == "regression":
            return ""
        half, errors = len(losses.values) // 2, int(losses.values.sum()) // 2
        rest = half - self.smallest
        found = accuracy_found(self.smallest, min(errors, rest), rest, n_promising + 1)
        if found is None:
            return ""
        return Sentence(
            "A slice of {n} rows that nobody named would be found with a chance of 80 % only if "
            "the model were right on {found:percent} of it or less.",
            n=2 * self.smallest,
            found=found,
        )

    def _large(self, slices: Sequence[Slice], among: NDArray[np.bool_]) -> list[Slice]:
        """Return the slices that have enough rows among these, and leave enough others."""
        return [
            s for s in slices
            if min((s.members & among).sum(), (~s.members & among).sum()) >= self.smallest
        ]  # fmt: skip


def _failures(sample: LabelledRows) -> str:
    """Return how rows without an answer count in slices; nothing if there are none."""
    if sample.context.model.task == "regression":
        return sample.left_out("All numbers")
    if not sample.unanswered:
        return ""
    return Sentence(
        "{unanswered} of {n} rows got no answer; they count as wrong. A slice is reported as worse "
        "only if it is also worse without them.",
        unanswered=len(sample.unanswered),
        n=len(sample),
    )


def _declared_sentence(n: int) -> str:
    return Sentence("{n} {n:slice was|slices were} named.", n=n) if n else ""


def _power_of_named(tests: Sequence[TestedSlice]) -> str:
    """Return what could have been found in the named slices that are not reported as worse."""
    unreported = [
        test for test in tests
        if test.reason and not test.from_search and test.measure.unit == "proportion"
    ]  # fmt: skip
    told = [test for test in unreported if test.accuracy_found is not None]
    too_small = len(unreported) - len(told)
    least = min(told, key=lambda test: test.accuracy_found or 0, default=None)
    hidden = Sentence(
        "{n} of the named slices {n:is|are} too small to be reported, however wrong the model is "
        "there.",
        n=too_small,
    )
    if least is None:
        return hidden if too_small else ""
    found = Sentence(
        "A fault in a small slice can stay hidden: {condition} ({n} {n:row|rows}) would be "
        "reported with a chance of 80 % only if the model were right on {found:percent} of it or "
        "less.",
        condition=least.slice.condition,
        n=least.measure.n,
        found=least.accuracy_found,
    )
    return join_sentences(hidden if too_small else "", found)


def _result(overall: Measure, n_worse: int) -> str:
    """Return how many slices are worse, and by how much."""
    size = Sentence("{smallest:.0f} points", smallest=100 * SMALLEST_GAP)
    if overall.unit == "coefficient":
        size = Sentence("{smallest:percent} of the overall error", smallest=SMALLEST_SHARE)
    if not n_worse:
        return Sentence(
            "No slice is significantly worse than the rest by at least {size}.", size=size
        )
    return Sentence(
        "{n} {n:slice is|slices are} significantly worse than the rest by at least {size}.",
        n=n_worse,
        size=size,
    )


def _figures(measures: Sequence[Measure], overall: Measure) -> tuple[IntervalsFigure, ...]:
    worst = sorted(measures, key=worst_first)[:MOST_DRAWN]
    if not worst:
        return ()
    return (
        IntervalsFigure(
            title=Sentence("By slice: {metric}", metric=overall.name),
            description=Sentence(
                "{shown} of {n} {n:slice|slices} with 95 % intervals, those with the worst bounds "
                "first. Slices that a search found are measured on the half of the table that the "
                "search did not use.",
                shown=len(worst),
                n=len(measures),
            ),
            measures=tuple(measure.model_copy(update={"name": measure.slice}) for measure in worst),
            reference=overall.value,
            reference_label=Sentence("{metric} of all labelled rows", metric=overall.name),
        ),
    )


def _table(tests: Sequence[TestedSlice]) -> Table:
    shown = sorted(tests, key=lambda test: bool(test.reason))[:MOST_LISTED]
    columns, rows = columns_and_rows(shown)
    return Table(
        title="Slices that were tested",
        columns=(
            *columns,
            "reported if right on at most",
            "from",
            "not reported because",
        ),
        rows=tuple(
            (*row, test.accuracy_found, "search" if test.from_search else "named", test.reason)
            for row, test in zip(rows, shown, strict=True)
        ),
        note=Sentence(
            "{shown} of {n} {n:slice|slices}, ordered by the end of the interval of their gap that "
            "is nearer to no gap. Two words with a + between them: the texts that contain both. "
            "p-values of named slices are adjusted by Holm's method, without those that are too "
            "small to be reported (Tarone). Those of slices that a search found are adjusted by "
            "the method of Benjamini and Hochberg; these slices are measured on the half of the "
            "table that the search did not use. “Reported if right on at most”: at this accuracy a "
            "slice would be reported with a chance of 80 %.",
            shown=len(shown),
            n=len(tests),
        ),
    )


def _notes(notes: Sequence[tuple[str, str]]) -> Table:
    return Table(title="Columns of slices", columns=("column", "note"), rows=tuple(notes))
