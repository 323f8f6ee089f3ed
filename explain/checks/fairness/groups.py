"""How a model treats the groups that columns of the table name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from explain.checks.base import LEVEL, AuditContext
from explain.checks.base.section_part import Part
from explain.checks.fairness.gaps import Gap, compare, without_explained
from explain.checks.fairness.group_calibration import Overconfidence, compare_calibration
from explain.checks.fairness.group_errors import (
    WRONG,
    accuracy_tables,
    error_findings,
    error_table,
    harms_of,
)
from explain.checks.fairness.group_outcomes import GroupOutcomes
from explain.checks.fairness.grouped_rows import GroupedRows, partitions_of
from explain.checks.fairness.selection import Ratio, ratios_of, selection_findings, selection_part
from explain.record import Finding, Sentence, join_sentences

__all__ = ["GroupTests"]

MOST_DECISIONS = 6
"""Decisions that have tables of their own, the most frequent first; all are tested."""


EXPLAINED_ELSEWHERE = "the errors are those of a group that is reported"


@dataclass(frozen=True, eq=False)
class GroupTests:
    """All that is tested about groups: errors, selection, calibration.

    Attributes
    ----------
    context : AuditContext
        The audit.
    outcomes : GroupOutcomes
        What was decided and what should have been.
    partitions : list of GroupedRows
        The groups of each column, and of all columns together.
    calibration : Part
        Tables of over-confidence.
    overconfidence : list of Overconfidence
        What is tested of it.
    gaps : list of Gap
        Errors of each group against all other rows.
    ratios : list of Ratio
        Each group against the most selected one.
    """

    context: AuditContext
    outcomes: GroupOutcomes
    partitions: list[GroupedRows]
    calibration: Part
    overconfidence: list[Overconfidence]
    gaps: list[Gap]
    ratios: list[Ratio]

    @classmethod
    def of(cls, context: AuditContext, favourable: str | None) -> "GroupTests":
        """Return the tests of the groups of all named columns."""
        outcomes = GroupOutcomes.of(context, favourable)
        partitions = partitions_of(context)
        harms = harms_of(outcomes)
        single = context.model.task == "single_label" and outcomes.is_labelled.any()
        calibration = [compare_calibration(g, outcomes, context) for g in partitions if single]
        return cls(
            context,
            outcomes,
            partitions,
            sum((part for part, _ in calibration), Part()),
            [claim for _, claims in calibration for claim in claims],
            [gap for groups in partitions for harm in harms for gap in compare(groups, harm)],
            [ratio for groups in partitions for ratio in ratios_of(groups, outcomes)],
        )

    @property
    def all_tests(self) -> list[Gap | Ratio | Overconfidence]:
        """All tests."""
        return [*self.gaps, *self.ratios, *self.overconfidence]

    def judge(self, adjusted: Sequence[float], n_tests: int) -> "JudgedGroups":
        """Return what stands, by the adjusted p-values of all tests."""
        by_test = {id(test): p for test, p in zip(self.all_tests, adjusted, strict=True)}
        return JudgedGroups(self, by_test, n_tests)


@dataclass(frozen=True, eq=False)
class JudgedGroups:
    """The tests of groups, with their p-values adjusted together with all others.

    Attributes
    ----------
    tests : GroupTests
        What was tested.
    adjusted : mapping of int to float
        Adjusted p-values by the `id` of a test.
    n_tests : int
        Tests that were counted.
    """

    tests: GroupTests
    adjusted: Mapping[int, float]
    n_tests: int

    @cached_property
    def _standing(self) -> list[Gap]:
        return [gap for gap in self.tests.gaps if self.adjusted[id(gap)] <= LEVEL and gap.is_large]

    @cached_property
    def _reported(self) -> list[Gap]:
        return without_explained(self._standing)

    @cached_property
    def _explained_elsewhere(self) -> frozenset[int]:
        """Ids of the gaps that are those of another group."""
        return frozenset(map(id, self._standing)) - frozenset(map(id, self._reported))

    def _reason(self, gap: Gap) -> str:
        """Return why a gap is no finding; empty if it is one, or no gap at all."""
        if id(gap) in self._explained_elsewhere:
            return EXPLAINED_ELSEWHERE
        return gap.reason(self.adjusted[id(gap)])

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings."""
        ratios = [
            ratio
            for ratio in self.tests.ratios
            if self.adjusted[id(ratio)] <= LEVEL and ratio.is_under_four_fifths
        ]
        return (
            *error_findings(self.tests.context, self._reported),
            *selection_findings(ratios, self.adjusted),
            *self._overconfidence(),
        )

    def _overconfidence(self) -> list[Finding]:
        """Return the groups that the model is too sure of, the largest certain sizes first.

        Where it is wrong more often it is also too sure, and that is said once.
        """
        told = np.zeros(len(self.tests.outcomes.has_answer), dtype=np.bool_)
        for gap in self._reported:
            if gap.harm.code == WRONG:
                told |= gap.groups.sides(gap.group)[0]
        findings = []
        for test in sorted(self.tests.overconfidence, key=lambda test: -(test.finding.size or 0)):
            stands = self.adjusted[id(test)] <= LEVEL and test.is_large
            if stands and not (told & test.members).any():
                findings.append(test.finding)
                told |= test.members
        return findings

    @property
    def part(self) -> Part:
        """Measures, tables and figures."""
        most = max(1, MOST_DECISIONS // max(1, len(self.tests.partitions)))
        shown = [
            part
            for groups in self.tests.partitions
            for part in self._of_partition(groups, self.tests.outcomes.most_frequent(most))
        ]
        return sum(shown, Part()) + Part(
            measures=self.tests.calibration.measures,
            tables=self.tests.calibration.tables,
            sentence=self._power,
        )

    def _of_partition(self, groups: GroupedRows, columns: Sequence[int]) -> list[Part]:
        tests, outcomes = self.tests, self.tests.outcomes
        gaps = [gap for gap in tests.gaps if gap.groups is groups]
        of_any = [gap for gap in gaps if gap.harm.code == WRONG]
        reasons = {id(gap): self._reason(gap) for gap in of_any}
        parts = [accuracy_tables(tests.context, groups, of_any, reasons, self.n_tests)]
        for k in columns:
            ratios = [r for r in tests.ratios if r.groups is groups and r.column == k]
            parts.append(selection_part(groups, outcomes, k, ratios, self.adjusted, self.n_tests))
        for k in columns:
            if not np.isnan(outcomes.right[:, k]).all():
                about = [gap for gap in gaps if gap.harm.decision == outcomes.decisions[k]]
                parts.append(error_table(groups, outcomes, k, self._widest_reasons(about)))
        return parts

    def _widest_reasons(self, gaps: Sequence[Gap]) -> dict[int, str]:
        """Return why the wider of the gaps of each group is no finding."""
        widest = sorted(gaps, key=lambda gap: gap.size.value or 0)
        return {gap.group: self._reason(gap) for gap in widest}

    @property
    def _power(self) -> str:
        """What could have been found in the groups on which the model is not said to be worse."""
        reported = {gap.condition for gap in self._reported}
        hidden = [
            gap
            for gap in self.tests.gaps
            if gap.harm.code == WRONG and gap.condition not in reported
        ]
        found = {id(gap): gap.share_found(self.n_tests) for gap in hidden}
        too_small = sum(share is None for share in found.values())
        told = [gap for gap in hidden if found[id(gap)] is not None]
        least = max(told, key=lambda gap: found[id(gap)] or 0, default=None)
        return join_sentences(
            Sentence(
                "{n} {n:group is|groups are} too small to be reported, however wrong the model is "
                "on {n:it|them}.",
                n=too_small,
            )
            if too_small
            else "",
            Sentence(
                "Harm to a small group can stay hidden: {group} ({n} {n:row|rows}) would be "
                "reported with a chance of 80 % only if the model were right on {found:percent} "
                "of it or less.",
                group=least.condition,
                n=least.shares[0].n,
                found=1 - (found[id(least)] or 0),
            )
            if least is not None
            else "",
        )
