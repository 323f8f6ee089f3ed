"""Whether a language model classifies texts, or something else that it was shown."""

from explain.checks.language_model.check import LanguageModelCheck

__all__ = ["LanguageModelCheck"]
