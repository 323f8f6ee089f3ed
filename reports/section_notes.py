"""How each check works: what was done, by which rule something is reported, and the bar for it."""

__all__ = ["EVERY_FINDING", "NOTES", "notes_of"]

EVERY_FINDING = (
    "A difference is reported only if it is large enough to matter and chance hardly explains it: "
    "where nothing is wrong, a check reports something in at most 1 of 200 audits, however many "
    "tests it makes."
)
"""The rule of all checks; the share is `explain.checks.base.LEVEL`."""

NOTES: dict[str, tuple[str, ...]] = {
    "data": (
        "Texts that occur twice, with the same label or with another, near copies of the training "
        "rows, and texts that the model cuts off are counted.",
        "The model, and a simple one fitted on the other rows, say which label each text would "
        "have. The share of wrong labels is estimated from how often, and how surely, they "
        "contradict the table.",
    ),
    "performance": (
        "Answers are compared with the labels of the table; a row without an answer counts as "
        "wrong. Intervals are Wilson’s for shares, and a bootstrap over rows otherwise.",
        "The model is reported if it does no better than always giving the most frequent label, or "
        "than a simple model, and if it hardly ever finds a label.",
    ),
    "calibration": (
        "The probability of each answer is compared with how often such answers are right.",
        "A gap is reported if its whole interval lies beyond 2 percentage points on average over "
        "all answers, or beyond 5 points as a root mean square.",
    ),
    "selective": (
        "For each share of errors that may be acceptable, a threshold on confidence is chosen on "
        "one half of the labelled rows. The other half then tells whether the answers above the "
        "threshold keep to that share.",
        "A finding is that confidence does not tell right answers from wrong ones, or that a slice "
        "has more errors above the threshold than the other half allowed, with its whole interval "
        "beyond 2 points.",
    ),
    "slices": (
        "The slices that were named are tested, and others are searched for on one half of the "
        "rows and tested on the other half.",
        "A slice is reported if the whole interval of the difference lies beyond 5 points; beyond "
        "10 points it is major.",
    ),
    "explanations": (
        "Each method explained the rows that the selection plan chose. The values of one word are "
        "averaged over the texts that hold it.",
    ),
    "shortcuts": (
        "Words that go with a label are inserted into texts of other labels and removed from their "
        "own, and the model is asked again.",
        "A word is reported if the change is significant among all words that were tried and the "
        "whole interval lies beyond the bar of the check.",
    ),
    "robustness": (
        "Each text is rewritten in ways that keep its meaning, and the model is asked again.",
        "A way of rewriting is reported if, with its whole interval, it changes more than 10 % of "
        "the answers; for wrong letters more than 25 %.",
    ),
    "language_model": (
        "The same texts are asked with the options in another order or under other names, in other "
        "words, with the option “none of these”, and again unchanged; and with a sentence at their "
        "end that asks for an answer.",
        "A change is reported if, with its whole interval, it turns more than 5 % of the answers "
        "and more than asking again does; “none of these” beyond 10 %.",
    ),
    "fairness": (
        "Groups are compared by decisions and errors. Words that name people are exchanged for "
        "others, in the texts of the table and in neutral sentences.",
        "A difference is reported if it is significant among all that were tested and its whole "
        "interval lies beyond the bar of the check.",
    ),
    "stability": (
        "The same texts are scored again: as before, one at a time, in another order, each in one "
        "batch with the longest text, and in numbers of another precision (dtype).",
        "An answer that changes is reported as it is: it is a fact, and needs no test.",
    ),
    "trust": (
        "Rules and effects of known size are planted into copies of this model, and each method "
        "must find them. Its values are compared with random ones, with another seed, and with a "
        "model whose weights are shuffled.",
        "A metric passes, or is flagged, by its whole interval and never by its estimate alone.",
    ),
}
"""By the id of the section; a check of somebody else has none."""

NOT_TESTED = ("explanations", "stability", "trust")
"""Sections that report facts, grades, or nothing: the rule of findings is not theirs."""


def notes_of(section: str) -> tuple[str, ...]:
    """Return how a check works, and the rule of all findings where it tests for them."""
    notes = NOTES.get(section, ())
    return (*notes, EVERY_FINDING) if notes and section not in NOT_TESTED else notes
