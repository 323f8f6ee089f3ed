"""How decisions about texts of the data change with the word that names people."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base import AuditContext
from explain.checks.base.decisions import Decision, TestedClaim, decisions
from explain.checks.base.identity_terms import NAMES, IdentityTerm, Mention, swap
from explain.checks.base.intervention import Edit, intervene
from explain.checks.base.section_part import Part
from explain.checks.fairness.metrics import SWAP_FLIP_RATE
from explain.checks.fairness.named_errors import FEWEST_TEXTS
from explain.checks.fairness.neutral_sentences import DISCOVERY_LEVEL, MOST_LISTED, topics_of
from explain.record import Cell, Finding, Measure, Sentence, Table, join_sentences
from explain.statistics.intervals import clustered_proportion, mean, proportion
from explain.text.spans import Text, text_of

__all__ = ["compare_swaps"]

LARGE_BY_SWAP = 0.05
"""Share of decisions that may depend on a name alone: more than one in twenty is no exception."""

SCREENED = 3
"""Other words that are tried in each text first, to see which decisions change at all."""

MOST_WORDS_PER_SIDE = 2
"""Words of either side that are tried in each text of the second half."""

ABOUT_AS_MUCH = 0.8
"""Share of the largest variance that counts as equal to it."""

MOST_EVALUATIONS = 1000
"""Evaluations to try every word in the texts whose decision changes."""

NAMES_TRIED = (16, 40)
"""First names that are tried: at least, those of the data filled up from the list; and at most."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A text, and the word of a kind that it names people by."""

    row: int
    mention: Mention


def compare_swaps(
    context: AuditContext,
    mentioned: Sequence[Sequence[Mention]],
    terms: Sequence[IdentityTerm],
    compared_decisions: Sequence[Decision],
    most: int,
) -> Part:
    """Return how decisions change when a word for people is swapped for another of its kind.

    Parameters
    ----------
    context : AuditContext
        The audit.
    mentioned : sequence of sequences of Mention
        Which words each instance holds.
    terms : sequence of IdentityTerm
        All words.
    compared_decisions : sequence of Decision
        The decisions.
    most : int
        Texts that are edited, of all kinds together.
    """
    places: dict[tuple[str, str], list[_Place]] = {}
    for row, mentions in enumerate(mentioned):
        for mention in reversed(mentions):
            kind = (mention.term.kind, mention.term.language)
            here = places.setdefault(kind, [])
            if here and here[-1].row == row:
                here.pop()
            here.append(_Place(row, mention))
    kinds = {kind: texts for kind, texts in sorted(places.items()) if len(texts) >= FEWEST_TEXTS}
    parts = []
    for kind, texts in kinds.items():
        rng = context.rng(f"fairness, {' '.join(kind)}")
        choice = np.sort(rng.permutation(len(texts))[: max(FEWEST_TEXTS, most // len(kinds))])
        candidates = _candidates(kind, texts, terms, rng)
        if len(candidates) > 1:
            drawn = [texts[i] for i in choice.tolist()]
            swaps = _Swaps(context, kind[0], drawn, candidates, compared_decisions, rng)
            parts.append(swaps.compare(MOST_EVALUATIONS // len(kinds)))
    return sum(parts, Part())


def _candidates(
    kind: tuple[str, str],
    places: Sequence[_Place],
    terms: Sequence[IdentityTerm],
    rng: np.random.Generator,
) -> list[IdentityTerm]:
    """Return the words that stand in for one another: all, but of first names the data's own."""
    of_kind = [term for term in terms if (term.kind, term.language) == kind]
    if kind[0] != NAMES:
        return of_kind
    least, most = NAMES_TRIED
    counts = Counter(place.mention.term for place in places)
    used = [term for term, _ in counts.most_common(most)]
    unused = [term for term in of_kind if term not in counts]
    more = rng.permutation(len(unused))[: max(0, least - len(used))]
    return sorted([*used, *(unused[i] for i in more)], key=lambda term: term.name)


@dataclass(frozen=True, slots=True)
class _Swaps:
    """Words of one kind, and the texts in which each is swapped for others."""

    context: AuditContext
    kind: str
    places: Sequence[_Place]
    terms: Sequence[IdentityTerm]
    compared_decisions: Sequence[Decision]
    rng: np.random.Generator

    def compare(self, most_evaluations: int) -> Part:
        """Return how many labels the swaps flip, and which words a decision depends on."""
        n = len(self.places)
        drawn = [(i, self._other_terms(i, SCREENED)) for i in range(n)]
        edits: list[Edit] = [
            (self.places[i].row, self._text(i, k)) for i, other_terms in drawn for k in other_terms
        ]
        edited = intervene(self.context, {self.kind: edits})[self.kind]
        measures: tuple[Measure, ...] = ()
        if self.context.model.task != "regression":
            measures = (edited.flip_rate(SWAP_FLIP_RATE.name(kind=self.kind)),)
        first = self.rng.permutation(n) < n // 2
        made_first = self._has_decision([(i, k) for i, other_terms in drawn for k in other_terms])
        sensitive = self._sensitive(made_first.reshape(n, -1, len(self.compared_decisions)))
        rows = np.flatnonzero(sensitive & first)[: max(1, most_evaluations // len(self.terms))]
        if not len(rows):
            return Part(measures=measures)
        trials = [(int(i), k) for i in rows for k in range(len(self.terms))]
        has_decision = self._has_decision(trials).reshape(
            len(rows), len(self.terms), len(self.compared_decisions)
        )
        rates = np.nan_to_num(np.nanmean(has_decision, axis=0))
        tops, gaps = _tops(rates)
        k = self._most_affected(gaps, tops)
        confirmed = self._confirm(k, tops[:, k], np.flatnonzero(~first)) if gaps[k] > 0 else None
        if confirmed is None:
            return Part(measures=measures)
        claim, table = confirmed
        shown = claim.p <= DISCOVERY_LEVEL
        tables = (table, self._table(k, has_decision[:, :, k], tops[:, k])) if shown else ()
        return Part(measures=measures, tables=tables, claims=(claim,))

    def _most_affected(self, between: NDArray[np.float64], tops: NDArray[np.bool_]) -> int:
        """Return the decision that depends most on the words.

        What brings a text to one label takes it from another. Of decisions that depend about as
        much on the words, take the one that falls on fewer words, and then on more of the data.
        """
        most = np.flatnonzero(between >= ABOUT_AS_MUCH * between.max())
        overall = decisions(self.context, self.context.scores, self.compared_decisions).mean(axis=0)
        return int(min(most, key=lambda k: (tops[:, k].sum(), -overall[k], k)))

    def _other_terms(self, i: int, count: int) -> list[int]:
        """Return other words than that of a text, drawn at random."""
        there = self.places[i].mention.term
        other_terms = [k for k, term in enumerate(self.terms) if term != there]
        return [other_terms[j] for j in self.rng.permutation(len(other_terms))[:count]]

    def _text(self, i: int, term: int) -> Text:
        """Return a text with another word."""
        place, words = self.places[i], self.terms[term].words
        word = words[i % len(words)]
        return text_of(swap(self.context.instances[place.row].parts, place.mention.surface, word))

    def _has_decision(self, trials: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        """Return the decisions on texts with other words, shape (n_trials, n_decisions)."""
        texts = [self._text(i, k) for i, k in trials]
        return decisions(self.context, self.context.score(texts), self.compared_decisions)

    def _sensitive(self, has_decision: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return in which texts another word led to another decision."""
        rows = [place.row for place in self.places]
        before = decisions(self.context, self.context.scores[rows], self.compared_decisions)[
            :, None
        ]
        return np.asarray(((has_decision != before) & ~np.isnan(has_decision)).any(axis=(1, 2)))

    def _confirm(
        self, k: int, top: NDArray[np.bool_], texts: NDArray[np.int64]
    ) -> tuple[TestedClaim, Table] | None:
        """Return whether a decision depends on the chosen words, in texts not used for choosing."""
        sides = [np.flatnonzero(top), np.flatnonzero(~top)]
        drawn = [
            [
                (int(i), int(j))
                for i in texts
                for j in self.rng.permutation(side)[:MOST_WORDS_PER_SIDE]
            ]
            for side in sides
        ]
        shape = [(len(texts), min(MOST_WORDS_PER_SIDE, len(side))) for side in sides]
        with_top, with_rest = (
            self._has_decision(trials)[:, k].reshape(form)
            for trials, form in zip(drawn, shape, strict=True)
        )
        good = ~(np.isnan(with_top).any(axis=1) | np.isnan(with_rest).any(axis=1))
        if good.sum() < 2:
            return None
        texts, with_top, with_rest = texts[good], with_top[good], with_rest[good]
        claim = self._claim(k, sides, texts, with_top, with_rest, drawn[1])
        return claim, self._per_prediction(self.compared_decisions[k], texts, with_top, with_rest)

    def _claim(
        self,
        k: int,
        sides: Sequence[NDArray[np.int64]],
        texts: NDArray[np.int64],
        with_top: NDArray[np.float64],
        with_rest: NDArray[np.float64],
        rest_trials: Sequence[tuple[int, int]],
    ) -> TestedClaim:
        """Return the claim that a decision depends on the words of the first side."""
        gaps = with_top.mean(axis=1) - with_rest.mean(axis=1)
        change = mean("change by the word", gaps.tolist(), "proportion")
        share, rest = (
            clustered_proportion(name, hits.ravel() == 1, np.repeat(texts, hits.shape[1]))
            for name, hits in (("with group A", with_top), ("with group B", with_rest))
        )
        decision = self.compared_decisions[k]
        names, other_names = ([self.terms[j].name for j in side.tolist()] for side in sides)
        examples = texts[np.argsort(-gaps, kind="stable")[:3]].tolist()
        changed = set(texts[gaps > 0].tolist())
        finding = Finding(
            code="fairness.swap",
            subject=f"{', '.join(names)}: {decision.name}",
            claim=join_sentences(
                Sentence(
                    "Changing only the {kind} changes the decision. With {names:quoted-or} (group "
                    "A), {share} of {change.n} {change.n:text|texts} are {decision}. With "
                    "{other_names:quoted-or} (group B) in the same texts, {rest} of them are "
                    "(difference {change:points}).",
                    kind=self.kind,
                    names=names,
                    share=share,
                    decision=decision.verb,
                    other_names=other_names,
                    rest=rest,
                    change=change,
                ),
                self._instead(k, [trial for trial in rest_trials if trial[0] in changed]),
            ),
            severity="critical",
            size=change.distance_from(0),
            measure=change,
            evidence=(
                "fairness",
                *(self.context.instances[self.places[i].row].id for i in examples),
            ),
            suggestion="Replace words for people by a placeholder before the model reads a text, "
            "or train it on texts in which these words are swapped.",
        )
        return TestedClaim(
            _one_sided(gaps),
            change.lower is not None and change.lower > LARGE_BY_SWAP,
            (f"{self.kind} swapped", *topics_of(decision, names)),
            finding,
        )

    def _instead(self, k: int, trials: Sequence[tuple[int, int]]) -> str:
        """Return how texts that the chosen words change are mostly classified with the others."""
        labels = self.context.model.labels
        if self.context.model.task != "single_label" or len(labels) == 2:
            return ""
        scores = self.context.score([self._text(i, j) for i, j in trials])
        counts = Counter(self.context.rule.answers(scores).tolist())
        counts.pop(self.compared_decisions[k].column, None)
        if not counts:
            return ""
        return Sentence(
            "The texts that change are mostly classified as {label:quoted} with group B.",
            label=labels[counts.most_common(1)[0][0]],
        )

    def _per_prediction(
        self,
        decision: Decision,
        texts: NDArray[np.int64],
        with_top: NDArray[np.float64],
        with_rest: NDArray[np.float64],
    ) -> Table:
        """Return the effect of the chosen words among the texts that are predicted alike."""
        predicted = np.array([self.context.instances[self.places[i].row].predicted for i in texts])
        rows: list[tuple[Cell, ...]] = []
        for label in self.context.model.labels:
            alike = predicted == label
            if alike.any():
                shares = (
                    clustered_proportion(
                        name, hits[alike].ravel() == 1, np.repeat(texts[alike], hits.shape[1])
                    )
                    for name, hits in (
                        ("with group A", with_top),
                        ("with group B", with_rest),
                    )
                )
                rows.append((label, int(alike.sum()), *shares))
        return Table(
            title=Sentence(
                "Texts {decision}, by {kind} and by the prediction for the original text",
                decision=decision.verb,
                kind=self.kind,
            ),
            columns=("original prediction", "texts", "with group A", "with group B"),
            rows=tuple(rows[:MOST_LISTED]),
            note="Only texts that were not used to form the two groups of words. The next table "
            "tells which word is in which group.",
        )

    def _table(self, k: int, has_decision: NDArray[np.float64], top: NDArray[np.bool_]) -> Table:
        """Return how often the decision falls with each word, in the texts that change at all."""
        answered = ~np.isnan(has_decision)
        rates = [
            proportion(
                Sentence("share with {word}", word=term.name),
                int(np.nansum(has_decision[:, j])),
                int(answered[:, j].sum()),
            )
            for j, term in enumerate(self.terms)
        ]
        order = sorted(range(len(rates)), key=lambda j: (-(rates[j].value or 0), j))
        return Table(
            title=Sentence(
                "Texts {decision}, by {kind}",
                decision=self.compared_decisions[k].verb,
                kind=self.kind,
            ),
            columns=(self.kind, "share", "group"),
            rows=tuple((self.terms[j].name, rates[j], "A" if top[j] else "B") for j in order),
            note=Sentence(
                "Each word stands in the same {n} {n:text|texts}: those of the first half whose "
                "decision changes with some word. Shares over all texts are lower. The words "
                "are split into the two groups that differ most; whether the decision depends on "
                "the group is measured on the second half.",
                n=len(has_decision),
            ),
        )


def _tops(rates: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which words have the higher rates, and how far the two sides are apart.

    Parameters
    ----------
    rates : array, shape (n_words, n_decisions)
        Share of the texts in which each word leads to each decision.

    Returns
    -------
    top : array, shape (n_words, n_decisions), bool
        The side with the higher rates, of the split with the largest variance between its sides.
    between : array, shape (n_decisions,)
        That variance.
    """
    ordered = np.sort(rates, axis=0)
    n = len(rates)
    below = np.arange(1, n)[:, None]
    sums = np.cumsum(ordered, axis=0)[:-1]
    gaps = (ordered.sum(axis=0) - sums) / (n - below) - sums / below
    between = below * (n - below) / n**2 * gaps**2
    cut = between.argmax(axis=0)
    columns = np.arange(rates.shape[1])
    return rates > ordered[cut, columns], between[cut, columns] * (ordered[-1] > ordered[0])


def _one_sided(gaps: NDArray[np.float64]) -> float:
    """Return the p-value of a mean above zero: of Student's t, or the sign test if all agree."""
    if gaps.std() == 0:
        return float(0.5 ** len(gaps)) if gaps[0] > 0 else 1.0
    return float(stats.ttest_1samp(gaps, 0, alternative="greater").pvalue)
