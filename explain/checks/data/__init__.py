"""What is wrong with the rows: labels, repeats, texts without content, drift."""

from explain.checks.data.check import DataCheck

__all__ = ["DataCheck"]
