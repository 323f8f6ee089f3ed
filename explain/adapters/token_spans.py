"""Where the tokens of a text stand in it, and what is cut off."""

from collections.abc import Sequence

import regex

from explain.text.spans import Span

__all__ = ["cut_spans", "with_marks"]

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


def cut_spans(
    all_spans: Sequence[Span | None], read_spans: Sequence[Span], n_parts: int
) -> tuple[Span, ...]:
    """Return what lies before the first and after the last token that is read of each part."""
    unread = []
    for part in range(n_parts):
        whole = [span for span in all_spans if span is not None and span.part == part]
        read_of_part = [span for span in read_spans if span.part == part]
        if whole and not read_of_part:
            unread.append(Span(part, whole[0].start, whole[-1].end))
        elif whole:
            before = [span for span in whole if span.end <= read_of_part[0].start]
            after = [span for span in whole if span.start >= read_of_part[-1].end]
            unread += [Span(part, run[0].start, run[-1].end) for run in (before, after) if run]
    return tuple(unread)
