"""Stability: whether a method says the same again, from other seeds or other baselines.

A method with a baseline is asked again with two others, everything else with another seed. A
method that draws nothing at random is then trivially stable. Long texts may be cut into sentences
and words in another way from another seed; compared is what both runs have in common.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations

import numpy as np

from explain.adapters import TextClassifier
from explain.attribution import AttributionSettings, attribute_batch
from explain.attribution.methods import Explainer, WhiteBoxExplainer, make_explainer
from explain.engine import Engine
from explain.engine.games import AttributionRequest
from explain.errors import CapabilityError
from explain.evaluation.agreement import common_values, rank_correlation, top_features
from explain.record import Attribution

__all__ = ["Stability", "compare", "stability"]

BASELINES = ("mask", "pad", "mean", "zero")
"""What is tried in the place of the baseline of the audit, in this order."""

OTHER_BASELINES = 2
"""How many of them; seeds are all alike, so that one other tells as much as two."""


@dataclass(frozen=True, slots=True)
class Stability:
    """How far the runs of a method agree on each of some texts.

    Attributes
    ----------
    varied : str
        What was varied: ``seeds`` or ``baselines``.
    taus : tuple of float
        For each text Kendall's tau-b, the mean over all pairs of runs.
    overlaps : tuple of float
        For each text the Jaccard index of the top features of two runs, the mean over all pairs.
    """

    varied: str
    taus: tuple[float, ...]
    overlaps: tuple[float, ...]


def stability(
    engine: Engine,
    requests: Sequence[tuple[AttributionRequest, Attribution]],
    explainer: Explainer,
    setting: AttributionSettings,
) -> Stability:
    """Return how far a method agrees with itself when it is asked again.

    Parameters
    ----------
    engine : Engine
        The way to the model.
    requests : sequence of (AttributionRequest, Attribution)
        Questions, and what the method says of each.
    explainer : Explainer
        The method.
    setting : AttributionSettings
        Masker and seed of the audit.
    """
    has_baseline = any(option.name == "baseline" for option in fields(explainer))
    variants = (
        [(second, setting) for second in _other_baselines(explainer, engine.classifier)]
        if isinstance(explainer, WhiteBoxExplainer) and has_baseline
        else [(explainer, replace(setting, seed=setting.seed + 1))]
    )
    questions = [question for question, _ in requests]
    again = [attribute_batch(engine, questions, *variant) for variant in variants]
    taus, overlaps = [], []
    for number, (_, attribution) in enumerate(requests):
        others = [outcomes[number].value for outcomes in again]
        runs = [attribution, *(second for second in others if isinstance(second, Attribution))]
        pairs = [p for first, second in combinations(runs, 2) if (p := compare(first, second))]
        if pairs:
            taus.append(float(np.mean([tau for tau, _ in pairs])))
            overlaps.append(float(np.mean([overlap for _, overlap in pairs])))
    return Stability("baselines" if has_baseline else "seeds", tuple(taus), tuple(overlaps))


def compare(first: Attribution, second: Attribution) -> tuple[float, float] | None:
    """Return tau-b, and the Jaccard index of the top features, on the features that both have.

    None if there are fewer than three, or one of the two gives all of them the same value.
    """
    if (both := common_values(first, second)) is None:
        return None
    tau = rank_correlation(*both)
    tops = top_features(both[0]), top_features(both[1])
    return None if tau is None else (tau, len(tops[0] & tops[1]) / len(tops[0] | tops[1]))


def _other_baselines(explainer: WhiteBoxExplainer, model: TextClassifier) -> list[Explainer]:
    """Return the method with two other baselines, as far as the model has them."""
    known = {explainer.removal(model)}
    others: list[Explainer] = []
    for baseline in BASELINES:
        second = make_explainer(replace(explainer, baseline=baseline))
        try:
            removal = second.removal(model) if isinstance(second, WhiteBoxExplainer) else ""
        except CapabilityError:
            continue
        if removal not in known and len(others) < OTHER_BASELINES:
            known.add(removal)
            others.append(second)
    return others
