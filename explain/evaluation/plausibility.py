"""Plausibility: whether an attribution points at what people gave as the reason for a label.

DeYoung et al. 2020 (arXiv:1911.03429). It says how an explanation looks to people, not whether it
is true of the model: a model that is right for the wrong reason has implausible explanations that
are faithful. So it is reported, and never graded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from explain.attribution.methods.base import overlap
from explain.evaluation.flags import MetricResult
from explain.record import Attribution, Sentence
from explain.statistics.intervals import SHARES, mean
from explain.text.spans import Span

__all__ = [
    "Plausibility",
    "Rationale",
    "plausibility",
    "plausibility_results",
    "rationale_features",
]


@dataclass(frozen=True, slots=True)
class Rationale:
    """What people marked in a text as the reason for its labels.

    Attributes
    ----------
    labels : tuple of str or None
        The labels that it speaks for; None if that is not known.
    spans : sequence of Span
        What is marked.
    """

    labels: tuple[str, ...] | None
    spans: Sequence[Span]


@dataclass(frozen=True, slots=True)
class Plausibility:
    """How well the values of some texts find the features of their rationales.

    Attributes
    ----------
    auprc, chance_auprc : tuple of float
        For each text the area under the precision-recall curve, and that of random values: the
        share of the features that lie in the rationale.
    f1, chance_f1 : tuple of float
        For each text F1 of the features with the largest values, as many as make up the mean share
        of rationale features over the texts; and what random values reach on average.
    """

    auprc: tuple[float, ...]
    chance_auprc: tuple[float, ...]
    f1: tuple[float, ...]
    chance_f1: tuple[float, ...]


def plausibility(
    rationales: Mapping[str, Rationale], attributions: Sequence[tuple[str, Attribution]]
) -> Plausibility:
    """Return how well values find the rationales of their texts.

    A value counts with its sign, as a rationale speaks for a label; explanations of another label
    are left out. So are texts whose features are all in the rationale, or none of them.

    Parameters
    ----------
    rationales : mapping of str to Rationale
        What people marked, by the id of the instance.
    attributions : sequence of (str, Attribution)
        Ids of instances, and what a method says of them.
    """
    marked = [
        (np.array(a.values), rationale_features(a, rationale.spans))
        for instance, a in attributions
        if (rationale := rationales.get(instance)) is not None
        and (rationale.labels is None or a.target.label in rationale.labels)
    ]
    usable = [(values, inside) for values, inside in marked if inside.any() and not inside.all()]
    share = float(np.mean([inside.mean() for _, inside in usable])) if usable else 0.0
    scored = [_f1(values, inside, share) for values, inside in usable]
    return Plausibility(
        auprc=tuple(float(average_precision_score(inside, values)) for values, inside in usable),
        chance_auprc=tuple(float(inside.mean()) for _, inside in usable),
        f1=tuple(own for own, _ in scored),
        chance_f1=tuple(chance for _, chance in scored),
    )


def rationale_features(attribution: Attribution, rationale: Sequence[Span]) -> NDArray[np.bool_]:
    """Return which features share a character with the rationale, shape (n_features,)."""
    return np.array(
        [any(overlap(span, marked) for marked in rationale) for span in attribution.spans],
        dtype=bool,
    )


def _f1(
    values: NDArray[np.float64], inside: NDArray[np.bool_], share: float
) -> tuple[float, float]:
    """Return F1 of the top features, and its expectation under random values."""
    top = max(1, round(share * len(values)))
    both = top + int(inside.sum())
    hits = int(inside[np.argsort(-values, kind="stable")[:top]].sum())
    return 2 * hits / both, 2 * top * float(inside.mean()) / both


def plausibility_results(plausibility: Plausibility) -> list[MetricResult]:
    """Return how well values find human rationales; nothing follows for the grade."""
    return [
        MetricResult(
            name,
            mean(name, own, "proportion", within=SHARES),
            mean(
                Sentence("{metric} of random values", metric=name),
                chance,
                "proportion",
                within=SHARES,
            ),
            None,
        )
        for name, own, chance in (
            ("plausibility: AUPRC", plausibility.auprc, plausibility.chance_auprc),
            ("plausibility: token F1", plausibility.f1, plausibility.chance_f1),
        )
        if own
    ]
