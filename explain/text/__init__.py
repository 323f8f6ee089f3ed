"""Text: spans, segmentations, edits that change nothing else, and what must not be shown."""
