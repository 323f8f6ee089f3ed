"""How long texts are, and what of them is cut."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.base.part import Part
from explain.checks.data.common import SECTION, surely_above
from explain.checks.data.labels import MOST_LISTED
from explain.checks.data.metrics import CUT_TEXTS
from explain.record import Finding, HistogramFigure, InstanceLink, Measure, Table
from explain.record.wording import estimated, percent
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
        description=(
            f"Words and marks per text: median {np.median(lengths):.0f}, "
            f"from {min(lengths)} to {max(lengths)}."
        ),
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        axis="words and marks",
    )


def cut_texts(context: AuditContext, cut: NDArray[np.bool_]) -> Part:
    """Return the texts that the model reads only in part, and how right it is on them."""
    share = proportion(CUT_TEXTS.title, int(cut.sum()), len(cut))
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
    if surely_above(int(cut.sum()), len(cut), LARGE_SHARE):
        unread = sum(lost.values()) / sum(total[id_] for id_ in lost)
        found.append(
            Finding(
                claim=f"The model never reads the whole of {estimated(share)} of the texts "
                f"(n = {len(cut):,}): of these it misses {percent(unread)} of the characters.",
                severity="major",
                measure=share,
                evidence=(SECTION, *worst[:3]),
                suggestion="Use a model that reads longer texts, score them in windows "
                "(long_text='windows'), or keep such texts from it.",
            )
        )
    return Part((share,), (listed, _right_when_cut(context, cut)), found)


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
