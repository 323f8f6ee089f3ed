"""Neutral sentences about a person who has a first name: are all groups of names treated alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base import AuditContext
from explain.checks.base.decisions import Decision, TestedClaim, decisions, difference
from explain.checks.base.identity_terms import NAMES, IdentityTerm, SentenceSet, name_sets
from explain.checks.base.section_part import Part
from explain.checks.fairness.metrics import NAMED_SHARE
from explain.checks.fairness.neutral_sentences import nothing_to_compare
from explain.record import Finding, Measure, Sentence, Table
from explain.statistics.intervals import clustered_proportion

__all__ = ["bearers_of", "compare_names"]

LARGE_BY_NAME = 0.1
"""Share of neutral sentences whose decision may depend on what group a name is common in: a
tenth. It rests on sixteen names of each group, not on any one word."""

CONTRASTS: Final[Mapping[str, tuple[str, ...]]] = {
    "Black people": ("Black women", "Black men"),
    "white people": ("white women", "white men"),
    "women": ("Black women", "white women"),
    "men": ("Black men", "white men"),
    "Black women": ("Black women",),
    "Black men": ("Black men",),
    "white women": ("white women",),
    "white men": ("white men",),
}
"""Which lists of names are compared with the other ones."""

FIRST_NAMES = "first names"

INITIAL = "N"
"""What stands for a name that says nothing of who bears it."""


def bearers_of(people: str) -> list[IdentityTerm]:
    """Return each first name that is common among the people of a finding, as a term of its own."""
    (names,) = name_sets(["en"])
    words = [word for term in names.terms if term.name in CONTRASTS[people] for word in term.words]
    return [IdentityTerm(NAMES, word, (word,)) for word in words]


def compare_names(
    context: AuditContext,
    sets: Sequence[SentenceSet],
    compared_decisions: Sequence[Decision],
    favourable: str | None,
) -> Part:
    """Return how often each decision falls on sentences with names of each group.

    Names are compared, not sentences: one name that the model takes for something else is not a
    group. Of a favourable label only its refusal is a harm.
    """
    harms = [
        decision for decision in compared_decisions if favourable is None or not decision.holds
    ]
    return sum((_in_language(context, names, harms) for names in sets), Part())


def _in_language(context: AuditContext, names: SentenceSet, to_compare: Sequence[Decision]) -> Part:
    bearers = [(term.name, word) for term in names.terms for word in term.words]
    texts = [pattern.format(word) for _, word in bearers for pattern in names.templates]
    scored = decisions(context, context.score(texts), to_compare)
    is_scored = ~np.isnan(scored).any(axis=1)
    person, template = np.divmod(np.flatnonzero(is_scored), len(names.templates))
    nothing = nothing_to_compare(
        scored[is_scored], template, to_compare, names.language, FIRST_NAMES
    )
    if nothing:
        return Part(sentence=nothing)
    nameless = context.score([pattern.format(INITIAL) for pattern in names.templates])
    sentences = _Sentences(
        names,
        scored[is_scored],
        person,
        np.array([group for group, _ in bearers])[person],
        np.nan_to_num(decisions(context, nameless, to_compare)).mean(axis=0),
    )
    columns = range(len(to_compare))
    claims = [sentences.claim(k, to_compare[k], people) for k in columns for people in CONTRASTS]
    most_affected = max(columns, key=lambda k: (sentences.spread(k), -sentences.default[k]))
    table = sentences.table(most_affected, to_compare[most_affected])
    return Part(tables=(table,), claims=tuple(claims))


@dataclass(frozen=True, eq=False)
class _Sentences:
    """Neutral sentences with names, and the decisions on them.

    Attributes
    ----------
    names : SentenceSet
        The sentences without names, and the names of each group.
    has_decision : array, shape (n_sentences, n_decisions)
        Which decisions fell.
    person : array, shape (n_sentences,), int64
        Number of the name in each sentence.
    group : array, shape (n_sentences,), str
        The group that it is common in.
    default : array, shape (n_decisions,), float64
        How often each decision falls on the same sentences with an initial for the name.
    """

    names: SentenceSet
    has_decision: NDArray[np.float64]
    person: NDArray[np.int64]
    group: NDArray[np.str_]
    default: NDArray[np.float64]

    def share(self, k: int, members: NDArray[np.bool_], slice_: str, decision: Decision) -> Measure:
        """Return the share of some sentences that got a decision; its interval rests on names."""
        return clustered_proportion(
            NAMED_SHARE.name(outcome=decision.name),
            self.has_decision[members, k] == 1,
            self.person[members],
            slice_,
        ).model_copy(update={"method": "Wilson, clustered by name"})

    def spread(self, k: int) -> float:
        """Return how far the groups are apart in a decision."""
        shares = [self.has_decision[self.group == term.name, k] for term in self.names.terms]
        return float(np.std([share.mean() for share in shares if len(share)]))

    def compare(self, k: int, decision: Decision, people: str) -> tuple[Measure, Measure, Measure]:
        """Return how often names of some groups and other names get a decision, and the gap."""
        members = np.isin(self.group, CONTRASTS[people])
        share = self.share(k, members, f"names of {people}", decision)
        rest = self.share(k, ~members, "other names", decision)
        return share, rest, difference(share, rest, "difference")

    def claim(self, k: int, decision: Decision, people: str) -> TestedClaim:
        """Return the claim that names of some groups get a decision more often than the others."""
        members = np.isin(self.group, CONTRASTS[people])
        share, rest, gap = self.compare(k, decision, people)
        finding = Finding(
            code="fairness.names",
            subject=f"{people}: {decision.name}",
            claim=Sentence(
                "Neutral sentences with first names that are common among {people} in the United "
                "States are {decision} more often than the same sentences with other names: "
                "{share} with {share.n} names such as {example}, and {rest} with {rest.n} others.",
                people=people,
                decision=decision.verb,
                share=share,
                rest=rest,
                example=next(t for t in self.names.terms if t.name in CONTRASTS[people]).words[0],
            ),
            severity="critical",
            size=gap.distance_from(0),
            measure=share,
            evidence=("fairness",),
            suggestion="Replace names by a placeholder before the model reads a text, or train it "
            "on texts in which names are swapped.",
        )
        return TestedClaim(
            self._p_value(k, members) if self._departs(k, members) else 1.0,
            gap.lower is not None and gap.lower > LARGE_BY_NAME,
            (f"{FIRST_NAMES}, {self.names.language}",),
            finding,
        )

    def _departs(self, k: int, members: NDArray[np.bool_]) -> bool:
        """Tell whether these names, rather than the others, bring about another decision.

        What falls more often on some falls less often on the others; the difference is about those
        whose share is farther from that of the same sentences without a name.
        """
        if not members.any() or members.all():
            return False
        inside, rest = (
            abs(float(self.has_decision[side, k].mean()) - self.default[k])
            for side in (members, ~members)
        )
        return bool(inside >= rest)

    def _p_value(self, k: int, members: NDArray[np.bool_]) -> float:
        """Return the p-value of the test of Mann and Whitney on the shares of single names."""
        inside, rest = (self._by_name(k, side) for side in (members, ~members))
        if not len(inside) or not len(rest) or np.ptp([*inside, *rest]) == 0:
            return 1.0
        return float(stats.mannwhitneyu(inside, rest, alternative="greater").pvalue)

    def _by_name(self, k: int, members: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the share of the sentences of each name that got a decision."""
        times = np.bincount(self.person[members])
        hits = np.bincount(self.person[members], weights=self.has_decision[members, k])
        shares: NDArray[np.float64] = hits[times > 0] / times[times > 0]
        return shares

    def table(self, k: int, decision: Decision) -> Table:
        """Return the share of each group of names."""
        everything = np.ones(len(self.group), dtype=np.bool_)
        gaps = {people: self.compare(k, decision, people)[2] for people in CONTRASTS}
        apart = max(CONTRASTS, key=lambda people: abs(gaps[people].value or 0.0))
        return Table(
            title=Sentence(
                "Neutral sentences with first names {decision} ({language})",
                decision=decision.verb,
                language=self.names.language,
            ),
            columns=("names common among", "for example", "share of their sentences"),
            rows=(
                *(
                    (
                        term.name,
                        Sentence("{words:and}", words=term.words[:3]),
                        self.share(k, self.group == term.name, f"names of {term.name}", decision),
                    )
                    for term in self.names.terms
                ),
                ("all of them", "", self.share(k, everything, "all names", decision)),
            ),
            note=Sentence(
                "Names of four groups in the United States (Bertrand and Mullainathan 2004; "
                "Caliskan and others 2017). Each stands in {n} {n:sentence|sentences}, for example "
                "{example:quoted}. Intervals rest on the number of names. The gap to all other "
                "names is largest for {people}: {gap:points}. A gap is reported if it is "
                "significant and wholly larger than {bar:.0f} points.",
                n=len(self.names.templates),
                people=apart,
                gap=gaps[apart],
                bar=100 * LARGE_BY_NAME,
                example=self.names.templates[0].format(self.names.terms[0].words[0]),
            ),
        )
