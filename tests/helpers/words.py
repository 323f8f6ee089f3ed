"""Words that tests make texts of."""

__all__ = ["FILLERS"]

FILLERS = (
    "the", "story", "of", "a", "house", "in", "that", "city", "was", "about", "their", "music",
)  # fmt: skip
"""Words that say nothing good or bad."""
