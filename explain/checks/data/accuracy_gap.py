"""How right the model is on some rows, against the others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.data.common import FINDING_LEVEL
from explain.checks.data.metrics import ACCURACY_GAP
from explain.record import Measure, Sentence, Table
from explain.statistics.comparisons import fisher, newcombe
from explain.statistics.intervals import proportion
from explain.statistics.power import detectable_by_fisher

__all__ = ["AccuracyGap", "accuracy_gap"]


@dataclass(frozen=True, slots=True)
class AccuracyGap:
    """The accuracy on some rows beside that on the others.

    Attributes
    ----------
    part, rest : Measure
        The two accuracies.
    gap : Measure
        The first minus the second, with Newcombe's interval.
    """

    part: Measure
    rest: Measure
    gap: Measure

    def sentence(self) -> Sentence:
        """Return the accuracies in words, of texts that have just been spoken of."""
        return Sentence(
            "The model is right on {part} of those ({part.n} labelled), and on {rest} of the "
            "others (difference {gap:points}).",
            part=self.part,
            rest=self.rest,
            gap=self.gap,
        )

    def is_worse(self) -> bool:
        """Tell whether the model is worse on the part, by Fisher's test at `FINDING_LEVEL`."""
        wrong, other_wrong = _wrong(self.part), _wrong(self.rest)
        n = self.part.n + self.rest.n
        return bool(fisher(wrong, self.part.n, wrong + other_wrong, n) <= FINDING_LEVEL)

    def table(self, title: str, note: str) -> Table:
        """Return the accuracies as a table."""
        return Table(
            title=title,
            columns=("accuracy on them", "on the others", "difference"),
            rows=((self.part, self.rest, self.gap),),
            note=note,
        )

    def power(self) -> str:
        """Return from where on the model would have been found worse."""
        share = detectable_by_fisher(
            self.part.n, self.rest.n, 1 - (self.rest.value or 0.0), FINDING_LEVEL
        )
        if share is None:
            return "There are too few of them to find the model worse on them."
        return Sentence(
            "An accuracy of {lowest:percent} or less on them would have been found worse in four "
            "of five audits.",
            lowest=1 - share,
        )


def _wrong(accuracy: Measure) -> int:
    return round(accuracy.n * (1 - (accuracy.value or 0.0)))


def accuracy_gap(
    context: AuditContext,
    members: NDArray[np.bool_],
    rest: NDArray[np.bool_],
    slices: tuple[str, str],
) -> AccuracyGap | None:
    """Return the accuracies on two sets of rows; None if either has no label.

    Parameters
    ----------
    context : AuditContext
        The rows.
    members, rest : array, shape (n_instances,), bool
        The two sets.
    slices : (str, str)
        What the two are called.
    """
    right, labelled = context.predicted == context.labels, context.labels >= 0
    part_accuracy, rest_accuracy = (
        proportion(
            "accuracy", int((right & among & labelled).sum()), int((among & labelled).sum()), slice_
        )
        for among, slice_ in zip((members, rest), slices, strict=True)
    )
    if part_accuracy.value is None or rest_accuracy.value is None:
        return None
    lower, upper = newcombe(
        part_accuracy.value,
        _interval(part_accuracy),
        rest_accuracy.value,
        _interval(rest_accuracy),
    )
    gap = Measure(
        name=ACCURACY_GAP.title,
        value=part_accuracy.value - rest_accuracy.value,
        lower=lower,
        upper=upper,
        n=part_accuracy.n + rest_accuracy.n,
        method="Newcombe",
        slice=slices[0],
    )
    return AccuracyGap(part_accuracy, rest_accuracy, gap)


def _interval(share: Measure) -> tuple[float, float]:
    return share.lower or 0.0, 1.0 if share.upper is None else share.upper
