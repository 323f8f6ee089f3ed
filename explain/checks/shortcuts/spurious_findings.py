"""What is said of words that decide and should not."""

from collections.abc import Iterator, Sequence

from explain.checks.base.intervention import Intervention
from explain.checks.base.phrases import Phrase
from explain.checks.shortcuts.search import Candidate, Confirmed, ShortcutSearch
from explain.record import Figure, Finding, IntervalsFigure, Measure, Table
from explain.record.wording import estimated, percent
from explain.statistics.intervals import mean, proportion

__all__ = [
    "decides",
    "decisive_finding",
    "figures_of",
    "lower_end",
    "marker_finding",
    "quoted_words",
    "same_label_words",
    "table_of",
]

SECTION = "shortcuts"

DECISIVE = 2 / 3
"""Share of the surest texts that a shortcut must turn, with its whole interval above it: two of
three, which no word of content did where we looked. Shares turned by the strongest of them: .43 in
a transformer trained on SST-2, .23 in linear models of it, .68 (question words, their intervals
from .55) in a linear model of TREC. A token planted in 90 % of the positive training texts of SST-2
and in 5 % of the others turns .85 to .93 in a linear model."""

MISLED = 0.5
"""Share of the texts that hold a phrase and are given another label which the model calls the
phrase's, with its whole interval above it: there its decisions are wrong already, more often than
not. Without such texts a phrase may define its label, as "How many" asks for a number."""

MOST_EVIDENCE = 5

LONGEST_SHOWN = 60


def lower_end(measure: Measure | None) -> float:
    """Return the lower end of an interval; zero if there is none."""
    return 0.0 if measure is None or measure.lower is None else measure.lower


def decides(one: Confirmed) -> bool:
    """Tell whether a word decides most texts that it is put into."""
    return lower_end(one.turned) > DECISIVE


def same_label_words(one: Confirmed, every: Sequence[Confirmed]) -> list[Confirmed]:
    """Return the other words that lead to the same label."""
    return [o for o in every if o is not one and o.candidate.label == one.candidate.label]


def decisive_finding(ground: ShortcutSearch, one: Confirmed, every: Sequence[Confirmed]) -> Finding:
    """Return the finding that one word decides."""
    rivals = [o.turned.value or 0 for o in same_label_words(one, every)]
    label = ground.context.model.labels[one.candidate.label]
    alone = ""
    if rivals:
        alone = f"; no other word that was tried does so for more than {percent(max(rivals))}"
    against = _against(ground, one.candidate)
    misled = (
        f" It calls {estimated(against)} of the texts {label!r} that hold these words and are "
        f"given another label (n = {against.n:,})."
    )
    wrong = lower_end(against) > MISLED
    return Finding(
        claim=f"Adding {quoted_words(one.candidate.phrase)} to texts that the model is sure are "
        f"something else makes it call {estimated(one.turned)} of them {label!r} "
        f"(n = {one.turned.n:,}){alone}.{misled * wrong}",
        severity="critical" if wrong else "major",
        measure=one.turned,
        evidence=(SECTION, *_turned_ids(ground, one.sure, one.candidate.label)),
        suggestion="Decide whether these words may settle the answer alone. If not, remove them "
        "from the training texts, or balance them over the labels, and train anew; until then, "
        "strip them from texts before the model reads them.",
    )


def _against(ground: ShortcutSearch, candidate: Candidate) -> Measure:
    """Return the share of texts that hold a phrase, not its label, and are given it by the model.

    Its interval is from zero to one where the table holds no such text.
    """
    texts = candidate.phrase.texts
    texts = texts[ground.labelled[texts] & ~ground.given[texts, candidate.label]]
    name = f"called {ground.context.model.labels[candidate.label]} against the given label"
    if not texts.size:
        return Measure(name=name, value=0.0, lower=0.0, upper=1.0, n=0)
    return proportion(name, int(ground.said[texts, candidate.label].sum()), texts.size)


def marker_finding(ground: ShortcutSearch, one: Confirmed) -> Finding:
    """Return the finding that words at the edge of texts mark a label."""
    phrase, label = one.candidate.phrase, ground.context.model.labels[one.candidate.label]
    said = ground.said[phrase.texts, one.candidate.label]
    return Finding(
        claim=f"The words {quoted_words(phrase)} stand at the {phrase.end} of {len(said):,} texts, "
        f"of which the model calls {percent(said.mean())} {label!r}; adding them to texts that are "
        f"something else makes it call {estimated(one.turned_any)} of those {label!r} "
        f"(n = {one.turned_any.n:,}).",
        severity="critical" if decides(one) else "major",
        measure=one.turned_any,
        evidence=(SECTION, *_turned_ids(ground, one.any, one.candidate.label)),
        suggestion="This looks like the mark of a source, and not like content. Find out where it "
        "comes from, strip it from the training texts and from what the model reads, and train "
        "anew.",
    )


def _turned_ids(ground: ShortcutSearch, done: Intervention, label: int) -> list[str]:
    rows = done.instances[ground.becomes(done, label)][:MOST_EVIDENCE].tolist()
    return [ground.instance(row).id for row in rows]


def quoted_words(phrase: Phrase) -> str:
    """Return the words of a phrase in quotation marks, cut where they are long."""
    text = " ".join(phrase.surface.split())
    return f"“{text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + '…'}”"


def figures_of(confirmed: Sequence[Confirmed]) -> list[Figure]:
    """Return how often each word changes the answer, drawn."""
    if not confirmed:
        return []
    return [
        IntervalsFigure(
            title="What inserted words do to the texts that the model is surest of",
            description="Share of the texts, confidently called something else, that are called "
            "the label once the words are in them, with 95 % intervals.",
            measures=tuple(
                one.turned for one in sorted(confirmed, key=lambda o: -lower_end(o.turned))
            ),
            reference=DECISIVE,
            reference_label="decides by itself",
        )
    ]


def table_of(ground: ShortcutSearch, confirmed: Sequence[Confirmed]) -> Table:
    """Return all words that were confirmed, as a table."""
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


def _row(
    ground: ShortcutSearch, one: Confirmed, attributed: bool
) -> Iterator[str | int | float | Measure]:
    candidate, label = one.candidate, one.candidate.label
    texts, name = candidate.phrase.texts, ground.context.model.labels[label]
    known = texts[ground.labelled[texts]]
    yield from (quoted_words(candidate.phrase), name, len(texts), round(candidate.z, 1))
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


def _attributions(ground: ShortcutSearch, candidate: Candidate) -> Iterator[float]:
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
