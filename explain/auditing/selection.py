"""Which predictions are explained, by a plan that is stated before any is."""

from collections.abc import Sequence

import numpy as np

from explain.adapters.decision_rule import DecisionRule
from explain.record import InstanceRecord, SelectionPlan, Stratum

__all__ = ["plan_selection"]


def plan_selection(
    instances: Sequence[InstanceRecord], n_chosen: int, seed: int, rule: DecisionRule
) -> tuple[SelectionPlan, dict[str, str]]:
    """Return the plan by which instances are explained, and the stratum of each chosen id.

    Half are drawn at random; a quarter are the most confident errors where labels are given; the
    rest are the predictions closest to being another one. Where a text has no one right label, all
    are drawn at random.
    """
    requested, n_chosen = n_chosen, min(n_chosen, len(instances))
    order = np.random.default_rng(seed).permutation(len(instances)).tolist()
    at_random = [instances[i] for i in order]
    wrong = sorted(
        (instance for instance in instances if instance.right is False),
        key=lambda instance: (-(instance.probability or 0), instance.id),
    )
    leads = rule.leads(np.array([instance.scores for instance in instances])).tolist()
    by_lead = sorted(zip(leads, instances, strict=True), key=lambda pair: (pair[0], pair[1].id))
    borderline = [instance for _, instance in by_lead]
    nearest = "smallest lead over the next label first"
    if rule.thresholds:
        nearest = "closest to the decision threshold first"
    quotas = [
        ("random", "drawn at random from all scored rows", at_random, (n_chosen + 1) // 2),
        ("confident error", "wrong, highest probability first", wrong, n_chosen // 4),
        ("borderline", nearest, borderline, n_chosen),
    ]
    if rule.task != "single_label":
        quotas = [("random", "drawn at random from all scored rows", at_random, n_chosen)]
    strata: dict[str, str] = {}
    rows = []
    for name, how, candidates, quota in quotas:
        quota = min(quota, n_chosen - len(strata))
        taken = [i.id for i in candidates if i.id not in strata][:quota]
        strata.update(dict.fromkeys(taken, name))
        rows.append(
            Stratum(
                name=name, rule=how, quota=quota, n_available=len(candidates), n_chosen=len(taken)
            )
        )
    return SelectionPlan(requested=requested, strata=tuple(rows)), strata
