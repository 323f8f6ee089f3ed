"""How long texts are, and what of them is cut."""

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.base.section_part import Part
from explain.checks.data.accuracy_gap import AccuracyGap, accuracy_gap
from explain.checks.data.common import SECTION, significantly_above
from explain.checks.data.labels import MOST_LISTED
from explain.checks.data.metrics import CUT_TEXTS
from explain.record import (
    Finding,
    HistogramFigure,
    InstanceLink,
    Measure,
    Sentence,
    Table,
    join_sentences,
)
from explain.statistics.intervals import proportion

__all__ = ["LARGE_SHARE", "cut_texts", "histogram_of_lengths"]

MOST_BINS = 20

LARGE_SHARE = 0.05
"""One text in twenty that is read in part only, or token that is not known, matters to any use."""

FEWEST_CUT = 10
"""Texts of a label that were cut, below which their accuracy says nothing."""


def histogram_of_lengths(context: AuditContext) -> HistogramFigure:
    """Return how many words the texts have."""
    lengths = [len(spans) for spans in context.words]
    width = ceil((max(lengths) - min(lengths) + 1) / MOST_BINS)
    edges = np.arange(min(lengths), max(lengths) + width + 1, width)
    counts, edges = np.histogram(lengths, bins=edges)
    return HistogramFigure(
        title="Length of the texts",
        description=Sentence(
            "Words and punctuation marks per text: median {median:.0f}, from {least} to {most}.",
            median=float(np.median(lengths)),
            least=min(lengths),
            most=max(lengths),
        ),
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        axis="words and punctuation marks",
    )


def cut_texts(context: AuditContext, cut: NDArray[np.bool_]) -> Part:
    """Return the texts that the model reads only in part, and how right it is on them."""
    share = proportion(CUT_TEXTS.title, int(cut.sum()), len(cut))
    unread_by_id = {
        instance.id: sum(span.end - span.start for span in instance.unread)
        for instance in context.instances
        if instance.unread
    }
    total = {i.id: sum(map(len, i.parts)) for i in context.instances}
    worst = sorted(unread_by_id, key=lambda id_: -unread_by_id[id_])[:MOST_LISTED]
    listed = Table(
        title="Texts that were cut",
        columns=("instance", "characters never read", "of"),
        rows=tuple((InstanceLink(instance=id_), unread_by_id[id_], total[id_]) for id_ in worst),
        note=Sentence(
            "The {shown} of {n} {n:text|texts} that lost most.",
            shown=len(worst),
            n=len(unread_by_id),
        ),
    )
    gap = accuracy_gap(context, cut, ~cut, ("cut", "read to the end"))
    by_label = _accuracy_when_cut(context, cut)
    tables = (listed, *_whole(gap), by_label)
    return Part((share,), tables, _finding(share, gap, unread_by_id, total, worst))


def _whole(gap: AccuracyGap | None) -> tuple[Table, ...]:
    if gap is None:
        return ()
    return (
        gap.table(
            "Accuracy on texts that were cut, and on the others",
            join_sentences(
                gap.power(),
                "Long texts may be harder to tell even for a model that reads them to the end.",
            ),
        ),
    )


def _finding(
    share: Measure,
    gap: AccuracyGap | None,
    unread_by_id: Mapping[str, int],
    total: Mapping[str, int],
    worst: Sequence[str],
) -> list[Finding]:
    """Return that many texts are cut, or that the model is worse on those that are."""
    is_worse = gap is not None and gap.is_worse()
    if not is_worse and not significantly_above(len(unread_by_id), share.n, LARGE_SHARE):
        return []
    measure = gap.gap if gap is not None and is_worse else share
    return [
        Finding(
            code="data.cut_texts",
            claim=join_sentences(
                Sentence(
                    "The model does not read {cut} of {share.n} texts to the end ({share}). Of "
                    "these texts it misses {unread:percent} of the characters.",
                    cut=len(unread_by_id),
                    share=share,
                    unread=sum(unread_by_id.values()) / sum(total[id_] for id_ in unread_by_id),
                ),
                gap.sentence() if gap else "",
            ),
            severity="major",
            size=measure.distance_from(0),
            measure=measure,
            evidence=(SECTION, *worst[:3]),
            suggestion="Use a model that reads longer texts, score them in windows "
            "(long_text='windows'), or do not give it texts of this length.",
        )
    ]


def _accuracy_when_cut(context: AuditContext, cut: NDArray[np.bool_]) -> Table:
    """Return the accuracy on the texts of each label that were cut, and on those that were not."""
    right = context.predicted == context.labels

    def row(label: str, members: NDArray[np.bool_]) -> tuple[str | Measure, ...] | None:
        if (members & cut).sum() < FEWEST_CUT:
            return None
        name = Sentence("accuracy on {label}", label=label)
        return (
            label,
            *(
                proportion(name, int(right[among].sum()), int(among.sum()), slice_)
                for slice_, among in (("cut", members & cut), ("read to the end", members & ~cut))
            ),
        )

    rows = [row(label, context.labels == i) for i, label in enumerate(context.model.labels)]
    return Table(
        title="Accuracy on texts of each label that were cut",
        columns=("label", "cut", "read to the end"),
        rows=tuple(filter(None, rows)),
        note=Sentence("Labels with at least {fewest} texts that were cut.", fewest=FEWEST_CUT),
    )
