"""Both searches on one text: what the answer cannot do without, and what suffices for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explain.attribution.counterfactuals.search import Atoms, FoundSet, SetSearch
from explain.attribution.counterfactuals.seen import SeenLeads
from explain.attribution.methods.base import check_size, empty_and_full
from explain.engine.games import Coalitions, Plan

__all__ = ["FoundSets", "decisive_sets"]


@dataclass(frozen=True, slots=True)
class FoundSets:
    """The sets that decide an answer, as numbers of features.

    Attributes
    ----------
    necessary : FoundSet
        What changes the answer when it is removed.
    sufficient : FoundSet
        What keeps the answer when all else is removed.
    is_given : bool
        Whether the label under question is given to the text as it is.
    n_reused : int
        Masked texts that were scored before and looked at again.
    """

    necessary: FoundSet
    sufficient: FoundSet
    is_given: bool
    n_reused: int


def decisive_sets(
    n_features: int,
    budget: int,
    *,
    known_coalitions: Coalitions | None = None,
    weights: NDArray[np.float64] | None = None,
    runs: Sequence[range] = (),
) -> Plan[FoundSets]:
    """Return the coroutine that finds the smallest sets that change an answer, and keep it.

    It is sent leads: positive where the label under question is given, negative where it is not.

    Parameters
    ----------
    n_features : int
        Number of features.
    budget : int
        Masked texts that may be scored, for each search half of them and what the first leaves.
    known_coalitions : array, shape (n_coalitions, n_features), optional
        Coalitions that were scored already. They are looked at first, and do not count.
    weights : array, shape (n_features,), optional
        What each feature adds to the lead, as an attribution has it. Without it each is removed
        alone and kept alone first, if the budget allows both.
    runs : sequence of range, optional
        Runs of features that are tried as one first: the sentences of a long text. Then the
        features of those that were found are.

    Raises
    ------
    BudgetError
        When started, if the features are too many.
    """
    check_size("a search for counterfactuals", n_features)
    known_coalitions = empty_and_full(n_features) if known_coalitions is None else known_coalitions
    scores = SeenLeads(n_features, budget)
    yield from scores.take(np.vstack([empty_and_full(n_features), known_coalitions]))
    n_reused = len(scores)
    full = (yield from scores.leads_of(np.ones((1, n_features), dtype=bool)))[0]
    if n_features == 0:
        return FoundSets(FoundSet(None), FoundSet((), irreducible=True), bool(full > 0), 1)
    sign = 1 if full > 0 else -1
    singles: Atoms = [(feature,) for feature in range(n_features)]
    if weights is None:
        weights = yield from _weights(scores, singles)
    removes, keeps = (
        SetSearch(scores, keeps, sign if keeps else -sign, singles, sign * weights)
        for keeps in (False, True)
    )
    scores.budget, kept_back = scores.budget // 2, scores.budget - scores.budget // 2
    necessary = yield from _search(removes, runs)
    scores.budget += kept_back
    sufficient = yield from _search(keeps, runs)
    return FoundSets(necessary, sufficient, bool(full > 0), n_reused)


def _search(search: SetSearch, runs: Sequence[range]) -> Plan[FoundSet]:
    """Search among features, or among runs of them first and then among the features of those."""
    if not runs:
        return (yield from search.plan())
    weights = np.array([search.weights[run].sum() for run in runs])
    of_runs = yield from replace(search, atoms=[tuple(run) for run in runs], weights=weights).plan()
    if not of_runs.members:
        return replace(of_runs, all_tried=0, n_equal=None)
    pool = [feature for number in of_runs.members for feature in runs[number]]
    inner = replace(search, atoms=[(f,) for f in pool], weights=search.weights[pool])
    inner_set = yield from inner.plan()
    # The features of other runs were not tried, so nothing is proven of all sets of any size.
    members = tuple(pool[number] for number in inner_set.members or ())
    return FoundSet(members, irreducible=inner_set.irreducible)


def _weights(scores: SeenLeads, singles: Atoms) -> Plan[NDArray[np.float64]]:
    """Return what each feature adds to the lead alone and at last; zeros without the budget."""
    n_features = len(singles)
    alone = np.eye(n_features, dtype=bool)
    if not scores.affords(np.vstack([alone, ~alone])):
        return np.zeros(n_features)
    empty, full = yield from scores.leads_of(empty_and_full(n_features))
    gained = (yield from scores.leads_of(alone)) - empty
    lost = full - (yield from scores.leads_of(~alone))
    weights: NDArray[np.float64] = (gained + lost) / 2
    return weights
