"""What the model may decide alone, and what must go to a person."""

from explain.checks.selective.check import SelectiveCheck

__all__ = ["SelectiveCheck"]
