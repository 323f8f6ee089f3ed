"""Errors on texts of the data that name people."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.base.decisions import Decision, TestedClaim, decisions, difference
from explain.checks.base.identity_terms import NAMES, IdentityTerm, Mention
from explain.checks.base.section_part import Part
from explain.checks.fairness.neutral_sentences import DISCOVERY_LEVEL, MOST_LISTED, topics_of
from explain.record import Cell, Finding, Measure, Sentence, Table
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion

__all__ = ["FEWEST_TEXTS", "compare_errors"]

LARGE_RATE_GAP = 0.1
"""Difference of false-positive rates that matters: a tenth of the harmless texts with a word."""

FEWEST_TEXTS = 20
"""Texts with a word or kind of words that are enough for half of them to show a large effect."""


def compare_errors(
    context: AuditContext,
    mentioned: Sequence[Sequence[Mention]],
    compared_decisions: Sequence[Decision],
) -> Part:
    """Return how often texts with each word are wrongly classified, by the labels in the data.

    The words that stand out are found in a random half of the texts and measured in the other.
    First names are left to swaps: few texts have any one of them.
    """
    row_labels = [instance.labels for instance in context.instances]
    counts = Counter(mention.term for row in mentioned for mention in row)
    terms = sorted(
        (term for term, count in counts.items() if count >= FEWEST_TEXTS and term.kind != NAMES),
        key=lambda term: (term.kind, term.name),
    )
    if context.model.task == "regression" or not terms or not any(row_labels):
        return Part()
    has = np.array(
        [[any(m.term == term for m in row) for term in terms] for row in mentioned], bool
    )
    has_decision = decisions(context, context.scores, compared_decisions) == 1
    first = context.rng("fairness, errors").permutation(len(row_labels)) % 2 == 0
    tables: list[tuple[float, Table]] = []
    claims: list[TestedClaim] = []
    for k, decision in enumerate(compared_decisions):
        harmless = np.array(
            [
                labels is not None and (decision.label in labels) != decision.holds
                for labels in row_labels
            ]
        )
        errors = _Errors(decision, terms, has[harmless], has_decision[harmless, k], first[harmless])
        if errors.has_decision.any() and errors.has.any():
            tables.append(errors.table())
            claims += errors.claims(
                [context.instances[i].id for i in np.flatnonzero(harmless).tolist()]
            )
    tables.sort(key=lambda entry: entry[0])
    return Part(tables=tuple(table for _, table in tables[:2]), claims=tuple(claims))


@dataclass(frozen=True, slots=True)
class _Errors:
    """Texts on which a decision would be wrong: the words in them, and whether it was made."""

    decision: Decision
    terms: Sequence[IdentityTerm]
    has: NDArray[np.bool_]
    has_decision: NDArray[np.bool_]
    first: NDArray[np.bool_]

    def p_values(self, of: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return for each word the adjusted p-value of more errors than on all other texts."""
        hits, n = (
            (self.has & (self.has_decision & of)[:, None]).sum(axis=0),
            self.has[of].sum(axis=0),
        )
        return benjamini_hochberg(fisher(hits, n, (self.has_decision & of).sum(), of.sum()))

    def rates(self, has_words: NDArray[np.bool_], of: NDArray[np.bool_]) -> tuple[Measure, Measure]:
        """Return the false-positive rates of some of the texts and of the rest."""
        share, rest = (
            proportion("false-positive rate", int(self.has_decision[rows].sum()), int(rows.sum()))
            for rows in (has_words & of, ~has_words & of)
        )
        return share, rest

    def table(self) -> tuple[float, Table]:
        """Return the words with the smallest p-values, and the smallest."""
        all_texts = np.ones(len(self.has_decision), bool)
        p = self.p_values(all_texts)
        rows: list[tuple[Cell, ...]] = []
        for i in np.argsort(p, kind="stable")[:MOST_LISTED].tolist():
            share, rest = self.rates(self.has[:, i], all_texts)
            term = self.terms[i]
            gap = difference(share, rest, "difference")
            rows.append((term.kind, term.name, share, rest, gap, float(p[i])))
        return float(p.min()), Table(
            title=Sentence(
                "Texts wrongly {decision}, by the people they name", decision=self.decision.verb
            ),
            columns=(
                "kind", "word", "false-positive rate", "rate of all other texts", "difference",
                "adjusted p",
            ),
            rows=tuple(rows),
            note=Sentence(
                "Share wrongly given this decision, of the {n} {n:text|texts} whose label in the "
                "data is another one. Words in at least {fewest} texts, the smallest p first "
                "(Fisher's exact test, one-sided, adjusted by Benjamini and Hochberg).",
                n=len(self.has_decision),
                fewest=FEWEST_TEXTS,
            ),
        )  # fmt: skip

    def claims(self, ids: Sequence[str]) -> list[TestedClaim]:
        """Return the claim about the words that stand out, if there are any."""
        chosen = np.flatnonzero(self.p_values(self.first) <= DISCOVERY_LEVEL)
        has_words = np.asarray(self.has[:, chosen].any(axis=1))
        second = ~self.first
        share, rest = self.rates(has_words, second)
        if not share.n or not rest.n:
            return []
        gap = difference(share, rest, "difference")
        hits, all_hits = (
            (self.has_decision & has_words & second).sum(),
            (self.has_decision & second).sum(),
        )
        p = fisher(hits, share.n, all_hits, share.n + rest.n)
        names = [self.terms[i].name for i in chosen.tolist()]
        examples = np.flatnonzero(self.has_decision & has_words & second)[:3]
        finding = Finding(
            code="fairness.named_errors",
            subject=f"{', '.join(names)}: {self.decision.name}",
            claim=Sentence(
                "Texts that name people as {words:quoted-or} are wrongly {decision} more often "
                "than other texts: {share} of the {share.n} that should not be, and {rest} of "
                "{rest.n} other texts.",
                words=names,
                decision=self.decision.verb,
                share=share,
                rest=rest,
            ),
            severity="critical",
            size=gap.distance_from(0),
            measure=share,
            evidence=("fairness", *(ids[i] for i in examples)),
            suggestion="Add training texts that name these people and should not get this "
            "decision, or let a person decide about texts with these words.",
        )
        large = gap.lower is not None and gap.lower > LARGE_RATE_GAP
        return [TestedClaim(float(p), large, topics_of(self.decision, names), finding)]
