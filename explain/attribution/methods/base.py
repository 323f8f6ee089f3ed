"""What an attribution method is: a coroutine over coalitions, or a user of gradients.

A method is a frozen dataclass; its fields are its options.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from explain.adapters import TextClassifier
from explain.engine import Outcome
from explain.engine.games import AttributionRequest, Coalitions, ObservedValues, Plan
from explain.engine.progress import Progress
from explain.errors import BudgetError
from explain.record import Diagnostics, EndedBy
from explain.text.spans import Segmentation, Span

__all__ = [
    "ADAPTIVE_BUDGET",
    "DEFAULT_BUDGET",
    "EXACT_EVALUATIONS",
    "MOST_FEATURES",
    "Budget",
    "Estimate",
    "Explainer",
    "PerturbationExplainer",
    "Seconds",
    "Tolerance",
    "WhiteBoxExplainer",
    "all_coalitions",
    "check_size",
    "empty_and_full",
    "ended_with_all",
    "overlap",
    "relative_gap",
    "sum_onto_features",
]

DEFAULT_BUDGET = 256
"""Evaluations of a text: Kernel SHAP is then off by about 7 % for 12 features, 10 % for 15."""

ADAPTIVE_BUDGET = 512
"""Evaluations of a method that stops as soon as its errors allow it."""

EXACT_EVALUATIONS = 256
"""Coalitions that are enumerated: from nine features on a game model is nearly as good."""

MOST_FEATURES = 10_000
"""Features of a game that is sampled: coalitions of more would not fit into memory."""

Budget: TypeAlias = Annotated[int, Field(ge=2)]
"""Number of evaluations, at least the empty and the full coalition."""

Tolerance: TypeAlias = Annotated[float, Field(gt=0)]
"""Largest error at which a method stops, relative to what it measures."""

Seconds: TypeAlias = Annotated[float, Field(gt=0)]
"""Wall-clock seconds, counted from the method's first request for a text."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a method found for one game.

    Attributes
    ----------
    values : array, shape (n_features,), float64
        Value of each feature, in the unit of the target's scale.
    empty_value, full_value : float
        v(empty) and v(N), in the same unit.
    standard_errors : array, shape (n_features,), float64, or None
        Standard error of each value; zero where it is exact; None if the method estimates none.
    diagnostics : Diagnostics
        What the method says of itself.
    """

    values: NDArray[np.float64]
    empty_value: float
    full_value: float
    standard_errors: NDArray[np.float64] | None = None
    diagnostics: Diagnostics = field(default_factory=Diagnostics)


@runtime_checkable
class PerturbationExplainer(Protocol):
    """A method that sees nothing but values of coalitions."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str:
        """Name in the registry."""

    @property
    def title(self) -> str:
        """Name as readers see it."""

    @property
    def efficient(self) -> bool:
        """Whether the values promise to sum to v(N) - v(empty)."""

    @property
    def signed(self) -> bool:
        """Whether the sign of a value means something."""

    @property
    def is_null(self) -> bool:
        """Whether it is what other methods are compared with, and says nothing of the model."""

    def plan(self, n_features: int, rng: np.random.Generator) -> Plan[Estimate]:
        """Return the coroutine that asks for coalitions and returns the estimate.

        Raises
        ------
        BudgetError
            When started, if the budget is too small for so many features.
        """


@runtime_checkable
class WhiteBoxExplainer(Protocol):
    """A method that looks inside the model: at its gradients, or its weights."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str:
        """Name in the registry."""

    @property
    def title(self) -> str:
        """Name as readers see it."""

    @property
    def efficient(self) -> bool:
        """Whether the values promise to sum to v(N) - v(empty)."""

    @property
    def signed(self) -> bool:
        """Whether the sign of a value means something."""

    @property
    def is_null(self) -> bool:
        """Whether it is what other methods are compared with, and says nothing of the model."""

    def removal(self, model: TextClassifier) -> str:
        """Return what stands in for a removed feature, as the record says it.

        Raises
        ------
        CapabilityError
            If the model lacks what the method looks at, or has no such baseline.
        """

    def explain(
        self,
        model: TextClassifier,
        requests: Sequence[AttributionRequest],
        progress: Progress,
    ) -> list[Outcome[Estimate]]:
        """Return the estimate of each request, or why there is none.

        Raises
        ------
        CapabilityError
            If the model lacks what the method looks at.
        """


Explainer: TypeAlias = PerturbationExplainer | WhiteBoxExplainer


def check_size(method: str, n_features: int) -> None:
    """Check that coalitions of so many features can be held.

    Raises
    ------
    BudgetError
        If they cannot.
    """
    if n_features > MOST_FEATURES:
        raise BudgetError(
            f"{method} cannot sample a text of {n_features:,} features, {MOST_FEATURES:,} are the "
            "most; pass unit='sentence', or shorten the text"
        )


def ended_with_all(observed: ObservedValues) -> EndedBy:
    """Return why a method stopped that has asked for all that it needs."""
    return "exact" if observed.exact else "enumeration"


def empty_and_full(n_features: int) -> Coalitions:
    """Return the empty and the full coalition, shape (2, n_features)."""
    return np.array([[False] * n_features, [True] * n_features], dtype=bool)


def all_coalitions(n_features: int) -> Coalitions:
    """Return all coalitions, shape (2**n_features, n_features), in the order of binary counting."""
    kept: Coalitions = (np.arange(2**n_features)[:, None] >> np.arange(n_features)) & 1 == 1
    return kept


def sum_onto_features(
    tokens: Sequence[Span | None], values: NDArray[np.float64], segmentation: Segmentation
) -> NDArray[np.float64]:
    """Return the sum of the token values of each feature, shape (n_features,).

    A token that lies in several features is shared by its characters in each.
    """
    summed = np.zeros(len(segmentation))
    for token, value in zip(tokens, values, strict=False):
        if token is None:
            continue
        shared = [overlap(token, span) for span in segmentation.spans]
        if covered := sum(shared):
            summed += value * np.array(shared) / covered
    return summed


def overlap(first: Span, second: Span) -> int:
    """Return how many characters two spans share."""
    if first.part != second.part:
        return 0
    return max(0, min(first.end, second.end) - max(first.start, second.start))


def relative_gap(values: NDArray[np.float64], total: float) -> float:
    """Return how far the sum of the values is off v(N) - v(empty), relative to that `total`."""
    gap = abs(float(values.sum()) - total)
    return gap / max(abs(total), float(np.finfo(np.float32).eps))
