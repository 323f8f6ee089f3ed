"""What a model decides about texts that name people: in neutral sentences, and in the data."""

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
from explain.checks.base.part import Part
from explain.checks.fairness.metrics import SWAP_FLIP_RATE
from explain.checks.fairness.named_errors import FEWEST_TEXTS
from explain.checks.fairness.neutral_sentences import (
    DISCOVERY_LEVEL,
    MOST_LISTED,
    quoted_list,
    topics_of,
)
from explain.record import Cell, Finding, Measure, Table
from explain.record.wording import estimated, points
from explain.statistics.intervals import clustered_proportion, mean, proportion
from explain.text.spans import Text, text_of

__all__ = ["swapped"]

LARGE_BY_SWAP = 0.05
"""Share of decisions that may hang on a name alone: more than one in twenty is no exception."""

SCREENED = 3
"""Other words that are tried in each text first, to see which texts move at all."""

DRAWN = 2
"""Words of either side that are tried in each text of the second half."""

ABOUT_AS_MUCH = 0.8
"""Share of the largest variance that counts as equal to it."""

MOST_MOVED = 1000
"""Evaluations to try every word in the texts that move."""

NAMES_TRIED = (16, 40)
"""First names that are tried: at least, those of the data filled up from the list; and at most."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A text, and the word of a kind that it names people by."""

    row: int
    mention: Mention


def swapped(
    context: AuditContext,
    found: Sequence[Sequence[Mention]],
    known: Sequence[IdentityTerm],
    wanted: Sequence[Decision],
    most: int,
) -> Part:
    """Return what the decisions become when a word for people is swapped for another of its kind.

    Parameters
    ----------
    context : AuditContext
        The audit.
    found : sequence of sequences of Mention
        Which words each instance holds.
    known : sequence of IdentityTerm
        All words.
    wanted : sequence of Decision
        The decisions.
    most : int
        Texts that are edited, of all kinds together.
    """
    places: dict[tuple[str, str], list[_Place]] = {}
    for row, own in enumerate(found):
        for mention in reversed(own):
            kind = (mention.naming.kind, mention.naming.language)
            here = places.setdefault(kind, [])
            if here and here[-1].row == row:
                here.pop()
            here.append(_Place(row, mention))
    kinds = {kind: own for kind, own in sorted(places.items()) if len(own) >= FEWEST_TEXTS}
    parts = []
    for kind, texts in kinds.items():
        rng = context.rng(f"fairness, {' '.join(kind)}")
        choice = np.sort(rng.permutation(len(texts))[: max(FEWEST_TEXTS, most // len(kinds))])
        namings = _candidates(kind, texts, known, rng)
        if len(namings) > 1:
            drawn = [texts[i] for i in choice.tolist()]
            swaps = _Swaps(context, kind[0], drawn, namings, wanted, rng)
            parts.append(swaps.compare(MOST_MOVED // len(kinds)))
    return sum(parts, Part())


def _candidates(
    kind: tuple[str, str],
    places: Sequence[_Place],
    known: Sequence[IdentityTerm],
    rng: np.random.Generator,
) -> list[IdentityTerm]:
    """Return the words that stand in for one another: all, but of first names the data's own."""
    own = [naming for naming in known if (naming.kind, naming.language) == kind]
    if kind[0] != NAMES:
        return own
    least, most = NAMES_TRIED
    counts = Counter(place.mention.naming for place in places)
    used = [naming for naming, _ in counts.most_common(most)]
    others = [naming for naming in own if naming not in counts]
    more = rng.permutation(len(others))[: max(0, least - len(used))]
    return sorted([*used, *(others[i] for i in more)], key=lambda naming: naming.name)


@dataclass(frozen=True, slots=True)
class _Swaps:
    """Words of one kind, and the texts in which each is swapped for others."""

    context: AuditContext
    kind: str
    places: Sequence[_Place]
    namings: Sequence[IdentityTerm]
    wanted: Sequence[Decision]
    rng: np.random.Generator

    def compare(self, most_moved: int) -> Part:
        """Return how many labels the swaps flip, and which words a decision hangs on."""
        n = len(self.places)
        drawn = [(i, self._others(i, SCREENED)) for i in range(n)]
        edits: list[Edit] = [
            (self.places[i].row, self._text(i, k)) for i, others in drawn for k in others
        ]
        done = intervene(self.context, {self.kind: edits})[self.kind]
        measures: tuple[Measure, ...] = ()
        if self.context.model.task != "regression":
            measures = (done.flip_rate(SWAP_FLIP_RATE.name(kind=self.kind)),)
        first = self.rng.permutation(n) < n // 2
        tried = self._made([(i, k) for i, others in drawn for k in others])
        moved = self._moved(tried.reshape(n, -1, len(self.wanted)))
        movable = np.flatnonzero(moved & first)
        movable = movable[: max(1, most_moved // len(self.namings))]
        if not len(movable):
            return Part(measures=measures)
        every = [(int(i), k) for i in movable for k in range(len(self.namings))]
        made = self._made(every).reshape(len(movable), len(self.namings), len(self.wanted))
        rates = np.nan_to_num(np.nanmean(made, axis=0))
        tops, gaps = _tops(rates)
        k = self._most_affected(gaps, tops)
        confirmed = self._confirm(k, tops[:, k], np.flatnonzero(~first)) if gaps[k] > 0 else None
        if confirmed is None:
            return Part(measures=measures)
        claim, table = confirmed
        shown = claim.p <= DISCOVERY_LEVEL
        tables = (table, self._table(k, made[:, :, k], tops[:, k])) if shown else ()
        return Part(measures=measures, tables=tables, claims=(claim,))

    def _most_affected(self, between: NDArray[np.float64], tops: NDArray[np.bool_]) -> int:
        """Return the decision that hangs most on the words.

        What moves a text to one label moves it away from another. Of decisions that hang about as
        much on the words that is taken which falls on fewer words, and then on more of the data.
        """
        most = np.flatnonzero(between >= ABOUT_AS_MUCH * between.max())
        overall = decisions(self.context, self.context.scores, self.wanted).mean(axis=0)
        return int(min(most, key=lambda k: (tops[:, k].sum(), -overall[k], k)))

    def _others(self, i: int, count: int) -> list[int]:
        """Return other words than that of a text, drawn at random."""
        others = [k for k, own in enumerate(self.namings) if own != self.places[i].mention.naming]
        return [others[j] for j in self.rng.permutation(len(others))[:count]]

    def _text(self, i: int, naming: int) -> Text:
        """Return a text with another word."""
        place, words = self.places[i], self.namings[naming].words
        word = words[i % len(words)]
        return text_of(swap(self.context.instances[place.row].parts, place.mention.written, word))

    def _made(self, trials: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        """Return the decisions on texts with other words, shape (n_trials, n_outcomes)."""
        texts = [self._text(i, k) for i, k in trials]
        return decisions(self.context, self.context.score(texts), self.wanted)

    def _moved(self, tried: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return in which texts another word made another decision."""
        rows = [place.row for place in self.places]
        before = decisions(self.context, self.context.scores[rows], self.wanted)[:, None]
        return np.asarray(((tried != before) & ~np.isnan(tried)).any(axis=(1, 2)))

    def _confirm(
        self, k: int, top: NDArray[np.bool_], texts: NDArray[np.int64]
    ) -> tuple[TestedClaim, Table] | None:
        """Return whether a decision hangs on the chosen words, in texts not used to choose them."""
        sides = [np.flatnonzero(top), np.flatnonzero(~top)]
        drawn = [
            [(int(i), int(j)) for i in texts for j in self.rng.permutation(side)[:DRAWN]]
            for side in sides
        ]
        shape = [(len(texts), min(DRAWN, len(side))) for side in sides]
        with_top, with_rest = (
            self._made(trials)[:, k].reshape(form)
            for trials, form in zip(drawn, shape, strict=True)
        )
        good = ~(np.isnan(with_top).any(axis=1) | np.isnan(with_rest).any(axis=1))
        if good.sum() < 2:
            return None
        texts, with_top, with_rest = texts[good], with_top[good], with_rest[good]
        gaps = with_top.mean(axis=1) - with_rest.mean(axis=1)
        change = mean("change by the word", gaps.tolist(), "proportion")
        one, rest = (
            clustered_proportion(name, hits.ravel() == 1, np.repeat(texts, hits.shape[1]))
            for name, hits in (("with these words", with_top), ("with the others", with_rest))
        )
        outcome = self.wanted[k]
        names = [[self.namings[j].name for j in side.tolist()] for side in sides]
        examples = texts[np.argsort(-gaps, kind="stable")[:3]]
        turned = set(texts[gaps > 0].tolist())
        other = self._instead(k, [trial for trial in drawn[1] if trial[0] in turned])
        finding = Finding(
            claim=f"The same texts are {outcome.verb} in {estimated(one)} of the cases with "
            f"{quoted_list(names[0])} in them and in {estimated(rest)} with "
            f"{quoted_list(names[1])}{other}: "
            f"by the word alone ({self.kind}) the share changes by {points(change)} "
            f"(n = {change.n:,} texts).",
            severity="critical",
            measure=change,
            evidence=(
                "fairness",
                *(self.context.instances[self.places[i].row].id for i in examples.tolist()),
            ),
            suggestion="Replace words for people by a placeholder before the model reads a text, "
            "or train it on texts in which they are swapped.",
        )
        claim = TestedClaim(
            _one_sided(gaps),
            change.lower is not None and change.lower > LARGE_BY_SWAP,
            (f"{self.kind} swapped", *topics_of(outcome, names[0])),
            finding,
        )
        return claim, self._by_label(outcome, texts, with_top, with_rest)

    def _instead(self, k: int, trials: Sequence[tuple[int, int]]) -> str:
        """Return what texts that the chosen words turn mostly are with the others."""
        labels = self.context.model.labels
        if self.context.model.task != "single_label" or len(labels) == 2:
            return ""
        scores = self.context.score([self._text(i, j) for i, j in trials])
        called = Counter(scores.argmax(axis=1).tolist())
        called.pop(self.wanted[k].column, None)
        if not called:
            return ""
        return f" (those that change are mostly {labels[called.most_common(1)[0][0]]} then)"

    def _by_label(
        self,
        outcome: Decision,
        texts: NDArray[np.int64],
        with_top: NDArray[np.float64],
        with_rest: NDArray[np.float64],
    ) -> Table:
        """Return the effect of the chosen words among the texts that are predicted alike."""
        predicted = np.array([self.context.instances[self.places[i].row].predicted for i in texts])
        rows: list[tuple[Cell, ...]] = []
        for label in self.context.model.labels:
            own = predicted == label
            if own.any():
                shares = (
                    clustered_proportion(
                        name, hits[own].ravel() == 1, np.repeat(texts[own], hits.shape[1])
                    )
                    for name, hits in (("with", with_top), ("without", with_rest))
                )
                rows.append((label, int(own.sum()), *shares))
        return Table(
            title=f"Texts {outcome.verb}, by {self.kind} and by what is predicted as they are",
            columns=("predicted as it is", "texts", "with the words that do", "with the others"),
            rows=tuple(rows[:MOST_LISTED]),
            note="Texts that were not used to choose the words. Those that do are marked in the "
            "next table.",
        )

    def _table(self, k: int, made: NDArray[np.float64], top: NDArray[np.bool_]) -> Table:
        """Return how often the decision falls with each word, in the texts that move at all."""
        known = ~np.isnan(made)
        rates = [
            proportion(f"{naming.name}", int(np.nansum(made[:, j])), int(known[:, j].sum()))
            for j, naming in enumerate(self.namings)
        ]
        order = sorted(range(len(rates)), key=lambda j: (-(rates[j].value or 0), j))
        return Table(
            title=f"Texts {self.wanted[k].verb}, by {self.kind}",
            columns=(self.kind, "share", "chosen"),
            rows=tuple((self.namings[j].name, rates[j], "yes" if top[j] else "") for j in order),
            note=f"Each word in the same {len(made)} texts, which are those of the first half that "
            "change with some word; shares over all texts are lower. The chosen words differ most "
            "from the others; whether the decision hangs on them is measured on the second half.",
        )


def _tops(rates: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which words have the higher rates, and how far the two sides are apart.

    Parameters
    ----------
    rates : array, shape (n_words, n_outcomes)
        Share of the texts in which each word leads to each decision.

    Returns
    -------
    top : array, shape (n_words, n_outcomes), bool
        The side with the higher rates, of the split with the largest variance between its sides.
    between : array, shape (n_outcomes,)
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
