"""Which format an answer is in, by its fields and never by its address."""

from explain.adapters.remote.kinds.base import Json, UnreadableAnswer, at

__all__ = ["kinds_of_shape"]

_FIELDS: tuple[tuple[tuple[str | int, ...], tuple[str, ...]], ...] = (
    (("prompt_format_version",), ("sglang-decisions",)),
    (("answers", 0), ("decisions",)),
    (("answers",), ("systemone", "google-decisions")),
    (("choices", 0, "message"), ("chat", "sampled")),
    (("choices", 0, "text"), ("completions",)),
    (("data", 0, "probs"), ("vllm-classify",)),
    (("outputs", 0, "datatype"), ("inference-v2",)),
    (("results", 0, "category_scores"), ("moderation",)),
    ((0, 0, "score"), ("tei", "huggingface")),
    ((0, "score"), ("huggingface",)),
)
"""What only answers of some formats have, the most particular first."""


def kinds_of_shape(answer: Json) -> tuple[str, ...]:
    """Return the kinds whose answers look like this one, none if no known one does.

    Examples
    --------
    >>> kinds_of_shape({"answers": [{"type": "choice"}]})
    ('decisions',)
    """
    return next((kinds for path, kinds in _FIELDS if _has(answer, path)), ())


def _has(answer: Json, path: tuple[str | int, ...]) -> bool:
    try:
        at(answer, *path)
    except UnreadableAnswer:
        return False
    return True
