"""What one look at model and data adds to the section of a check."""

from collections.abc import Sequence
from dataclasses import dataclass

from explain.checks.base.decisions import TestedClaim
from explain.record import Figure, Finding, Measure, Table, join_sentences

__all__ = ["Part"]


@dataclass(frozen=True)
class Part:
    """Pieces of a section; the sum of two holds those of both, in order.

    Attributes
    ----------
    measures, tables, findings, figures : sequence
        What the section shows.
    claims : sequence of TestedClaim
        Findings that hold if their tests do, adjusted together with those of other parts.
    sentence : str
        What the summary says; empty for nothing.
    n_tried : int
        How many things were looked for.
    """

    measures: Sequence[Measure] = ()
    tables: Sequence[Table] = ()
    findings: Sequence[Finding] = ()
    figures: Sequence[Figure] = ()
    claims: Sequence[TestedClaim] = ()
    sentence: str = ""
    n_tried: int = 0

    def __add__(self, other: "Part") -> "Part":
        return Part(
            (*self.measures, *other.measures),
            (*self.tables, *other.tables),
            (*self.findings, *other.findings),
            (*self.figures, *other.figures),
            (*self.claims, *other.claims),
            join_sentences(self.sentence, other.sentence),
            self.n_tried + other.n_tried,
        )
