"""Whether the model keeps its answer when a text is written a little differently."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import stats

from explain.checks.base import LEVEL, AuditContext, not_measured, probabilities
from explain.checks.base.intervention import Edit, Intervention, intervene
from explain.checks.robustness.metrics import FLIP_RATE, PROBABILITY_CHANGE, VALUE_CHANGE
from explain.checks.robustness.perturbations import (
    NEGATIONS,
    SHORTEST_WORD,
    TRANSFORMS,
    Transform,
    rewrite,
)
from explain.record import (
    Cell,
    Finding,
    InstanceLink,
    IntervalsFigure,
    Measure,
    MetricSpec,
    Section,
    Table,
)
from explain.record.wording import estimated, percent
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.intervals import mean
from explain.text.spans import text_of

__all__ = ["RobustnessCheck"]

MOST_FLIPS = 0.1
"""Share of flips that a change nobody takes note of may cause. The fine-tuned MiniLM of our tests
flips at most .02 of SST-2; where capitals flip one text in ten they decide what is to be done."""

MOST_FLIPS_BY_FAULT = 0.25
"""The same for a fault in one word that a reader does see. That MiniLM flips up to .07; in short
texts the word is often the one that decides."""

MOST_LISTED = 20
MOST_OF_EACH = 2
"""Flips of one kind that are listed, so that all kinds have room."""

CONTEXT = 60
"""Characters shown on either side of a change."""


@dataclass(frozen=True, slots=True)
class RobustnessCheck:
    """Changes of writing that should leave the label as it is, and how often they do not.

    Attributes
    ----------
    texts : int
        Distinct texts that are rewritten, drawn at random.
    """

    texts: Annotated[int, Field(ge=1)] = 300

    id: ClassVar[str] = "robustness"
    title: ClassVar[str] = "Robustness"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (
        FLIP_RATE,
        PROBABILITY_CHANGE,
    )

    def run(self, context: AuditContext) -> Section:
        """Return how many predictions each change of writing flips."""
        rows = _sample(context, self.texts)
        edits = {
            transform.name: _edits(context, rows, transform, self.id)
            for transform in (*TRANSFORMS, *NEGATIONS)
        }
        done = intervene(context, edits)
        changed = [transform for transform in TRANSFORMS if len(done[transform.name].instances)]
        if not changed:
            return not_measured(self, "no change of writing applies to any of the texts")
        if context.model.task == "regression":
            return self._of_values(context, rows, changed, done, edits)
        rates = {t.name: done[t.name].flip_rate(FLIP_RATE.name(change=t.name)) for t in changed}
        shifts = [_shift(done[t.name], t.name, context) for t in changed]
        findings = _findings(changed, done, rates, edits, context)
        return Section(
            id=self.id,
            title=self.title,
            summary=_summary(rates, len(rows), len(findings)),
            measures=(*rates.values(), *shifts),
            figures=(
                IntervalsFigure(
                    title="Predictions that flip with the writing",
                    description="Share of the texts whose label changes, with its 95 % interval, "
                    "one row for each change of writing.",
                    measures=tuple(rates.values()),
                    reference=MOST_FLIPS,
                    reference_label="most that a change nobody sees may flip",
                ),
            ),
            tables=(
                _applicable(rows, done, edits),
                *_directional(done),
                *_worst(changed, done, edits, context),
            ),
            findings=findings,
        )

    def _of_values(
        self,
        context: AuditContext,
        rows: Sequence[int],
        changed: Sequence[Transform],
        done: dict[str, Intervention],
        edits: dict[str, list[Edit]],
    ) -> Section:
        """Return how far the value of a regression moves; it has no label to flip."""
        moved = [
            mean(
                VALUE_CHANGE.name(change=t.name),
                np.abs(done[t.name].changes(0)).tolist(),
                "coefficient",
            )
            for t in changed
        ]
        return Section(
            id=self.id,
            title=self.title,
            summary=f"How far the value of {len(rows):,} texts moves when they are written "
            "differently. A regression has no label to flip, so no change is called too large.",
            measures=tuple(moved),
            tables=(_applicable(rows, done, edits),),
        )


def _sample(context: AuditContext, most: int) -> list[int]:
    """Return the numbers of distinct texts drawn at random, in the order of the table."""
    first = {instance.parts: i for i, instance in reversed(list(enumerate(context.instances)))}
    rows = np.array(sorted(first.values()))
    if len(rows) > most:
        rows = np.sort(context.rng("robustness").choice(rows, most, replace=False))
    return [int(row) for row in rows]


def _edits(
    context: AuditContext, rows: Sequence[int], transform: Transform, check: str
) -> list[Edit]:
    """Return the texts that a transform changes; of a pair, a negation changes the second only."""
    rng = context.rng(f"{check}, {transform.name}")
    found: list[Edit] = []
    for row in rows:
        instance = context.instances[row]
        parts = rewrite(instance.parts, instance.unread, transform, rng)
        if transform in NEGATIONS:
            parts = (*instance.parts[:-1], parts[-1])
        if parts != instance.parts:
            found.append((row, text_of(parts)))
    return found


def _leading(done: Intervention) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the label predicted before each edit, and how far its probability moves."""
    leading = done.before.argmax(axis=1)
    moves = probabilities(done.after, done.task) - probabilities(done.before, done.task)
    return leading, moves[np.arange(len(leading)), leading]


def _shift(done: Intervention, name: str, context: AuditContext) -> Measure:
    _, moves = _leading(done)
    return mean(PROBABILITY_CHANGE.name(change=name), moves.tolist(), "proportion")


def _summary(rates: dict[str, Measure], n_texts: int, n_findings: int) -> str:
    worst = max(rates.values(), key=lambda rate: rate.value or 0)
    sentence = (
        f"{n_texts:,} texts, drawn at random, were written in {len(rates)} other ways that keep "
        f"their meaning. The most harmful ({worst.name.partition(', ')[2]}) changes the answer on "
        f"{estimated(worst)} of {worst.n:,} texts."
    )
    return sentence if n_findings else f"{sentence} None flips more than can be tolerated."


def _findings(
    changed: Sequence[Transform],
    done: dict[str, Intervention],
    rates: dict[str, Measure],
    edits: dict[str, list[Edit]],
    context: AuditContext,
) -> tuple[Finding, ...]:
    """Return a finding for each family with a flip rate beyond doubt above what is tolerable.

    Each text is edited once by each transform, so its exact test is binomial.
    """
    allowed = [MOST_FLIPS_BY_FAULT if t.visible else MOST_FLIPS for t in changed]
    p_values = [
        stats.binomtest(
            int(done[t.name].flips.sum()), len(done[t.name].flips), most, "greater"
        ).pvalue
        for t, most in zip(changed, allowed, strict=True)
    ]
    families: dict[str, list[Transform]] = {}
    adjusted = benjamini_hochberg(p_values)
    for transform, p, most in zip(changed, adjusted, allowed, strict=True):
        if p <= LEVEL and (rates[transform.name].lower or 0) > most:
            families.setdefault(transform.family, []).append(transform)
    found = []
    for family in families.values():
        worst = max(family, key=lambda t: rates[t.name].value or 0)
        rate, most = rates[worst.name], MOST_FLIPS_BY_FAULT if worst.visible else MOST_FLIPS
        flipped = done[worst.name].instances[done[worst.name].flips][:3]
        also = [f"{percent(rates[t.name].value)} {t.done}" for t in family if t is not worst]
        found.append(
            Finding(
                claim=f"The model changes its answer on {estimated(rate)} of the texts when they "
                f"are {worst.done} (n = {rate.n:,}"
                + (f"; and on {' and '.join(also)}" if also else "")
                + f"); up to {percent(most)} could be tolerated.",
                severity="minor" if worst.visible else "major",
                measure=rate,
                evidence=("robustness", *(context.instances[row].id for row in flipped)),
                suggestion="Normalise the texts before the model reads them, in training and in "
                "use alike, or train it on texts that are written so.",
            )
        )
    return tuple(sorted(found, key=lambda f: (f.severity, -_value(f)))[:5])


def _value(finding: Finding) -> float:
    return (
        0.0 if finding.measure is None or finding.measure.value is None else finding.measure.value
    )


def _applicable(
    rows: Sequence[int], done: dict[str, Intervention], edits: dict[str, list[Edit]]
) -> Table:
    return Table(
        title="To how many texts each change applies",
        columns=("change", "texts drawn", "texts changed by it", "the model failed on"),
        rows=tuple((name, len(rows), len(edits[name]), done[name].failed) for name in edits),
        note="A text that a change leaves as it is does not count. A typing error, a misread "
        f"letter, a stray accent or look-alike letters are put in one word of "
        f"{SHORTEST_WORD} letters or more of each part of a text.",
    )


def _directional(done: dict[str, Intervention]) -> tuple[Table, ...]:
    """Return how often a prediction survives that its text is negated."""
    rows: list[tuple[Cell, ...]] = []
    for transform in NEGATIONS:
        change = done[transform.name]
        if len(change.instances):
            flips = change.flip_rate(f"answer changes, {transform.name}")
            _, moves = _leading(change)
            rows.append((transform.name, flips, mean("change of p", moves.tolist(), "proportion")))
    if not rows:
        return ()
    return (
        Table(
            title="Negation",
            columns=("change", "answer changes", "change of the predicted probability"),
            rows=tuple(rows),
            note="Where the label is about what a sentence states (an opinion, a conclusion), it "
            "should change with a 'not' that is put after the first auxiliary verb or taken out; "
            "where it is about the topic, it should not. So no finding is made of this. English "
            "texts only; of a pair, the second text.",
        ),
    )


def _worst(
    changed: Sequence[Transform],
    done: dict[str, Intervention],
    edits: dict[str, list[Edit]],
    context: AuditContext,
) -> tuple[Table, ...]:
    """Return the flips that move a probability most, a few of each change."""
    ranked: list[tuple[float, tuple[Cell, ...]]] = []
    labels = context.model.labels
    for transform in changed:
        change = done[transform.name]
        leading, moves = _leading(change)
        texts = dict(edits[transform.name])
        flips = np.flatnonzero(change.flips)
        for i in flips[np.argsort(moves[flips], kind="stable")][:MOST_OF_EACH]:
            row, after = int(change.instances[i]), change.after[i]
            p_before = probabilities(change.before[i][None], change.task)[0]
            p_after = probabilities(after[None], change.task)[0]
            best = int(after.argmax())
            ranked.append(
                (
                    float(moves[i]),
                    (
                        InstanceLink(instance=context.instances[row].id),
                        transform.name,
                        *_around(context.instances[row].parts, texts[row]),
                        labels[leading[i]],
                        float(p_before[leading[i]]),
                        labels[best],
                        float(p_after[best]),
                    ),
                )
            )
    if not ranked:
        return ()
    ranked.sort(key=lambda entry: entry[0])
    return (
        Table(
            title="Worst flips",
            columns=(
                "instance", "change", "before", "after", "predicted", "probability",
                "then predicted", "then probability",
            ),
            rows=tuple(row for _, row in ranked[:MOST_LISTED]),
            note=f"Of each change up to {MOST_OF_EACH} flips that move the probability of the "
            "predicted label most, shown around the first place that differs.",
        ),
    )  # fmt: skip


def _around(parts: Sequence[str], edited: str | Sequence[str]) -> tuple[str, str]:
    """Return both texts around the first place in which they differ."""
    others = (edited,) if isinstance(edited, str) else edited
    one, other = next((a, b) for a, b in zip(parts, others, strict=True) if a != b)
    pairs = zip(one, other, strict=False)
    place = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
    start = max(0, place - CONTEXT)

    def shown(text: str) -> str:
        end = place + CONTEXT
        return ("… " if start else "") + text[start:end] + (" …" if len(text) > end else "")

    return shown(one), shown(other)
