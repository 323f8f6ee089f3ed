"""Where the tokens of a text stand in it, and what is cut off."""

from collections.abc import Sequence

import regex

from explain.text.spans import Span

__all__ = ["cut_off", "with_marks"]

_MARKS = regex.compile(r"\p{M}+")


def with_marks(spans: Sequence[Span | None], parts: Sequence[str]) -> tuple[Span | None, ...]:
    """Return token spans that hold the combining marks which they are composed with.

    A tokenizer that composes é of two code points tells the place of the first only.
    """
    starts = {(span.part, span.start) for span in spans if span is not None}

    def whole(span: Span | None) -> Span | None:
        if span is None or (span.part, span.end) in starts:
            return span
        marks = _MARKS.match(parts[span.part], span.end)
        return span if marks is None else Span(span.part, span.start, marks.end())

    return tuple(map(whole, spans))


def cut_off(
    everything: Sequence[Span | None], read: Sequence[Span], n_parts: int
) -> tuple[Span, ...]:
    """Return what lies before the first and after the last token that is read of each part."""
    found = []
    for part in range(n_parts):
        whole = [span for span in everything if span is not None and span.part == part]
        own = [span for span in read if span.part == part]
        if whole and not own:
            found.append(Span(part, whole[0].start, whole[-1].end))
        elif whole:
            before = [span for span in whole if span.end <= own[0].start]
            after = [span for span in whole if span.start >= own[-1].end]
            found += [Span(part, cut[0].start, cut[-1].end) for cut in (before, after) if cut]
    return tuple(found)
