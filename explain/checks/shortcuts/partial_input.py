"""Whether length alone, or one side of a pair alone, settles a label."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logit
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from explain.adapters import Scores
from explain.checks.base import LEVEL, probabilities
from explain.checks.base.intervention import Edit, Intervention, intervene
from explain.checks.base.section_part import Part
from explain.checks.shortcuts.decisive_words import lower_end
from explain.checks.shortcuts.metrics import LENGTH, PADDING, PARTIAL_INPUT
from explain.checks.shortcuts.search import ShortcutSearch, increase_p_value
from explain.checks.shortcuts.spurious_findings import SECTION
from explain.record import Finding, Measure, Sentence, SentenceValue, Table
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.intervals import mean, proportion
from explain.text.editing import join_as_written
from explain.text.spans import Text, text_of

__all__ = [
    "SMALLEST_PADDED_SHARE",
    "find_length_shortcut",
    "find_partial_inputs",
    "neutral_words",
    "padded",
    "rank_correlation",
]

SMALLEST_RANK_CORRELATION = 0.2
"""Of length and the probability of a label, the whole interval above it: 4 % of the variance of
the ranks, about what the length of a review says of its sentiment."""

ROUNDING = 1e-6
"""Probability from which log-odds are those of rounding."""

LONG = 0.9
"""Quantile of the lengths up to which short texts are padded, so that no text becomes longer than
those of the table."""

NEUTRAL_WORDS = 20
NEUTRAL_Z = 1.0
"""Words of padding predict no label: their z lies within what chance gives two of three words."""

SMALLEST_PADDED_SHARE = 0.25
"""Share of padded texts whose answer must change, with the whole interval above it: padding is
noise to any model, and that of a model trained on SST-2 changes in a tenth."""

LEAST_BY_LENGTH = 0.5
"""Share of the effect of padding, in log-odds, that the number of words must have where they stand
alone: most of it. Where a length decides it is all; where words that say nothing thin out what a
short review says in Chinese, a quarter."""

FEWEST_PER_LABEL = 10
"""Rows of a label below which a simple classifier cannot learn it; its rows are left out."""

FOLDS = 5

SMALLEST_LEAD = 0.05
"""Lead of one side alone over the most frequent label, with its whole interval above it, that is a
finding: one pair in twenty is decided without reading the other side."""

MOST_EVIDENCE = 5

LENGTH_UNRELATED: Final = (
    "Longer texts are answered much like shorter ones: of all labels, the probability of "
    "{label:quoted} goes most with length (rank correlation {correlation:.2f})."
)
LENGTH_NOT_PADDED: Final = (
    "Longer texts are more often classified as {label:quoted} (rank correlation "
    "{correlation:.2f}). Length alone was not tested, as no words are neutral enough for padding."
)
LENGTH_PADDED: Final = (
    "Longer texts are more often classified as {label:quoted} (rank correlation "
    "{correlation:.2f}). We padded {share.n} short {share.n:text|texts} with another answer to "
    "{goal} words; {changed} of them ({share}) were then classified as {label:quoted}."
)
THINNED_OUT: Final = (
    "This is not a finding: texts of the padding words alone, no longer than these texts were, are "
    "classified as {label:quoted} in {alone} of {alone.n} cases. The model gives this answer where "
    "a text says little, and length itself adds little."
)


def find_length_shortcut(search: ShortcutSearch) -> Part:
    """Return whether longer texts get a label, and whether padding alone gives it to them."""
    lengths = np.array(list(map(len, search.context.words)))
    probabilities = search.context.probabilities
    if np.ptp(lengths) == 0 or len(lengths) < 2 * FEWEST_PER_LABEL:
        return Part()
    varies = np.flatnonzero(np.ptp(probabilities, axis=0) > 0)
    if not varies.size:
        return Part()
    tests = [stats.spearmanr(lengths, probabilities[:, label]) for label in varies]
    p_values = benjamini_hochberg([test.pvalue for test in tests])
    best = int(np.argmax([test.statistic for test in tests]))
    label = int(varies[best])
    name = search.context.model.labels[label]
    correlation = rank_correlation(
        LENGTH.name(label=name), float(tests[best].statistic), len(lengths)
    )
    related = p_values[best] <= LEVEL and lower_end(correlation) > SMALLEST_RANK_CORRELATION
    filler = neutral_words(search)
    if not (related and filler):
        template = LENGTH_NOT_PADDED if related else LENGTH_UNRELATED
        sentence = Sentence(template, label=name, correlation=correlation)
        return Part([correlation], sentence=sentence, n_tried=1)
    return Part([correlation], n_tried=1) + _pad(search, label, correlation, lengths, filler)


def _pad(
    search: ShortcutSearch,
    label: int,
    correlation: Measure,
    lengths: NDArray[np.int64],
    filler: Sequence[str],
) -> Part:
    """Return what padding does to short texts without a label that longer texts get more often."""
    name, goal = search.context.model.labels[label], int(np.quantile(lengths, LONG))
    rows = search.other_texts(label, np.flatnonzero(lengths > np.median(lengths)))
    edits = [
        (row, padded(search.instance(row).parts, goal - int(lengths[row]), filler, search.rng))
        for row in search.draw(rows, search.texts)
    ]
    after = intervene(search.context, {"padded": edits})["padded"]
    changed = search.predicted_after(after, label)
    share = proportion(PADDING.name(label=name), int(changed.sum()), len(changed))
    values: dict[str, SentenceValue] = {
        "label": name,
        "goal": goal,
        "changed": int(changed.sum()),
        "share": share,
    }
    part = Part([share], sentence=Sentence(LENGTH_PADDED, correlation=correlation, **values))
    if increase_p_value(after.changes(label)) > LEVEL or lower_end(share) <= SMALLEST_PADDED_SHARE:
        return part
    alone, is_by_length = _padding_alone(search, label, after, lengths, filler)
    if not is_by_length:
        return part + Part(sentence=Sentence(THINNED_OUT, label=name, alone=alone))
    ids = [search.instance(row).id for row in after.instances[changed][:MOST_EVIDENCE].tolist()]
    return part + Part(findings=[_length_finding(values, share, ids)])


def _padding_alone(
    search: ShortcutSearch,
    label: int,
    after: Intervention,
    lengths: NDArray[np.int64],
    filler: Sequence[str],
) -> tuple[Measure, bool]:
    """Return how often padding alone gets a label, and whether its length moves it there.

    Words that say nothing bring any text towards what the model answers to nothing. So padding of
    the old length of each text is made as long as the text became: where the length decides, that
    moves it about as far as it moved the text.
    """
    context, rng = search.context, search.context.rng(f"{SECTION} padding alone")
    goal = int(np.quantile(lengths, LONG))
    edits: dict[str, list[Edit]] = {"short": [], "long": []}
    for row in after.instances.tolist():
        nothing = (*search.instance(row).parts[:-1], "")
        edits["short"].append((row, padded(nothing, int(lengths[row]), filler, rng)))
        edits["long"].append((row, padded(nothing, goal, filler, rng)))
    edited = intervene(context, edits)
    rows = [set(each.instances.tolist()) for each in (after, *edited.values())]
    common = sorted(set.intersection(*rows))

    def log_odds(of: Intervention, scores: Scores) -> NDArray[np.float64]:
        p = probabilities(scores[np.isin(of.instances, common)], context.model.task)[:, label]
        return np.asarray(logit(np.clip(p, ROUNDING, 1 - ROUNDING)))

    short, long = edited["short"], edited["long"]
    by_number = log_odds(long, long.after) - log_odds(short, short.after)
    by_padding = log_odds(after, after.after) - log_odds(after, after.before)
    excess = mean("excess", (by_number - LEAST_BY_LENGTH * by_padding).tolist(), "log_odds")
    hits = search.predicted_after(short, label)
    return proportion("padding alone", int(hits.sum()), len(hits)), lower_end(excess) > 0


def rank_correlation(name: str, rho: float, n: int) -> Measure:
    """Return Spearman's correlation with the interval of Bonett and Wright (2000)."""
    half = stats.norm.ppf(0.975) * np.sqrt((1 + rho**2 / 2) / (n - 3))
    centre = np.arctanh(np.clip(rho, -1 + 1e-9, 1 - 1e-9))
    return Measure(
        name=name,
        value=rho,
        lower=float(np.tanh(centre - half)),
        upper=float(np.tanh(centre + half)),
        n=n,
        method="Bonett and Wright",
        unit="coefficient",
    )


def neutral_words(search: ShortcutSearch) -> list[str]:
    """Return the most frequent words that predict no label."""
    corpus, base = search.corpus, search.predicted.mean(axis=0)
    n = np.maximum(corpus.frequencies, 1)[:, None]
    share = np.asarray(corpus.presence.T @ search.predicted.astype(float)) / n
    z = (share - base) / np.sqrt(np.maximum(base * (1 - base), 1e-12) / n)
    fit = np.flatnonzero(np.abs(z).max(axis=1) <= NEUTRAL_Z)
    order = fit[np.argsort(-corpus.frequencies[fit], kind="stable")]
    words = [corpus.vocabulary[word] for word in order.tolist()]
    return [word for word in words if word.isalpha()][:NEUTRAL_WORDS]


def padded(
    parts: Sequence[str], missing: int, filler: Sequence[str], rng: np.random.Generator
) -> Text:
    """Return a text with some more words at its end, drawn from a few that predict no label."""
    *first, last = parts
    added = rng.choice(list(filler), max(0, missing)).tolist()
    return text_of([*first, reduce(join_as_written, added, last)])


def _length_finding(
    values: Mapping[str, SentenceValue], share: Measure, ids: Sequence[str]
) -> Finding:
    return Finding(
        code="shortcuts.length",
        subject=str(values["label"]),
        claim=Sentence(
            "Length alone changes the answer to {label:quoted}. We padded {share.n} short "
            "{share.n:text|texts} with another answer to {goal} words, with words that predict no "
            "label; {changed} of them ({share}) were then classified as {label:quoted}.",
            **values,
        ),
        severity="major",
        size=share.distance_from(0),
        measure=share,
        evidence=(SECTION, *ids),
        suggestion="Compare the text lengths of the labels in the training data, balance or trim "
        "them, and train again.",
    )


def find_partial_inputs(search: ShortcutSearch) -> Part:
    """Return how far each side of pairs settles the label alone; nothing for single texts."""
    context = search.context
    if context.model.task != "single_label" or len(context.instances[0].parts) != 2:
        return Part()
    sides = ("first text", "second text")
    rows = search.draw(np.arange(len(context.instances)), 5 * search.texts)
    edits: dict[str, Sequence[Edit]] = {
        sides[hidden]: [(row, _without(search, row, hidden)) for row in rows] for hidden in (0, 1)
    }
    edited = intervene(context, edits)
    measures, cells, findings = [], [], []
    for number, side in enumerate(sides):
        hidden = sides[1 - number]
        same = ~edited[hidden].flips
        unchanged = proportion(PARTIAL_INPUT.name(part=hidden), int(same.sum()), len(same))
        measures.append(unchanged)
        baseline, majority, lead = _baseline(search, number)
        cells.append((side, baseline, majority, lead, unchanged))
        if lead is not None and lower_end(lead) > SMALLEST_LEAD:
            findings.append(_side_finding(side, baseline, majority, unchanged))
    table = Table(
        title="One side of the pairs alone",
        columns=("side", "simple classifier right", "most frequent label right", "difference",
                 "model's predictions unchanged"),
        rows=tuple(cells),
        note=Sentence(
            "A TF-IDF classifier is trained and tested on one side alone ({folds}-fold "
            "cross-validation) and compared with always answering the most frequent label. Last "
            "column: predictions of the model that stay the same when the other side is empty.",
            folds=FOLDS,
        ),
    )  # fmt: skip
    sentence = Sentence(
        "From {n} of the 2 sides alone, a simple classifier predicts the label better than always "
        "answering the most frequent one would.",
        n=len(findings),
    )
    neither = "For a simple classifier, neither side of the pairs is enough to tell the label."
    return Part(measures, [table], findings, sentence=sentence if findings else neither, n_tried=2)


def _without(search: ShortcutSearch, row: int, hidden: int) -> Text:
    parts = list(search.instance(row).parts)
    parts[hidden] = ""
    return text_of(parts)


def _baseline(
    search: ShortcutSearch, side: int
) -> tuple[Measure | None, Measure | None, Measure | None]:
    """Return how often one side alone tells the label, how often the majority is right, the lead.

    All None where too few rows have labels.
    """
    labels = search.context.labels
    counts = np.bincount(labels[labels >= 0], minlength=len(search.context.model.labels))
    rows = np.flatnonzero((labels >= 0) & (counts[labels] >= FEWEST_PER_LABEL))
    if len(set(labels[rows].tolist())) < 2:
        return None, None, None
    texts = [search.instance(row).parts[side] for row in rows.tolist()]
    right = _cross_validated(texts, labels[rows]) == labels[rows]
    most = labels[rows] == counts.argmax()
    difference = right.astype(float) - most
    half = stats.norm.ppf(0.975) * difference.std(ddof=1) / np.sqrt(len(rows))
    lead = Measure(
        name="difference", value=float(difference.mean()), lower=float(difference.mean() - half),
        upper=float(difference.mean() + half), n=len(rows), method="normal, paired",
    )  # fmt: skip
    return (
        proportion("simple classifier right", int(right.sum()), len(rows)),
        proportion("most frequent label right", int(most.sum()), len(rows)),
        lead,
    )


def _cross_validated(texts: Sequence[str], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the label of each text by a classifier that was trained on the others."""
    model: Any = make_pipeline(
        TfidfVectorizer(token_pattern=r"\S+", sublinear_tf=True), LogisticRegression(max_iter=1000)
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return np.asarray(cross_val_predict(model, list(texts), labels, cv=folds))


def _side_finding(
    side: str, baseline: Measure | None, majority: Measure | None, unchanged: Measure
) -> Finding:
    assert baseline is not None
    assert majority is not None
    return Finding(
        code="shortcuts.one_text",
        subject=side,
        claim=Sentence(
            "The {side} alone says something about the label. A simple classifier that reads "
            "nothing else is right for {baseline} of {baseline.n} pairs; always answering the most "
            "frequent label is right for {majority.value:percent}. Of {unchanged.n} pairs whose "
            "other text we left empty, {unchanged} kept the model's answer.",
            side=side,
            baseline=baseline,
            majority=majority,
            unchanged=unchanged,
        ),
        severity="minor",
        size=baseline.distance_from(majority.value or 0),
        measure=baseline,
        evidence=(SECTION,),
        suggestion="Its accuracy does not show that the model compares the two texts. Test it on "
        "pairs whose label depends on both texts, and report its accuracy together with that of "
        "one side alone.",
    )
