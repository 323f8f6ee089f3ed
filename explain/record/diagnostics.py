"""What an attribution method says of itself."""

from collections.abc import ItemsView, KeysView
from typing import Any, Literal, TypeAlias

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from explain.record.base import JsonObject, Record

__all__ = ["Diagnostics", "EndedBy"]

EndedBy: TypeAlias = Literal["exact", "enumeration", "tolerance", "budget", "seconds"]
"""Why a method stopped to ask.

``enumeration``: all that there is was scored, and still the values are not exact.
"""


class Diagnostics(Record):
    """What an attribution method says of itself; what it does not state is None.

    It also reads as a dict of what is stated, which it was until version 0.2.
    """

    ended_by: EndedBy | None = None
    """Why it stopped to ask."""
    algorithm: str | None = None
    """Which of its algorithms ran: ``game model``, ``kernel``."""
    rounds: int | None = None
    """Rounds of coalitions that were asked for."""
    draws: int | None = None
    """Neighbours that a linear model was fitted to."""
    contexts: int | None = None
    """Settings of the other sentences in which the words of a sentence were explained."""
    gradients: int | None = None
    """Gradients that were taken."""
    steps: int | None = None
    """Points of the path from the baseline to the input."""
    panels: int | None = None
    """Pieces into which that path was cut."""
    intercept: float | None = None
    """Intercept of a linear model, in the unit of the target's scale."""
    r2: float | None = None
    """Share of the variance that a linear model explains; None also where there is no variance."""
    held_out_r2: float | None = None
    """The same on texts that it was not fitted to."""
    relative_gap: float | None = None
    """Size of the completeness gap relative to v(N) - v(empty)."""
    converged: bool | None = None
    """Whether that gap is small enough."""
    complete: bool | None = None
    """Whether the values of a method that need not add up do so."""
    additive: bool | None = None
    """Whether deleting a word moves the score by its value."""
    correction: float | None = None
    """What was added to each word so that a sentence is the sum of its words."""
    at_cap: int | None = None
    """Texts whose log-odds lie at the cap that a model's rounding sets."""
    special_tokens: tuple[str, ...] = ()
    """Tokens of the model's own that the user's text spells out."""
    sentence: int | None = None
    """Number of the sentence that this is about, counted from 1."""
    sentences: "Diagnostics | None" = None
    """How the sentences were explained, of a text that was explained by sentences first."""
    words: tuple["Diagnostics", ...] = ()
    """How the words of each refined sentence were explained."""
    more: JsonObject = Field(default_factory=dict)
    """What a method of your own says beyond that."""

    @model_serializer(mode="wrap")
    def _only_what_is_stated(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        empty = {name for name, value in self if isinstance(value, tuple | dict) and not value}
        return {
            name: value
            for name, value in handler(self).items()
            if value is not None and name not in empty
        }

    @property
    def facts(self) -> JsonObject:
        """All that is stated, by name."""
        return self.model_dump(mode="json")

    def __getitem__(self, name: str) -> Any:
        """Return what is stated by that name.

        Raises
        ------
        KeyError
            If nothing is.
        """
        return self.facts[name]

    def __contains__(self, name: object) -> bool:
        """Return whether anything is stated by that name."""
        return name in self.facts

    def get(self, name: str, default: Any = None) -> Any:
        """Return what is stated by that name, or the default."""
        return self.facts.get(name, default)

    def keys(self) -> KeysView[str]:
        """Return the names of what is stated."""
        return self.facts.keys()

    def items(self) -> ItemsView[str, Any]:
        """Return what is stated, with its names."""
        return self.facts.items()
