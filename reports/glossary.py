"""What the terms of a report mean, and where each is used first."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache

from reports.languages import language
from reports.languages import translate as _

__all__ = ["Entry", "Linked", "TermLinks", "glossary"]

Linked = tuple[tuple[str, str], ...]
"""A text in stretches, each with the address of the entry that explains it, or nothing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the glossary."""

    id: str
    title: str
    meaning: str
    words: tuple[str, ...] = ()
    """What leads here where a text uses it, in small letters."""
    formula: str = ""
    source: str = ""

    @property
    def anchor(self) -> str:
        """The anchor of the entry on the page."""
        return f"term-{self.id}"


ENTRIES = (
    Entry(
        "instance",
        "Instance, feature",
        "One input text; and one part of it, such as a word, that is credited with a share of the "
        "score.",
    ),
    Entry(
        "log-odds",
        "Target, log-odds",
        "The label that is explained; and its score on a scale where 0 means even odds and +2.2 "
        "means nine to one.",
        ("log-odds",),
        "log p/(1 − p), natural logarithm",
    ),
    Entry(
        "empty",
        "v(N), v(empty)",
        "The target's score for the whole text, and for the text with every feature removed (the "
        "baseline value).",
    ),
    Entry(
        "attribution",
        "Attribution",
        "One number per feature: how far it moves the score towards the target (+) or away from it "
        "(−). It describes the model, not the world.",
        ("attribution", "attributions"),
    ),
    Entry(
        "shap",
        "SHAP",
        "Shapley values: the effect of adding a feature, averaged over all orders in which "
        "features can be added. They sum to v(N) − v(empty).",
        ("shap", "shapley values"),
        "Σ over S of |S|!(n − |S| − 1)!/n! · (v(S and i) − v(S))",
        "Lundberg and Lee, 2017",
    ),
    Entry(
        "lime",
        "LIME",
        "Coefficients of a linear model of the score, fitted to versions of the text with features "
        "removed. R² says how well it fits; “held out” means on texts that were not used for the "
        "fit.",
        ("lime",),
        source="Ribeiro, Singh and Guestrin, 2016",
    ),
    Entry(
        "gradients",
        "Integrated gradients",
        "Gradients summed along the straight path from a baseline to the input. They sum to "
        "v(N) − v(empty) once there are enough steps.",
        ("integrated gradients", "integrated_gradients"),
        source="Sundararajan, Taly and Yan, 2017",
    ),
    Entry(
        "occlusion",
        "Occlusion",
        "The score of the whole text minus its score without the feature.",
        ("occlusion",),
        source="Zeiler and Fergus, 2014",
    ),
    Entry(
        "gap",
        "Completeness gap",
        "The part of v(N) − v(empty) that the values do not add up to.",
        ("completeness gap",),
    ),
    Entry(
        "error",
        "Standard error (±)",
        "How far a value typically changes if the method is run again with other random texts. The "
        "exact value lies within 1.96 standard errors in 19 of 20 cases.",
        ("standard error", "standard errors"),
    ),
    Entry(
        "rank",
        "Rank 2–4",
        "The feature is somewhere between second and fourth place by size. A single rank is stated "
        "only if the 95 % intervals do not overlap.",
    ),
    Entry(
        "tau",
        "Kendall’s τ-b",
        "Whether two methods put the features in the same order: 1 the same order, 0 unrelated "
        "orders, −1 opposite orders. Chance: the highest value that shuffled values reach in 19 of "
        "20 cases.",
        ("τ-b",),
        source="Kendall, 1945",
    ),
    Entry(
        "interval",
        "Interval [a, b]",
        "A 95 % confidence interval: 19 of 20 intervals made in this way contain the true value. "
        "It applies to texts like those that were measured.",
        ("95 % interval", "95 % intervals"),
    ),
    Entry(
        "wilson",
        "Interval by",
        "The way in which an interval was computed, by its name in statistics. For proportions: "
        "Wilson, Clopper-Pearson. For differences of two: Newcombe, Bonett-Price, MOVER. For "
        "means: Student t, Welch. For medians: order statistics. For rank correlations: Bonett and "
        "Wright. For AUROC: DeLong. For wrong labels: profile likelihood. For calibration: score "
        "test, sandwich variance. For other statistics of all rows: BCa bootstrap (rows are drawn "
        "again and again), infinitesimal jackknife (each row in turn counts a little more).",
        ("wilson", "bca bootstrap"),
        source="Wilson, 1927; Efron, 1987",
    ),
    Entry(
        "inconclusive",
        "Inconclusive",
        "The interval contains the threshold. More data could lead to a pass or a fail.",
        ("inconclusive",),
    ),
    Entry(
        "p-value",
        "p-value, significant",
        "How often chance alone would give a difference at least as large. Significant: rarer than "
        "the report allows after correction for all that was tested.",
        ("statistically significant", "significant", "p-value"),
    ),
    Entry(
        "control",
        "Positive control",
        "A known rule that was built into a copy of the model: its words raise the score of one "
        "label strongly. A method that does not rank these words first would also miss a rule that "
        "the model has learned.",
        ("positive control", "planted word", "planted pair"),
        source="Adebayo et al., 2022",
    ),
    Entry(
        "comprehensiveness",
        "Comprehensiveness, sufficiency",
        "How far the score falls when the highest-ranked features are removed, and how much of it "
        "remains when only these are kept. Both are compared with random rankings.",
        ("comprehensiveness", "sufficiency"),
        source="DeYoung et al., 2020",
    ),
    Entry(
        "grade",
        "Grade A to D",
        "How far the values of a method can be relied on, from tests on this model. A: no test "
        "failed. B: one failed, or one that is needed could not be made. C: two failed, or a grave "
        "one. D: a test failed without which values mean nothing; do not rely on them. The reasons "
        "stand beside each grade.",
        ("grade", "grades"),
    ),
    Entry(
        "accuracy",
        "Accuracy, precision, recall, F1",
        "The share of right answers; of the texts classified as a label the share that has it; of "
        "the texts that have a label the share classified so; and the harmonic mean of the last "
        "two.",
        ("accuracy", "precision", "recall", "f1", "macro f1"),
        "F1 = 2 · precision · recall / (precision + recall)",
    ),
    Entry(
        "matthews",
        "Matthews correlation",
        "How closely given and predicted labels go together: 1 always, 0 as by chance. It is not "
        "misled by a label that is much more frequent than the others.",
        ("matthews correlation",),
        source="Matthews, 1975; Gorodkin, 2004",
    ),
    Entry(
        "auroc",
        "AUROC, AUPRC",
        "How well the scores rank the texts of a label above all others, for every threshold. 1 is "
        "perfect. Chance is 0.5 for AUROC, and the share of the label for AUPRC.",
        ("auroc", "auprc"),
    ),
    Entry(
        "infidelity",
        "Infidelity, max-sensitivity",
        "The share of the effect of removing features that the values do not predict, 0 being "
        "perfect; and how far the values move when the input moves a little. Both are compared "
        "with the method’s own values at random features.",
        ("infidelity", "max-sensitivity"),
        source="Yeh et al., 2019",
    ),
    Entry(
        "randomisation",
        "Parameter randomisation",
        "How much the explanations resemble those of a copy of the model with random parameters. "
        "An explanation of what the model has learned does not resemble them.",
        ("parameter randomisation",),
        source="Adebayo et al., 2018",
    ),
    Entry(
        "known",
        "Known values",
        "Weights that were planted into words, alone or in a copy of the model, so that the right "
        "values are known and those of a method can be compared with them.",
        ("known values",),
    ),
    Entry(
        "calibration",
        "Calibration error, Brier score",
        "The typical difference between the stated probability and the share of right answers, "
        "over groups of similar probabilities; and the mean squared error of the probabilities.",
        ("calibration error", "brier score", "over-confident", "calibrated"),
        source="Brier, 1950; Guo et al., 2017",
    ),
    Entry(
        "slope",
        "Calibration slope, log loss",
        "By how much the log-odds would have to be multiplied to fit the labels best: 1 is right, "
        "below 1 the model is over-confident; and the mean of −log p of the given labels, of which "
        "less is better.",
        ("calibration slope", "log loss"),
        source="Cox, 1958",
    ),
    Entry(
        "coverage",
        "Risk-coverage curve",
        "The share of wrong answers among the most confident ones, for every share of texts that "
        "is answered and not given to a person.",
        ("risk-coverage curve",),
        source="El-Yaniv and Wiener, 2010",
    ),
    Entry(
        "temperature",
        "Temperature scaling",
        "Dividing all scores by one number T, fitted on rows of their own, before they become "
        "probabilities. T above 1 makes a model less sure and changes no answer.",
        ("temperature scaling", "temperature"),
        source="Guo et al., 2017",
    ),
    Entry(
        "slice",
        "Slice",
        "Rows that share a property, such as their length or a value in a column.",
        ("slice", "slices"),
    ),
    Entry(
        "baseline",
        "Baseline model",
        "A simple model for the same task. The audited model should do better.",
        ("baseline model", "simple baselines"),
    ),
    Entry(
        "shortcut",
        "Shortcut",
        "A word or form that decides the answer without saying anything about it, such as a "
        "signature.",
        ("shortcut", "shortcuts"),
        source="Geirhos et al., 2020",
    ),
    Entry(
        "flip",
        "Flip rate",
        "Share of texts whose prediction changes after an edit that keeps the meaning.",
        ("flip rate",),
    ),
    Entry(
        "impact",
        "Impact ratio",
        "The selection rate of a group divided by that of the group that is selected most often. A "
        "ratio below 0.8 is regarded as evidence of adverse impact (four-fifths rule).",
        ("impact ratio", "impact ratios"),
        source="29 CFR 1607.4(D)",
    ),
    Entry("gating", "Gating", "A criterion that must hold: the audit fails if it does not."),
    Entry(
        "holm",
        "Holm, Benjamini–Hochberg, Tarone",
        "Corrections for testing many things at once. The first limits the probability of even one "
        "false alarm, the second the share of false alarms among all alarms. The third does not "
        "count tests of so few texts that they could never be significant.",
        ("holm", "benjamini–hochberg", "benjamini-hochberg"),
        source="Holm, 1979; Benjamini and Hochberg, 1995; Tarone, 1990",
    ),
)
"""The entries in the order of the page: how to read a row, then what is measured."""


def glossary() -> tuple[Entry, ...]:
    """Return the entries in the language that is spoken."""
    return tuple(
        replace(
            entry,
            title=_(entry.title),
            meaning=_(entry.meaning),
            words=tuple(map(_, entry.words)),
            formula=_(entry.formula) if entry.formula else "",
        )
        for entry in ENTRIES
    )


@cache
def _terms(tag: str) -> tuple[re.Pattern[str], dict[str, str]]:
    """Return what finds a term of a language, the longest first, and the anchor of each."""
    anchors = {word.lower(): entry.anchor for entry in glossary() for word in entry.words}
    longest_first = sorted(anchors, key=len, reverse=True)
    pattern = "|".join(map(_whole, longest_first))
    return re.compile(pattern, re.IGNORECASE), anchors


def _whole(word: str) -> str:
    """Return what finds a word, and no part of one; Chinese has nothing between words."""
    return rf"(?<!\w){re.escape(word)}(?!\w)" if word[0] < "\u2e80" else re.escape(word)


@dataclass(slots=True)
class TermLinks:
    """Links the first use of each term to the glossary."""

    linked_anchors: set[str] = field(default_factory=set)

    def __call__(self, text: str) -> Linked:
        """Return a text in stretches; terms that were used before are not linked again.

        Examples
        --------
        >>> TermLinks()("Recall, and recall again")
        (('Recall', '#term-accuracy'), (', and recall again', ''))
        """
        return tuple((part, href) for part, href in self._stretches(text) if part)

    def _stretches(self, text: str) -> Iterator[tuple[str, str]]:
        pattern, anchors = _terms(language().tag)
        done = 0
        for match in pattern.finditer(text):
            anchor = anchors[match.group().lower()]
            if anchor not in self.linked_anchors:
                self.linked_anchors.add(anchor)
                yield text[done : match.start()], ""
                yield match.group(), f"#{anchor}"
                done = match.end()
        yield text[done:], ""
