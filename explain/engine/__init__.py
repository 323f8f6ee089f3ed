"""The engine, the only caller of a classifier; games and how exactly their values are known."""

from explain.engine.engine import Engine, Outcome, Row

__all__ = ["Engine", "Outcome", "Row"]
