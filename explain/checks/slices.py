"""Where in the table the model is wrong more often than elsewhere."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, ClassVar

import numpy as np
import regex
from numpy.typing import NDArray
from pydantic import Field
from scipy import stats

from explain.checks.base import LEVEL, AuditContext, TableRow, not_measured
from explain.checks.base.labelled_rows import LabelledRows
from explain.checks.base.phrases import Corpus, read_corpus
from explain.record import (
    Finding,
    InstanceRecord,
    IntervalsFigure,
    Measure,
    Section,
    Severity,
    Table,
    Task,
)
from explain.record.wording import estimated, percent
from explain.statistics.intervals import benjamini_hochberg, holm, mean, proportion, wilson
from explain.text.spans import words as words_of

__all__ = ["Losses", "SlicesCheck", "score_difference"]

SMALLEST_GAP = 0.05
"""Difference of two error rates, of which the whole interval must lie above this to be a finding:
one text in twenty is what a reader of single predictions begins to notice."""

LARGE_GAP = 0.10
"""The same, from which a finding must be known before use: twice the smallest one."""

SMALLEST_SHARE = 0.25
"""The same for mean squared errors, which have no common scale, as a share of the overall one."""

METRIC: dict[Task, str] = {
    "single_label": "accuracy",
    "multi_label": "subset accuracy",
    "regression": "mean squared error",
}

PROMISING = 0.1
"""Test level in the first half of the table. It only chooses what the second half then tests: low
enough to keep those few, high enough to lose hardly any slice that the second half would show."""

LEAST_LABELLED = 4
"""Times the smallest slice that must be labelled for a search: a slice and a rest in each half."""

MOST_WORDS = 200
"""Most frequent words that are tried as slices; rarer ones hold too few texts in small tables."""

MOST_PAIRED = 40
"""Most frequent words of which each pair is tried: 780 pairs."""

MOST_VALUES = 50
"""Values of a declared column that are measured, the most frequent ones."""

MOST_DRAWN = 16
MOST_LISTED = 30
MOST_FINDINGS = 5
MOST_EVIDENCE = 5

MOST_NAMED = 4
"""Slices by words that a finding names beside the worst."""

_CAPITAL = regex.compile(r"\p{Lu}")
_LETTER = regex.compile(r"\p{L}")
_DIGIT = regex.compile(r"\p{Nd}")
# Begins at the sign, so that no long word is read again from each of its letters.
_ADDRESS = regex.compile(r"(?i)https?://|www\.|(?<=[\w.+-])@[\w-]++\.[\w.]")
_EMOJI = regex.compile(r"\p{Extended_Pictographic}")


@dataclass(frozen=True, eq=False)
class Slice:
    """Some of the labelled instances, and the condition that they meet."""

    condition: str
    members: NDArray[np.bool_]
    of_words: bool = False
    """Whether the condition is that a text holds certain words."""


@dataclass(frozen=True, eq=False)
class Tested:
    """A slice against the rest of the rows that it was tested on."""

    slice: Slice
    found: bool
    """Whether a search turned it up, and half of the table tests it."""
    measure: Measure
    rest: Measure
    gap: Measure
    """By how much the loss is higher than in the rest."""
    p_value: float
    """Adjusted for the number of slices that were tested."""
    sides: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    """Which of the rows it was tested on lie in the slice, and which do not."""


@dataclass(frozen=True, eq=False)
class Losses:
    """How wrong each labelled instance is: 0 or 1, or the squared error of a regression.

    Rows that got no answer come last: they are wrong, or have no error in a regression.
    """

    values: NDArray[np.float64]
    task: Task
    failed: int = 0
    """Rows that got no answer."""

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Which instances got an answer."""
        return np.arange(len(self.values)) < len(self.values) - self.failed

    def measure(self, members: NDArray[np.bool_], condition: str) -> Measure:
        """Return accuracy, or mean squared error, of some of the instances."""
        name, values = METRIC[self.task], self.values[members]
        if self.task == "regression":
            return mean(name, values.tolist(), "coefficient", condition)
        return proportion(name, int((values == 0).sum()), len(values), condition)

    def p_value(self, members: NDArray[np.bool_], rest: NDArray[np.bool_]) -> float:
        """Return the p-value against the hypothesis that the slice is no worse than the rest.

        Fisher's exact test of the errors; Welch's of the squared errors.
        """
        own, other = self.values[members], self.values[rest]
        if self.task != "regression":
            n, errors = len(own) + len(other), own.sum() + other.sum()
            return float(stats.hypergeom.sf(own.sum() - 1, n, errors, len(own)))
        if np.ptp(self.values[members | rest]) == 0:
            return 1.0
        return float(stats.ttest_ind(own, other, equal_var=False, alternative="greater").pvalue)

    def gap(self, members: NDArray[np.bool_], rest: NDArray[np.bool_], condition: str) -> Measure:
        """Return by how much the slice is worse: a difference of rates, or of mean losses."""
        own, other = self.values[members], self.values[rest]
        if self.task != "regression":
            value, lower, upper = score_difference(
                int(own.sum()), len(own), int(other.sum()), len(other)
            )
            name, unit, method = "error rate minus that of the rest", "proportion", "Newcombe"
        else:
            interval = stats.ttest_ind(own, other, equal_var=False).confidence_interval(0.95)
            value, lower, upper = own.mean() - other.mean(), interval.low, interval.high
            name, unit, method = "mean squared error minus that of the rest", "coefficient", "Welch"
        return Measure.model_validate(
            {
                "name": name, "value": float(value), "lower": float(lower), "upper": float(upper),
                "n": len(own), "method": method, "unit": unit, "slice": condition,
            }
        )  # fmt: skip


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
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "subset accuracy", "mean squared error")

    smallest: Annotated[int, Field(ge=10)] = 30

    def run(self, context: AuditContext) -> Section:
        """Return the slices with their errors, the worst first."""
        if not context.dataset.labelled:
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
        lost = [*map(_loss, instances), *(1.0 for _ in failed)]
        losses = Losses(np.array(lost), context.model.task, len(failed))
        declared, notes = _declared(context.slices, rows)
        everything = np.ones(len(rows), dtype=bool)
        known = _tested(losses, self._large(declared, everything), everything)
        tried, found = [], []
        if searched:
            half = np.zeros(len(rows), dtype=bool)
            half[context.rng(self.id).permutation(len(rows))[: len(rows) // 2]] = True
            words = [context.words[row] for row in sample.rows]
            words += [words_of(row.parts) for row in failed]
            corpus = read_corpus(rows, words)
            candidates = _distinct([*_traits(rows, words), *_word_slices(corpus)])
            tried = self._large(self._large(candidates, half), ~half)
            promising = [
                s for s in tried
                if losses.p_value(s.members & half, ~s.members & half) <= PROMISING
            ]  # fmt: skip
            found = _tested(losses, promising, ~half, found=True)
        overall = losses.measure(everything, "all")
        tests = sorted([*known, *found], key=lambda test: _worst_first(test.measure))
        shown = [*(losses.measure(s.members, s.condition) for s in declared),
                 *(test.measure for test in found)]  # fmt: skip
        clear = _clear(tests, losses, self)
        return Section(
            id=self.id,
            title=self.title,
            summary=_summary(overall, declared, tried, found, len(clear), searched, self)
            + _failures(sample),
            measures=tuple(sorted(shown, key=_worst_first)),
            figures=_figures(shown, overall),
            tables=tuple(table for table in (_table(tests), _notes(notes)) if table.rows),
            findings=tuple(_findings(clear, instances, losses)),
        )

    def _large(self, slices: Sequence[Slice], among: NDArray[np.bool_]) -> list[Slice]:
        """Return the slices that have enough rows among these, and leave enough others."""
        return [
            s for s in slices
            if min((s.members & among).sum(), (~s.members & among).sum()) >= self.smallest
        ]  # fmt: skip


def score_difference(
    hits: int, n: int, other_hits: int, other_n: int
) -> tuple[float, float, float]:
    """Return the difference of two shares with the ends of its 95 % interval.

    The hybrid of two Wilson intervals (Newcombe 1998, method 10).
    """
    p, q = hits / n, other_hits / other_n
    (a, b), (c, d) = wilson(p, n), wilson(q, other_n)
    lower = p - q - np.hypot(p - a, d - q)
    return p - q, float(lower), float(p - q + np.hypot(b - p, q - c))


def _loss(instance: InstanceRecord) -> float:
    """Return 1 for a wrong prediction and 0 for a right one, or the squared error of a number."""
    if instance.given is None:
        return float(not instance.right)
    if instance.predictions is None:
        return (float(instance.given[0]) - instance.scores[0]) ** 2
    return float({p.label for p in instance.predictions} != set(instance.given))


def _declared(
    columns: Sequence[str], instances: Sequence[TableRow]
) -> tuple[list[Slice], list[tuple[str, str]]]:
    """Return a slice for each value of each column, and what a reader must know of a column."""
    slices, notes = [], []
    for column in columns:
        cells = [instance.columns.get(column) for instance in instances]
        counts = Counter(cell for cell in cells if cell is not None)
        if missing := cells.count(None):
            notes.append((column, f"{missing:,} rows have no value and lie in no slice"))
        if len(counts) > MOST_VALUES:
            notes.append((column, f"the {MOST_VALUES} most frequent of {len(counts):,} values"))
        for value, _ in counts.most_common(MOST_VALUES):
            members = np.array([cell == value for cell in cells])
            slices.append(Slice(f"{column} = {value}", members))
    return slices, notes


def _traits(instances: Sequence[TableRow], words: Sequence[Sequence[object]]) -> Iterator[Slice]:
    """Yield slices by length and by how a text is written."""
    lengths = np.array(list(map(len, words)))
    edges = np.unique(np.quantile(lengths, [0, 0.25, 0.5, 0.75, 1], method="closest_observation"))
    starts = [edges[0], *(edges[1:-1] + 1)] if len(edges) > 1 else []
    for low, high in zip(starts, edges[1:], strict=True):
        yield Slice(f"length = {low} to {high} words", (lengths >= low) & (lengths <= high))
    texts = ["\n".join(instance.parts) for instance in instances]
    scripts = np.array(list(map(_script, texts)))
    for script in sorted(set(scripts)):
        yield Slice(f"script = {script}", scripts == script)
    marks = np.array([text.rstrip()[-1:] for text in texts])
    for mark in sorted(mark for mark in set(marks) if not mark.isalnum()):
        yield Slice(f"last character = {mark}", marks == mark)
    capitals = np.array(
        [len(_CAPITAL.findall(text)) / max(1, len(_LETTER.findall(text))) for text in texts]
    )
    traits = {
        "read only in part": [isinstance(i, InstanceRecord) and bool(i.unread) for i in instances],
        "capitals": capitals > 0,
        "mostly capitals": capitals > 1 / 2,
        "digits": [_DIGIT.search(text) is not None for text in texts],
        "address": [_ADDRESS.search(text) is not None for text in texts],
        "emoji": [_EMOJI.search(text) is not None for text in texts],
    }
    for trait, holds in traits.items():
        yield Slice(f"{trait} = yes", np.array(holds))
        yield Slice(f"{trait} = no", ~np.array(holds))


def _script(text: str) -> str:
    """Return the script of most letters, by the first word of their names in Unicode."""
    names = Counter(
        unicodedata.name(letter, "unnamed").split(maxsplit=1)[0] for letter in text
        if letter.isalpha()
    )  # fmt: skip
    return names.most_common(1)[0][0].capitalize() if names else "none"


def _word_slices(corpus: Corpus) -> Iterator[Slice]:
    """Yield slices by the presence of each frequent word, and of each pair of very frequent ones.

    A word that nearly all texts hold is left to the pairs by the size of the rest.
    """
    order = np.lexsort((np.arange(len(corpus.vocabulary)), -corpus.frequencies))[:MOST_WORDS]
    present = corpus.presence[:, order].toarray().T > 0
    for word, members in zip(order, present, strict=True):
        yield Slice(f"word = {corpus.vocabulary[word]}", members, of_words=True)
    for first, second in combinations(range(min(MOST_PAIRED, len(order))), 2):
        pair = " + ".join(corpus.vocabulary[order[i]] for i in (first, second))
        yield Slice(f"words = {pair}", present[first] & present[second], of_words=True)


def _distinct(slices: Sequence[Slice]) -> list[Slice]:
    """Return the slices without those that hold the very rows of an earlier one."""
    return list({s.members.tobytes(): s for s in reversed(slices)}.values())[::-1]


def _tested(
    losses: Losses, slices: Sequence[Slice], among: NDArray[np.bool_], *, found: bool = False
) -> list[Tested]:
    """Return the slices against the rest of some rows, p-values adjusted for their number."""
    sides = [(s.members & among, ~s.members & among) for s in slices]
    p_values = np.array([losses.p_value(*side) for side in sides])
    if slices:
        p_values = benjamini_hochberg(p_values) if found else holm(p_values)
    return [
        Tested(
            s, found, losses.measure(own, s.condition), losses.measure(rest, f"not {s.condition}"),
            losses.gap(own, rest, s.condition), float(p_value), (own, rest),
        )
        for s, (own, rest), p_value in zip(slices, sides, p_values, strict=True)
    ]  # fmt: skip


def _worst_first(measure: Measure) -> tuple[float, str]:
    """Return a key that sorts by the worst bound: the lowest accuracy, or the highest loss."""
    bound = measure.upper if measure.unit == "coefficient" else measure.lower
    if bound is None:
        return np.inf, measure.slice
    return -bound if measure.unit == "coefficient" else bound, measure.slice


def _clear(tests: Sequence[Tested], losses: Losses, check: "SlicesCheck") -> list[Tested]:
    """Return the slices that are clearly worse, also without the rows of those that are worst."""
    kept: list[Tested] = []
    explained = np.zeros(len(losses.values), dtype=bool)
    for test in sorted(tests, key=lambda test: -(test.gap.lower or 0)):
        if test.p_value > LEVEL or (test.gap.lower or 0) <= _smallest_gap(losses):
            continue
        if not _holds_where_answered(test, losses):
            continue
        members = test.slice.members & ~explained
        rest = ~test.slice.members & ~explained
        anew = min(members.sum(), rest.sum()) >= check.smallest and (
            losses.p_value(members, rest) <= LEVEL
        )
        if not kept or anew:
            kept.append(test)
            explained |= test.slice.members
    return kept


def _holds_where_answered(test: Tested, losses: Losses) -> bool:
    """Tell whether a slice is worse on the rows alone that the model answered."""
    if not losses.failed:
        return True
    own, rest = (side & losses.answered for side in test.sides)
    if not own.any() or not rest.any() or losses.p_value(own, rest) > LEVEL:
        return False
    return (losses.gap(own, rest, "").lower or 0) > _smallest_gap(losses)


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


def _smallest_gap(losses: Losses) -> float:
    if losses.task == "regression":
        return SMALLEST_SHARE * float(losses.values.mean())
    return SMALLEST_GAP


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
    drawn = sorted(shown, key=_worst_first)[:MOST_DRAWN]
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
