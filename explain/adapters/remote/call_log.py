"""Every attempt to call an endpoint, in one SQLite file: cache, resumption, and replay."""

import json
import os
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeAlias

from explain.adapters.remote.budget import Spending
from explain.errors import ConfigurationError
from explain.record.files import require_place, require_plain
from explain.text.redaction import redacted

__all__ = [
    "CALLS",
    "CallLog",
    "Entry",
    "Logged",
    "LoggedQuestion",
    "Outcome",
    "questions_of",
    "read_log",
]

CALLS = "calls.sqlite"
"""Name of the log in the folder of a run."""

VERSION = 1
"""Of the tables and of the dictionary below."""

_DICTIONARY = (
    b'{"choices":[{"finish_reason":"length","index":0,"logprobs":{"content":[{"bytes":[],"logprob":'
    b'-,"token":"","top_logprobs":[{"token":"","logprob":-0.,"bytes":[32,97,110]}]}]},"message":{"'
    b'content":"","role":"assistant"}}],"created":17,"id":"","object":"chat.completion","messages":'
    b'[{"role":"user","content":""}],"max_tokens":1,"temperature":0,"inputs":[[""]],"raw_scores":tr'
    b'ue,"truncate":false,"label":"","score":0.,"state":"","questions":{"question":{"type":"choice"'
    b',"instructions":"","criteria":{"":null,"":null}}},"model":"","answers":{"question":{"type":"c'
    b'hoice","choice":"","confidence":0.,"probabilities":{"":0.,"":0.}}},"usage":{"input_tokens":,"'
    b'output_tokens":0,"total_tokens":}}'
)
"""What requests and answers have in common."""

_TABLES = """
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY, texts INTEGER, attempt INTEGER, started REAL, seconds REAL,
    status INTEGER, outcome TEXT, reason TEXT, request BLOB, answer BLOB, model TEXT,
    fingerprint TEXT, request_id TEXT, tokens INTEGER, cost REAL
);
CREATE TABLE IF NOT EXISTS texts (key BLOB, call INTEGER, place INTEGER);
CREATE TABLE IF NOT EXISTS questions (day TEXT, address TEXT, kind TEXT, question TEXT);
CREATE INDEX IF NOT EXISTS by_key ON texts (key);
"""

Outcome: TypeAlias = Literal["sent", "answered", "lost", "again", "split", "end"]
"""What became of an attempt; one that is only sent was under way when a run was killed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """How an attempt ended.

    Attributes
    ----------
    outcome : Outcome
        What became of it.
    cost : Spending
        What it cost.
    seconds : float
        How long it took.
    status : int or None
        Of HTTP; None where nothing came back.
    reason : str or None
        Why it gave no answer.
    answer : bytes or None
        The body of an answer.
    model, fingerprint, request_id : str or None
        What the server says of itself.
    """

    outcome: Outcome
    cost: Spending
    seconds: float
    status: int | None = None
    reason: str | None = None
    answer: bytes | None = None
    model: str | None = None
    fingerprint: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Logged:
    """What the log holds of one text.

    Attributes
    ----------
    call : int
        The call that answered it, or by which it was lost.
    place : int
        Its place among the texts of the call, of which there are `texts`.
    texts : int
        How many texts the call asked for.
    outcome : Outcome
        Answered, or how the last attempt failed.
    reason : str or None
        Why it was lost.
    answer : bytes or None
        The body of the answer.
    model, fingerprint : str or None
        What the server said of itself.
    """

    call: int
    place: int
    texts: int
    outcome: Outcome
    reason: str | None
    answer: bytes | None
    model: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class LoggedQuestion:
    """What a run asks an endpoint.

    Attributes
    ----------
    day : date
        Day of the run, in UTC.
    address : str
        Host and path.
    kind : str
        The wire format, as a user calls it.
    fields : dict
        What the user says of the question, by the fields of the kind.
    """

    day: date
    address: str
    kind: str
    fields: Mapping[str, Any]


class CallLog:
    """The calls of an endpoint, read and written by one process.

    Parameters
    ----------
    path : path or None
        The file, which only its owner can read, or the folder of a run that has one; None for a
        log in memory.
    replay : bool
        Whether the file is only read.
    texts : {"plain", "hash"}
        Whether requests are kept, or only answers and the keys of texts.

    Raises
    ------
    ConfigurationError
        If the file is no log, of another version, or missing although it is only read.
    """

    def __init__(
        self,
        path: str | Path | None,
        *,
        replay: bool = False,
        texts: Literal["plain", "hash"] = "plain",
    ) -> None:
        self.replay = replay
        self._plain = texts == "plain"
        self.path = path = None if path is None else _file_of(path)
        name = ":memory:" if path is None else str(path)
        try:
            self._open(name)
        except sqlite3.Error as error:
            raise ConfigurationError(f"{name!r} is no log of calls: {error}") from error

    def _open(self, name: str) -> None:
        if self.replay:
            self._base = _read_only(Path(name))
        else:
            if self.path is not None:
                require_place(self.path)
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(name, os.O_CREAT | os.O_RDWR, 0o600))
                Path(name).chmod(0o600)
            self._base = sqlite3.connect(name, check_same_thread=False, isolation_level=None)
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = NORMAL")
        tables = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if self.replay or tables != (0,):
            _check_version(self._base, name)
        if not self.replay:
            self._base.executescript(f"PRAGMA user_version = {VERSION}; {_TABLES}")

    def note_question(self, question: LoggedQuestion) -> None:
        """Note on which day what is asked, so that others can read the answers."""
        if self.replay:
            return
        row = (
            question.day.isoformat(),
            question.address,
            question.kind,
            redacted(json.dumps(question.fields)),
        )
        with self._base as base:
            base.execute(
                "INSERT INTO questions SELECT ?, ?, ?, ? EXCEPT SELECT * FROM questions", row
            )
        self.checkpoint()

    def begin(
        self, keys: Sequence[bytes], attempt: int, started: float, request: bytes, most: Spending
    ) -> int:
        """Note that a call will be sent, with what it may cost at most; return its number.

        It is on disk after `commit`, and must not be sent before.
        """
        body = _packed(request) if self._plain else None
        number = self._write(
            "INSERT INTO calls (texts, attempt, started, outcome, request, tokens, cost)"
            " VALUES (?, ?, ?, 'sent', ?, ?, ?)",
            (len(keys), attempt, started, body, most.tokens, most.cost),
        ).lastrowid
        self._base.executemany(
            "INSERT INTO texts VALUES (?, ?, ?)",
            [(key, number, place) for place, key in enumerate(keys)],
        )
        return number or 0

    def commit(self) -> None:
        """Put on disk what was noted; of several calls at once this costs as much as of one."""
        if self._base.in_transaction:
            self._base.execute("COMMIT")

    def checkpoint(self) -> None:
        """Put all that was noted into the file itself, so that a copy of it alone is whole.

        Until then, and where another process is reading, some of it lies in the file beside it.
        """
        self.commit()
        self._base.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _write(self, statement: str, values: Sequence[object]) -> sqlite3.Cursor:
        if not self._base.in_transaction:
            self._base.execute("BEGIN")
        return self._base.execute(statement, values)

    def finish(self, call: int, entry: Entry) -> None:
        """Note how a call ended; it is on disk after `commit`."""
        self._write(
            "UPDATE calls SET seconds = ?, status = ?, outcome = ?, reason = ?, answer = ?,"
            " model = ?, fingerprint = ?, request_id = ?, tokens = ?, cost = ? WHERE id = ?",
            (
                entry.seconds, entry.status, entry.outcome, entry.reason,
                None if entry.answer is None else _packed(entry.answer), entry.model,
                entry.fingerprint, entry.request_id, entry.cost.tokens, entry.cost.cost, call,
            ),
        )  # fmt: skip

    def find(self, key: bytes) -> Logged | None:
        """Return the first answer to a text, or else how the last attempt ended; None if none."""
        row = self._base.execute(
            "SELECT calls.id, place, calls.texts, outcome, reason, answer, model, fingerprint"
            " FROM texts JOIN calls ON calls.id = texts.call WHERE key = ?"
            " ORDER BY outcome = 'answered' DESC,"
            " CASE outcome WHEN 'answered' THEN calls.id ELSE -calls.id END LIMIT 1",
            (key,),
        ).fetchone()
        if row is None:
            return None
        call, place, texts, outcome, reason, answer, *server = row
        return Logged(call, place, texts, outcome, reason, answer and _unpacked(answer), *server)

    def answering_models(self, keys: Sequence[bytes]) -> list[str | None]:
        """Return by key what the answer calls the model; None if nothing.

        Fingerprints do not count: some providers alternate between two.
        """
        query = (
            "SELECT model FROM texts JOIN calls ON calls.id = texts.call"
            " WHERE key = ? AND outcome = 'answered' ORDER BY calls.id LIMIT 1"
        )
        rows = (self._base.execute(query, (key,)).fetchone() or () for key in keys)
        return [next(iter(row), None) or None for row in rows]

    def spent(self) -> Spending:
        """Return what all calls cost; of those whose end is not known, the most they may have."""
        row = self._base.execute(
            "SELECT count(*), coalesce(sum(tokens), 0), coalesce(sum(cost), 0.0) FROM calls"
        ).fetchone()
        return Spending(*row)

    def first_tokens(self) -> int:
        """Return the tokens of the first call that was answered, 0 if there is none."""
        row = self._base.execute(
            "SELECT tokens FROM calls WHERE outcome = 'answered' ORDER BY id LIMIT 1"
        ).fetchone()
        return 0 if row is None else int(row[0])


def read_log(path: str | Path) -> sqlite3.Connection:
    """Return a log of calls to be read, or that of the folder of a run.

    In queries ``unpacked`` is a request or an answer as it was, ``unpacked_size`` its bytes.

    Raises
    ------
    ConfigurationError
        If it is missing, no log, or of another version.
    """
    file = _file_of(path)
    try:
        base = _read_only(file)
        _check_version(base, str(file))
    except sqlite3.Error as error:
        raise ConfigurationError(f"{str(file)!r} is no log of calls: {error}") from error
    base.create_function("unpacked", 1, _unpacked)
    base.create_function("unpacked_size", 1, lambda body: 0 if body is None else _size(body))
    return base


def questions_of(base: sqlite3.Connection) -> list[LoggedQuestion]:
    """Return what the runs of a log have asked, the first one first; none in an old log."""
    try:
        rows = base.execute("SELECT day, address, kind, question FROM questions").fetchall()
    except sqlite3.OperationalError:
        return []
    return [
        LoggedQuestion(date.fromisoformat(day), address, kind, json.loads(fields))
        for day, address, kind, fields in rows
    ]


def _file_of(path: str | Path) -> Path:
    """Return the file of a log, which may be named by the folder of its run."""
    return Path(path) / CALLS if Path(path).is_dir() else Path(path)


def _read_only(path: Path) -> sqlite3.Connection:
    try:
        require_plain(path)
    except OSError as error:
        raise ConfigurationError(f"{str(path)!r} is no log of calls: {error.strerror}") from error
    address = f"{path.resolve().as_uri()}?mode=ro"
    return sqlite3.connect(address, uri=True, check_same_thread=False)


def _check_version(base: sqlite3.Connection, name: str) -> None:
    [version] = base.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        raise ConfigurationError(
            f"{name!r} is of version {version}, expected {VERSION}; pass another file as calls="
        )


def _size(body: bytes) -> int:
    return len(_unpacked(body))


def _packed(body: bytes) -> bytes:
    worker = zlib.compressobj(zdict=_DICTIONARY)
    return worker.compress(body) + worker.flush()


def _unpacked(body: bytes) -> bytes:
    worker = zlib.decompressobj(zdict=_DICTIONARY)
    return worker.decompress(body) + worker.flush()
