"""Whether edits that change no meaning change the answer."""

from explain.checks.robustness.check import RobustnessCheck

__all__ = ["RobustnessCheck"]
