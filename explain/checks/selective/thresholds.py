"""Thresholds of confidence above which errors are certainly rare."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np
from numpy.typing import NDArray
from scipy import special

from explain.checks.selective.answers import Answers
from explain.checks.selective.metrics import LET_THROUGH, RISK
from explain.record import Measure, Sentence
from explain.statistics.bootstrap import CONFIDENCE
from explain.statistics.intervals import clustered_proportion, proportion

__all__ = ["NoThreshold", "Threshold", "certified", "measured_share", "percent_of"]

STEPS = 20
"""Thresholds that are tried for an error: those that let 5, 10, ... 100 % of a half through."""

DIGITS_OF_DOUBT = 2
"""Digits of one minus a threshold, so that it can be written down."""

MOST_ROWS = 10_000_000
"""Rows beyond which a number of them is no advice."""


@dataclass(frozen=True)
class Threshold:
    """A threshold that keeps an error, certified on rows that it was not chosen on.

    Attributes
    ----------
    error : float
        The share of wrong answers that it keeps to.
    confidence : float
        Answers of at least this confidence are let through.
    share : Measure
        Share of the rows that are let through.
    risk : Measure
        Share of wrong answers among them.
    """

    error: float
    confidence: float
    share: Measure
    risk: Measure


@dataclass(frozen=True, slots=True)
class NoThreshold:
    """No threshold was certified.

    Attributes
    ----------
    error : float
        The share of wrong answers that was to be kept to.
    fewest_rows : int or None
        Labelled rows that would be needed at least; None if more rows do not help.
    """

    error: float
    fewest_rows: int | None


def percent_of(error: float) -> str:
    """Return an error as metrics name it: ``5 %``."""
    return Sentence("{error:percent}", error=error)


def certified(
    answers: Answers, chosen_on: NDArray[np.bool_], error: float
) -> Threshold | NoThreshold:
    """Return the threshold that lets most through and has at most an error, with 95 % certainty.

    Thresholds are put in order on one half: from the one that is most certain there to those that
    let more through. On the other half each is tested in this order, by the exact binomial test,
    until one fails. So all that passed hold together with a probability of 95 % (fixed-sequence
    testing, Angelopoulos et al. 2021; one threshold alone, Geifman and El-Yaniv 2017).

    Parameters
    ----------
    answers : Answers
        All answers.
    chosen_on : array, shape (n_rows,), bool
        The half on which thresholds are chosen; the other one certifies them.
    error : float
        Largest share of wrong answers.
    """
    choosing, testing = answers.among(chosen_on), answers.among(~chosen_on)
    candidates = _candidates(choosing)
    p_values = [_p_value(choosing, t, error) for t in candidates]
    passed = None
    if p_values:
        first = len(p_values) - 1 - int(np.argmin(p_values[::-1]))
        for candidate in candidates[first:]:
            if _p_value(testing, candidate, error) > 1 - CONFIDENCE:
                break
            passed = candidate
    if passed is None:
        return NoThreshold(error, _rows_needed(testing, candidates, error))
    among = testing.confidence >= passed
    return Threshold(
        error,
        passed,
        measured_share(
            LET_THROUGH.name(error=percent_of(error)),
            among,
            np.ones(len(testing), dtype=np.bool_),
            testing.clusters,
        ),
        _bounded_risk(testing.among(among), RISK.name(error=percent_of(error))),
    )


def _candidates(answers: Answers) -> list[float]:
    """Return thresholds that let more and more through."""
    confidences = -np.sort(-answers.confidence[answers.has_answer])
    if not len(confidences):
        return []
    places = np.ceil(np.arange(1, STEPS + 1) / STEPS * len(confidences)).astype(int) - 1
    return sorted({_threshold_below(float(confidences[place])) for place in places}, reverse=True)


def _threshold_below(confidence: float) -> float:
    """Return the largest threshold with few digits that lets a confidence through."""
    doubt = 1 - confidence
    if doubt <= 0:
        return 1.0
    digits = DIGITS_OF_DOUBT - 1 - floor(log10(doubt))
    return round(1 - ceil(round(doubt * 10.0**digits, 6)) / 10.0**digits, digits)


def _p_value(answers: Answers, threshold: float, error: float) -> float:
    """Return how often so few wrong answers would be let through if the error were larger."""
    wrong, n = answers.among(answers.confidence >= threshold).effective_counts()
    return float(special.betainc(n - wrong, wrong + 1, 1 - error)) if n > wrong else 1.0


def measured_share(
    name: str,
    hits: NDArray[np.bool_],
    among: NDArray[np.bool_],
    clusters: NDArray[np.int64] | None,
    slice_: str = "all",
) -> Measure:
    """Return the share of hits among some rows."""
    if clusters is None:
        return proportion(name, int(hits[among].sum()), int(among.sum()), slice_)
    return clustered_proportion(name, hits[among], clusters[among], slice_)


def _bounded_risk(answers: Answers, name: str) -> Measure:
    """Return the share of wrong answers with its exact upper bound (Clopper and Pearson 1934).

    The interval is one-sided: it begins at zero, and the whole of 5 % lies above it. A threshold
    is certified if the bound is at most the error.
    """
    wrong, n = answers.effective_counts()
    return Measure(
        name=name,
        value=float((~answers.right).mean()),
        lower=0.0,
        upper=float(special.betaincinv(wrong + 1, n - wrong, CONFIDENCE)),
        n=len(answers),
        method="Clopper-Pearson, one-sided",
    )


def _rows_needed(answers: Answers, candidates: Sequence[float], error: float) -> int | None:
    """Return the labelled rows that certify a threshold if it does as well as on these rows.

    Those that certify here, but come after one that fails, say nothing of how many are missing.
    """
    needed = [MOST_ROWS]
    for candidate in candidates:
        among = answers.confidence >= candidate
        risk = float((~answers.right[among]).mean()) if among.any() else 1.0
        if risk < error and _p_value(answers, candidate, error) > 1 - CONFIDENCE:
            part = answers.among(among)
            design = len(part) / part.effective_counts()[1]  # above one where rows belong together
            needed.append(2 * ceil(design * _certifying(risk, error) / float(among.mean())))
    return min(needed) if min(needed) < MOST_ROWS else None


def _certifying(risk: float, error: float) -> int:
    """Return how many answers certify an error if a smaller share of them is wrong."""
    low, high = 1, 1
    while special.betainc((1 - risk) * high, risk * high + 1, 1 - error) > 1 - CONFIDENCE:
        low, high = high, 2 * high
        if high > MOST_ROWS:
            return high
    while high - low > 1:
        middle = (low + high) // 2
        p = special.betainc((1 - risk) * middle, risk * middle + 1, 1 - error)
        low, high = (middle, high) if p > 1 - CONFIDENCE else (low, middle)
    return high
