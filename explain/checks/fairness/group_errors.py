"""Errors that fall more often on one group: of any kind, and about each decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.base.decisions import difference
from explain.checks.base.metrics import ACCURACY, SUBSET_ACCURACY
from explain.checks.base.section_part import Part
from explain.checks.fairness.gaps import Gap, Harm
from explain.checks.fairness.group_outcomes import GroupOutcomes
from explain.checks.fairness.grouped_rows import GroupedRows
from explain.checks.fairness.metrics import (
    ACCURACY_GAP,
    FALSE_NEGATIVE_RATE,
    FALSE_POSITIVE_RATE,
    TRUE_POSITIVE_RATE,
)
from explain.record import Cell, Finding, Measure, Sentence, Table, join_sentences
from explain.statistics.intervals import proportion

__all__ = ["WRONG", "accuracy_tables", "error_findings", "error_table", "harms_of"]

WRONG = "fairness.accuracy"
FALSE_POSITIVES = "fairness.false_positives"
FALSE_NEGATIVES = "fairness.false_negatives"

MOST_FINDINGS = 5
"""Groups with a finding of their own, those with the largest certain gaps."""

MOST_EXAMPLES = 3

SUGGESTION = (
    "Look at the rows of this group that are decided wrongly, and add training data of the group. "
    "Do not use the model for decisions about people before the gap is closed or justified."
)

CLAIMS: Mapping[str, str] = {
    WRONG: "The model is wrong more often on texts with {group} than on other texts: it is right "
    "on {accuracy} of {accuracy.n}, and on {rest} of the {rest.n} others.",
    FALSE_POSITIVES: "Texts with {group} are wrongly {decision} more often than other texts: "
    "{share} of the {share.n} that should not be, and {rest} of {rest.n} other texts.",
    FALSE_NEGATIVES: "Texts with {group} that should be {decision} are missed more often than "
    "other texts: {share} of {share.n}, and {rest} of {rest.n} other texts.",
}


def harms_of(outcomes: GroupOutcomes) -> list[Harm]:
    """Return the errors that are tested: any, and the two kinds about each decision.

    Where one label is favourable, to get it wrongly is no harm: such errors are neither tested by
    themselves, nor do they alone make a group one on which the model is wrong more often. Where
    there are two labels, what wrongly gets one is what should have got the other.
    """
    has_answer, labelled = outcomes.has_answer, outcomes.is_labelled
    if not labelled.any():
        return []
    wrong, favoured = outcomes.is_wrong, outcomes.is_favoured
    versions = [(wrong, labelled), (wrong, labelled & has_answer)]
    if favoured.any():
        versions.append((wrong & ~favoured, labelled & has_answer))
    harms = [Harm(WRONG, "share of wrong answers", None, tuple(versions))]
    for k, decision in outcomes.labels():
        made, due = outcomes.has_decision[:, k], outcomes.right[:, k] == 1
        if outcomes.favourable is None:
            undue = outcomes.right[:, k] == 0
            name = FALSE_POSITIVE_RATE.name(outcome=decision.name)
            harms.append(Harm(FALSE_POSITIVES, name, decision, ((made, undue & has_answer),)))
        if not outcomes.is_binary or outcomes.favourable is not None:
            name = FALSE_NEGATIVE_RATE.name(outcome=decision.name)
            missed = ((~made, due), (~made, due & has_answer))
            harms.append(Harm(FALSE_NEGATIVES, name, decision, missed))
    return harms


def error_findings(context: AuditContext, reported: Sequence[Gap]) -> tuple[Finding, ...]:
    """Return a finding for each group that is harmed, with all kinds of errors in one table."""
    by_group: dict[str, list[Gap]] = {}
    for gap in reported:
        by_group.setdefault(gap.condition, []).append(gap)
    findings = [_finding(context, _in_order(gaps)) for gaps in by_group.values()]
    findings.sort(key=lambda finding: -(finding.size or 0))
    return tuple(findings[:MOST_FINDINGS])


def _in_order(gaps: Sequence[Gap]) -> list[Gap]:
    """Return the gaps of a group: that of all errors first, then the most certain ones."""
    return sorted(gaps, key=lambda gap: (gap.harm.code != WRONG, -gap.size.distance_from(0)))


def _finding(context: AuditContext, gaps: Sequence[Gap]) -> Finding:
    first = gaps[0]
    kind = next((gap for gap in gaps[1:] if gap.harm.code != WRONG), None)
    share, _ = first.shares
    members = None
    if gaps[1:]:
        members = Table(
            title=Sentence("Errors that are more frequent with {group}", group=first.condition),
            columns=("error", "in the group", "in other rows", "difference"),
            rows=tuple((_error(gap), *gap.shares, gap.size) for gap in gaps),
        )
    happened, may_happen = first.harm.versions[0]
    rows = np.flatnonzero(
        happened & may_happen & first.groups.sides(first.group)[0] & first.groups.has_answer
    )
    return Finding(
        code=first.harm.code,
        subject=_subject(first),
        claim=join_sentences(
            _claim(context, first),
            _claim(context, kind) if kind is not None and first.harm.code == WRONG else "",
        ),
        severity="critical",
        size=first.size.distance_from(0),
        measure=_accuracy(context, share) if first.harm.code == WRONG else share,
        members=members,
        evidence=("fairness", *(context.instances[i].id for i in rows[:MOST_EXAMPLES].tolist())),
        suggestion=SUGGESTION,
    )


def _subject(gap: Gap) -> str:
    if gap.harm.decision is None:
        return gap.condition
    return f"{gap.condition}: {gap.harm.decision.name}"


def _claim(context: AuditContext, gap: Gap) -> str:
    share, rest = gap.shares
    template = CLAIMS[gap.harm.code]
    if gap.harm.decision is None:
        return Sentence(
            template,
            group=gap.condition,
            accuracy=_accuracy(context, share),
            rest=_accuracy(context, rest),
        )
    return Sentence(
        template, group=gap.condition, decision=gap.harm.decision.verb, share=share, rest=rest
    )


def _error(gap: Gap) -> str:
    if gap.harm.decision is None:
        return "any wrong answer"
    if gap.harm.code == FALSE_POSITIVES:
        return Sentence("wrongly {decision}", decision=gap.harm.decision.verb)
    return Sentence("wrongly not {decision}", decision=gap.harm.decision.verb)


def _accuracy(context: AuditContext, wrong: Measure) -> Measure:
    """Return the accuracy that belongs to a share of wrong answers."""
    spec = ACCURACY if context.model.task == "single_label" else SUBSET_ACCURACY
    n_wrong = round((wrong.value or 0) * wrong.n)
    return proportion(spec.title, wrong.n - n_wrong, wrong.n, wrong.slice)


def accuracy_tables(
    context: AuditContext,
    groups: GroupedRows,
    gaps: Sequence[Gap],
    reasons: Mapping[int, str],
    n_tests: int,
) -> Part:
    """Return the accuracy of each group beside the other rows, and what could have been found.

    Parameters
    ----------
    context : AuditContext
        The audit.
    groups : GroupedRows
        The groups.
    gaps : sequence of Gap
        Their gaps of wrong answers of any kind.
    reasons : mapping of int to str
        By the `id` of a gap, why it is no finding.
    n_tests : int
        Tests that were counted when p-values were adjusted.
    """
    measures: list[Measure] = []
    rows: list[tuple[Cell, ...]] = []
    for gap in gaps:
        accuracy = _accuracy(context, gap.shares[0])
        size = gap.size.model_copy(update={"name": ACCURACY_GAP.title})
        measures += [accuracy, size]
        if gap.group in groups.listed_groups:
            found = gap.share_found(n_tests)
            rows.append(
                (
                    *groups.names[gap.group],
                    accuracy.n,
                    accuracy,
                    size,
                    None if found is None else 1 - found,
                    reasons[id(gap)],
                )
            )
    if not rows:
        return Part()
    table = Table(
        title=Sentence("Accuracy, by {columns:and}", columns=groups.columns),
        columns=(
            *groups.columns, "rows", "accuracy", "accuracy gap",
            "reported if right on at most", "not reported because",
        ),
        rows=tuple(rows),
        note=groups.note(
            "Accuracy gap: error rate minus that of all other rows; above zero, the model is worse "
            "on the group. Groups of any size are tested (Fisher's exact test). “Reported "
            "if right on at most”: at this accuracy a group would be reported with a chance of "
            "80 %.",
            unanswered="They count as wrong.",
        ),
    )  # fmt: skip
    return Part(measures=tuple(measures), tables=(table,))


@dataclass(frozen=True, slots=True)
class _Rates:
    """A rate of each group, and its difference from that of the other rows."""

    shares: Mapping[int, Measure]
    differences: Mapping[int, Measure]


def error_table(
    groups: GroupedRows, outcomes: GroupOutcomes, k: int, reasons: Mapping[int, str]
) -> Part:
    """Return true- and false-positive rates about a decision.

    `reasons` says why a gap is no finding, by the number of the group.
    """
    decision = outcomes.decisions[k]
    made, right = outcomes.has_decision[:, k], outcomes.right[:, k]
    hits = _rates(groups, TRUE_POSITIVE_RATE.name(outcome=decision.name), made, right == 1)
    false_positives = _rates(
        groups,
        FALSE_POSITIVE_RATE.name(outcome=decision.name),
        made,
        (right == 0) & outcomes.has_answer,
    )
    table = Table(
        title=Sentence(
            "Errors about {decision}, by {columns:and}",
            decision=decision.name,
            columns=groups.columns,
        ),
        columns=(
            *groups.columns, "true-positive rate", "difference from other rows",
            "false-positive rate", "difference from other rows", "not reported because",
        ),
        rows=tuple(
            (
                *groups.names[g],
                hits.shares[g],
                hits.differences[g],
                false_positives.shares[g],
                false_positives.differences[g],
                reasons.get(g, ""),
            )
            for g in groups.listed_groups
        ),
        note=groups.note(
            "By the labels in the data. True-positive rate: of the texts that should get this "
            "decision, the share that gets it. False-positive rate: of the texts that should not "
            "get it, the share that gets it.",
            unanswered="They count as not getting the decision in the true-positive rate, and the "
            "false-positive rate leaves them out.",
        ),
    )  # fmt: skip
    return Part(measures=(*hits.shares.values(), *false_positives.shares.values()), tables=(table,))


def _rates(
    groups: GroupedRows, name: str, hits: NDArray[np.bool_], of: NDArray[np.bool_]
) -> _Rates:
    shares = groups.shares(name, hits, of)
    n_hits, n = groups.counts(hits, of)
    all_hits, all_n = int(n_hits.sum()), int(n.sum())
    differences = {
        g: difference(
            share,
            proportion(name, all_hits - int(n_hits[g]), all_n - int(n[g])),
            "difference of the rates",
        )
        for g, share in shares.items()
    }
    return _Rates(shares, differences)
