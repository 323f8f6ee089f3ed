"""What the model leans on that is no meaning: words, word order, parts of the text."""

from explain.checks.shortcuts.check import ShortcutsCheck

__all__ = ["ShortcutsCheck"]
