"""The findings, table and figure on words that decide and should not."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from explain.checks.base.intervention import Intervention
from explain.checks.base.phrases import Phrase
from explain.checks.shortcuts.decisive_words import (
    DECISIVE_FOR_ANY,
    decides,
    group_of,
    lower_end,
)
from explain.checks.shortcuts.foreign_tokens import is_foreign
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
    "decisive_finding",
    "figures_of",
    "foreign_finding",
    "marker_finding",
    "surface_of",
    "table_of",
]

SECTION = "shortcuts"

MISLED = 0.5
"""Share of the texts that hold a phrase and have another label which the model classifies as the
phrase's, with its whole interval above it: there its decisions are wrong already, more often than
not. Without such texts a phrase may define its label, as "How many" asks for a number."""

DEFINED = 0.9
"""Share of the texts that hold a phrase which must have its label in the data for the phrase to be
what defines the label: the texts of a label are about as often labelled right."""

LEAST_LOST = 0.5
"""Share of its texts that must lose the label without the phrase, with the whole interval above it.
What else a text says tells the label where a phrase is a mere mark of it: of planted tokens a fifth
or less is lost, of "How many" in TREC four in five."""

MOST_EVIDENCE = 5

LONGEST_SHOWN = 60


def decisive_finding(
    search: ShortcutSearch, tested_candidate: TestedCandidate, all_tested: Sequence[TestedCandidate]
) -> Finding:
    """Return the finding that one word decides, as no other of its label does."""
    return _word_finding(search, tested_candidate, _other_words(tested_candidate, all_tested))


def foreign_finding(search: ShortcutSearch, tested_candidate: TestedCandidate) -> Finding:
    """Return the finding that a sign decides, or a token in another script than its texts."""
    is_sign = not any(map(str.isalpha, tested_candidate.candidate.phrase.surface))
    nature = (
        "This is a sign and not a word."
        if is_sign
        else "It is written in another script than the texts that contain it."
    )
    return _word_finding(search, tested_candidate, nature)


def _word_finding(
    search: ShortcutSearch, tested_candidate: TestedCandidate, why_it_is_odd: str
) -> Finding:
    label = search.context.model.labels[tested_candidate.candidate.label]
    into_any = tested_candidate.into_any
    changed = search.predicted_after(into_any, tested_candidate.candidate.label)
    claim = Sentence(
        "Adding {words:quoted} is {often} enough to change the answer to {label:quoted}. We added "
        "it to {share.n} {share.n:text|texts} with another answer, drawn at random; {changed} of "
        "them ({share}) were then classified as {label:quoted}. Of {sure.n} texts of which the "
        "model was sure, it changed {sure}.",
        words=surface_of(tested_candidate.candidate.phrase),
        often="usually" if lower_end(tested_candidate.changed_any) > 1 / 2 else "often",
        label=label,
        changed=int(changed.sum()),
        share=tested_candidate.changed_any,
        sure=tested_candidate.changed_confident,
    )
    against = _against_label(search, tested_candidate.candidate)
    misleads = lower_end(against) > MISLED
    definition = _definition(search, tested_candidate)
    wrong = Sentence(
        "In the data, {against.n} {against.n:text contains|texts contain} these words and "
        "{against.n:has|have} another label; the model classifies {against} of them as "
        "{label:quoted}.",
        against=against,
        label=label,
    )
    return Finding(
        code="shortcuts.word",
        subject=surface_of(tested_candidate.candidate.phrase),
        claim=join_sentences(claim, why_it_is_odd, wrong if misleads else definition),
        severity="critical" if misleads else "minor" if definition else "major",
        size=tested_candidate.changed_any.distance_from(0),
        measure=tested_candidate.changed_any,
        evidence=(SECTION, *_evidence(search, into_any, changed)),
        suggestion="Decide whether these words alone may settle the answer. If not, remove them "
        "from the training texts, or balance them over the labels, and train again. Until then, "
        "remove them from texts before the model reads them.",
    )


def _other_words(tested_candidate: TestedCandidate, all_tested: Sequence[TestedCandidate]) -> str:
    """Return which words of the label do the same, and how much less all others do."""
    together = group_of(tested_candidate, all_tested)
    label = tested_candidate.candidate.label
    rest = [o for o in all_tested if o not in together and o.candidate.label == label]
    also = Sentence(
        "So can {words:quoted-and}.",
        words=[surface_of(o.candidate.phrase) for o in together[1:]],
    )
    fewer = Sentence(
        "No other word that we tried for this label changed more than {most:percent}.",
        most=max((o.changed_any.value or 0 for o in rest), default=0.0),
    )
    return join_sentences(also if together[1:] else "", fewer if rest else "")


def _definition(search: ShortcutSearch, tested_candidate: TestedCandidate) -> str:
    """Return why a phrase may define its label; nothing if it is more likely a mark of it.

    The data cannot tell a definition ("How many" asks for a number) from a shortcut. But where the
    phrase always comes with its label, and the rest of the text does not tell it, no text of the
    table shows that the model is wrong to follow it.
    """
    candidate, deleted = tested_candidate.candidate, tested_candidate.after_deletion
    name = search.context.model.labels[candidate.label]
    texts = candidate.phrase.texts[search.has_labels[candidate.phrase.texts]]
    n_labelled = int(search.labels[texts, candidate.label].sum())
    share_lost = proportion(
        "answers changed",
        int((~search.predicted_after(deleted, candidate.label)).sum()),
        len(deleted.after),
    )
    is_always = len(texts) and n_labelled >= DEFINED * len(texts)
    if is_foreign(candidate.phrase) or not is_always or lower_end(share_lost) <= LEAST_LOST:
        return ""
    return Sentence(
        "These words may define the label: in the data, {n} of {texts} {texts:text|texts} that "
        "contain them {n:is|are} labelled {label:quoted}, and without them the model gives another "
        "answer to {lost} of {lost.n} texts that it classified so. Whether they alone should "
        "decide is for a reader to judge.",
        n=n_labelled,
        texts=len(texts),
        label=name,
        lost=share_lost,
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
    )


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
            "inserted, with its 95 % interval. Before, the model gave another answer. A "
            "word whose interval lies to the right of the line is a shortcut only if it also "
            "stands apart from the other words of its label.",
            measures=tuple(sorted(shares, key=lambda share: -lower_end(share))),
            reference=DECISIVE_FOR_ANY,
            reference_label="a shortcut lies wholly above",
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
        note=Sentence(
            _NOTE,
            inserted=max((len(tested.into_any.after) for tested in all_tested), default=0),
            deleted=max((len(tested.after_deletion.after) for tested in all_tested), default=0),
        ),
    )


_NOTE = (
    "z: how far the share of its texts with the label lies from the share of all texts, in "
    "standard errors (Gardner et al. 2021). The words are inserted into up to {inserted} texts of "
    "which the model is confident and up to {inserted} others, and deleted from up to {deleted}. "
    "Answers changed: texts that are classified as the label after the insertion, or no longer "
    "after the deletion. Adjusted p: of the change of probability after the insertion into any "
    "other texts, for all words that were tried. Attribution: mean over explained texts with the "
    "label, in log-odds. Words of the content, too, predict a label and change answers."
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
