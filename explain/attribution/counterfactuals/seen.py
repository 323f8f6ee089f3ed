"""What the model has answered to the masked texts of one text, and how many more may be asked."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from explain.engine.games import Coalitions, Plan

__all__ = ["Leads", "SeenLeads"]

Leads = NDArray[np.float64]
"""How surely a label is given to each text, shape (n_texts,): negative where it is not given, never
zero, and NaN where the text was not scored."""


@dataclass(slots=True)
class SeenLeads:
    """The lead of the label under question in each masked text that was scored.

    Attributes
    ----------
    n_features : int
        Number of features of the text.
    budget : int
        Masked texts that may still be scored.
    """

    n_features: int
    budget: int
    _leads: dict[bytes, float] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many masked texts were scored."""
        return len(self._leads)

    def take(self, coalitions: Coalitions) -> Plan[None]:
        """Take the leads of coalitions whatever the budget says: they were scored before."""
        observed = yield coalitions
        self._leads.update(zip(_keys(coalitions), observed.values.tolist(), strict=True))

    def leads_of(self, coalitions: Coalitions) -> Plan[Leads]:
        """Return the lead of each coalition, the first ones first as long as the budget lasts."""
        keys = _keys(coalitions)
        unseen_places = {key: place for place, key in enumerate(keys) if key not in self._leads}
        places = list(unseen_places.values())[: self.budget]
        if places:
            self.budget -= len(places)
            yield from self.take(coalitions[places])
        return np.array([self._leads.get(key, np.nan) for key in keys], dtype=np.float64)

    def affords(self, coalitions: Coalitions) -> bool:
        """Tell whether the budget lasts for all of the coalitions."""
        return len({key for key in _keys(coalitions) if key not in self._leads}) <= self.budget

    def has(self, coalitions: Coalitions) -> bool:
        """Tell whether all of the coalitions were scored."""
        return all(key in self._leads for key in _keys(coalitions))

    def all_leads(self) -> tuple[Coalitions, Leads]:
        """Return all coalitions that were scored, and their leads."""
        packed = np.frombuffer(b"".join(self._leads), dtype=np.uint8).reshape(len(self), -1)
        kept: Coalitions = np.unpackbits(packed, axis=1, count=self.n_features).astype(bool)
        return kept, np.array([*self._leads.values()], dtype=np.float64)


def _keys(coalitions: Coalitions) -> list[bytes]:
    return [row.tobytes() for row in np.packbits(coalitions, axis=1)]
