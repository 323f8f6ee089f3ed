"""Words that predict a label, and what becomes of texts into which they are put."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base import LEVEL, AuditContext
from explain.checks.base.intervention import Edit, Intervention, intervene
from explain.checks.base.phrases import Corpus, Phrase, delete, insert
from explain.record import (
    Figure,
    Finding,
    InstanceRecord,
    IntervalsFigure,
    Measure,
    Table,
)
from explain.record.wording import estimated, percent
from explain.statistics.intervals import benjamini_hochberg, mean, proportion

__all__ = ["Ground", "Part", "moved", "words_leant_on"]

SECTION = "shortcuts"

FEWEST = 5
"""Texts that must hold a word for it to be looked at: z is no normal variable with fewer."""

SMALLEST_Z = 2.0
"""z from which a word is screened; a finding needs one that is significant among all words."""

LEAST_OF_A_LABEL = 5
"""Phrases of a label that are screened however many labels there are, so that each has rivals."""

SCREENED = 12
"""Texts in which a phrase is screened: a shortcut flips nearly all of them, so they are enough to
rank it among the strongest."""

DECISIVE = 2 / 3
"""Share of the surest texts that a shortcut must turn, with its whole interval above it: two of
three, which no word of content did where we looked. Shares turned by the strongest of them: .43 in
a transformer trained on SST-2, .23 in linear models of it, .68 (question words, their intervals
from .55) in a linear model of TREC. A token planted in 90 % of the positive training texts of SST-2
and in 5 % of the others turns .85 to .93 in a linear model."""

MOST_LIKES = 1
"""Other words of the label that may turn as many texts, within their intervals. Content comes in
many words that do about the same; a shortcut stands alone, or has one variant."""

MARKED = 0.02
"""Share of all texts that must end, or begin, with a source marker: a habit of the source, and no
chance repeat of a phrase."""

FEWEST_MARKED = 10

MARKER_FLIPS = 0.10
"""Share of other texts that a source marker must turn, with its whole interval above it. It says
nothing, so it should turn none; a tenth is what no reader would take for rounding."""

MISLED = 0.5
"""Share of the texts that hold a phrase and are given another label which the model calls the
phrase's, with its whole interval above it: there its decisions are wrong already, more often than
not. Without such texts a phrase may define its label, as "How many" asks for a number."""

SAME = 0.8
"""Jaccard overlap of the texts of two phrases from which they go together and are tried once."""

MOST_EVIDENCE = 5
LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Part:
    """What one kind of shortcut adds to the section."""

    sentence: str = ""
    tried: int = 0
    measures: Sequence[Measure] = field(default=())
    figures: Sequence[Figure] = field(default=())
    tables: Sequence[Table] = field(default=())
    findings: Sequence[Finding] = field(default=())


@dataclass(frozen=True)
class Ground:
    """What all kinds of shortcuts are looked for in.

    Attributes
    ----------
    context : AuditContext
    corpus : Corpus
        Words of the instances.
    said, given : array, shape (n_instances, n_labels), bool
        Whether the model, and the table, gives each label to each text.
    labelled : array, shape (n_instances,), bool
        Which texts the table gives labels at all.
    rng : Generator
    texts : int
        Texts that an intervention is made on.
    """

    context: AuditContext
    corpus: Corpus
    said: NDArray[np.bool_]
    given: NDArray[np.bool_]
    labelled: NDArray[np.bool_]
    rng: np.random.Generator
    texts: int

    @classmethod
    def of(
        cls, context: AuditContext, corpus: Corpus, rng: np.random.Generator, texts: int
    ) -> "Ground":
        """Return the ground of a context."""
        labels = context.model.labels
        given = [_given(instance) for instance in context.instances]
        return cls(
            context,
            corpus,
            says(context.scores, context.model.task == "multi_label"),
            np.array([[label in (one or ()) for label in labels] for one in given]),
            np.array([one is not None for one in given]),
            rng,
            texts,
        )

    @property
    def several_labels(self) -> bool:
        """Whether some label is given to some texts, and not to all."""
        counts = self.said.sum(axis=0)
        return bool(((counts > 0) & (counts < len(self.said))).any())

    @property
    def multi_label(self) -> bool:
        """Whether a text may have any number of labels."""
        return self.context.model.task == "multi_label"

    @cached_property
    def doubts(self) -> NDArray[np.float64]:
        """How unsure the model is that a label does not hold, shape (n_instances, n_labels)."""
        scores = self.context.scores
        if self.multi_label:
            return scores
        return np.repeat(-self.context.probabilities.max(axis=1)[:, None], scores.shape[1], axis=1)

    def others(self, label: int, excluded: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the texts that are something else, to the model and as far as known in truth.

        The surest come first.
        """
        fit = ~self.said[:, label]
        fit[excluded] = False
        if (right := fit & self.labelled & ~self.given[:, label]).sum() >= 2 * self.texts:
            fit = right
        rows = np.flatnonzero(fit)
        return rows[np.argsort(self.doubts[rows, label], kind="stable")]

    def drawn(self, rows: NDArray[np.int64], most: int) -> list[int]:
        """Return some of the rows, drawn at random."""
        found: list[int] = self.rng.permutation(rows)[:most].tolist()
        return found

    def becomes(self, done: Intervention, label: int) -> NDArray[np.bool_]:
        """Return whether each edited text is given a label, shape (n_edits,)."""
        return says(done.after, self.multi_label)[:, label]

    def instance(self, row: int) -> InstanceRecord:
        """Return an instance by its number."""
        return self.context.instances[row]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A phrase that predicts a label."""

    phrase: Phrase
    label: int
    z: float
    p_value: float
    """Adjusted for all words and labels."""


@dataclass(frozen=True, eq=False)
class Confirmed:
    """A candidate, and what inserting and deleting it does."""

    candidate: Candidate
    sure: Intervention
    """Inserted into the texts that the model is surest are something else."""
    any: Intervention
    """Inserted into any that are something else."""
    without: Intervention
    """Deleted from texts that hold it and are given its label."""
    turned: Measure
    turned_any: Measure
    p_value: float
    """Of the change of the label's probability in any text, adjusted for all that are confirmed."""


def says(scores: NDArray[np.float64], multi_label: bool) -> NDArray[np.bool_]:
    """Return whether each label is given, shape (n_texts, n_labels)."""
    if multi_label:
        return scores > 0
    return np.asarray(scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1]))


def moved(changes: NDArray[np.float64]) -> float:
    """Return the p-value of Wilcoxon's signed-rank test (1945), small if changes are mostly up."""
    changes = changes[changes != 0]
    if not changes.size:
        return 1.0
    return float(stats.wilcoxon(changes, alternative="greater", method="approx").pvalue)


def words_leant_on(ground: Ground, most_screened: int, most_confirmed: int) -> Part:
    """Return the words and phrases that predict a label, and those that decide by themselves."""
    tested, candidates = _candidates(ground, most_screened)
    screened, strongest = _screen(ground, candidates, most_confirmed)
    confirmed = _confirm(ground, strongest, screened)
    findings = []
    for one in confirmed:
        if one.candidate.p_value <= LEVEL and one.p_value <= LEVEL:
            if _decides(one) and len(_likes(one, confirmed)) <= MOST_LIKES:
                findings.append(_decisive_finding(ground, one, confirmed))
            elif _is_marker(ground, one.candidate) and (one.turned_any.lower or 0) > MARKER_FLIPS:
                findings.append(_marker_finding(ground, one))
    findings.sort(key=lambda finding: (finding.severity, -_lower(finding.measure)))
    sentence = (
        f"Of {tested:,} words and labels, {len(candidates):,} phrases that predict a label were "
        f"inserted into {SCREENED} texts each, and the {len(confirmed)} strongest into "
        f"{ground.texts} more. Shortcuts among them: {len(findings)}."
    )
    return Part(
        sentence,
        len(candidates),
        [one.turned for one in confirmed],
        _figures(confirmed),
        [_table(ground, confirmed)],
        findings,
    )


def _candidates(ground: Ground, most: int) -> tuple[int, list[Candidate]]:
    """Return how many words and labels were tested, and the phrases that predict a label best.

    z is that of Gardner et al. (2021): the share of its texts that have the label against the base
    rate. The p-value is that of Fisher's exact test.
    """
    corpus, n = ground.corpus, len(ground.said)
    hits = np.asarray(corpus.presence.T @ ground.said.astype(float))
    z = _z(hits, corpus.frequencies[:, None], ground.said.mean(axis=0))
    usable = (corpus.frequencies >= FEWEST)[:, None] & (ground.said.sum(axis=0) > 0)
    usable &= (corpus.frequencies < n)[:, None]
    rows, labels = np.nonzero(usable & (z >= SMALLEST_Z))
    p_values = np.ones(int(usable.sum()))
    p_values[: len(rows)] = stats.hypergeom.sf(
        hits[rows, labels] - 1, n, ground.said.sum(axis=0)[labels], corpus.frequencies[rows]
    )
    p_values = benjamini_hochberg(p_values)
    order = np.lexsort((rows, -z[rows, labels], p_values[: len(rows)]))
    chosen: dict[int, list[Candidate]] = defaultdict(list)
    cap = max(LEAST_OF_A_LABEL, -(-most // max(1, len(set(labels.tolist())))))
    phrases: dict[int, Phrase] = {}
    for i in order.tolist():
        word, label = int(rows[i]), int(labels[i])
        if sum(map(len, chosen.values())) >= most:
            break
        if len(chosen[label]) >= cap:
            continue
        phrase = phrases.setdefault(word, corpus.phrase(word))
        if any(_said_already(ground, word, phrase, label, c.phrase) for c in chosen[label]):
            continue
        holds = ground.said[phrase.texts, label]
        score = _z(holds.sum(), len(holds), ground.said[:, label].mean())
        chosen[label].append(Candidate(phrase, label, float(score), float(p_values[i])))
    return len(p_values), [c for one in chosen.values() for c in one]


def _z(
    hits: NDArray[np.float64], n: NDArray[np.int64] | int, base: NDArray[np.float64]
) -> NDArray[np.float64]:
    spread = np.sqrt(np.maximum(base * (1 - base), 1e-12) / np.maximum(n, 1))
    return np.asarray((hits / np.maximum(n, 1) - base) / spread)


def _said_already(ground: Ground, word: int, phrase: Phrase, label: int, other: Phrase) -> bool:
    """Tell whether a phrase goes together with another one, or predicts no more without it."""
    common = np.intersect1d(phrase.texts, other.texts, assume_unique=True).size
    if common >= SAME * (phrase.texts.size + other.texts.size - common):
        return True
    if word not in other.words:
        return False
    rest = np.setdiff1d(phrase.texts, other.texts, assume_unique=True)
    holds = ground.said[rest, label]
    z = _z(holds.sum(), max(1, holds.size), ground.said[:, label].mean())
    return bool(not holds.size or z < SMALLEST_Z)


def _screen(
    ground: Ground, candidates: Sequence[Candidate], most: int
) -> tuple[dict[int, set[int]], list[Candidate]]:
    """Return the texts that each candidate was screened in, and the strongest candidates."""
    rows = {
        i: ground.drawn(_surest(ground.others(c.label, c.phrase.texts)), SCREENED)
        for i, c in enumerate(candidates)
    }
    edits = {str(i): _insertions(ground, candidates[i].phrase, rows[i]) for i in rows}
    done = intervene(ground.context, edits)
    strength = {}
    for i, candidate in enumerate(candidates):
        changes = done[str(i)].changes(candidate.label)
        turned = ground.becomes(done[str(i)], candidate.label)
        strength[i] = (
            _is_marker(ground, candidate),
            float(turned.mean()) if turned.size else 0.0,
            float(changes.mean()) if changes.size else 0.0,
        )
    order = sorted(strength, key=lambda i: strength[i], reverse=True)[:most]
    return {i: set(rows[k]) for i, k in enumerate(order)}, [candidates[k] for k in order]


def _surest(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first half."""
    return rows[: (len(rows) + 1) // 2]


def _insertions(ground: Ground, phrase: Phrase, rows: Sequence[int]) -> list[Edit]:
    return [
        (row, insert(ground.instance(row), ground.context.words[row], phrase, ground.rng))
        for row in rows
    ]


def _deletions(ground: Ground, candidate: Candidate) -> list[Edit]:
    phrase = candidate.phrase
    texts = phrase.texts[ground.said[phrase.texts, candidate.label]]
    rows = ground.drawn(texts, ground.texts // 2)
    return [(row, delete(ground.instance(row), phrase.spans_in(row))) for row in rows]


def _confirm(
    ground: Ground, candidates: Sequence[Candidate], screened: dict[int, set[int]]
) -> list[Confirmed]:
    """Return what inserting and deleting each candidate does, in texts of no screening."""
    edits: dict[str, Sequence[Edit]] = {}
    for i, candidate in enumerate(candidates):
        rows = ground.others(candidate.label, candidate.phrase.texts)
        sure = np.array([row for row in _surest(rows).tolist() if row not in screened[i]], int)
        edits[f"sure {i}"] = _insertions(ground, candidate.phrase, ground.drawn(sure, ground.texts))
        edits[f"any {i}"] = _insertions(ground, candidate.phrase, ground.drawn(rows, ground.texts))
        edits[f"without {i}"] = _deletions(ground, candidate)
    done = intervene(ground.context, edits)
    p_values = benjamini_hochberg(
        [moved(done[f"any {i}"].changes(c.label)) for i, c in enumerate(candidates)]
    )
    return [
        Confirmed(
            c,
            done[f"sure {i}"],
            done[f"any {i}"],
            done[f"without {i}"],
            _turned(ground, done[f"sure {i}"], c, "the surest of other texts"),
            _turned(ground, done[f"any {i}"], c, "other texts"),
            float(p_values[i]),
        )
        for i, c in enumerate(candidates)
    ]


def _turned(ground: Ground, done: Intervention, candidate: Candidate, slice_: str) -> Measure:
    hits = ground.becomes(done, candidate.label)
    label = ground.context.model.labels[candidate.label]
    name = f"becomes {label} by inserting {_quoted(candidate.phrase)}"
    return proportion(name, int(hits.sum()), len(hits), slice_)


def _lower(measure: Measure | None) -> float:
    return 0.0 if measure is None or measure.lower is None else measure.lower


def _decides(one: Confirmed) -> bool:
    return _lower(one.turned) > DECISIVE


def _likes(one: Confirmed, every: Sequence[Confirmed]) -> list[Confirmed]:
    """Return the other phrases of the label that may turn as many texts."""
    return [
        other for other in _rivals(one, every) if (other.turned.upper or 0) >= _lower(one.turned)
    ]


def _rivals(one: Confirmed, every: Sequence[Confirmed]) -> list[Confirmed]:
    return [o for o in every if o is not one and o.candidate.label == one.candidate.label]


def _is_marker(ground: Ground, candidate: Candidate) -> bool:
    """Tell whether a phrase stands apart from the rest, word for word, at one end of many texts."""
    phrase = candidate.phrase
    return (
        len(phrase.texts) >= max(FEWEST_MARKED, MARKED * len(ground.said))
        and phrase.end is not None
        and phrase.detached
        and any(map(str.isalnum, phrase.surface))
    )


def _decisive_finding(ground: Ground, one: Confirmed, every: Sequence[Confirmed]) -> Finding:
    rivals = [o.turned.value or 0 for o in _rivals(one, every)]
    label = ground.context.model.labels[one.candidate.label]
    alone = ""
    if rivals:
        alone = f"; no other word that was tried does so for more than {percent(max(rivals))}"
    against = _against(ground, one.candidate)
    misled = (
        f" It calls {estimated(against)} of the texts {label!r} that hold these words and are "
        f"given another label (n = {against.n:,})."
    )
    wrong = _lower(against) > MISLED
    return Finding(
        claim=f"Adding {_quoted(one.candidate.phrase)} to texts that the model is sure are "
        f"something else makes it call {estimated(one.turned)} of them {label!r} "
        f"(n = {one.turned.n:,}){alone}.{misled * wrong}",
        severity="critical" if wrong else "major",
        measure=one.turned,
        evidence=(SECTION, *_turned_ids(ground, one.sure, one.candidate.label)),
        suggestion="Decide whether these words may settle the answer alone. If not, remove them "
        "from the training texts, or balance them over the labels, and train anew; until then, "
        "strip them from texts before the model reads them.",
    )


def _against(ground: Ground, candidate: Candidate) -> Measure:
    """Return the share of texts that hold a phrase, not its label, and are given it by the model.

    Its interval is from zero to one where the table holds no such text.
    """
    texts = candidate.phrase.texts
    texts = texts[ground.labelled[texts] & ~ground.given[texts, candidate.label]]
    name = f"called {ground.context.model.labels[candidate.label]} against the given label"
    if not texts.size:
        return Measure(name=name, value=0.0, lower=0.0, upper=1.0, n=0)
    return proportion(name, int(ground.said[texts, candidate.label].sum()), texts.size)


def _marker_finding(ground: Ground, one: Confirmed) -> Finding:
    phrase, label = one.candidate.phrase, ground.context.model.labels[one.candidate.label]
    said = ground.said[phrase.texts, one.candidate.label]
    return Finding(
        claim=f"The words {_quoted(phrase)} stand at the {phrase.end} of {len(said):,} texts, of "
        f"which the model calls {percent(said.mean())} {label!r}; adding them to texts that are "
        f"something else makes it call {estimated(one.turned_any)} of those {label!r} "
        f"(n = {one.turned_any.n:,}).",
        severity="critical" if _decides(one) else "major",
        measure=one.turned_any,
        evidence=(SECTION, *_turned_ids(ground, one.any, one.candidate.label)),
        suggestion="This looks like the mark of a source, and not like content. Find out where it "
        "comes from, strip it from the training texts and from what the model reads, and train "
        "anew.",
    )


def _turned_ids(ground: Ground, done: Intervention, label: int) -> list[str]:
    rows = done.instances[ground.becomes(done, label)][:MOST_EVIDENCE].tolist()
    return [ground.instance(row).id for row in rows]


def _quoted(phrase: Phrase) -> str:
    text = " ".join(phrase.surface.split())
    return f"“{text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + '…'}”"


def _figures(confirmed: Sequence[Confirmed]) -> list[Figure]:
    if not confirmed:
        return []
    return [
        IntervalsFigure(
            title="What inserted words do to the texts that the model is surest of",
            description="Share of the texts, confidently called something else, that are called "
            "the label once the words are in them, with 95 % intervals.",
            measures=tuple(
                one.turned for one in sorted(confirmed, key=lambda o: -_lower(o.turned))
            ),
            reference=DECISIVE,
            reference_label="decides by itself",
        )
    ]


def _table(ground: Ground, confirmed: Sequence[Confirmed]) -> Table:
    attributed = any(instance.attributions for instance in ground.context.instances)
    columns = ("words", "label", "texts", "z", "called so",
               *(("given so",) if ground.labelled.any() else ()),
               *(("attribution",) if attributed else ()), "inserted: change of p",
               "inserted: surest texts turned", "inserted: other texts turned",
               "deleted: change of p", "deleted: texts turned", "p, adjusted")  # fmt: skip
    return Table(
        title="Words that predict a label",
        columns=columns,
        rows=tuple(tuple(_row(ground, one, attributed)) for one in confirmed),
        note="z: how far the share of its texts with the label lies from the share of all texts, "
        "in standard errors (Gardner et al. 2021). Turned: called the label after the insertion, "
        "no longer called it after the deletion. Attribution: mean over explained texts with the "
        "label, in log-odds. A word of the content predicts and moves as well.",
    )


def _row(ground: Ground, one: Confirmed, attributed: bool) -> Iterator[str | int | float | Measure]:
    candidate, label = one.candidate, one.candidate.label
    texts, name = candidate.phrase.texts, ground.context.model.labels[label]
    known = texts[ground.labelled[texts]]
    yield from (_quoted(candidate.phrase), name, len(texts), round(candidate.z, 1))
    yield proportion(f"called {name}", int(ground.said[texts, label].sum()), len(texts))
    if ground.labelled.any():
        yield proportion(f"given {name}", int(ground.given[known, label].sum()), len(known))
    if attributed:
        yield mean("attribution", list(_attributions(ground, candidate)), "log_odds")
    yield one.any.mean_change("change of p", label)
    yield from (one.turned, one.turned_any)
    yield one.without.mean_change("change of p", label)
    left = ~ground.becomes(one.without, label)
    yield proportion("turned", int(left.sum()), len(left))
    yield one.p_value


def _attributions(ground: Ground, candidate: Candidate) -> Iterator[float]:
    """Yield what a phrase is attributed in each explained text that has its label."""
    name = ground.context.model.labels[candidate.label]
    for row in candidate.phrase.texts.tolist():
        own = [a for a in ground.instance(row).attributions if a.target.label == name]
        if own:
            places = candidate.phrase.spans_in(row)
            yield sum(
                value
                for span, value in zip(own[0].spans, own[0].values, strict=True)
                if any(p.part == span.part and p.start < span.end and span.start < p.end
                       for p in places)
            )  # fmt: skip


def _given(instance: InstanceRecord) -> tuple[str, ...] | None:
    return instance.given if instance.label is None else (instance.label,)
