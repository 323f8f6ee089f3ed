"""The check `explanations`: all attributions together, and the words that weigh most."""

from explain.checks.explanations.check import ExplanationsCheck

__all__ = ["ExplanationsCheck"]
