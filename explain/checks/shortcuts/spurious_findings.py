"""The findings, table and figure on words that decide and should not."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from explain.checks.base.intervention import Intervention
from explain.checks.base.phrases import Phrase
from explain.checks.shortcuts.search import Candidate, ShortcutSearch, TestedCandidate
from explain.record import (
    Figure,
    Finding,
    IntervalsFigure,
    Measure,
    Sentence,
    Table,
    join_sentences,
)
from explain.statistics.intervals import mean, proportion

__all__ = [
    "MOST_OTHERS",
    "decides",
    "decisive_finding",
    "figures_of",
    "lower_end",
    "marker_finding",
    "surface_of",
    "table_of",
]

SECTION = "shortcuts"

DECISIVE = 2 / 3
"""Share of the most confident answers that a shortcut must change, with its whole interval above
it: two of three, which no word of content did where we looked. The strongest of them changed .43
in a transformer trained on SST-2, .23 in linear models of it, .68 (question words, their intervals
from .55) in a linear model of TREC. A token planted in 90 % of the positive training texts of SST-2
and in 5 % of the negative ones changes .85 to .93 in a linear model."""

MOST_OTHERS = 0.6
"""Share of the answers in any other texts that a shortcut must change, with its whole interval
above it. Words of content changed at most .66 [.59, .73] where we looked (linear models of German
and Spanish tweets; .47 in a transformer trained on SST-2), but for "How much", which defines its
label. A token in 5 % of the training texts of a linear model changed .70 to .74."""

MOST_WORDS = 2
"""Words of a phrase that is no sentence: a whole sentence of content turns most texts by right."""

MISLED = 0.5
"""Share of the texts that hold a phrase and have another label which the model classifies as the
phrase's, with its whole interval above it: there its decisions are wrong already, more often than
not. Without such texts a phrase may define its label, as "How many" asks for a number."""

MOST_EVIDENCE = 5

LONGEST_SHOWN = 60


def lower_end(measure: Measure | None) -> float:
    """Return the lower end of an interval; zero if there is none."""
    return 0.0 if measure is None or measure.lower is None else measure.lower


def decides(tested_candidate: TestedCandidate) -> bool:
    """Tell whether a word decides most texts that it is put into.

    Those of which the model is surest, or, of a word or two, any others: what weighs as much as the
    content turns the surest texts less often.
    """
    if lower_end(tested_candidate.changed_confident) > DECISIVE:
        return True
    phrase = tested_candidate.candidate.phrase
    n_words = sum(any(map(str.isalnum, word)) for word in phrase.surface.split())
    return n_words <= MOST_WORDS and lower_end(tested_candidate.changed_any) > MOST_OTHERS


def decisive_finding(
    search: ShortcutSearch,
    words: Sequence[TestedCandidate],
    all_tested: Sequence[TestedCandidate],
) -> Finding:
    """Return the finding that one word of a label decides, or each of a few."""
    words = sorted(words, key=lambda word: -lower_end(word.changed_any))
    worst = words[0]
    label = search.context.model.labels[worst.candidate.label]
    changed = search.predicted_after(worst.into_any, worst.candidate.label)
    claim = Sentence(
        "Adding {words:quoted} is usually enough to change the answer to {label:quoted}. We added "
        "it to {share.n} random {share.n:text|texts} with another answer; {changed} of them "
        "({share}) were then classified as {label:quoted}.",
        words=surface_of(worst.candidate.phrase),
        label=label,
        changed=int(changed.sum()),
        share=worst.changed_any,
    )
    others = [surface_of(word.candidate.phrase) for word in words[1:]]
    more = Sentence("{words:quoted-and} {n:does|do} the same.", words=others, n=len(others))
    against = _against_label(search, worst.candidate)
    misleads = lower_end(against) > MISLED
    wrong = Sentence(
        "In the data, {against.n} {against.n:text contains|texts contain} these words and "
        "{against.n:has|have} another label; the model classifies {against} of them as "
        "{label:quoted}.",
        against=against,
        label=label,
    )
    return Finding(
        code="shortcuts.word",
        subject=", ".join(sorted(surface_of(word.candidate.phrase) for word in words)),
        claim=join_sentences(
            claim,
            more if others else "",
            _no_other_word(words, all_tested),
            wrong if misleads else "",
        ),
        severity="critical" if misleads else "major",
        size=worst.changed_any.distance_from(0),
        measure=worst.changed_any,
        members=table_of(search, words) if others else None,
        evidence=(SECTION, *_evidence(search, worst.into_any, changed)),
        suggestion="Decide whether these words alone may settle the answer. If not, remove them "
        "from the training texts, or balance them over the labels, and train again. Until then, "
        "remove them from texts before the model reads them.",
    ).about(_holders(search, words))


def _holders(search: ShortcutSearch, words: Sequence[TestedCandidate]) -> set[str]:
    """Return the ids of the instances that hold one of some words."""
    rows = np.unique(np.concatenate([word.candidate.phrase.texts for word in words]))
    return {search.instance(row).id for row in rows.tolist()}


def _no_other_word(words: Sequence[TestedCandidate], all_tested: Sequence[TestedCandidate]) -> str:
    """Return how far the other words of a label are from deciding."""
    label = words[0].candidate.label
    shares = [
        other.changed_any.value or 0
        for other in all_tested
        if other.candidate.label == label and all(other is not word for word in words)
    ]
    if not shares:
        return ""
    return Sentence(
        "No other word that we tried for this label did the same in more than {most:percent} of "
        "texts.",
        most=max(shares),
    )


def _against_label(search: ShortcutSearch, candidate: Candidate) -> Measure:
    """Return the share of texts that hold a phrase, not its label, and are classified as it.

    Its interval is from zero to one where the table holds no such text.
    """
    texts = candidate.phrase.texts
    texts = texts[search.has_labels[texts] & ~search.labels[texts, candidate.label]]
    name = Sentence(
        "classified as {label}, with another label in the data",
        label=search.context.model.labels[candidate.label],
    )
    if not texts.size:
        return Measure(name=name, value=0.0, lower=0.0, upper=1.0, n=0)
    return proportion(name, int(search.predicted[texts, candidate.label].sum()), texts.size)


def marker_finding(search: ShortcutSearch, tested_candidate: TestedCandidate) -> Finding:
    """Return the finding that words at the edge of texts mark a label."""
    phrase, label = tested_candidate.candidate.phrase, tested_candidate.candidate.label
    predicted = search.predicted[phrase.texts, label]
    changed = search.predicted_after(tested_candidate.into_any, label)
    return Finding(
        code="shortcuts.source_mark",
        subject=surface_of(phrase),
        claim=Sentence(
            "The words {words:quoted} stand at the {end} of {n} {n:text|texts} and look like the "
            "mark of a source. The model classifies {predicted} of these texts "
            "({predicted_share:percent}) as {label:quoted}. We added the words to {share.n} "
            "{share.n:text|texts} with another answer; {changed} of them ({share}) were then "
            "classified as {label:quoted}.",
            words=surface_of(phrase),
            end=phrase.end,
            n=len(predicted),
            predicted=int(predicted.sum()),
            predicted_share=float(predicted.mean()),
            label=search.context.model.labels[label],
            share=tested_candidate.changed_any,
            changed=int(changed.sum()),
        ),
        severity="critical" if decides(tested_candidate) else "major",
        size=tested_candidate.changed_any.distance_from(0),
        measure=tested_candidate.changed_any,
        evidence=(SECTION, *_evidence(search, tested_candidate.into_any, changed)),
        suggestion="Find out where these words come from. Remove them from the training texts and "
        "from the texts that the model reads, and train again.",
    ).about(_holders(search, [tested_candidate]))


def _evidence(
    search: ShortcutSearch, edited: Intervention, is_changed: NDArray[np.bool_]
) -> list[str]:
    rows = edited.instances[is_changed][:MOST_EVIDENCE].tolist()
    return [search.instance(row).id for row in rows]


def surface_of(phrase: Phrase) -> str:
    """Return the words of a phrase as they are written, cut where they are long."""
    text = " ".join(phrase.surface.split())
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def figures_of(all_tested: Sequence[TestedCandidate]) -> list[Figure]:
    """Return how often each word changes the answer, drawn."""
    if not all_tested:
        return []
    shares = [tested_candidate.changed_any for tested_candidate in all_tested]
    return [
        IntervalsFigure(
            title="Effect of inserting a word into texts of another label",
            description="Share of the texts that are classified as the label after the words are "
            "inserted, with its 95 % interval. Before, they had another answer.",
            measures=tuple(sorted(shares, key=lambda share: -lower_end(share))),
            reference=MOST_OTHERS,
            reference_label="the word alone decides",
        )
    ]


def table_of(search: ShortcutSearch, all_tested: Sequence[TestedCandidate]) -> Table:
    """Return all words that were tested, as a table."""
    attributed = any(instance.attributions for instance in search.context.instances)
    columns = ("words", "label", "texts", "z", "classified as the label",
               *(("has the label in the data",) if search.has_labels.any() else ()),
               *(("attribution",) if attributed else ()), "inserted: change of probability",
               "inserted: confident answers changed", "inserted: any other answers changed",
               "deleted: change of probability", "deleted: answers changed",
               "adjusted p")  # fmt: skip
    return Table(
        title="Words that predict a label",
        columns=columns,
        rows=tuple(
            tuple(_row(search, tested_candidate, attributed)) for tested_candidate in all_tested
        ),
        note="z: how far the share of its texts with the label lies from the share of all texts, "
        "in standard errors (Gardner et al. 2021). Answers changed: texts that are classified as "
        "the label after the insertion, or no longer after the deletion. Attribution: mean over "
        "explained texts with the label, in log-odds. Words of the content, too, predict a label "
        "and change answers.",
    )


def _row(
    search: ShortcutSearch, tested_candidate: TestedCandidate, attributed: bool
) -> Iterator[str | int | float | Measure]:
    candidate, label = tested_candidate.candidate, tested_candidate.candidate.label
    texts, name = candidate.phrase.texts, search.context.model.labels[label]
    labelled = texts[search.has_labels[texts]]
    yield Sentence("{words:quoted}", words=surface_of(candidate.phrase))
    yield from (name, len(texts), round(candidate.z, 1))
    yield proportion(
        Sentence("classified as {label}", label=name),
        int(search.predicted[texts, label].sum()),
        len(texts),
    )
    if search.has_labels.any():
        yield proportion(
            Sentence("labelled {label}", label=name),
            int(search.labels[labelled, label].sum()),
            len(labelled),
        )
    if attributed:
        yield mean("attribution", list(_attributions(search, candidate)), "log_odds")
    yield tested_candidate.into_any.mean_change("change of probability", label)
    yield from (tested_candidate.changed_confident, tested_candidate.changed_any)
    yield tested_candidate.after_deletion.mean_change("change of probability", label)
    lost = ~search.predicted_after(tested_candidate.after_deletion, label)
    yield proportion("answers changed", int(lost.sum()), len(lost))
    yield tested_candidate.p_value


def _attributions(search: ShortcutSearch, candidate: Candidate) -> Iterator[float]:
    """Yield what a phrase is attributed in each explained text that has its label."""
    name = search.context.model.labels[candidate.label]
    for row in candidate.phrase.texts.tolist():
        matching = [a for a in search.instance(row).attributions if a.target.label == name]
        if matching:
            places = candidate.phrase.spans_in(row)
            yield sum(
                value
                for span, value in zip(matching[0].spans, matching[0].values, strict=True)
                if any(p.part == span.part and p.start < span.end and span.start < p.end
                       for p in places)
            )  # fmt: skip
