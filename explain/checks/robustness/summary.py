"""What was rewritten, what it changed at most, and what would have been found."""

from collections.abc import Mapping
from typing import Final

from explain.checks.base import LEVEL
from explain.checks.robustness.perturbations import PERTURBATIONS
from explain.record import Measure, Sentence, join_sentences
from explain.statistics.power import detectable_by_binomial

__all__ = ["MOST_FLIPS", "MOST_FLIPS_BY_FAULT", "summary"]

MOST_FLIPS = 0.1
"""Share of answers that may change with what no reader notices. In the fine-tuned MiniLM of our
tests at most .02 of SST-2 do; where capitals change one answer in ten, they decide what is done."""

MOST_FLIPS_BY_FAULT = 0.25
"""The same for wrong letters that a reader does see. In that MiniLM it is up to .07; in short
texts the word is often the one that decides."""

HARMLESS: Final = (
    "No way of rewriting a text changed the answer so often that its whole interval lies above our "
    "limit ({most:percent} of the texts, or {most_by_fault:percent} for wrong letters)."
)
HARMFUL: Final = (
    "Rewriting a text changed the answer more often than our limits allow ({most:percent} of the "
    "texts, or {most_by_fault:percent} for wrong letters)."
)


def summary(rates: Mapping[str, Measure], n_texts: int, n_findings: int) -> str:
    """Return the summary of the section, from the share that each way of rewriting changes."""
    change, worst = max(rates.items(), key=lambda entry: entry[1].value or 0)
    return join_sentences(
        Sentence(
            HARMFUL if n_findings else HARMLESS,
            most=MOST_FLIPS,
            most_by_fault=MOST_FLIPS_BY_FAULT,
        ),
        Sentence(
            "We rewrote {n} random {n:text|texts} in {ways} {ways:way|ways} that {ways:keeps|keep} "
            "the meaning. Of the {worst.n} texts that were {written}, {worst} got another answer; "
            "no other way changed more.",
            n=n_texts,
            ways=len(rates),
            written=next(t.participle for t in PERTURBATIONS if t.name == change),
            worst=worst,
        ),
        "" if n_findings else _power(len(rates), worst.n),
    )


def _power(n_tests: int, n: int) -> str:
    """Return what so many texts would have shown of a way of rewriting, seen or not."""
    found, by_fault = (
        detectable_by_binomial(n, most, LEVEL / n_tests)
        for most in (MOST_FLIPS, MOST_FLIPS_BY_FAULT)
    )
    if found is None or by_fault is None:
        return Sentence("{n} {n:text is|texts are} too few to find any such change.", n=n)
    return Sentence(
        "A way of rewriting that is tried on {n} texts would have been reported with a chance of "
        "80 % if it changed {found:percent} of the answers, or {by_fault:percent} for wrong "
        "letters.",
        n=n,
        found=found,
        by_fault=by_fault,
    )
