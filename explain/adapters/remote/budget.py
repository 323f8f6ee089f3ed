"""What a run may cost: it is reserved before anything is sent, and never more is."""

from dataclasses import dataclass, field

from explain.errors import ConfigurationError

__all__ = ["Budget", "Prices", "Spending"]

PER = 1_000_000
"""Tokens that prices are stated for."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What a million tokens cost, in the currency of the provider.

    Attributes
    ----------
    tokens_in, tokens_out : float
        Read and written by the model.
    """

    tokens_in: float
    tokens_out: float = 0.0

    def of(self, tokens_in: float, tokens_out: float) -> float:
        """Return what so many tokens cost."""
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / PER


@dataclass(frozen=True, slots=True)
class Spending:
    """What calls cost.

    Attributes
    ----------
    calls : int
        Requests that were sent.
    tokens : int
        Read and written.
    cost : float
        In the currency of the prices; 0 without any.
    """

    calls: int = 0
    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: "Spending") -> "Spending":
        return Spending(
            self.calls + other.calls, self.tokens + other.tokens, self.cost + other.cost
        )

    def __sub__(self, other: "Spending") -> "Spending":
        return Spending(
            self.calls - other.calls, self.tokens - other.tokens, self.cost - other.cost
        )


@dataclass(slots=True)
class Budget:
    """Limits, and what is spent or reserved.

    Attributes
    ----------
    calls, tokens : int or None
        Limits; None for no limit.
    cost : float or None
        Limit in the currency of `prices`.
    prices : Prices or None
        What tokens cost.
    spent : Spending
        What is spent, and what is reserved for what is on its way.

    Raises
    ------
    ConfigurationError
        If money is limited and no price is known.
    """

    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    prices: Prices | None = None
    spent: Spending = field(default_factory=Spending)

    def __post_init__(self) -> None:
        if self.cost is not None and self.prices is None:
            raise ConfigurationError(
                f"max_cost={self.cost} needs prices; pass price_in= and price_out= per million "
                "tokens"
            )

    def price(self, tokens_in: int, tokens_out: int) -> Spending:
        """Return what one call with so many tokens costs."""
        cost = (self.prices or Prices(0)).of(tokens_in, tokens_out)
        return Spending(1, tokens_in + tokens_out, cost)

    def fits(self, more: Spending) -> bool:
        """Tell whether something may be spent beyond what is spent and reserved."""
        after = self.spent + more
        limits = ((after.calls, self.calls), (after.tokens, self.tokens), (after.cost, self.cost))
        return all(limit is None or amount <= limit for amount, limit in limits)

    def reserve(self, most: Spending) -> None:
        """Count what a call may cost at most as spent."""
        self.spent += most

    def book_cost(self, reserved: Spending, cost: Spending) -> None:
        """Count what a call did cost in place of what was reserved for it."""
        self.spent = self.spent - reserved + cost

    def spent_out(self) -> str:
        """Return that there is no more to spend, and how much there was."""
        limits = [
            f"{limit:,} {name}"
            for name, limit in (
                ("calls", self.calls),
                ("tokens", self.tokens),
                ("money", self.cost),
            )
            if limit is not None
        ]
        return (
            f"the budget of {' and '.join(limits)} is spent ({self.spent.calls:,} calls, "
            f"{self.spent.tokens:,} tokens, {self.spent.cost:.4g} money)"
        )
