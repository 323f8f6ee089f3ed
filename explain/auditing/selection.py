"""Which predictions are explained, by a plan that is stated before any is."""

from collections.abc import Sequence

import numpy as np

from explain.record import InstanceRecord, SelectionPlan, Stratum, Task

__all__ = ["plan_selection"]


def plan_selection(
    instances: Sequence[InstanceRecord], n_chosen: int, seed: int, task: Task
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
    borderline = sorted(instances, key=lambda instance: (_margin(instance), instance.id))
    quotas = [
        ("random", "drawn at random from all scored rows", at_random, (n_chosen + 1) // 2),
        ("confident error", "wrong, highest probability first", wrong, n_chosen // 4),
        ("borderline", "smallest lead over the next label first", borderline, n_chosen),
    ]
    if task != "single_label":
        quotas = [("random", "drawn at random from all scored rows", at_random, n_chosen)]
    strata: dict[str, str] = {}
    rows = []
    for name, rule, candidates, quota in quotas:
        quota = min(quota, n_chosen - len(strata))
        taken = [i.id for i in candidates if i.id not in strata][:quota]
        strata.update(dict.fromkeys(taken, name))
        rows.append(
            Stratum(
                name=name, rule=rule, quota=quota, n_available=len(candidates), n_chosen=len(taken)
            )
        )
    return SelectionPlan(requested=requested, strata=tuple(rows)), strata


def _margin(instance: InstanceRecord) -> float:
    """Return the lead of the best score over the next one; for one score its size."""
    best = sorted(instance.scores, reverse=True)
    return best[0] - best[1] if len(best) > 1 else abs(best[0])
