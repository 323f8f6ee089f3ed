"""Labels that are probably wrong: how many, which for which, and in which group."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from explain.checks.base import AuditContext
from explain.checks.base.section_part import Part
from explain.checks.data.common import NOISE_LEVEL, SECTION
from explain.checks.data.group_noise import group_noise
from explain.checks.data.label_noise import LabelNoise, label_noise
from explain.checks.data.labels import MOST_LISTED, shown_text
from explain.checks.data.metrics import WRONG_LABELS, WRONG_LABELS_OF
from explain.record import Cell, Finding, InstanceRecord, Measure, Sentence, Table, join_sentences

__all__ = ["wrong_labels"]

LEAST_NOISE = 0.01
"""One label in a hundred that is wrong: with fewer, an accuracy is hardly off."""

LARGE_NOISE = 0.03
"""Three labels in a hundred: as much as better models differ by."""

FEWEST_ROWS = 50
"""Labelled rows below which no label is suspected: there are too few to learn what is usual."""

FEWEST_SURE = 0.2
"""Share of the texts that must tell their label almost surely. Models that are right on 35 to 65 %
of tweets are sure of 1 to 14 % of them, and their confident errors look like wrong labels; models
that are right on 77 to 99 % of sentences, pairs, questions and reviews are sure of 29 to 98 %."""

MOST_LABELS_COMPARED = 5_000
"""Labels up to which wrong ones are looked for: memory grows with their square, to 1 GB here."""

MOST_PAIRS = 6
"""Ordered pairs of labels that are listed: all of three labels."""

HALF_A_ROW = 0.5
"""Wrong labels of a pair below which it is not listed."""

CANNOT_TELL = (
    "Errors that follow the wording of the texts look like a rule and are not counted. A model "
    "that was trained on labels with the same errors may repeat them; then more labels are wrong."
)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Texts with one label that are probably of another."""

    given_label: str
    true_label: str
    n: float
    share: Measure


def wrong_labels(context: AuditContext) -> Part:
    """Return how many of the given labels are wrong, and the labels to read first."""
    rows = np.flatnonzero(context.labels >= 0)
    labels = context.labels[rows]
    if len(rows) < FEWEST_ROWS or len(np.unique(labels)) < 2:
        return Part()
    if (n_labels := len(context.model.labels)) > MOST_LABELS_COMPARED:
        return _too_many(n_labels)
    noise = label_noise(
        [context.instances[row].parts for row in rows.tolist()],
        labels,
        log_softmax(context.scores[rows], axis=1),
        context.rng(SECTION),
    )
    suspects = _suspects(context, rows)
    if noise.share_sure < FEWEST_SURE:
        return _too_few_sure(noise.share_sure) + Part(tables=(_list_of(context, suspects),))
    measure = noise.measure(WRONG_LABELS.title)
    pairs = _pairs(context, noise)
    part = Part(
        (measure,),
        (_pair_table(pairs, noise), _list_of(context, suspects)),
        _finding(measure, noise, pairs, suspects),
        sentence=_sentence(measure, noise),
    )
    return part + group_noise(context, rows, noise)


def _too_many(n_labels: int) -> Part:
    reason = Sentence(
        "the model has {n} labels; at most {most} can be compared with each other",
        n=n_labels,
        most=MOST_LABELS_COMPARED,
    )
    return _not_measured(reason)


def _too_few_sure(share: float) -> Part:
    return _not_measured(
        Sentence(
            "only {share:percent} of the texts tell their label almost surely, and "
            "{fewest:percent} must; otherwise hard texts look like wrong labels",
            share=share,
            fewest=FEWEST_SURE,
        )
    )


def _not_measured(reason: str) -> Part:
    rows = (("wrong labels", reason),)
    return Part(tables=(Table(title="Not measured", columns=("what", "reason"), rows=rows),))


def _condition(noise: LabelNoise) -> str:
    """Return what the estimate rests on, as it follows an "if"."""
    if noise.by_model:
        return Sentence("the model is right about the texts that it is surest of")
    return Sentence("the words of a text decide its label")


def _sentence(measure: Measure, noise: LabelNoise) -> str:
    """Return what the summary says of wrong labels."""
    said = (
        "If {condition}, between {share.lower:percent} and {share.upper:percent} of the labels are "
        "wrong."
    )
    if not measure.lower:
        said = (
            "If {condition}, at most {share.upper:percent} of the labels are wrong; there may be "
            "none."
        )
    return Sentence(said, condition=_condition(noise), share=measure)


def _pairs(context: AuditContext, noise: LabelNoise) -> list[_Pair]:
    """Return how many of the texts with one label are of another, the most frequent first."""
    names = context.model.labels
    listed = [pair for pair in noise.pairs() if pair[2] >= HALF_A_ROW][:MOST_PAIRS]

    def share(true_label: int, given_label: int) -> Measure:
        name = WRONG_LABELS_OF.name(given=names[given_label], true=names[true_label])
        return noise.of_pair(name, true_label, given_label)

    return [_Pair(names[given], names[true], n, share(true, given)) for true, given, n in listed]


def _pair_table(pairs: Sequence[_Pair], noise: LabelNoise) -> Table:
    return Table(
        title="Labels that are probably wrong",
        columns=("label given", "right label", "labels", "share of the labels given"),
        rows=tuple(
            (pair.given_label, pair.true_label, Sentence("about {n:.0f}", n=pair.n), pair.share)
            for pair in pairs
        ),
        note=join_sentences(
            Sentence("These numbers hold if {condition}.", condition=_condition(noise)), CANNOT_TELL
        ),
    )


def _suspects(context: AuditContext, rows: NDArray[np.int64]) -> list[InstanceRecord]:
    """Return the rows with a label that the model's probabilities speak against, the worst first.

    By confident learning (Northcutt et al. 2021). On 872 sentences of SST-2 with one label in
    twenty changed it named 83 % of those, and was right in 32 % of what it named. Of the labels as
    published it named 8 %. So it is a list to read, and its length says nothing.
    """
    from cleanlab.filter import find_label_issues

    with warnings.catch_warnings():
        # It warns of labels that occur once, which it leaves alone.
        warnings.simplefilter("ignore")
        ranked = find_label_issues(
            context.labels[rows],
            context.probabilities[rows],
            return_indices_ranked_by="self_confidence",
            n_jobs=1,
        )
    return [context.instances[rows[i]] for i in ranked]


def _list_of(context: AuditContext, suspects: Sequence[InstanceRecord]) -> Table:
    column = {label: i for i, label in enumerate(context.model.labels)}
    place = {instance.id: i for i, instance in enumerate(context.instances)}

    def row(instance: InstanceRecord) -> tuple[Cell, ...]:
        p = context.probabilities[place[instance.id], column[instance.label or ""]]
        return (*shown_text(instance), instance.label, instance.predicted, float(p))

    return Table(
        title="Suspected label errors",
        columns=("instance", "text", "given", "predicted", "probability of the given"),
        rows=tuple(map(row, suspects[:MOST_LISTED])),
        note=Sentence(
            "The {shown} least probable of the labels that the model's probabilities contradict "
            "(confident learning), to be read first. A confident error of the model looks the "
            "same, so the length of this list does not say how many labels are wrong.",
            shown=min(len(suspects), MOST_LISTED),
        ),
    )


def _finding(
    measure: Measure, noise: LabelNoise, pairs: Sequence[_Pair], suspects: Sequence[InstanceRecord]
) -> list[Finding]:
    """Return that labels are wrong, if more are than can be by chance."""
    everywhere = np.ones(measure.n, dtype=np.bool_)
    if noise.fit.p_value() > NOISE_LEVEL or (measure.lower or 0) < LEAST_NOISE:
        return []
    if not noise.is_confirmed(everywhere):
        return []
    most = ""
    if pairs:
        most = Sentence(
            "The most frequent error: of {share.n} texts labelled {given:quoted}, {share} are "
            "probably {true:quoted}.",
            share=pairs[0].share,
            given=pairs[0].given_label,
            true=pairs[0].true_label,
        )
    return [
        Finding(
            code="data.label_errors",
            claim=join_sentences(
                Sentence(
                    "If {condition}, about {wrong:.0f} of {share.n} labels are wrong ({share}).",
                    condition=_condition(noise),
                    wrong=(measure.value or 0.0) * measure.n,
                    share=measure,
                ),
                most,
            ),
            severity="major" if (measure.lower or 0) >= LARGE_NOISE else "minor",
            size=measure.distance_from(0),
            measure=measure,
            members=_pair_table(pairs, noise) if pairs else None,
            evidence=(SECTION, *(instance.id for instance in suspects[:3])),
            suggestion="Read the suspected label errors, at least the first ones, and correct them "
            "before you judge the model by them.",
        )
    ]
