"""Whether the model is as sure as it is right."""

from explain.checks.calibration.check import CalibrationCheck

__all__ = ["CalibrationCheck"]
