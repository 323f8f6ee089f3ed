"""Attributions and interactions, with their context."""

from bisect import bisect_left, bisect_right
from math import log
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from explain.record.base import Z95, Grade, JsonObject, Record, Scale
from explain.record.diagnostics import Diagnostics
from explain.record.frames import frame_of_attribution
from explain.record.measures import Measure
from explain.record.own_reports import require_own_reports
from explain.record.sentences import SentenceLike
from explain.text.spans import Segmentation, Span

if TYPE_CHECKING:
    import pandas as pd
    import shap

__all__ = ["Agreement", "Attribution", "Group", "Interaction", "Interactions", "Repeats", "Target"]


class Target(Record):
    """The one number of a prediction that is explained."""

    label: str
    index: int
    """Column of `label` in the scores."""
    scale: Scale
    """What is explained of it.

    ``log_odds``: log p/(1-p) of the softmax probability, natural logarithm; ``logit``: the same of
    the label's own sigmoid; ``value``: the plain output of a regression.
    """
    decimals: int | None = None
    """Decimals that the model rounds its probabilities to; None if it shows all.

    Log-odds are then capped at half a step from 0 and 1, as nothing beyond that can be seen.
    """
    cut: float = 0.0
    """Log-odds above which the label is certainly the answer: those of p = .5, or of the decision
    threshold of the model."""

    @property
    def cap(self) -> float | None:
        """Where log-odds are capped; None if the model does not round."""
        if self.decimals is None:
            return None
        half_step = 0.5 * 10.0**-self.decimals
        return log((1 - half_step) / half_step)


class Repeats(Record):
    """What the model said when it was asked the same texts again, past every cache."""

    texts: int
    """Distinct texts that were asked again, in other batches and alone."""
    answers: int
    """Answers to them beyond the first."""
    differences: int
    """Answers whose value differs from the first by more than the rounding of float32."""
    sigma: float
    """Standard deviation of the value of a text from answer to answer, in the unit of the target's
    scale: the larger one of the texts with small and with large values. Zero if none differs, or
    if only the other texts of a batch made the difference and each text was scored alone then."""
    degrees_of_freedom: int
    """Degrees of freedom of `sigma`."""
    scored_alone: bool = False
    """Whether each text was scored alone, because the company of others changes its answer."""


class Group(Record):
    """A run of words that was explained as one feature first."""

    span: Span
    value: float
    """Value of the whole run, in the unit of the target's scale."""
    standard_error: float | None = None
    """Zero if exact; None if the method does not estimate it."""


class Attribution(Record):
    """One prediction attributed to the features of its text, with everything needed to check it."""

    parts: tuple[str, ...]
    """The user's own text: one string, or two for a pair."""
    spans: tuple[Span, ...]
    """The features ``(part, start, end)``: half-open ranges of code points, in reading order."""
    target: Target
    method: str
    """Name of the method in the registry."""
    method_title: SentenceLike
    """Name of the method as readers see it."""
    parameters: JsonObject
    """All parameters of the method as resolved, defaults included."""
    removal: str
    """What stands in for a removed feature: the masker or baseline, ``[MASK]`` or ``delete``."""
    values: tuple[float, ...]
    """One value per span, in the unit of the target's scale; positive speaks for the target."""
    standard_errors: tuple[float, ...] | None = None
    """One standard error per value; zero if exact; None if the method does not estimate them."""
    empty_value: float
    """v(empty): the target's value with every feature removed."""
    full_value: float
    """v(N): the target's value of the text as it is."""
    efficient: bool
    """Whether the method promises that the values sum to v(N) - v(empty)."""
    signed: bool = True
    """Whether the sign of a value means something."""
    is_null: bool = False
    """Whether the method is one that others are compared with, and says nothing of the model."""
    evaluations: int
    """Distinct texts scored for this attribution, or gradients taken."""
    seed: int
    """Seed the random stream was derived from, together with text and method."""
    diagnostics: Diagnostics = Field(default_factory=Diagnostics)
    """What the method says of itself: steps, R2, whether it converged."""
    unread: tuple[Span, ...] = ()
    """What the model cut off and never read."""
    repeats: Repeats | None = None
    """Whether the model repeats itself; None if that was not asked."""
    groups: tuple[Group, ...] = ()
    """The sentences of a text that was explained by sentences first, in reading order.

    A feature is one of them, or a word of one that was refined. The words of an efficient method
    sum to the value of their sentence.
    """
    quality: tuple[Measure, ...] = ()
    """What metrics measured of this attribution; empty until they have run."""
    grade: Grade | None = None
    """Reliability of this attribution; None until metrics have run."""
    reasons: tuple[SentenceLike, ...] = ()
    """Why the grade is no better, each in a sentence."""

    @model_validator(mode="after")
    def _fits_its_text(self) -> Self:
        Segmentation(self.parts, self.spans, self.unread)
        for numbers in (self.values, self.standard_errors):
            if numbers is not None and len(numbers) != len(self.spans):
                raise ValueError(f"{len(numbers)} values for {len(self.spans)} spans")
        return self

    @model_validator(mode="after")
    def _fits_its_groups(self) -> Self:
        if not self.groups:
            return self
        Segmentation(self.parts, tuple(group.span for group in self.groups), self.unread)
        done = 0
        for group in self.groups:
            places = self.places_in(group)
            spans = self.spans[places.start : places.stop]
            if places.start != done or not spans or spans[-1].end > group.span.end:
                raise ValueError(f"features and groups differ at {group.span}")
            values = self.values[places.start : places.stop]
            allowed = 1e-6 * (1 + sum(map(abs, values)))
            if self.efficient and abs(sum(values) - group.value) > allowed:
                raise ValueError(f"values in {group.span} do not sum to {group.value}")
            done = places.stop
        if done != len(self.spans):
            raise ValueError(f"{len(self.spans) - done} features lie in no group")
        return self

    def places_in(self, group: Group) -> range:
        """Return the places of the features that begin in `group`."""
        part, start, end = group.span
        return range(
            bisect_left(self.spans, Span(part, start, 0)),
            bisect_left(self.spans, Span(part, end, 0)),
        )

    @property
    def features(self) -> tuple[str, ...]:
        """The text of each feature."""
        return tuple(self.parts[s.part][s.start : s.end] for s in self.spans)

    @property
    def ranks(self) -> tuple[tuple[int, int], ...] | None:
        """The best and the worst rank by absolute value that each feature may have, 1 the largest.

        Two features are told apart where the 95 % intervals of their values do not meet, with
        signs laid aside. None if the method does not estimate its errors.
        """
        if self.standard_errors is None:
            return None
        lower, upper = [], []
        for value, error in zip(self.values, self.standard_errors, strict=True):
            lower.append(abs(value) - Z95 * error)
            upper.append(abs(value) + Z95 * error)
        ascending_lower, ascending_upper = sorted(lower), sorted(upper)
        n = len(lower)
        return tuple(
            (
                1 + n - bisect_right(ascending_lower, high),
                n - bisect_left(ascending_upper, low),
            )
            for low, high in zip(lower, upper, strict=True)
        )

    @property
    def completeness_gap(self) -> float:
        """v(N) - v(empty) - sum of values; about zero for an efficient method that converged."""
        return self.full_value - self.empty_value - sum(self.values)

    def to_frame(self) -> "pd.DataFrame":
        """Return the features in reading order as a table.

        Columns: ``feature``; ``part``, ``start`` and ``end`` of its span; ``value`` and
        ``standard_error`` in the unit of the target's scale; ``rank`` and ``rank_to``, the best and
        the worst rank that it may have. What the method does not estimate is missing.
        """
        return frame_of_attribution(self)

    def to_shap(self) -> "shap.Explanation":
        """Return the values as the shap package takes them, for its plots."""
        import numpy as np
        import shap

        return shap.Explanation(
            values=np.array(self.values),
            base_values=self.empty_value,
            data=np.array(self.features, dtype=object),
            feature_names=list(self.features),
        )

    def _repr_html_(self) -> str:
        require_own_reports()
        from reports import notebook_html

        return notebook_html(self)


class Interaction(Record):
    """What two features of a text do together beyond what each does alone."""

    first: int
    second: int
    """Numbers of the two features, in reading order."""
    value: float
    """Shapley interaction index, in the unit of the target's scale."""
    standard_error: float
    """Zero if exact."""


class Interactions(Record):
    """All pairs of features of a text: which act together for one prediction."""

    parts: tuple[str, ...]
    """The user's own text: one string, or two for a pair."""
    spans: tuple[Span, ...]
    """The features ``(part, start, end)``: half-open ranges of code points, in reading order."""
    target: Target
    parameters: JsonObject
    """All parameters as resolved, defaults included."""
    removal: str
    """What stands in for a removed feature: ``[MASK]`` or ``delete``."""
    pairs: tuple[Interaction, ...]
    """Every pair once, the largest absolute value first."""
    evaluations: int
    """Distinct texts scored for them, whoever asked first."""
    seed: int
    diagnostics: Diagnostics = Field(default_factory=Diagnostics)
    unread: tuple[Span, ...] = ()
    """What the model cut off and never read."""
    repeats: Repeats | None = None
    """Whether the model repeats itself; None if that was not asked."""

    @model_validator(mode="after")
    def _fits_its_text(self) -> Self:
        Segmentation(self.parts, self.spans, self.unread)
        seen = {(pair.first, pair.second) for pair in self.pairs}
        n = len(self.spans)
        if len(seen) != len(self.pairs) or any(not 0 <= a < b < n for a, b in seen):
            raise ValueError(f"pairs are not distinct pairs of {n} features in order")
        return self


class Agreement(Record):
    """How far two methods agree on one prediction, against what chance would give."""

    methods: tuple[str, str]
    """Names of the methods in the registry."""
    titles: tuple[str, str]
    """Names of the methods as readers see them."""
    target: str
    """The label that both explain."""
    tau: float | None
    """Kendall's tau-b of the values; None if one method gives all features the same value."""
    null_upper: float | None
    """95th percentile of tau-b when the values of one method are permuted."""
    overlap: float
    """Share of the top features by absolute value that both name."""
    top: int
    """How many top features that is."""
    disputed: tuple[int, ...] | None = ()
    """Top features of either method to which the two give opposite signs, beyond their errors; None
    where the signs of one of them mean nothing."""
    null: str | None = None
    """Name of the one of the methods that others are compared with; None if neither is."""
