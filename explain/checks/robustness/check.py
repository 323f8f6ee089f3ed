"""Whether the model keeps its answer when a text is written a little differently."""

from collections.abc import Iterator, Mapping, Sequence
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
    PERTURBATIONS,
    SHORTEST_WORD,
    Transform,
    rewrite,
)
from explain.checks.robustness.summary import MOST_FLIPS, MOST_FLIPS_BY_FAULT, summary
from explain.record import (
    Cell,
    Finding,
    InstanceLink,
    IntervalsFigure,
    Measure,
    MetricSpec,
    Section,
    Sentence,
    Table,
    join_sentences,
)
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.intervals import CHANGES, NOT_NEGATIVE, mean
from explain.text.spans import text_of

__all__ = ["RobustnessCheck"]

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
            for transform in (*PERTURBATIONS, *NEGATIONS)
        }
        edited = intervene(context, edits)
        applied = [
            transform for transform in PERTURBATIONS if len(edited[transform.name].instances)
        ]
        if not applied:
            return not_measured(self, "no way of rewriting applies to any of the texts")
        if context.model.task == "regression":
            return self._of_values(rows, applied, edited, edits)
        rates = {t.name: edited[t.name].flip_rate(FLIP_RATE.name(change=t.name)) for t in applied}
        shifts = [_shift(edited[t.name], t.name) for t in applied]
        findings = _findings(applied, edited, rates, context)
        return Section(
            id=self.id,
            title=self.title,
            summary=summary(rates, len(rows), len(findings)),
            measures=(*rates.values(), *shifts),
            figures=tuple(_figures(applied, rates)),
            tables=(
                _applicable(rows, edited, edits),
                *_directional(edited),
                *_worst(applied, edited, edits, context),
            ),
            findings=findings,
        )

    def _of_values(
        self,
        rows: Sequence[int],
        applied: Sequence[Transform],
        edited: dict[str, Intervention],
        edits: dict[str, list[Edit]],
    ) -> Section:
        """Return how far the value of a regression moves; it has no label that could change."""
        changes = [
            mean(
                VALUE_CHANGE.name(change=t.name),
                np.abs(edited[t.name].changes(0)).tolist(),
                "coefficient",
                within=NOT_NEGATIVE,
            )
            for t in applied
        ]
        return Section(
            id=self.id,
            title=self.title,
            summary=Sentence(
                "We rewrote {n} {n:text|texts} and measured how far the value changes. A "
                "regression has no label that could change, and we set no limit for its value.",
                n=len(rows),
            ),
            measures=tuple(changes),
            tables=(_applicable(rows, edited, edits),),
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
    edits: list[Edit] = []
    for row in rows:
        instance = context.instances[row]
        parts = rewrite(instance.parts, instance.unread, transform, rng)
        if transform in NEGATIONS:
            parts = (*instance.parts[:-1], parts[-1])
        if parts != instance.parts:
            edits.append((row, text_of(parts)))
    return edits


def _leading(edited: Intervention) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the label predicted before each edit, and how far its probability moves."""
    leading = edited.rule.answers(edited.before)
    moves = probabilities(edited.after, edited.task) - probabilities(edited.before, edited.task)
    return leading, moves[np.arange(len(leading)), leading]


def _shift(edited: Intervention, name: str) -> Measure:
    _, moves = _leading(edited)
    return mean(PROBABILITY_CHANGE.name(change=name), moves.tolist(), "proportion", within=CHANGES)


def _figures(
    applied: Sequence[Transform], rates: Mapping[str, Measure]
) -> Iterator[IntervalsFigure]:
    """Yield the flip rates, those of each limit in a figure of their own."""
    titles = {
        MOST_FLIPS: "Answers that change when a text is rewritten as a whole",
        MOST_FLIPS_BY_FAULT: "Answers that change when letters of a text are wrong",
    }
    for limit, title in titles.items():
        measures = tuple(rates[t.name] for t in applied if _limit(t) == limit)
        if measures:
            yield IntervalsFigure(
                title=title,
                description="Share of the texts whose label changes, with its 95 % interval; one "
                "row for each way of rewriting.",
                measures=measures,
                reference=limit,
                reference_label="our limit",
            )


def _limit(transform: Transform) -> float:
    return MOST_FLIPS_BY_FAULT if transform.visible else MOST_FLIPS


def _findings(
    applied: Sequence[Transform],
    edited: dict[str, Intervention],
    rates: dict[str, Measure],
    context: AuditContext,
) -> tuple[Finding, ...]:
    """Return a finding for each family with a flip rate significantly above its limit.

    Each text is edited once by each transform, so its exact test is binomial.
    """
    p_values = []
    for transform in applied:
        flips = edited[transform.name].flips
        test = stats.binomtest(int(flips.sum()), len(flips), _limit(transform), "greater")
        p_values.append(test.pvalue)
    families: dict[str, list[Transform]] = {}
    for transform, p in zip(applied, benjamini_hochberg(p_values), strict=True):
        if p <= LEVEL and (rates[transform.name].lower or 0) > _limit(transform):
            families.setdefault(transform.family, []).append(transform)
    findings = [_finding(family, edited, rates, context) for family in families.values()]
    return tuple(sorted(findings, key=lambda finding: finding.rank)[:5])


def _finding(
    family: Sequence[Transform],
    edited: dict[str, Intervention],
    rates: dict[str, Measure],
    context: AuditContext,
) -> Finding:
    """Return the finding on the transforms of one family."""
    worst = max(family, key=lambda t: rates[t.name].value or 0)
    rate, edits = rates[worst.name], edited[worst.name]
    flipped = edits.instances[edits.flips][:3]
    claim = Sentence(
        "Texts that are {written} often get another answer: {rate} of {rate.n} "
        "{rate.n:text|texts}. Our limit is {most:percent}.",
        written=worst.participle,
        rate=rate,
        most=_limit(worst),
    )
    similar = (
        Sentence(
            "Of texts that are {written}, {share:percent} get another answer.",
            written=transform.participle,
            share=rates[transform.name].value,
        )
        for transform in family
        if transform is not worst
    )
    return Finding(
        code="robustness.flips",
        subject=worst.family,
        claim=join_sentences(claim, *similar),
        severity="minor" if worst.visible else "major",
        size=rate.distance_from(0),
        measure=rate,
        evidence=("robustness", *(context.instances[row].id for row in flipped)),
        suggestion="Normalise the texts before the model reads them, both in training and in use, "
        "or train the model on texts that are written like this.",
    )


def _applicable(
    rows: Sequence[int], edited: dict[str, Intervention], edits: dict[str, list[Edit]]
) -> Table:
    return Table(
        title="To how many texts each change applies",
        columns=("change", "texts drawn", "texts changed", "texts without an answer"),
        rows=tuple((name, len(rows), len(edits[name]), edited[name].failed) for name in edits),
        note=Sentence(
            "A text that a change leaves as it is does not count. A typing error (typo), a letter "
            "misread in a scan (OCR), a stray accent (accent) or look-alike letters of another "
            "script (homoglyph) are put into one word of {shortest} letters or more in each part "
            "of a text.",
            shortest=SHORTEST_WORD,
        ),
    )


def _directional(edited: dict[str, Intervention]) -> tuple[Table, ...]:
    """Return how often a prediction survives that its text is negated."""
    rows: list[tuple[Cell, ...]] = []
    for transform in NEGATIONS:
        negated = edited[transform.name]
        if len(negated.instances):
            flips = negated.flip_rate(Sentence("answer changes, {change}", change=transform.name))
            _, moves = _leading(negated)
            shift = mean(
                "change of the predicted probability", moves.tolist(), "proportion", within=CHANGES
            )
            rows.append((transform.name, flips, shift))
    if not rows:
        return ()
    return (
        Table(
            title="Negation",
            columns=("change", "answer changes", "change of the predicted probability"),
            rows=tuple(rows),
            note="A 'not' is put after the first auxiliary verb, or taken out. Where the label "
            "depends on what a sentence states (an opinion, a conclusion), the answer should "
            "change; where it depends on the topic, it should not. For this reason the result is "
            "never reported as a finding. English texts only; of a pair, the second text.",
        ),
    )


def _worst(
    applied: Sequence[Transform],
    edited: dict[str, Intervention],
    edits: dict[str, list[Edit]],
    context: AuditContext,
) -> tuple[Table, ...]:
    """Return the flips that move a probability most, a few of each change."""
    ranked: list[tuple[float, tuple[Cell, ...]]] = []
    labels = context.model.labels
    for transform in applied:
        change = edited[transform.name]
        leading, moves = _leading(change)
        texts = dict(edits[transform.name])
        flips = np.flatnonzero(change.flips)
        for i in flips[np.argsort(moves[flips], kind="stable")][:MOST_OF_EACH]:
            row, after = int(change.instances[i]), change.after[i]
            p_before = probabilities(change.before[i][None], change.task)[0]
            p_after = probabilities(after[None], change.task)[0]
            best = int(change.rule.answers(after[None])[0])
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
            title="Largest changes of an answer",
            columns=(
                "instance", "change", "text before", "text after", "answer before",
                "its probability", "answer after", "its probability",
            ),
            rows=tuple(row for _, row in ranked[:MOST_LISTED]),
            note=Sentence(
                "For each change, up to {most} texts with another answer whose predicted "
                "probability changes most. Texts are shown around the first difference.",
                most=MOST_OF_EACH,
            ),
        ),
    )  # fmt: skip


def _around(parts: Sequence[str], edited: str | Sequence[str]) -> tuple[str, str]:
    """Return both texts around the first place in which they differ."""
    edited_parts = (edited,) if isinstance(edited, str) else edited
    before, after = next((a, b) for a, b in zip(parts, edited_parts, strict=True) if a != b)
    pairs = zip(before, after, strict=False)
    place = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(before), len(after)))
    start = max(0, place - CONTEXT)

    def excerpt(text: str) -> str:
        end = place + CONTEXT
        return ("… " if start else "") + text[start:end] + (" …" if len(text) > end else "")

    return excerpt(before), excerpt(after)
