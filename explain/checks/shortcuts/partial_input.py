"""Whether length alone, or one side of a pair alone, settles a label."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from explain.checks.base import LEVEL
from explain.checks.base.intervention import Edit, intervene
from explain.checks.base.part import Part
from explain.checks.shortcuts.metrics import LENGTH, PADDING, PARTIAL_INPUT
from explain.checks.shortcuts.search import ShortcutSearch, moved
from explain.checks.shortcuts.spurious_findings import SECTION
from explain.record import Finding, Measure, Table
from explain.record.wording import estimated, percent
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.intervals import proportion
from explain.text.spans import Text, text_of

__all__ = ["find_length_shortcut", "find_partial_inputs"]

SMALLEST_RANK_CORRELATION = 0.2
"""Of length and the probability of a label, the whole interval above it: 4 % of the variance of
the ranks, about what the length of a review says of its sentiment."""

LONG = 0.9
"""Quantile of the lengths up to which short texts are padded, so that no text becomes longer than
those of the table."""

NEUTRAL_WORDS = 20
NEUTRAL_Z = 1.0
"""Words of padding predict no label: their z lies within what chance gives two of three words."""

SMALLEST_PADDED = 0.25
"""Share of padded texts that must turn, with the whole interval above it: padding is noise to any
model, and a model trained on SST-2 turns a tenth."""

FEWEST_PER_LABEL = 10
"""Rows of a label below which a challenger cannot learn it; its rows are left out."""

FOLDS = 5

SMALLEST_LEAD = 0.05
"""Lead of one side alone over the most frequent label, with its whole interval above it, that is a
finding: one pair in twenty is decided without reading the other side."""

MOST_EVIDENCE = 5


def find_length_shortcut(ground: ShortcutSearch) -> Part:
    """Return whether longer texts get a label, and whether padding alone gives it to them."""
    lengths = np.array(list(map(len, ground.context.words)))
    probabilities = ground.context.probabilities
    if np.ptp(lengths) == 0 or len(lengths) < 2 * FEWEST_PER_LABEL:
        return Part()
    varies = np.flatnonzero(np.ptp(probabilities, axis=0) > 0)
    if not varies.size:
        return Part()
    tests = [stats.spearmanr(lengths, probabilities[:, label]) for label in varies]
    p_values = benjamini_hochberg([test.pvalue for test in tests])
    best = int(np.argmax([test.statistic for test in tests]))
    label = int(varies[best])
    name = ground.context.model.labels[label]
    correlation = _rank_correlation(float(tests[best].statistic), len(lengths), name)
    said = f"Length and the probability of {name!r} have the rank correlation "
    said += f"{correlation.value:.2f} [{correlation.lower:.2f}, {correlation.upper:.2f}]"
    filler = _neutral(ground)
    if (
        p_values[best] > LEVEL
        or (correlation.lower or 0) <= SMALLEST_RANK_CORRELATION
        or not filler
    ):
        sentence = f"{said}, which is no reason to look further."
        return Part([correlation], sentence=sentence, tried=1)
    goal = int(np.quantile(lengths, LONG))
    rows = ground.others(label, np.flatnonzero(lengths > np.median(lengths)))
    edits = [
        (row, _padded(ground, row, goal - int(lengths[row]), filler))
        for row in ground.drawn(rows, ground.texts)
    ]
    done = intervene(ground.context, {"padded": edits})["padded"]
    turned = ground.becomes(done, label)
    measure = proportion(PADDING.name(label=name), int(turned.sum()), len(turned))
    findings = []
    if moved(done.changes(label)) <= LEVEL and (measure.lower or 0) > SMALLEST_PADDED:
        ids = [ground.instance(row).id for row in done.instances[turned][:MOST_EVIDENCE].tolist()]
        findings.append(_length_finding(name, goal, measure, ids))
    done_to = f"padding short texts to {goal} words turns {estimated(measure)} of them."
    measures = [correlation, measure]
    return Part(measures, findings=findings, sentence=f"{said}; {done_to}", tried=1)


def _rank_correlation(rho: float, n: int, label: str) -> Measure:
    """Return Spearman's correlation with the interval of Bonett and Wright (2000)."""
    half = stats.norm.ppf(0.975) * np.sqrt((1 + rho**2 / 2) / (n - 3))
    centre = np.arctanh(np.clip(rho, -1 + 1e-9, 1 - 1e-9))
    return Measure(
        name=LENGTH.name(label=label),
        value=rho,
        lower=float(np.tanh(centre - half)),
        upper=float(np.tanh(centre + half)),
        n=n,
        method="Bonett and Wright",
        unit="coefficient",
    )


def _neutral(ground: ShortcutSearch) -> list[str]:
    """Return the most frequent words that predict no label."""
    corpus, base = ground.corpus, ground.said.mean(axis=0)
    n = np.maximum(corpus.frequencies, 1)[:, None]
    share = np.asarray(corpus.presence.T @ ground.said.astype(float)) / n
    z = (share - base) / np.sqrt(np.maximum(base * (1 - base), 1e-12) / n)
    fit = np.flatnonzero(np.abs(z).max(axis=1) <= NEUTRAL_Z)
    order = fit[np.argsort(-corpus.frequencies[fit], kind="stable")]
    words = [corpus.vocabulary[word] for word in order.tolist()]
    return [word for word in words if word.isalpha()][:NEUTRAL_WORDS]


def _padded(ground: ShortcutSearch, row: int, missing: int, filler: Sequence[str]) -> Text:
    *first, last = ground.instance(row).parts
    added = ground.rng.choice(list(filler), max(0, missing)).tolist()
    gap = " " if added and last and not last[-1].isspace() else ""
    return text_of([*first, last + gap + " ".join(added)])


def _length_finding(name: str, goal: int, measure: Measure, ids: Sequence[str]) -> Finding:
    return Finding(
        claim=f"Long texts are called {name!r} for their length: words that predict nothing, added "
        f"to short texts that are something else until these have {goal} words, make the model "
        f"call {estimated(measure)} of them {name!r} (n = {measure.n:,}).",
        severity="major",
        measure=measure,
        evidence=(SECTION, *ids),
        suggestion="Compare the lengths of the labels in the training texts, balance or trim them, "
        "and train anew.",
    )


def find_partial_inputs(ground: ShortcutSearch) -> Part:
    """Return how far each side of pairs settles the label alone; nothing for single texts."""
    context = ground.context
    if context.model.task != "single_label" or len(context.instances[0].parts) != 2:
        return Part()
    sides = ("first text", "second text")
    rows = ground.drawn(np.arange(len(context.instances)), 5 * ground.texts)
    edits: dict[str, Sequence[Edit]] = {
        sides[hidden]: [(row, _without(ground, row, hidden)) for row in rows] for hidden in (0, 1)
    }
    done = intervene(context, edits)
    measures, cells, findings = [], [], []
    for number, side in enumerate(sides):
        hidden = sides[1 - number]
        kept = ~done[hidden].flips
        unmoved = proportion(PARTIAL_INPUT.name(part=hidden), int(kept.sum()), len(kept))
        measures.append(unmoved)
        challenger, majority, lead = _challenger(ground, number)
        cells.append((side, challenger, majority, lead, unmoved))
        if lead is not None and (lead.lower or 0) > SMALLEST_LEAD:
            findings.append(_side_finding(side, challenger, majority, unmoved))
    table = Table(
        title="One side of the pairs alone",
        columns=("side", "simple classifier right", "most frequent label", "lead",
                 "model keeps its prediction"),
        rows=tuple(cells),
        note="A TF-IDF classifier that is trained and tested on one side, over "
        f"{FOLDS} folds, against always answering the most frequent label; and the model with the "
        "other side empty.",
    )  # fmt: skip
    sides_found = f"{len(findings)} of the 2 sides" if findings else "Neither side"
    sentence = f"{sides_found} of the pairs tells the label alone, to a simple classifier."
    return Part(measures, [table], findings, sentence=sentence, tried=2)


def _without(ground: ShortcutSearch, row: int, hidden: int) -> Text:
    parts = list(ground.instance(row).parts)
    parts[hidden] = ""
    return text_of(parts)


def _challenger(
    ground: ShortcutSearch, side: int
) -> tuple[Measure | None, Measure | None, Measure | None]:
    """Return how often one side alone tells the label, how often the majority is right, the lead.

    All None where too few labels are given.
    """
    given = ground.context.given
    counts = np.bincount(given[given >= 0], minlength=len(ground.context.model.labels))
    rows = np.flatnonzero((given >= 0) & (counts[given] >= FEWEST_PER_LABEL))
    if len(set(given[rows].tolist())) < 2:
        return None, None, None
    texts = [ground.instance(row).parts[side] for row in rows.tolist()]
    right = _predicted(texts, given[rows]) == given[rows]
    most = given[rows] == counts.argmax()
    difference = right.astype(float) - most
    half = stats.norm.ppf(0.975) * difference.std(ddof=1) / np.sqrt(len(rows))
    lead = Measure(
        name="lead", value=float(difference.mean()), lower=float(difference.mean() - half),
        upper=float(difference.mean() + half), n=len(rows), method="normal, paired",
    )  # fmt: skip
    return (
        proportion("simple classifier right", int(right.sum()), len(rows)),
        proportion("most frequent label", int(most.sum()), len(rows)),
        lead,
    )


def _predicted(texts: Sequence[str], given: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the label of each text by a classifier that was trained on the others."""
    model: Any = make_pipeline(
        TfidfVectorizer(token_pattern=r"\S+", sublinear_tf=True), LogisticRegression(max_iter=1000)
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return np.asarray(cross_val_predict(model, list(texts), given, cv=folds))


def _side_finding(
    side: str, challenger: Measure | None, majority: Measure | None, unmoved: Measure
) -> Finding:
    assert challenger is not None
    assert majority is not None
    return Finding(
        claim=f"The {side} alone gives the label away: a simple classifier that reads nothing else "
        f"is right on {estimated(challenger)} of the pairs (n = {challenger.n:,}), always "
        f"answering the most frequent label on {percent(majority.value)}; the model keeps "
        f"{estimated(unmoved)} of its predictions when the other text is empty.",
        severity="minor",
        measure=challenger,
        evidence=(SECTION,),
        suggestion="Its accuracy does not show that the model compares the two texts: test it on "
        "pairs whose label depends on both, and report accuracy beside that of one side alone.",
    )
