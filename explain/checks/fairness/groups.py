"""How a model treats the groups that a column of the table names."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext, TableRow
from explain.checks.base.decisions import Decision, decisions, difference, possible_decisions
from explain.checks.base.section_part import Part
from explain.checks.fairness.group_calibration import compare_calibration
from explain.checks.fairness.grouped_rows import GroupedRows
from explain.checks.fairness.labelled_outcomes import should_be
from explain.checks.fairness.metrics import (
    FALSE_POSITIVE_RATE,
    SELECTION_RATE,
    TRUE_POSITIVE_RATE,
)
from explain.checks.fairness.rates import (
    FOUR_FIFTHS,
    Rates,
    Shares,
    count_of,
    due_decisions,
    entirely_above,
    entirely_below,
    four_fifths_verdict,
    misses_of,
    ratio_of,
    ratio_sentence,
)
from explain.record import IntervalsFigure, Measure, Sentence, Table, join_sentences

__all__ = ["compare_groups"]

LARGE_GAP = 0.05
"""Difference of error rates that matters: one decision in twenty."""

MOST_GROUPS = 20

MOST_DECISIONS = 6
"""Decisions that have tables of their own, the most frequent first; all are tested."""

SELECTED: Final = (
    "Texts with {group} are {decision} more often than other texts: {share} of {share.n}, and "
    "{rest} of {rest.n} other texts."
)
FALSE_POSITIVES: Final = (
    "Texts with {group} are wrongly {decision} more often than other texts: {share} of the "
    "{share.n} that should not be, and {rest} of {rest.n} other texts."
)
FALSE_NEGATIVES: Final = (
    "Texts with {group} that should be {decision} are missed more often than other texts: {share} "
    "of {share.n}, and {rest} of {rest.n} other texts."
)


def compare_groups(context: AuditContext, favourable: str | None) -> Part:
    """Return selection, errors and calibration of the groups of the column that was named."""
    rows: list[TableRow] = [*context.instances, *context.unanswered]
    cells = [row.columns.get(context.group or "") for row in rows]
    grouped = np.array([cell is not None for cell in cells])
    if context.group is None or not grouped.any():
        return Part()
    names, member = np.unique([cell for cell in cells if cell is not None], return_inverse=True)
    largest = np.argsort(-np.bincount(member), kind="stable")[:MOST_GROUPS]
    groups = GroupedRows(
        context.group,
        tuple(map(str, names)),
        member,
        tuple(sorted(largest.tolist())),
        int((~grouped).sum()),
        (np.arange(len(rows)) < len(context.instances))[grouped],
    )
    compared = possible_decisions(context, favourable)
    failed = np.full((len(context.unanswered), len(context.model.labels)), np.nan)
    scores = np.concatenate([context.scores, failed])
    made = decisions(context, scores, compared)[grouped] == 1
    right = should_be(context, compared)[grouped]
    selections = [
        _selection(groups, decision, made[:, k], right[:, k]) for k, decision in enumerate(compared)
    ]
    errors = [
        _errors(groups, decision, made[:, k], right[:, k])
        for k, decision in enumerate(compared)
        if not np.isnan(right[:, k]).all()
    ]
    frequent = np.argsort(-made.sum(axis=0), kind="stable")[:MOST_DECISIONS].tolist()
    shown = [
        part for parts in (selections, errors) if parts for part in map(parts.__getitem__, frequent)
    ]
    single = context.model.task == "single_label" and any(row.label for row in rows)
    accuracy = [compare_calibration(groups, context, grouped)] if single else []
    return Part(
        measures=sum((*accuracy, *shown), Part()).measures,
        tables=sum((*shown, *accuracy), Part()).tables,
        figures=sum(shown, Part()).figures,
        claims=sum((*selections, *errors, *accuracy), Part()).claims,
    )


def _selection(
    groups: GroupedRows,
    decision: Decision,
    has_decision: NDArray[np.bool_],
    right: NDArray[np.float64],
) -> Part:
    """Return selection rates and impact ratios: the table of New York City's Local Law 144."""
    name = SELECTION_RATE.name(outcome=decision.name)
    shares, rest = groups.rates(name, has_decision, np.ones(len(has_decision), bool))
    answered = groups.rates(name, has_decision, groups.has_answer)
    most = max(groups.comparable_groups or groups.largest, key=lambda g: (shares[g].value or 0, -g))
    ratios = {g: ratio_of(shares[g], shares[most], decision) for g in shares if g != most}
    claims = [
        groups.claim(
            g,
            ((shares, rest), answered),
            lambda share, rest: entirely_below(ratio_of(rest, share, decision), FOUR_FIFTHS),
            code="fairness.selection",
            severity="major",
            template=SELECTED,
            decision=decision.verb,
            details=join_sentences(
                ratio_sentence(ratio_of(rest[g], shares[g], decision)),
                due_decisions(right, groups.member == g),
            ),
        )
        for g in groups.comparable_groups
    ]
    figure = IntervalsFigure(
        title=Sentence(
            "Share {decision}, by {column}", decision=decision.verb, column=groups.column
        ),
        description="Selection rate of each group, with its 95 % interval.",
        measures=tuple(shares.values()),
        reference=float(has_decision.mean()),
        reference_label="all groups",
    )
    return Part(
        measures=(*shares.values(), *ratios.values()),
        tables=(_selection_table(groups, decision, shares, ratios, most),),
        figures=(figure,),
        claims=tuple(claims),
    )


def _selection_table(
    groups: GroupedRows, decision: Decision, shares: Shares, ratios: Shares, most: int
) -> Table:
    return Table(
        title=Sentence(
            "Texts {decision}, by {column}", decision=decision.verb, column=groups.column
        ),
        columns=(
            groups.column, "rows", decision.verb, "selection rate", "impact ratio",
            "under four fifths",
        ),
        rows=tuple(
            (
                groups.names[g],
                shares[g].n,
                count_of(shares[g]),
                shares[g],
                1.0 if g == most else ratios[g],
                "" if g == most else four_fifths_verdict(ratios[g]),
            )
            for g in shares
        ),
        note=groups.note(
            Sentence(
                "Selection rate: share of the rows that get this decision. Impact ratio: the "
                "selection rate divided by that of the most selected group, {group}.",
                group=groups.names[most],
            ),
            unanswered="They count as rows that did not get this decision.",
        ),
    )  # fmt: skip


def _errors(
    groups: GroupedRows,
    decision: Decision,
    has_decision: NDArray[np.bool_],
    right: NDArray[np.float64],
) -> Part:
    """Return true- and false-positive rates, and claims that either error is more frequent."""
    name = TRUE_POSITIVE_RATE.name(outcome=decision.name)
    hits = groups.rates(name, has_decision, right == 1)
    answered_hits = groups.rates(name, has_decision, (right == 1) & groups.has_answer)
    false_positives = groups.rates(
        FALSE_POSITIVE_RATE.name(outcome=decision.name),
        has_decision,
        (right == 0) & groups.has_answer,
    )
    misses = (misses_of(hits, decision), misses_of(answered_hits, decision))
    claims = [
        groups.claim(
            g,
            rates,
            lambda share, rest: entirely_above(difference(share, rest, "gap"), LARGE_GAP),
            code=code,
            severity="critical",
            template=template,
            decision=decision.verb,
        )
        for g in groups.comparable_groups
        for code, rates, template in (
            ("fairness.false_positives", (false_positives,), FALSE_POSITIVES),
            ("fairness.false_negatives", misses, FALSE_NEGATIVES),
        )
    ]
    return Part(
        measures=(*hits[0].values(), *false_positives[0].values()),
        tables=(_error_table(groups, decision, hits, false_positives),),
        claims=tuple(claims),
    )


def _error_table(
    groups: GroupedRows, decision: Decision, hits: Rates, false_positives: Rates
) -> Table:
    def cells(rates: Rates, g: int) -> tuple[Measure, Measure]:
        shares, rest = rates
        return shares[g], difference(shares[g], rest[g], "difference of the rates")

    return Table(
        title=Sentence(
            "Errors about {decision}, by {column}", decision=decision.name, column=groups.column
        ),
        columns=(
            groups.column, "true-positive rate", "difference from other rows",
            "false-positive rate", "difference from other rows",
        ),
        rows=tuple(
            (groups.names[g], *cells(hits, g), *cells(false_positives, g)) for g in hits[0]
        ),
        note=groups.note(
            "By the labels in the data. True-positive rate: of the texts that should get this "
            "decision, the share that gets it. False-positive rate: of the texts that should not "
            "get it, the share that gets it.",
            unanswered="They count as not getting the decision in the true-positive rate, and the "
            "false-positive rate leaves them out.",
        ),
    )  # fmt: skip
