"""What the table holds, and what of it the model never reads."""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from explain.adapters.base import VocabularyClassifier
from explain.checks.base import AuditContext
from explain.checks.base.section_part import Part
from explain.checks.data.common import FINDING_LEVEL, SECTION, labels_predicted
from explain.checks.data.duplicates import MOST_COMPARED, NEAR, near_duplicates
from explain.checks.data.labels import MOST_LISTED, conflicting_labels, shown_text
from explain.checks.data.lengths import LARGE_SHARE, cut_texts, histogram_of_lengths
from explain.checks.data.metrics import (
    ACCURACY_GAP,
    CONFLICTING_LABELS,
    CUT_TEXTS,
    NEAR_COPIES,
    NEAR_TRAINING_COPIES,
    REPEATED_TEXTS,
    TRAINING_OVERLAP,
    UNKNOWN_TOKENS,
    WRONG_LABELS,
    WRONG_LABELS_GAP,
    WRONG_LABELS_OF,
)
from explain.checks.data.overlap import overlap_with_training
from explain.checks.data.wrong_labels import wrong_labels
from explain.record import Finding, Measure, MetricSpec, Section, Sentence, Table, join_sentences
from explain.statistics.bootstrap import CONFIDENCE, resample
from explain.statistics.intervals import count, proportion
from explain.text.spans import text_of

__all__ = ["DataCheck"]

CHUNK = 1024
"""Texts that are tokenized at a time."""


@dataclass(frozen=True, slots=True)
class DataCheck:
    """Rows, labels, lengths, repeats, doubtful labels, and what the model cannot read."""

    id: ClassVar[str] = SECTION
    title: ClassVar[str] = "Data"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (
        CUT_TEXTS,
        REPEATED_TEXTS,
        NEAR_COPIES,
        CONFLICTING_LABELS,
        WRONG_LABELS,
        WRONG_LABELS_OF,
        WRONG_LABELS_GAP,
        UNKNOWN_TOKENS,
        TRAINING_OVERLAP,
        NEAR_TRAINING_COPIES,
        ACCURACY_GAP,
    )

    def run(self, context: AuditContext) -> Section:
        """Return the counts of the table."""
        n, rows = len(context.instances), len(context.dataset.rows)
        cut = np.array([bool(instance.unread) for instance in context.instances])
        parts = [_repeats(context), cut_texts(context, cut), _special(context), _unknown(context)]
        parts += [
            conflicting_labels(context),
            wrong_labels(context),
            overlap_with_training(context),
        ]
        whole = sum(parts, Part())
        return Section(
            id=self.id,
            title=self.title,
            summary=join_sentences(_summary(n, rows, int(cut.sum())), whole.sentence),
            measures=(
                count("rows", rows, rows),
                count("rows scored", n, rows),
                *whole.measures,
            ),
            figures=(histogram_of_lengths(context),),
            tables=tuple(table for table in (_labels(context), *whole.tables) if table.rows),
            findings=tuple(whole.findings),
        )


def _summary(n: int, rows: int, cut: int) -> str:
    reading = "The model read every text to its end, as far as its tokenizer tells."
    if cut:
        reading = Sentence(
            "The model read {cut} {cut:text|texts} only in part; what it never read is marked.",
            cut=cut,
        )
    return join_sentences(
        Sentence("{n} of {rows} {rows:row was|rows were} scored.", n=n, rows=rows), reading
    )


def _repeats(context: AuditContext) -> Part:
    """Return texts that occur more than once, exactly or almost."""
    instances = context.instances
    first = {instance.parts: number for number, instance in reversed(list(enumerate(instances)))}
    distinct = sorted(first.values())
    if len(distinct) > MOST_COMPARED:
        chosen = context.rng(SECTION).choice(len(distinct), MOST_COMPARED, replace=False)
        distinct = [distinct[i] for i in np.sort(chosen)]
    pairs = near_duplicates([instances[i].parts for i in distinct])
    near_copies = {number for pair in pairs for number in (pair.first, pair.second)}
    return Part(
        measures=(
            proportion(
                REPEATED_TEXTS.title,
                len(instances) - len(first),
                len(instances),
            ),
            proportion(NEAR_COPIES.title, len(near_copies), len(distinct), "distinct texts"),
        ),
        tables=(
            Table(
                title="Texts that are almost the same",
                columns=("instance", "text", "instance", "text", "similarity"),
                rows=tuple(
                    (
                        *shown_text(instances[distinct[i]]),
                        *shown_text(instances[distinct[j]]),
                        similarity,
                    )
                    for i, j, similarity in pairs[:MOST_LISTED]
                ),
                note=Sentence(
                    "The {shown} most similar of {pairs} {pairs:pair|pairs} with a similarity of "
                    "{least} or more. We compared {texts} distinct texts. Similarity is the cosine "
                    "of the TF-IDF weights of three characters in a row; the order of the words "
                    "does not matter.",
                    shown=min(len(pairs), MOST_LISTED),
                    pairs=len(pairs),
                    least=NEAR,
                    texts=len(distinct),
                ),
            ),
        ),
    )


def _special(context: AuditContext) -> Part:
    """Return texts in which special tokens of the model are written out."""
    tokens = context.model.facts.get("special tokens", [])
    special = [str(token) for token in tokens] if isinstance(tokens, list) else []
    if not special:
        return Part()
    literal = sum(
        any(token in part for token in special for part in instance.parts)
        for instance in context.instances
    )
    name = "texts that contain a special token of the model"
    return Part((proportion(name, literal, len(context.instances)),))


def _unknown(context: AuditContext) -> Part:
    """Return what the model reads as unknown, where its adapter tells."""
    model = context.engine.classifier
    if not isinstance(model, VocabularyClassifier):
        return Part()
    texts = [text_of(instance.parts) for instance in context.instances]
    counts = np.array(
        [
            pair
            for start in range(0, len(texts), CHUNK)
            for pair in model.unknown(texts[start : start + CHUNK])
        ]
    )
    if not counts.any():
        return Part()
    resampled = resample(counts, context.rng(SECTION))
    name = UNKNOWN_TOKENS.title

    def share(confidence: float) -> Measure:
        return resampled.measure(
            name, lambda sums: sums[..., 0] / sums[..., 1], "proportion", confidence=confidence
        )

    measured, at_level = share(CONFIDENCE), share(1 - 2 * FINDING_LEVEL)
    findings = []
    if at_level.lower is not None and at_level.lower > LARGE_SHARE:
        findings.append(
            Finding(
                code="data.unknown_tokens",
                claim=Sentence(
                    "The model does not know {share} of the tokens in these texts (n = {share.n} "
                    "texts). It reads the same placeholder for all of them.",
                    share=measured,
                ),
                severity="major",
                size=measured.distance_from(0),
                measure=measured,
                evidence=(SECTION,),
                suggestion="Check that language, script and upper case of the texts are those that "
                "the tokenizer was made for.",
            )
        )
    affected = int((counts[:, 0] > 0).sum())
    name = "texts with a token that the model does not know"
    return Part(
        (measured, proportion(name, affected, len(texts))),
        findings=findings,
    )


def _labels(context: AuditContext) -> Table:
    """Return how often each label is given and predicted; a regression has none to count."""
    if context.model.task == "regression":
        return Table(title="Labels", columns=(), rows=())
    labelled = [i.labels for i in context.instances if i.labels is not None]
    given = Counter(label for labels in labelled for label in labels)
    predicted = Counter(label for i in context.instances for label in labels_predicted(i))
    has_labels, n = context.dataset.has_labels, len(context.instances)

    def row(label: str) -> tuple[str | Measure, ...]:
        name = Sentence("predicted {label}", label=label)
        share = proportion(name, predicted[label], n)
        if not has_labels:
            return label, share
        name = Sentence("labelled {label}", label=label)
        return label, proportion(name, given[label], len(labelled)), share

    given_column = ("given",) if has_labels else ()
    ordered, order = list(context.model.labels), ""
    if len(ordered) > MOST_LISTED:
        ordered.sort(key=lambda label: (-given[label], -predicted[label]))
        order = "The most frequent labels come first."
    return Table(
        title="Labels",
        columns=("label", *given_column, "predicted"),
        rows=tuple(map(row, ordered)),
        note=join_sentences("Share of the rows, with its interval.", order),
    )
