"""Which features an answer cannot do without, and which suffice for it."""

from typing import Self

from pydantic import model_validator

from explain.record.attributions import Repeats, Target
from explain.record.base import JsonObject, Record
from explain.text.spans import Segmentation, Span

__all__ = ["Counterfactual", "DecisiveSet"]


class DecisiveSet(Record):
    """The smallest set of features that was found to decide an answer; or that none was found."""

    places: tuple[int, ...] | None
    """Numbers of its features, in reading order; None if no set was found that does it."""
    all_tried: int
    """Number of features up to which every set was tried."""
    irreducible: bool = False
    """Whether each feature of it is needed: the others alone do not do it."""
    n_equal: int | None = None
    """How many sets of the same size do it, this one included; None if not all were tried."""
    parts: tuple[str, ...] = ()
    """The text that the model was given: without these features, or with these alone. Empty if no
    set was found."""
    is_given: bool | None = None
    """Whether the model gives the label under question to that text."""
    predicted: str | None = None
    """The answer to that text: the most probable label, which of a multi-label model need not hold.
    """
    probability: float | None = None
    """Probability of `predicted`; of a multi-label model that of the label under question."""
    is_confirmed: bool | None = None
    """Whether the model gave that answer again when it was asked once more, past every cache."""

    @property
    def smallest(self) -> bool:
        """Whether no smaller set does it: all of them were tried."""
        return self.places is not None and self.all_tried >= len(self.places) - 1


class Counterfactual(Record):
    """What would have led to another answer, and what led to this one.

    Of the features of a text a smallest set whose removal changes the answer (`necessary`), and a
    smallest one that keeps it when all other features are removed (`sufficient`).
    """

    parts: tuple[str, ...]
    """The user's own text: one string, or two for a pair."""
    spans: tuple[Span, ...]
    """The features ``(part, start, end)``: half-open ranges of code points, in reading order."""
    target: Target
    """The label under question. The answer is whether it is given to the text."""
    is_given: bool
    """Whether it is given to the text as it is."""
    parameters: JsonObject
    """All parameters as resolved, defaults included."""
    removal: str
    """What stands in for a removed feature: ``[MASK]`` or ``delete``."""
    necessary: DecisiveSet
    """A set whose removal changes the answer."""
    sufficient: DecisiveSet
    """A set that keeps the answer when all else is removed. Without features it means that the
    text without any has this answer already."""
    evaluations: int
    """Distinct texts whose scores were looked at."""
    reused: int
    """How many of them had been scored before, for attributions."""
    unread: tuple[Span, ...] = ()
    """What the model cut off and never read."""
    repeats: Repeats | None = None
    """Whether the model repeats itself; None if that was not asked."""

    @model_validator(mode="after")
    def _fits_its_text(self) -> Self:
        Segmentation(self.parts, self.spans, self.unread)
        for decisive in (self.necessary, self.sufficient):
            places = list(decisive.places or ())
            if places != sorted({*places} & {*range(len(self.spans))}):
                raise ValueError(f"{places} are no features of {len(self.spans)}, in order")
        return self

    def features_of(self, decisive: DecisiveSet) -> tuple[str, ...]:
        """Return the texts of the features of a set, in reading order."""
        spans = [self.spans[place] for place in decisive.places or ()]
        return tuple(self.parts[span.part][span.start : span.end] for span in spans)
