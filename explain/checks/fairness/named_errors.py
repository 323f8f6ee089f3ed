"""Errors on texts of the data that name people."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.base.decisions import Decision, TestedClaim, decisions, difference
from explain.checks.base.identity_terms import NAMES, IdentityTerm, Mention
from explain.checks.base.part import Part
from explain.checks.fairness.neutral_sentences import (
    DISCOVERY_LEVEL,
    MOST_LISTED,
    quoted_list,
    topics_of,
)
from explain.record import Cell, Finding, Measure, Table
from explain.record.wording import estimated
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion

__all__ = ["FEWEST_TEXTS", "wrongly_called"]

LARGE_RATE_GAP = 0.1
"""Difference of false-positive rates that matters: a tenth of the harmless texts with a word."""

FEWEST_TEXTS = 20
"""Texts with a word or kind of words that are enough for half of them to show a large effect."""


def wrongly_called(
    context: AuditContext, found: Sequence[Sequence[Mention]], wanted: Sequence[Decision]
) -> Part:
    """Return how often texts with each word are called what they are not, by the given labels.

    The words that stand out are found in a random half of the texts and measured in the other.
    First names are left to swaps: few texts have any one of them.
    """
    labels = [i.given if i.label is None else (i.label,) for i in context.instances]
    counts = Counter(mention.naming for row in found for mention in row)
    namings = sorted(
        (
            naming
            for naming, count in counts.items()
            if count >= FEWEST_TEXTS and naming.kind != NAMES
        ),
        key=lambda naming: (naming.kind, naming.name),
    )
    if context.model.task == "regression" or not namings or not any(labels):
        return Part()
    has = np.array(
        [[any(m.naming == naming for m in own) for naming in namings] for own in found], bool
    )
    made = decisions(context, context.scores, wanted) == 1
    first = context.rng("fairness, errors").permutation(len(labels)) % 2 == 0
    tables: list[tuple[float, Table]] = []
    claims: list[TestedClaim] = []
    for k, outcome in enumerate(wanted):
        harmless = np.array(
            [own is not None and (outcome.label in own) != outcome.holds for own in labels]
        )
        errors = _Errors(outcome, namings, has[harmless], made[harmless, k], first[harmless])
        if errors.made.any() and errors.has.any():
            tables.append(errors.table())
            claims += errors.claims(
                [context.instances[i].id for i in np.flatnonzero(harmless).tolist()]
            )
    tables.sort(key=lambda entry: entry[0])
    return Part(tables=tuple(table for _, table in tables[:2]), claims=tuple(claims))


@dataclass(frozen=True, slots=True)
class _Errors:
    """Texts on which a decision would be wrong: the words in them, and whether it was made."""

    outcome: Decision
    namings: Sequence[IdentityTerm]
    has: NDArray[np.bool_]
    made: NDArray[np.bool_]
    first: NDArray[np.bool_]

    def p_values(self, of: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return for each word the adjusted p-value of more errors than on all other texts."""
        hits, n = (self.has & (self.made & of)[:, None]).sum(axis=0), self.has[of].sum(axis=0)
        p = fisher(hits, n, (self.made & of).sum(), of.sum())
        return benjamini_hochberg(p)

    def rates(self, own: NDArray[np.bool_], of: NDArray[np.bool_]) -> tuple[Measure, Measure]:
        """Return the false-positive rates of some of the texts and of the others."""
        one, rest = own & of, ~own & of
        return (
            proportion("false-positive rate", int(self.made[one].sum()), int(one.sum())),
            proportion("false-positive rate", int(self.made[rest].sum()), int(rest.sum())),
        )

    def table(self) -> tuple[float, Table]:
        """Return the words with the smallest p-values, and the smallest."""
        every = np.ones(len(self.made), bool)
        p = self.p_values(every)
        rows: list[tuple[Cell, ...]] = []
        for i in np.argsort(p, kind="stable")[:MOST_LISTED].tolist():
            own, rest = self.rates(self.has[:, i], every)
            naming = self.namings[i]
            gap = difference(own, rest, "difference")
            rows.append((naming.kind, naming.name, own, rest, gap, float(p[i])))
        return float(p.min()), Table(
            title=f"Texts wrongly {self.outcome.verb}, by the people they name",
            columns=(
                "kind", "word", "false-positive rate", "of all other texts", "difference",
                "adjusted p",
            ),
            rows=tuple(rows),
            note=f"Of the {len(self.made):,} texts that are not so by their given labels. Words in "
            f"at least {FEWEST_TEXTS} texts, the smallest p first (Fisher's exact test, one-sided, "
            "adjusted by Benjamini and Hochberg).",
        )  # fmt: skip

    def claims(self, ids: Sequence[str]) -> list[TestedClaim]:
        """Return the claim about the words that stand out, if there are any."""
        chosen = np.flatnonzero(self.p_values(self.first) <= DISCOVERY_LEVEL)
        own = np.asarray(self.has[:, chosen].any(axis=1))
        second = ~self.first
        one, rest = self.rates(own, second)
        if not one.n or not rest.n:
            return []
        gap = difference(one, rest, "difference")
        hits, all_hits = (self.made & own & second).sum(), (self.made & second).sum()
        p = fisher(hits, one.n, all_hits, one.n + rest.n)
        names = [self.namings[i].name for i in chosen.tolist()]
        examples = np.flatnonzero(self.made & own & second)[:3]
        finding = Finding(
            claim=f"Of texts that name people as {quoted_list(names)} and should not be "
            f"{self.outcome.verb}, {estimated(one)} are; of all others {estimated(rest)} "
            f"(n = {one.n:,} and {rest.n:,}).",
            severity="critical",
            measure=one,
            evidence=("fairness", *(ids[i] for i in examples)),
            suggestion="Add training texts that name these people and are not so, or have texts "
            "with these words decided by a person.",
        )
        large = gap.lower is not None and gap.lower > LARGE_RATE_GAP
        return [TestedClaim(float(p), large, topics_of(self.outcome, names), finding)]
