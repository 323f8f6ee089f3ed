"""The smallest set of features that decides an answer: proven where it can be, else searched for.

The sets of one feature, of two, and so on are all tried as long as the budget lasts. A set that
does it and of which no feature can be left out bounds the search from above: it comes from what
was scored before, or from the features that weigh most. What the budget leaves between the two is
spent on the sets whose features weigh most together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import combinations, islice
from math import comb

import numpy as np
from numpy.typing import NDArray

from explain.attribution.counterfactuals.seen import Leads, SeenLeads
from explain.engine.games import Coalitions, Plan

__all__ = ["Atoms", "FoundSet", "SetSearch", "heaviest_sets"]

Atoms = Sequence[tuple[int, ...]]
"""What a set is made of: single features, or runs of them."""

Set = tuple[int, ...]
"""Numbers of atoms, ascending."""

FINEST = 16
"""Sizes that are tried at a time between two that are known to do it and not to."""


@dataclass(frozen=True, slots=True)
class FoundSet:
    """What a search has found.

    Attributes
    ----------
    members : tuple of int, or None
        Numbers of the atoms, ascending; None if no set was found that does it.
    all_tried : int
        Number of atoms up to which every set was tried.
    irreducible : bool
        Whether each member was left out in turn, and then the others do not do it.
    n_equal : int or None
        How many sets of that size do it; None where not all of them were tried.
    """

    members: Set | None
    all_tried: int = 0
    irreducible: bool = False
    n_equal: int | None = None


@dataclass(slots=True)
class SetSearch:
    """A search for the smallest set that changes the answer when it is removed, or keeps it.

    Attributes
    ----------
    scores : SeenLeads
        What was scored, and the budget.
    keeps : bool
        Whether the set is what is kept, all else being removed; else it is what is removed.
    sign : int
        1 if a positive lead is what is looked for, else -1.
    atoms : sequence of tuple of int
        What sets are made of; all other features are removed if `keeps`, else they stay.
    weights : array, shape (n_atoms,)
        How much each atom is expected to matter: the heaviest are tried first.
    """

    scores: SeenLeads
    keeps: bool
    sign: int
    atoms: Atoms
    weights: NDArray[np.float64]

    def plan(self) -> Plan[FoundSet]:
        """Return the coroutine that searches."""
        if self.keeps and (yield from self.gains([()]))[0] > 0:
            return FoundSet((), irreducible=True, n_equal=1)
        smallest = yield from self._try_all(FoundSet(None), most=1)
        if smallest.members is not None:
            return smallest
        bound = yield from self._bound()
        smallest = yield from self._try_all(replace(bound, all_tried=smallest.all_tried))
        if smallest.members is not None and len(smallest.members) - 1 > smallest.all_tried:
            smallest = yield from self._try_heaviest(smallest)
        return smallest

    def gains(self, sets: Sequence[Set]) -> Plan[Leads]:
        """Return the lead after each set is removed or kept: positive where that does it."""
        leads = yield from self.scores.leads_of(self._coalitions(sets))
        return self.sign * leads

    def _coalitions(self, sets: Sequence[Set]) -> Coalitions:
        coalitions: Coalitions = np.full((len(sets), self.scores.n_features), not self.keeps)
        for row, members in zip(coalitions, sets, strict=True):
            row[[feature for member in members for feature in self.atoms[member]]] = self.keeps
        return coalitions

    def _try_all(self, smallest: FoundSet, most: int | None = None) -> Plan[FoundSet]:
        """Try all sets of each size that the budget allows, until one does it.

        Those of the size of a set that is known already are looked at where that costs nothing.
        """
        n = len(self.atoms)
        for size in range(smallest.all_tried + 1, (most or n) + 1):
            if size > n or comb(n, size) > self.scores.budget + len(self.scores):
                break
            sets = list(combinations(range(n), size))
            coalitions = self._coalitions(sets)
            is_bound = smallest.members is not None and size >= len(smallest.members)
            if not (self.scores.has(coalitions) if is_bound else self.scores.affords(coalitions)):
                break
            gains = yield from self.gains(sets)
            smallest = replace(smallest, all_tried=size)
            if (gains > 0).any():
                # The one after which the answer is surest; the first of equals.
                best = sets[int(gains.argmax())]
                return FoundSet(best, size, irreducible=True, n_equal=int((gains > 0).sum()))
        if smallest.members is not None and smallest.all_tried >= len(smallest.members) - 1:
            return replace(smallest, irreducible=True)
        return smallest

    def _bound(self) -> Plan[FoundSet]:
        """Return a small set that does it, if one is known or the heaviest atoms are one."""
        order = np.argsort(-self.weights, kind="stable").tolist()
        sizes = sorted({*(1 << power for power in range(len(order).bit_length())), len(order)})
        heavy = yield from self._smallest_prefix(order, [size for size in sizes if size])
        if heavy is not None and (below := [size for size in sizes if size < len(heavy)]):
            between = np.linspace(below[-1] + 1, len(heavy) - 1, FINEST).astype(int).tolist()
            finer = sorted({size for size in between if below[-1] < size < len(heavy)})
            heavy = (yield from self._smallest_prefix(order, finer)) or heavy
        candidates = [s for s in (heavy, self._smallest_seen()) if s is not None]
        if not candidates:
            return FoundSet(None)
        return (yield from self._reduce(min(candidates, key=len)))

    def _smallest_prefix(self, order: Sequence[int], sizes: Sequence[int]) -> Plan[Set | None]:
        """Return the fewest of the heaviest atoms that do it, of the sizes that are tried."""
        if not sizes:
            return None
        prefixes = [tuple(sorted(order[:size])) for size in sizes]
        gains = yield from self.gains(prefixes)
        return next(
            (prefix for prefix, gain in zip(prefixes, gains, strict=True) if gain > 0), None
        )

    def _smallest_seen(self) -> Set | None:
        """Return the smallest set that does it of all that were scored."""
        coalitions, leads = self.scores.all_leads()
        members = (coalitions == self.keeps)[self.sign * leads > 0]
        owners = np.full(self.scores.n_features, -1)
        for number, atom in enumerate(self.atoms):
            owners[list(atom)] = number
        sizes = np.array([len(atom) for atom in self.atoms])
        members = members[~members[:, owners < 0].any(axis=1)]
        for row in members[np.argsort(members.sum(axis=1), kind="stable")]:
            atoms, counts = np.unique(owners[row], return_counts=True)
            if (counts == sizes[atoms]).all():
                return tuple(atoms.tolist())
        return None

    def _reduce(self, members: Set) -> Plan[FoundSet]:
        """Leave out what can be left out, as much at a time as can be."""
        while True:
            gains = yield from self.gains([_without(members, [one]) for one in members])
            spare = [members[place] for place in np.argsort(-gains) if gains[place] > 0]
            if not spare:
                return FoundSet(members, irreducible=not np.isnan(gains).any())
            counts = sorted({1, *(len(spare) >> halvings for halvings in range(4))} - {0})
            fewer = [_without(members, spare[:count]) for count in counts]
            gains = yield from self.gains(fewer)
            members = next(
                one for one, gain in zip(fewer[::-1], gains[::-1], strict=True) if gain > 0
            )

    def _try_heaviest(self, smallest: FoundSet) -> Plan[FoundSet]:
        """Try the heaviest of the sets that are smaller than the one found."""
        largest = len(smallest.members or ())
        for size in range(smallest.all_tried + 1, largest):
            share = self.scores.budget // (largest - size)
            sets = list(islice(heaviest_sets(self.weights, size), share))
            gains = (yield from self.gains(sets)) if sets else np.zeros(0)
            if (gains > 0).any():
                smaller = yield from self._reduce(sets[int(np.nanargmax(gains))])
                return replace(smaller, all_tried=smallest.all_tried)
        return smallest


def heaviest_sets(weights: NDArray[np.float64], size: int) -> Iterator[Set]:
    """Yield all sets of a size, those with the largest sum of weights first."""
    order = np.argsort(-weights, kind="stable").tolist()
    first = tuple(range(size))
    if size > len(order):
        return
    waiting = [(-float(weights[[order[i] for i in first]].sum()), first)]
    known = {first}
    while waiting:
        total, ranks = heappop(waiting)
        yield tuple(sorted(order[rank] for rank in ranks))
        for place, rank in enumerate(ranks):
            after = ranks[place + 1] if place + 1 < size else len(order)
            if rank + 1 < after:
                lighter = (*ranks[:place], rank + 1, *ranks[place + 1 :])
                if lighter not in known:
                    known.add(lighter)
                    change = float(weights[order[rank]] - weights[order[rank + 1]])
                    heappush(waiting, (total + change, lighter))


def _without(members: Set, left_out: Sequence[int]) -> Set:
    return tuple(one for one in members if one not in left_out)
