"""Statistics: intervals, tests and their adjustments."""
