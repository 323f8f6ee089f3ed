"""Rows that the page holds packed, and a script writes out a page at a time.

Written out, ten thousand rows are 140 MB; packed, about 4. The columns of a chunk stand together:
like compresses well with like. A chunk is what the script unpacks at once.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, zip_longest

from explain.record import Attribution, AuditRecord, InstanceLink, InstanceRecord
from explain.record.wording import decimal, signed
from explain.text.spans import Span
from reports.highlight import Piece, pieces, ranked
from reports.instances import part_labels
from reports.row_index import packed
from reports.text import visible
from reports.values import TOP, digits_for, ranks

__all__ = ["CHUNK", "packed_chunks", "text_nodes", "written_out"]

MOST_WORDS = 6000
"""Words of all rows up to which each row is written out: a hundred rows of sixty."""

FIRST_WORDS = 1000
"""Words of the rows that are written out where there are more: some for who runs no script."""

CHUNK = 400
"""Rows that are unpacked at once."""

ZERO_LEVEL = ord("i")
"""What stands for a piece without a colour; the letters before and after it for the levels."""

SIMPLE_PIECES = re.compile(r"[ \t\n\r]+|[A-Za-z0-9_]+(?:'[A-Za-z0-9_]+)*|[^ \t\n\r]")
"""How most texts in ASCII are cut, in an expression that means the same to the script."""

FIRST_PIECE = ord("#")
"""What stands for the first piece of a text; the letters after it for those that follow."""

MOST_PIECES = 0xD000
"""Pieces up to which a letter stands for one: no surrogate is among these letters."""

UNREAD = "z"
"""What stands for a piece that the model cut off."""


def written_out(record: AuditRecord, instances: Sequence[InstanceRecord]) -> frozenset[str]:
    """Return the ids of the rows that are written out: all, or the first and what is linked to."""
    totals = list(accumulate(sum(len(p.split()) for p in i.parts) for i in instances))
    most = MOST_WORDS if totals and totals[-1] <= MOST_WORDS else FIRST_WORDS
    first = {i.id for i, total in zip(instances, totals, strict=True) if total <= most}
    return frozenset(first | set(_linked(record)))


def _linked(record: AuditRecord) -> Iterator[str]:
    """Yield the ids of the instances that findings and tables lead to."""
    for finding in record.findings:
        yield from finding.evidence
    tables = [table for section in record.sections for table in section.tables]
    tables += [finding.members for finding in record.findings if finding.members]
    for table in tables:
        for row in table.rows:
            yield from (cell.instance for cell in row if isinstance(cell, InstanceLink))


def packed_chunks(instances: Sequence[InstanceRecord], columns: Sequence[str]) -> list[str]:
    """Return the rows in chunks, each packed for the script.

    Parameters
    ----------
    instances : sequence of InstanceRecord
        Explained rows.
    columns : sequence of str
        The columns that the texts come from.
    """
    return [
        packed(_chunk(instances[start : start + CHUNK], columns))
        for start in range(0, len(instances), CHUNK)
    ]


def _chunk(instances: Sequence[InstanceRecord], columns: Sequence[str]) -> Mapping[str, object]:
    explained = [_same_target(instance) for instance in instances]
    cut = [pieces(first.parts, first.spans, first.values, first.unread) for first, *_ in explained]
    return {
        "sides": list(columns if len(columns) > 1 else part_labels()),
        "texts": [list(instance.parts) for instance in instances],
        "lengths": [[_lengths(part) for part in parts] for parts in cut],
        "levels": [["".join(map(_level, part)) for part in parts] for parts in cut],
        "targets": [visible(first.target.label) for first, *_ in explained],
        "methods": [[visible(each.method_title) for each in row] for row in explained],
        "grades": [[each.grade or "" for each in row] for row in explained],
        "features": [
            _features(first, parts) for (first, *_), parts in zip(explained, cut, strict=True)
        ],
        "ranks": [_top_ranks(first) for first, *_ in explained],
        "digits": _by_method([[digits_for(each.values) for each in row] for row in explained]),
        "values": _by_place([[_values(each, row[0]) for each in row] for row in explained]),
        "errors": _by_place([[_errors(each, row[0]) for each in row] for row in explained]),
    }


def _same_target(instance: InstanceRecord) -> list[Attribution]:
    """Return the attributions of the label that is explained first."""
    target = instance.attributions[0].target.index
    return [each for each in instance.attributions if each.target.index == target]


def _lengths(part: Sequence[Piece]) -> str | list[int]:
    """Return the lengths of pieces: nothing where the script finds them, else digits of base 36."""
    cut = [piece.text for piece in part]
    if "".join(cut).isascii() and cut == SIMPLE_PIECES.findall("".join(cut)):
        return ""
    lengths = list(map(len, cut))
    if any(length >= 36 for length in lengths):
        return lengths
    return "".join("0123456789abcdefghijklmnopqrstuvwxyz"[length] for length in lengths)


def _level(piece: Piece) -> str:
    return UNREAD if piece.unread else chr(ZERO_LEVEL + piece.level)


def _features(first: Attribution, parts: Sequence[Sequence[Piece]]) -> str | list[int]:
    """Return which pieces the largest values stand for, counted through all parts.

    They are letters, or numbers where there are more pieces than letters.
    """
    numbers: dict[Span, int] = {}
    number = 0
    for side, part in enumerate(parts):
        end = 0
        for piece in part:
            start, end = end, end + len(piece.text)
            numbers[Span(side, start, end)] = number
            number += 1
    top = [numbers[first.spans[place]] for place in ranked(first.values)[:TOP]]
    return "".join(chr(FIRST_PIECE + n) for n in top) if number < MOST_PIECES else top


def _top_ranks(first: Attribution) -> list[str]:
    known = ranks(first)
    return [known[place] for place in ranked(first.values)[:TOP]]


def _top_places(other: Attribution, first: Attribution) -> list[int | None]:
    """Return where the largest features of the first method stand among those of another."""
    places = {span: place for place, span in enumerate(other.spans)}
    return [places.get(first.spans[place]) for place in ranked(first.values)[:TOP]]


def _values(other: Attribution, first: Attribution) -> list[int | None]:
    digits = digits_for(other.values)
    places = _top_places(other, first)
    return [None if p is None else _digits_of(signed(other.values[p], digits)) for p in places]


def _errors(other: Attribution, first: Attribution) -> list[int | None]:
    errors = other.standard_errors
    if errors is None:
        return []
    digits = digits_for(other.values)
    places = _top_places(other, first)
    return [
        _digits_of(decimal(errors[p], digits)) if p is not None and errors[p] else None
        for p in places
    ]


def _digits_of(number: str) -> int:
    """Return the digits of a number as it is printed, with its sign: the script prints it again.

    Examples
    --------
    >>> _digits_of("+3.24"), _digits_of("−1,234.50"), _digits_of("0.00")
    (324, -123450, 0)
    """
    digits = int("".join(filter(str.isdigit, number)))
    return -digits if number.startswith("−") else digits


def _by_method(rows: Sequence[Sequence[int]]) -> list[list[int | None]]:
    """Return a column for each method, with nothing where a row lacks it."""
    return [list(column) for column in zip_longest(*rows)]


def _by_place(rows: Sequence[Sequence[Sequence[int | None]]]) -> list[list[list[int | None]]]:
    """Return for each method and each place of a feature the column of its numbers."""
    methods = zip_longest(*rows, fillvalue=())
    # Every method has every place, as the script looks there.
    return [
        [[row[place] if place < len(row) else None for row in method] for place in range(TOP)]
        for method in methods
    ]


def text_nodes(instance: InstanceRecord) -> int:
    """Return how many pieces of text the script makes of a packed row, or a few more."""
    first, *others = _same_target(instance)
    n_rows = min(TOP, len(first.values))
    gaps = len(first.spans) + len(first.unread) + len(first.parts)
    return 2 * gaps + n_rows * (2 + 2 * (1 + len(others))) + 25
