"""Which coalitions of a text were asked for, whoever asked, so that nobody pays for them again."""

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from explain.engine.games import Coalitions, MaskedTextGame, Masker
from explain.text.spans import Segmentation

__all__ = ["ScoredCoalitions"]


class ScoredCoalitions:
    """Coalitions by the text that they are of; those of the texts asked about first go first.

    Parameters
    ----------
    most : int
        Coalitions that are kept.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._n_kept = 0
        self._of: OrderedDict[Segmentation, list[tuple[Masker, NDArray[np.uint8]]]] = OrderedDict()

    def note(self, game: MaskedTextGame, coalitions: Coalitions) -> None:
        """Take note that coalitions of a text are scored."""
        packed = np.packbits(coalitions.astype(bool, copy=False), axis=1)
        self._of.setdefault(game.segmentation, []).append((game.masker, packed))
        self._n_kept += len(packed)
        while self._n_kept > self.most and len(self._of) > 1:
            _, dropped = self._of.popitem(last=False)
            self._n_kept -= sum(len(rows) for _, rows in dropped)

    def of(self, game: MaskedTextGame) -> Coalitions:
        """Return the coalitions of a game, each once, shape (n_coalitions, n_features)."""
        asked = self._of.get(game.segmentation, [])
        rows = [packed for masker, packed in asked if masker is game.masker]
        if not rows:
            return np.zeros((0, game.n_features), dtype=bool)
        distinct = np.unique(np.vstack(rows), axis=0)
        kept: Coalitions = np.unpackbits(distinct, axis=1, count=game.n_features).astype(bool)
        return kept
