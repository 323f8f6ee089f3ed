"""Which finding explains which: what decides the answers explains where they are wrong."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explain.record import Finding, Section

__all__ = ["with_causes"]

CAUSES = ("shortcuts",)
"""Sections whose findings were confirmed by changing texts, so that they may explain others."""

EFFECTS = ("slices", "fairness", "shortcuts.style", "shortcuts.length")
"""Findings, by the beginning of their code, that say where the model is wrong and not by what; or
that name a whole way of writing where one mark does it."""

SAME_ROWS = 0.8
"""Correlation of two sets of rows, or of one with the rest of the other, from which they are taken
for the same: the value from which two phrases are tried as one."""


def with_causes(sections: Sequence[Section], ids: Sequence[str]) -> tuple[Section, ...]:
    """Return the sections, where each finding on the rows of another one names it as its cause.

    Texts that hold a mark may be right by the mark alone; then the finding that all other texts are
    worse follows from the one on the mark.

    Parameters
    ----------
    sections : sequence of Section
        All that was measured.
    ids : sequence of str
        Ids of the rows of the table.
    """
    causes = [f for s in sections if s.id in CAUSES for f in s.findings if f.instances]
    rows = {cause.id: _members(cause, ids) for cause in causes}

    def linked(finding: Finding) -> Finding:
        cause = None
        if finding.code.startswith(EFFECTS) and finding.instances:
            own = _members(finding, ids)
            likeness = {
                id_: abs(_correlation(own, members))
                for id_, members in rows.items()
                if id_ != finding.id
            }
            best = max(likeness, key=lambda id_: likeness[id_], default=None)
            cause = best if best is not None and likeness[best] >= SAME_ROWS else None
        # What a finding is about is not kept: a record that is read back knows nothing of it.
        plain = finding.about(())
        return plain if cause is None else plain.model_copy(update={"cause": cause})

    return tuple(
        section.model_copy(update={"findings": tuple(map(linked, section.findings))})
        for section in sections
    )


def _members(finding: Finding, ids: Sequence[str]) -> NDArray[np.bool_]:
    return np.array([id_ in finding.instances for id_ in ids], dtype=bool)


def _correlation(rows: NDArray[np.bool_], other_rows: NDArray[np.bool_]) -> float:
    """Return the phi coefficient (Pearson's correlation) of two sets of rows."""
    if rows.all() or other_rows.all() or not rows.any() or not other_rows.any():
        return 0.0
    return float(np.corrcoef(rows, other_rows)[0, 1])
