"""How far reviewers agree: Cohen's kappa and Krippendorff's alpha for names, with intervals."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.record import Measure
from explain.statistics.bootstrap import CONFIDENCE, resample

__all__ = ["cohens_kappa", "krippendorffs_alpha"]


def cohens_kappa(name: str, first: Sequence[str], second: Sequence[str]) -> Measure:
    """Return kappa of two reviewers (Cohen 1960), ``(p_o - p_e) / (1 - p_e)``.

    Equal to ``sklearn.metrics.cohen_kappa_score``. The interval is that of the large-sample
    variance for any kappa (Fleiss, Cohen and Everitt 1969), on the scale of Fisher's z, since kappa
    is skewed near 1. Kappa has no value where both say one
    and the same of all, since chance would do that as well.

    Parameters
    ----------
    name : str
        Name of the measure.
    first, second : sequence of str, length n
        What each says of the same instances, in the same order.
    """
    n = len(first)
    codes = {code: place for place, code in enumerate(sorted({*first, *second}))}
    shares = np.zeros((len(codes), len(codes)))
    for a, b in zip(first, second, strict=True):
        shares[codes[a], codes[b]] += 1 / n
    rows, columns = shares.sum(1), shares.sum(0)
    expected = float(rows @ columns)
    if n == 0 or np.isclose(expected, 1):
        return Measure(name=name, value=None, n=n, unit="coefficient")
    observed = float(np.trace(shares))
    kappa = (observed - expected) / (1 - expected)
    variance = _variance_of_kappa(shares, observed, expected) / n
    if variance <= 0 or abs(kappa) >= 1:
        return Measure(name=name, value=kappa, n=n, unit="coefficient")
    half = stats.norm.ppf((1 + CONFIDENCE) / 2) * np.sqrt(variance) / (1 - kappa**2)
    return Measure(
        name=name,
        value=kappa,
        lower=float(np.tanh(np.arctanh(kappa) - half)),
        upper=float(np.tanh(np.arctanh(kappa) + half)),
        n=n,
        method="large sample (Fleiss, Cohen and Everitt), Fisher z scale",
        unit="coefficient",
    )


def _variance_of_kappa(shares: NDArray[np.float64], observed: float, expected: float) -> float:
    """Return n times the variance of kappa; `shares` has shape (n_codes, n_codes) and sums to 1."""
    rows, columns = shares.sum(1), shares.sum(0)
    sums = columns[:, None] + rows[None, :]
    weights = -(1 - observed) * sums
    weights[np.diag_indices_from(weights)] += 1 - expected
    mean = observed * expected - 2 * expected + observed
    return float((shares * weights**2).sum() - mean**2) / (1 - expected) ** 4


def krippendorffs_alpha(
    name: str, codings: Sequence[Sequence[str | None]], rng: np.random.Generator
) -> Measure:
    """Return alpha of any number of reviewers, for names (Krippendorff 2011).

    ``1 - observed / expected`` disagreement over the pairs of codings of an instance; an instance
    with fewer than two is not pairable and left out, and `n` counts the others. Equal to the value
    of the krippendorff package. The interval is BCa, by resamples of instances. Alpha has no value
    where all say one and the same.

    Parameters
    ----------
    name : str
        Name of the measure.
    codings : sequence of sequences, shape (n_instances, n_reviewers)
        What each reviewer says of each instance; None for nothing.
    rng : Generator
        Source of the draws.
    """
    codes = sorted({code for coding in codings for code in coding if code is not None})
    counts = np.array([[coding.count(code) for code in codes] for coding in map(list, codings)])
    counts = counts.reshape(len(codings), len(codes))
    counts = counts[counts.sum(1) > 1]
    if np.count_nonzero(counts.sum(0)) < 2:
        return Measure(name=name, value=None, n=len(counts), unit="coefficient")
    reviewers = counts.sum(1)
    disagreement = (reviewers**2 - (counts**2).sum(1)) / (reviewers - 1)
    return resample(np.column_stack([disagreement, counts]), rng).measure(
        name, _alpha, "coefficient"
    )


def _alpha(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return alpha from the disagreement and how often each code was given, shape (..., 1 + k).

    Where all say the same, as can be in a resample, they agree.
    """
    totals = sums[..., 1:]
    n = totals.sum(-1)
    expected = (n**2 - (totals**2).sum(-1)) / (n - 1)
    return np.where(expected > 0, 1 - sums[..., 0] / np.where(expected > 0, expected, 1), 1.0)
