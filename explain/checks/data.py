"""What the table holds, and what of it the model never reads."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.adapters.base import VocabularyClassifier
from explain.checks.base import LEVEL, AuditContext
from explain.checks.duplicates import MOST_COMPARED, MOST_KNOWN, NEAR, near_duplicates
from explain.checks.excerpt import excerpt
from explain.checks.label_noise import LabelNoise, label_noise
from explain.intervals import CONFIDENCE, count, proportion, resample
from explain.record import (
    Finding,
    HistogramFigure,
    InstanceLink,
    InstanceRecord,
    Measure,
    Section,
    Table,
)
from explain.spans import text_of
from explain.wording import estimated, percent

__all__ = ["DataCheck"]

MOST_BINS = 20
MOST_LISTED = 20

LARGE_SHARE = 0.05
"""One text in twenty that is read in part only, or token that is not known, matters to any use."""

LARGE_CONFLICT = 0.02
"""Labels that contradict each other on one text in fifty bound what any model can reach."""

LARGE_OVERLAP = 0.01
"""A text in a hundred that the model was trained on makes the measured performance too good."""

SURE = LEVEL / 8
"""Error of each of four findings, which leaves half of `LEVEL` to that of label noise."""

LEAST_NOISE = 0.01
"""One label in a hundred that contradicts its text: with fewer, an accuracy is hardly off."""

FEWEST_CUT = 10
"""Texts of a label that were cut, below which their accuracy says nothing."""

MOST_LABELS_COMPARED = 5_000
"""Labels up to which wrong ones are looked for: memory grows with their square, to 1 GB here."""

FEWEST_SUSPECTED = 50
"""Labelled rows below which no label is suspected: there are too few to learn what is usual."""

CHUNK = 1024
"""Texts that are tokenized at a time."""


@dataclass(frozen=True, slots=True)
class DataCheck:
    """Rows, labels, lengths, repeats, doubtful labels, and what the model cannot read."""

    id: ClassVar[str] = "data"
    title: ClassVar[str] = "Data"
    metrics: ClassVar[tuple[str, ...]] = (
        "texts cut at the model's limit",
        "texts that repeat an earlier one exactly",
        "texts that are almost the same as another",
        "texts that are labelled more than once, with conflicting labels",
        "suspected label errors",
        "labels that contradict their texts",
        "tokens that the model does not know",
        "texts that are in the training data",
    )

    def run(self, context: AuditContext) -> Section:
        """Return the counts of the table."""
        n, rows = len(context.instances), len(context.dataset.rows)
        cut = np.array([bool(instance.unread) for instance in context.instances])
        parts = [_repeats(context), _cut(context, cut), _special(context), _unknown(context)]
        parts += [_conflicts(context), _suspects(context), _overlap(context)]
        return Section(
            id=self.id,
            title=self.title,
            summary=_summary(n, rows, int(cut.sum())),
            measures=(
                count("rows", rows, rows),
                count("rows scored", n, rows),
                *(measure for part in parts for measure in part.measures),
            ),
            figures=(_lengths(context),),
            tables=tuple(
                table
                for table in (_labels(context), *(t for part in parts for t in part.tables))
                if table.rows
            ),
            findings=tuple(finding for part in parts for finding in part.findings),
        )


class _Part(NamedTuple):
    """What one look at the table gives."""

    measures: Sequence[Measure] = ()
    tables: Sequence[Table] = ()
    findings: Sequence[Finding] = ()


def _surely_above(hits: int, n: int, size: float) -> bool:
    """Tell whether a share lies above a size, with an error of `SURE` (exact binomial test)."""
    return n > 0 and bool(stats.binomtest(hits, n, size, alternative="greater").pvalue <= SURE)


def _summary(n: int, rows: int, cut: int) -> str:
    scored = f"{n:,} of {rows:,} rows were scored. "
    if cut:
        return scored + f"The model read {cut:,} texts only in part; what it never read is marked."
    return scored + "The model read every text to its end, as far as its tokenizer tells."


def _repeats(context: AuditContext) -> _Part:
    """Return texts that occur more than once, exactly or almost."""
    instances = context.instances
    first = {instance.parts: number for number, instance in reversed(list(enumerate(instances)))}
    distinct = sorted(first.values())
    if len(distinct) > MOST_COMPARED:
        chosen = context.rng(DataCheck.id).choice(len(distinct), MOST_COMPARED, replace=False)
        distinct = [distinct[i] for i in np.sort(chosen)]
    pairs = near_duplicates([instances[i].parts for i in distinct])
    alike = {number for pair in pairs for number in (pair.one, pair.other)}
    return _Part(
        measures=(
            proportion(
                "texts that repeat an earlier one exactly",
                len(instances) - len(first),
                len(instances),
            ),
            proportion(
                "texts that are almost the same as another", len(alike), len(distinct), "distinct"
            ),
        ),
        tables=(
            Table(
                title="Almost the same",
                columns=("instance", "text", "instance", "text", "similarity"),
                rows=tuple(
                    (*_shown(instances[distinct[i]]), *_shown(instances[distinct[j]]), similarity)
                    for i, j, similarity in pairs[:MOST_LISTED]
                ),
                note=f"The {min(len(pairs), MOST_LISTED)} most similar of {len(pairs):,} pairs "
                f"with a similarity of {NEAR} or more: cosine of the TF-IDF weights of three "
                f"characters in a row, whatever the order of the words. Compared were "
                f"{len(distinct):,} distinct texts.",
            ),
        ),
    )


def _shown(instance: InstanceRecord) -> tuple[InstanceLink, str]:
    return InstanceLink(instance=instance.id), excerpt(instance.parts)


def _special(context: AuditContext) -> _Part:
    """Return texts in which special tokens of the model are written out."""
    tokens = context.model.facts.get("special tokens", [])
    special = [str(token) for token in tokens] if isinstance(tokens, list) else []
    if not special:
        return _Part()
    literal = sum(
        any(token in part for token in special for part in instance.parts)
        for instance in context.instances
    )
    name = "texts with a special token of the model written out"
    return _Part((proportion(name, literal, len(context.instances)),))


def _unknown(context: AuditContext) -> _Part:
    """Return what the model reads as unknown, where its adapter tells."""
    model = context.engine.classifier
    if not isinstance(model, VocabularyClassifier):
        return _Part()
    texts = [text_of(instance.parts) for instance in context.instances]
    counts = np.array(
        [
            pair
            for start in range(0, len(texts), CHUNK)
            for pair in model.unknown(texts[start : start + CHUNK])
        ]
    )
    if not counts.any():
        return _Part()
    resampled = resample(counts, context.rng(DataCheck.id))
    name = "tokens that the model does not know"

    def share(confidence: float) -> Measure:
        return resampled.measure(
            name, lambda sums: sums[..., 0] / sums[..., 1], "proportion", confidence=confidence
        )

    measured, surely = share(CONFIDENCE), share(1 - 2 * SURE)
    found = []
    if surely.lower is not None and surely.lower > LARGE_SHARE:
        found.append(
            Finding(
                claim=f"The model does not know {estimated(measured)} of the tokens that it is "
                f"given (n = {measured.n:,} texts): it reads one sign for all of them.",
                severity="major",
                measure=measured,
                evidence=(DataCheck.id,),
                suggestion="Check language, script and upper case of the texts against those that "
                "the tokenizer was made for.",
            )
        )
    some = int((counts[:, 0] > 0).sum())
    return _Part(
        (measured, proportion("texts with a token that the model does not know", some, len(texts))),
        findings=found,
    )


def _conflicts(context: AuditContext) -> _Part:
    """Return the texts that are labelled more than once, and not alike."""
    labels: dict[tuple[str, ...], list[InstanceRecord]] = {}
    for instance in context.instances:
        if _given(instance) is not None:
            labels.setdefault(instance.parts, []).append(instance)
    repeated = [same for same in labels.values() if len(same) > 1]
    if not repeated:
        return _Part()
    torn = [same for same in repeated if len({frozenset(_given(i) or ()) for i in same}) > 1]
    measure = proportion(
        "texts that are labelled more than once, with conflicting labels", len(torn), len(repeated)
    )
    rows, n = sum(map(len, torn)), sum(map(len, labels.values()))
    found = []
    if _surely_above(rows, n, LARGE_CONFLICT):
        share = proportion("rows whose text has another label elsewhere", rows, n)
        found.append(
            Finding(
                claim=f"{estimated(share)} of the labelled rows contradict another row with the "
                f"very same text (n = {n:,}).",
                severity="minor",
                measure=share,
                evidence=(DataCheck.id, *(same[0].id for same in torn[:3])),
                suggestion="Decide on one label for each of these texts before the model is judged "
                "by them.",
            )
        )
    return _Part((measure,), findings=found)


def _suspects(context: AuditContext) -> _Part:
    """Return the given labels that the model's probabilities speak against.

    By confident learning (Northcutt et al. 2021). On 872 sentences of SST-2 with one label in
    twenty turned over it named 83 % of those, and was right in 32 % of what it named; with
    out-of-fold probabilities of a TF-IDF model instead of a fine-tuned one in 10 %. Of the labels
    as published it named 8 %. So it is a list to read; the finding is that of `label_noise`, which
    does not ask the audited model.
    """
    rows = np.flatnonzero(context.given >= 0)
    labels = context.given[rows]
    if len(rows) < FEWEST_SUSPECTED or len(np.unique(labels)) < 2:
        return _Part()
    if (n_labels := len(context.model.labels)) > MOST_LABELS_COMPARED:
        reason = f"the model has {n_labels:,} labels, of which each is compared with each; at most "
        return _Part(
            tables=(
                Table(
                    title="Not measured",
                    columns=("what", "reason"),
                    rows=(("wrong labels", f"{reason}{MOST_LABELS_COMPARED:,} are"),),
                ),
            )
        )
    from cleanlab.filter import find_label_issues

    with warnings.catch_warnings():
        # It warns of labels that occur once, which it leaves alone.
        warnings.simplefilter("ignore")
        ranked = find_label_issues(
            labels,
            context.probabilities[rows],
            return_indices_ranked_by="self_confidence",
            n_jobs=1,
        )
    suspects = [context.instances[rows[i]] for i in ranked]
    noise = label_noise(
        [context.instances[row].parts for row in rows.tolist()],
        labels,
        context.rng(DataCheck.id),
    )
    believed = context.probabilities[rows, labels][ranked]
    return _Part(
        (proportion("suspected label errors", len(suspects), len(rows)), noise.measure),
        (
            Table(
                title="Suspected label errors",
                columns=("instance", "text", "given", "predicted", "probability of the given"),
                rows=tuple(
                    (*_shown(instance), instance.label, instance.predicted, float(p))
                    for instance, p in zip(
                        suspects[:MOST_LISTED], believed[:MOST_LISTED], strict=True
                    )
                ),
                note=f"The {min(len(suspects), MOST_LISTED)} least probable of {len(suspects):,} "
                "labels that the model's probabilities speak against (confident learning). A "
                "confident error of the model looks the same: read them.",
            ),
        ),
        _noisy(noise, suspects),
    )


def _noisy(noise: LabelNoise, suspects: Sequence[InstanceRecord]) -> list[Finding]:
    """Return that labels contradict their texts, if more do than can be by chance."""
    measure = noise.measure
    if noise.p_value > LEVEL / 2 or (measure.lower or 0) < LEAST_NOISE:
        return []
    return [
        Finding(
            claim=f"About {estimated(measure)} of the given labels "
            "contradict what the other rows say of such texts: they look wrong "
            f"(n = {measure.n:,}).",
            severity="minor",
            measure=measure,
            evidence=(DataCheck.id, *(instance.id for instance in suspects[:3])),
            suggestion="Read the suspected label errors, the first ones at least, and correct them "
            "before the model is judged by them.",
        )
    ]


def _overlap(context: AuditContext) -> _Part:
    """Return the texts that the model was trained on, exactly or almost, as far as is known."""
    if context.training is None:
        return _Part()
    known = dict.fromkeys(row.parts for row in context.training.rows if row.problem is None)
    if not known:
        return _Part()
    instances, n = context.instances, len(context.instances)
    seen = np.array([instance.parts in known for instance in instances])
    rng, training = context.rng(DataCheck.id), list(known)
    if len(training) > MOST_KNOWN:
        drawn = rng.choice(len(training), MOST_KNOWN, replace=False)
        training = [training[i] for i in np.sort(drawn)]
    new = [number for number in range(n) if not seen[number]]
    if len(new) > MOST_COMPARED:
        new = [new[i] for i in np.sort(rng.choice(len(new), MOST_COMPARED, replace=False))]
    alike = near_duplicates([instances[i].parts for i in new], training)
    nearest = {pair.one: pair for pair in reversed(alike)}
    exact = proportion("texts that are in the training data", int(seen.sum()), n)
    measures = [
        exact,
        proportion(
            "texts that are almost in the training data",
            len(nearest),
            len(new),
            "not in the training data",
        ),
    ]
    right = context.predicted == context.given
    judged = ""
    labelled = context.given >= 0
    apart = [
        proportion("accuracy", int(right[own].sum()), int(own.sum()), name)
        for name, own in (
            ("in the training data", seen & labelled),
            ("not in the training data", ~seen & labelled),
        )
    ]
    if all(measure.n for measure in apart):
        measures += apart
        judged = (
            f" It is right on {estimated(apart[0])} of those, and on {estimated(apart[1])} "
            "of the others."
        )
    found = []
    if _surely_above(int(seen.sum()), n, LARGE_OVERLAP):
        found.append(
            Finding(
                claim=f"{estimated(exact)} of the texts are in the training data (n = {n:,})."
                + judged,
                severity="critical",
                measure=exact,
                evidence=(DataCheck.id, *(instances[i].id for i in np.flatnonzero(seen)[:3])),
                suggestion="Measure the model again without these texts: on them it may remember "
                "rather than judge.",
            )
        )
    shown = [nearest[i] for i in sorted(nearest, key=lambda i: -nearest[i].similarity)]
    return _Part(
        measures,
        (
            Table(
                title="Almost in the training data",
                columns=("instance", "text", "text of the training data", "similarity"),
                rows=tuple(
                    (*_shown(instances[new[i]]), excerpt(training[j]), similarity)
                    for i, j, similarity in shown[:MOST_LISTED]
                ),
                note=f"The {min(len(shown), MOST_LISTED)} most similar of {len(shown):,}; compared "
                f"with {len(training):,} texts of the training data.",
            ),
        ),
        found,
    )


def _given(instance: InstanceRecord) -> tuple[str, ...] | None:
    """Return all labels that the table gives a text; None if it says nothing."""
    return instance.given if instance.label is None else (instance.label,)


def _predicted(instance: InstanceRecord) -> tuple[str, ...]:
    """Return all labels that the model gives a text."""
    if instance.predictions is None:
        return (instance.predicted,)
    return tuple(prediction.label for prediction in instance.predictions)


def _lengths(context: AuditContext) -> HistogramFigure:
    lengths = [len(spans) for spans in context.words]
    width = ceil((max(lengths) - min(lengths) + 1) / MOST_BINS)
    edges = np.arange(min(lengths), max(lengths) + width + 1, width)
    counts, edges = np.histogram(lengths, bins=edges)
    return HistogramFigure(
        title="Length of the texts",
        description=(
            f"Words and marks per text: median {np.median(lengths):.0f}, "
            f"from {min(lengths)} to {max(lengths)}."
        ),
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        axis="words and marks",
    )


def _labels(context: AuditContext) -> Table:
    """Return how often each label is given and predicted; a regression has none to count."""
    if context.model.task == "regression":
        return Table(title="Labels", columns=(), rows=())
    known = [labels for i in context.instances if (labels := _given(i)) is not None]
    given = Counter(label for labels in known for label in labels)
    predicted = Counter(label for i in context.instances for label in _predicted(i))
    labelled, n = context.dataset.labelled, len(context.instances)

    def row(label: str) -> tuple[str | Measure, ...]:
        said = proportion(f"predicted {label}", predicted[label], n)
        if not labelled:
            return label, said
        return label, proportion(f"given {label}", given[label], len(known)), said

    given_column = ("given",) if labelled else ()
    ordered, order = list(context.model.labels), ""
    if len(ordered) > MOST_LISTED:
        ordered.sort(key=lambda label: (-given[label], -predicted[label]))
        order = " The most frequent labels first."
    return Table(
        title="Labels",
        columns=("label", *given_column, "predicted"),
        rows=tuple(map(row, ordered)),
        note=f"Share of the rows, with its interval.{order}",
    )


def _cut(context: AuditContext, cut: NDArray[np.bool_]) -> _Part:
    """Return the texts that the model reads only in part, and how right it is on them."""
    share = proportion("texts cut at the model's limit", int(cut.sum()), len(cut))
    lost = {
        instance.id: sum(span.end - span.start for span in instance.unread)
        for instance in context.instances
        if instance.unread
    }
    total = {i.id: sum(map(len, i.parts)) for i in context.instances}
    worst = sorted(lost, key=lambda id_: -lost[id_])[:MOST_LISTED]
    listed = Table(
        title="Texts that were cut",
        columns=("instance", "characters never read", "of"),
        rows=tuple((InstanceLink(instance=id_), lost[id_], total[id_]) for id_ in worst),
        note=f"The {len(worst)} that lost most, of {len(lost)}.",
    )
    found = []
    if _surely_above(int(cut.sum()), len(cut), LARGE_SHARE):
        unread = sum(lost.values()) / sum(total[id_] for id_ in lost)
        found.append(
            Finding(
                claim=f"The model never reads the whole of {estimated(share)} of the texts "
                f"(n = {len(cut):,}): of these it misses {percent(unread)} of the characters.",
                severity="major",
                measure=share,
                evidence=(DataCheck.id, *worst[:3]),
                suggestion="Use a model that reads longer texts, score them in windows "
                "(long_text='windows'), or keep such texts from it.",
            )
        )
    return _Part((share,), (listed, _right_when_cut(context, cut)), found)


def _right_when_cut(context: AuditContext, cut: NDArray[np.bool_]) -> Table:
    """Return the accuracy on the texts of each label that were cut, beside that on the others."""
    right = context.predicted == context.given

    def row(name: str, own: NDArray[np.bool_]) -> tuple[str | Measure, ...] | None:
        if (own & cut).sum() < FEWEST_CUT:
            return None
        return (
            name,
            *(
                proportion(f"accuracy on {name}", int(right[among].sum()), int(among.sum()), which)
                for which, among in (("cut", own & cut), ("read whole", own & ~cut))
            ),
        )

    rows = [row("all labels", context.given >= 0)]
    rows += [row(label, context.given == i) for i, label in enumerate(context.model.labels)]
    return Table(
        title="Accuracy on texts that were cut",
        columns=("label", "cut", "read whole"),
        rows=tuple(filter(None, rows)),
        note=f"Labels with at least {FEWEST_CUT} texts that were cut.",
    )
