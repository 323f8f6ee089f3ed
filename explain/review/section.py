"""The section of a report that says what reviewers found."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np

from explain.record import (
    AuditRecord,
    Cell,
    Finding,
    InstanceLink,
    InstanceRecord,
    Measure,
    MetricSpec,
    ReviewLine,
    Section,
    Sentence,
    Table,
    join_sentences,
)
from explain.review.judgements import by_instance, judgements
from explain.statistics.intervals import proportion
from explain.statistics.reviewer_agreement import cohens_kappa, krippendorffs_alpha

__all__ = ["RANDOM", "reviews_section"]

RANDOM: Final = "random"
"""Stratum of the instances that stand for all rows: only they tell how often something is wrong."""

MODEL_ERRORS: Final = MetricSpec(
    id="reviews.model_errors", title="predictions that reviewers call wrong", better="lower"
)
LABEL_ERRORS: Final = MetricSpec(
    id="reviews.label_errors", title="labels of the table that reviewers contradict", better="lower"
)
CHANGED_MINDS: Final = MetricSpec(
    id="reviews.changed_minds",
    title="predictions accepted against the reviewer's own label, given before",
    better="lower",
)
KAPPA: Final = MetricSpec(
    id="reviews.kappa",
    title="Cohen's kappa of {first} and {second}",
    unit="coefficient",
    low=-1.0,
    better="higher",
)
ALPHA: Final = MetricSpec(
    id="reviews.alpha",
    title="Krippendorff's alpha of all reviewers",
    unit="coefficient",
    low=None,
    better="higher",
)
METRICS: Final = (MODEL_ERRORS, LABEL_ERRORS, CHANGED_MINDS, KAPPA, ALPHA)

VERDICTS: Final = ("correct", "wrong_reason", "wrong_label", "unsafe", "ambiguous", "skip")

Lines = Mapping[str, Mapping[str, ReviewLine]]


def reviews_section(record: AuditRecord, lines: Sequence[ReviewLine]) -> Section:
    """Return what reviewers say of the model and its labels, and how far they agree."""
    reviews = by_instance(lines)
    reviewers = sorted({line.reviewer for line in lines})
    reviewed = [instance for instance in record.instances if instance.id in reviews]
    random_instances = [instance for instance in reviewed if instance.stratum == RANDOM]
    rates = _rates(reviews, random_instances)
    return Section(
        id="reviews",
        title="Reviews by people",
        summary=_summary(len(reviewers), len(reviewed), len(random_instances), rates),
        measures=(*rates, *_changed_minds(lines, record), *_agreement(reviews, reviewers)),
        findings=_unsafe(lines),
        tables=(_counts(lines, reviewers), _verdicts(reviews, reviewers, reviewed)),
    ).with_metrics(METRICS)


def _summary(n_reviewers: int, n_reviewed: int, n_drawn: int, rates: Sequence[Measure]) -> str:
    said = [
        Sentence(template, rate=rate)
        for rate, template in zip(
            rates,
            (
                "Of all predictions, they would call {rate} wrong.",
                "They contradict {rate} of the labels.",
            ),
            strict=True,
        )
        if rate.value is not None
    ]
    return join_sentences(
        Sentence(
            "{n} {n:person|people} reviewed {k} {k:prediction|predictions}; {m} of these were "
            "drawn at random.",
            n=n_reviewers,
            k=n_reviewed,
            m=n_drawn,
        ),
        *said,
        "" if said else "How often the model is wrong cannot be told from these reviews.",
    )


def _rates(reviews: Lines, random_instances: Sequence[InstanceRecord]) -> list[Measure]:
    """Return how often the majority calls the model, and the label, wrong, where it decides."""
    return [
        proportion(metric.title, answers.count(True), len(answers) - answers.count(None))
        for metric, answers in zip(
            (MODEL_ERRORS, LABEL_ERRORS), judgements(reviews, random_instances), strict=True
        )
    ]


def _changed_minds(lines: Sequence[ReviewLine], record: AuditRecord) -> Iterator[Measure]:
    """Yield how often who had given another label accepts that of the model all the same."""
    if record.provenance.model.task != "single_label":
        return
    predicted = {instance.id: instance.predicted for instance in record.instances}
    other = [
        line
        for line in lines
        if line.blinded and line.label is not None and line.label != predicted[line.instance]
    ]
    accepted = sum(line.verdict in ("correct", "wrong_reason") for line in other)
    yield proportion(CHANGED_MINDS.title, accepted, len(other))


def _agreement(reviews: Lines, reviewers: Sequence[str]) -> Iterator[Measure]:
    if len(reviewers) < 2:
        return
    codings = [
        [_coding(reviews[instance].get(reviewer)) for reviewer in reviewers]
        for instance in sorted(reviews)
    ]
    yield krippendorffs_alpha(ALPHA.title, codings, np.random.default_rng(0))
    for first, second in combinations(range(len(reviewers)), 2):
        pairs = [
            (a, b)
            for coding in codings
            if (a := coding[first]) is not None and (b := coding[second]) is not None
        ]
        if pairs:
            name = KAPPA.name(first=reviewers[first], second=reviewers[second])
            yield cohens_kappa(name, [a for a, _ in pairs], [b for _, b in pairs])


def _coding(line: ReviewLine | None) -> str | None:
    return None if line is None or line.verdict == "skip" else line.verdict


def _unsafe(lines: Sequence[ReviewLine]) -> tuple[Finding, ...]:
    """Return the finding that somebody calls an answer unsafe; one person is enough."""
    instances = list(dict.fromkeys(line.instance for line in lines if line.verdict == "unsafe"))
    if not instances:
        return ()
    return (
        Finding(
            code="reviews.unsafe",
            claim=Sentence(
                "Reviewers call {n} {n:prediction|predictions} unsafe.", n=len(instances)
            ),
            severity="critical",
            size=None,
            measure=None,
            evidence=("reviews", *instances),
            suggestion="Read their notes, and decide whether the model may be used at all.",
        ),
    )


def _counts(lines: Sequence[ReviewLine], reviewers: Sequence[str]) -> Table:
    counts = Counter((line.reviewer, line.verdict) for line in lines)
    blinded = Counter(line.reviewer for line in lines if line.blinded)
    return Table(
        title="Verdicts of each reviewer",
        columns=("reviewer", *(verdict.replace("_", " ") for verdict in VERDICTS), "blinded"),
        rows=tuple(
            (reviewer, *(counts[reviewer, verdict] for verdict in VERDICTS), blinded[reviewer])
            for reviewer in reviewers
        ),
        note=(
            "Correct and wrong reason: the label is right. Wrong label and unsafe: it is not. "
            "Ambiguous and skip leave it open. Blinded: the answer of the model was hidden first."
        ),
    )


def _verdicts(
    reviews: Lines, reviewers: Sequence[str], reviewed: Sequence[InstanceRecord]
) -> Table:
    def cells(instance: InstanceRecord) -> Iterator[Cell]:
        yield InstanceLink(instance=instance.id)
        yield instance.stratum
        yield instance.predicted
        yield instance.label
        for reviewer in reviewers:
            line = reviews[instance.id].get(reviewer)
            yield None if line is None else _described(line)

    return Table(
        title="What each reviewer says",
        columns=("instance", "chosen as", "model", "label in the table", *reviewers),
        rows=tuple(tuple(cells(instance)) for instance in reviewed),
    )


def _described(line: ReviewLine) -> str:
    verdict = Sentence(line.verdict.replace("_", " "))
    return join_sentences(
        Sentence("{verdict}, own label {label}", verdict=verdict, label=line.label)
        if line.label is not None
        else verdict,
        Sentence("reason: {reason}", reason=line.reason.replace("_", " ")) if line.reason else "",
        Sentence("{note}", note=line.note) if line.note else "",
        by="; ",
    )
