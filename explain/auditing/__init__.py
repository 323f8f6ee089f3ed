"""An audit of a whole model: plan, run, criteria, archive."""
