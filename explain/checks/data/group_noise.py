"""Labels that are wrong more often in one group than in the others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.base.section_part import Part
from explain.checks.data.common import FINDING_LEVEL, SECTION
from explain.checks.data.label_noise import LabelNoise
from explain.checks.data.metrics import WRONG_LABELS, WRONG_LABELS_GAP
from explain.checks.data.noise_model import NoiseModel, fit_noise_model
from explain.record import Finding, Measure, Sentence, Table
from explain.statistics.bootstrap import CONFIDENCE
from explain.statistics.comparisons import newcombe

__all__ = ["group_noise"]

FEWEST_IN_GROUP = 50
"""Labelled rows of a group, and of the others, below which its wrong labels are not estimated."""

MOST_GROUPS = 20
"""Groups that are compared, the largest: a column of authors may have thousands."""

LEAST_GAP = 0.02
"""Two wrong labels more in a hundred: with fewer, accuracies of groups can still be compared."""


@dataclass(frozen=True)
class _Group:
    """One group beside the rest."""

    name: str
    members: NDArray[np.bool_]
    share: Measure
    rest: Measure
    gap: Measure
    is_large: bool
    """Whether the gap is large enough and beyond chance."""


def group_noise(context: AuditContext, rows: NDArray[np.int64], noise: LabelNoise) -> Part:
    """Return how many labels of each group are wrong, and in which group more than elsewhere.

    The rates are those of the group; its temperature and offsets may differ a little from those of
    the other rows, so that a model that is surer of its texts does not look like wrong labels.
    """
    large = [
        (column, name, members)
        for column in context.group
        for name, members in _groups(context, rows, column)
        if FEWEST_IN_GROUP <= members.sum() <= len(members) - FEWEST_IN_GROUP
    ]
    if not large:
        return Part()
    groups = [_compare(*group, noise, len(large)) for group in large]
    return Part(tables=(_table(groups),), findings=_findings(groups, noise))


def _groups(
    context: AuditContext, rows: NDArray[np.int64], column: str
) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return the largest groups of a column, and which of the rows are in each."""
    cells = np.array([context.instances[row].columns.get(column) or "" for row in rows.tolist()])
    names, counts = np.unique(cells[cells != ""], return_counts=True)
    largest = np.argsort(-counts, kind="stable")[:MOST_GROUPS]
    return [(str(names[i]), cells == names[i]) for i in largest.tolist()]


def _compare(
    column: str, name: str, members: NDArray[np.bool_], noise: LabelNoise, n_groups: int
) -> _Group:
    """Return a group compared with the rest; the two are independent."""
    level = FINDING_LEVEL / n_groups
    rest_side = _side(noise, ~members, None)
    sides = [_side(noise, members, rest_side.fit), rest_side]
    slice_ = f"{column} = {name}"
    share, rest = (
        side.measure(WRONG_LABELS.title).model_copy(update={"slice": which})
        for side, which in zip(sides, (slice_, f"not {slice_}"), strict=True)
    )
    lower, upper = _gap(sides, CONFIDENCE)
    gap = Measure(
        name=WRONG_LABELS_GAP.title,
        value=sides[0].fit.wrong() - sides[1].fit.wrong(),
        lower=lower,
        upper=upper,
        n=len(members),
        method=Sentence("Newcombe's square-and-add; {method}", method=noise.method),
        slice=slice_,
    )
    is_large = lower >= LEAST_GAP and _gap(sides, 1 - 2 * level)[0] > 0
    return _Group(name, members, share, rest, gap, is_large)


def _side(
    noise: LabelNoise, members: NDArray[np.bool_], other_rows: NoiseModel | None
) -> LabelNoise:
    log_probs, labels = noise.log_probs[members], noise.labels[members]
    return replace(
        noise,
        fit=fit_noise_model(log_probs, labels, other_rows),
        log_probs=log_probs,
        labels=labels,
        baseline=noise.baseline[members],
    )


def _gap(sides: Sequence[LabelNoise], confidence: float) -> tuple[float, float]:
    """Return the interval of how many more labels are wrong in a group than in the rest."""
    of_group, of_rest = ((side.fit.wrong(), side.fit.interval(confidence)) for side in sides)
    return newcombe(*of_group, *of_rest)


def _table(groups: Sequence[_Group]) -> Table:
    return Table(
        title="Wrong labels by group",
        columns=("group", "wrong labels", "in the other rows", "difference"),
        rows=tuple((group.name, group.share, group.rest, group.gap) for group in groups),
        note=Sentence(
            "Groups with at least {fewest} labelled rows, beside as many others. This holds "
            "if the model is about as over- or under-confident on a group as on the other rows.",
            fewest=FEWEST_IN_GROUP,
        ),
    )


def _findings(groups: Sequence[_Group], noise: LabelNoise) -> list[Finding]:
    return [
        _finding(group)
        for group in groups
        if group.is_large and not noise.is_refuted(group.members)
    ]


def _finding(group: _Group) -> Finding:
    return Finding(
        code="data.label_errors_in_group",
        subject=group.gap.slice or "",
        claim=Sentence(
            "Labels of {group:quoted} are wrong more often than others: {share} of {share.n} "
            "labels, against {rest} in the other rows (difference {gap:points}).",
            group=group.name,
            share=group.share,
            rest=group.rest,
            gap=group.gap,
        ),
        severity="major",
        size=group.gap.distance_from(0),
        measure=group.gap,
        evidence=(SECTION,),
        suggestion="Have labels of this group read by a second person, and do not compare the "
        "groups by these labels until then.",
    )
