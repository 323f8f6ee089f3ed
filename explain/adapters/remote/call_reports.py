"""What a log of calls holds, for people: every attempt as JSON, and sums over all of them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from explain.adapters.remote.call_log import read_log
from explain.adapters.remote.kinds import Json
from explain.text.redaction import redacted

__all__ = ["CallStats", "call_stats", "exported_calls"]


@dataclass(frozen=True, slots=True)
class CallStats:
    """Sums over the calls of a log.

    Attributes
    ----------
    calls : int
        Attempts, all of which may have been paid.
    outcomes, statuses, models, reasons : dict of str to int
        How many of them ended in what way, with which code of HTTP, were answered by which model,
        and were not answered for which reason; the most frequent first.
    texts : int
        Distinct texts that were asked for, repeats counted apart.
    tokens : int
        Tokens that were read and written; of calls that do not say so, the most they may have been.
    cost : float
        What they cost; 0 where no price was known.
    seconds : tuple of float
        Seconds of each answered call.
    sizes, tokens_of_answers : tuple of int
        Bytes of the request, where it was kept, and tokens of each answered call.
    """

    calls: int
    outcomes: dict[str, int]
    statuses: dict[str, int]
    models: dict[str, int]
    reasons: dict[str, int]
    texts: int
    tokens: int
    cost: float
    seconds: tuple[float, ...]
    sizes: tuple[int, ...]
    tokens_of_answers: tuple[int, ...]

    def lines(self) -> list[str]:
        """Return the sums as lines to read."""
        lines = [
            f"calls     {self.calls:,}{_in_brackets(self.outcomes)}",
            f"texts     {self.texts:,}",
            f"tokens    {self.tokens:,}",
            f"cost      {self.cost:.4g}",
        ]
        if self.seconds:
            middle, slow = np.quantile(self.seconds, [0.5, 0.95])
            lines.append(f"seconds   {middle:.3f} (median), {slow:.3f} (19 in 20 are faster)")
        named = (("status", self.statuses), ("model", self.models), ("not answered", self.reasons))
        return lines + [f"{name}: {_totals(counts)}" for name, counts in named if counts]


def call_stats(path: str | Path) -> CallStats:
    """Return the sums over a log of calls, or the folder of a run that has one.

    Raises
    ------
    ConfigurationError
        If it is no log of calls.
    """
    with closing(read_log(path)) as base:
        calls, tokens, cost = base.execute(
            "SELECT count(*), coalesce(sum(tokens), 0), coalesce(sum(cost), 0.0) FROM calls"
        ).fetchone()
        [texts] = base.execute("SELECT count(DISTINCT key) FROM texts").fetchone()
        answered = base.execute(
            "SELECT seconds, unpacked_size(request), tokens FROM calls WHERE outcome = 'answered'"
            " ORDER BY id"
        ).fetchall()
        return CallStats(
            calls=calls,
            outcomes=_counts(base, "outcome"),
            statuses=_counts(base, "status"),
            models=_counts(base, "model"),
            reasons=_counts(base, "reason"),
            texts=texts,
            tokens=tokens,
            cost=cost,
            seconds=tuple(row[0] for row in answered),
            sizes=tuple(row[1] for row in answered),
            tokens_of_answers=tuple(row[2] for row in answered),
        )


def exported_calls(path: str | Path) -> Iterator[str]:
    """Yield each attempt of a log of calls as a line of JSON, in the order of sending.

    Raises
    ------
    ConfigurationError
        If it is no log of calls.
    """
    with closing(read_log(path)) as base:
        rows = base.execute("SELECT * FROM calls ORDER BY id")
        names = [column[0] for column in rows.description]
        for row in rows:
            call: dict[str, Json] = dict(zip(names, row, strict=True))
            keys = base.execute(
                "SELECT hex(key) FROM texts WHERE call = ? ORDER BY place", (call["id"],)
            )
            call |= {"keys": [key.lower() for (key,) in keys]}
            for body in ("request", "answer"):
                call[body] = None if call[body] is None else json.loads(_plain(base, call[body]))
            yield redacted(json.dumps(call, ensure_ascii=False))


def _plain(base: sqlite3.Connection, packed: object) -> bytes:
    [body] = base.execute("SELECT unpacked(?)", (packed,)).fetchone()
    return bytes(body)


def _counts(base: sqlite3.Connection, column: str) -> dict[str, int]:
    rows = base.execute(
        f"SELECT {column}, count(*) AS n FROM calls WHERE {column} IS NOT NULL"
        " GROUP BY 1 ORDER BY n DESC, 1"
    )
    return {str(value): n for value, n in rows}


def _in_brackets(counts: dict[str, int]) -> str:
    return f" ({_totals(counts)})" if counts else ""


def _totals(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())
