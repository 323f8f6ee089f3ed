"""Labels that are wrong more often in one group than in the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.base.section_part import Part
from explain.checks.data.common import FINDING_LEVEL, SECTION
from explain.checks.data.label_noise import LabelNoise
from explain.checks.data.metrics import WRONG_LABELS, WRONG_LABELS_GAP
from explain.checks.data.noise_model import fit_noise_model
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
    at_level: float
    """Lower end of the gap at the level of a finding."""


def group_noise(context: AuditContext, rows: NDArray[np.int64], noise: LabelNoise) -> Part:
    """Return how many labels of each group are wrong, and in which group more than elsewhere.

    Temperature, offsets and rates are those of the group, so that a model that is less sure of its
    texts does not look like wrong labels.
    """
    if context.group is None:
        return Part()
    cells = np.array(
        [context.instances[row].columns.get(context.group) or "" for row in rows.tolist()]
    )
    names, counts = np.unique(cells[cells != ""], return_counts=True)
    named = [names[i] for i in np.argsort(-counts, kind="stable")[:MOST_GROUPS]]
    members = [(name, cells == name) for name in named]
    large = [
        (name, own)
        for name, own in members
        if FEWEST_IN_GROUP <= own.sum() <= len(own) - FEWEST_IN_GROUP
    ]
    groups = [_compare(context.group, name, own, noise, len(large)) for name, own in large]
    return Part(tables=(_table(groups),), findings=_findings(groups, noise))


def _compare(
    column: str, name: str, members: NDArray[np.bool_], noise: LabelNoise, n_groups: int
) -> _Group:
    """Return a group compared with the rest; the two are independent."""
    level = FINDING_LEVEL / n_groups
    sides = [
        LabelNoise(
            fit_noise_model(noise.log_probs[side], noise.labels[side]),
            noise.columns,
            noise.log_probs[side],
            noise.labels[side],
            noise.baseline[side],
            noise.by_model,
        )
        for side in (members, ~members)
    ]
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
    return _Group(name, members, share, rest, gap, _gap(sides, 1 - 2 * level)[0])


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
            "Groups with at least {fewest} labelled rows, beside as many others. The rows of a "
            "group are judged by themselves: a model that is less sure of them does not look like "
            "wrong labels.",
            fewest=FEWEST_IN_GROUP,
        ),
    )


def _findings(groups: Sequence[_Group], noise: LabelNoise) -> list[Finding]:
    return [
        _finding(group)
        for group in groups
        if group.at_level > 0
        and (group.gap.lower or 0) >= LEAST_GAP
        and not noise.is_refuted(group.members)
    ]


def _finding(group: _Group) -> Finding:
    return Finding(
        code="data.label_errors_in_group",
        subject=group.name,
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
