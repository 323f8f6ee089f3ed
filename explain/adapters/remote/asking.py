"""Sends texts to an endpoint: in batches, again where that may help, and never more than is paid.

Each attempt waits for its turn, is reserved in the budget, logged, sent, settled and logged again.
"""

import asyncio
import json
import random
from collections.abc import Coroutine, Sequence
from copy import copy
from dataclasses import dataclass, replace
from threading import Thread
from typing import Self, TypeAlias

from explain.adapters.remote.answers import is_sampled
from explain.adapters.remote.budget import Budget, Spending
from explain.adapters.remote.call_log import CallLog, Entry, Outcome
from explain.adapters.remote.client import Client, Session
from explain.adapters.remote.envelope import answered_model, fingerprint, request_id, tokens
from explain.adapters.remote.kinds import Json, Kind, LostText, Reading, UnreadableAnswer
from explain.adapters.remote.kinds.shapes import kinds_of_shape
from explain.adapters.remote.pace import STALLED, Pace, Silence, Turns
from explain.adapters.remote.reply_verdicts import (
    Again,
    Answer,
    End,
    Reply,
    Split,
    Unfit,
    Verdict,
    judge,
)
from explain.errors import EndpointError, SpentError
from explain.text.redaction import environment_read_once
from explain.text.spans import Text

__all__ = ["Asker", "Query", "fault_of", "readings_of"]

Readings: TypeAlias = list[Reading | LostText]

GIVE_UP = 64
"""Attempts in a row without an answer after which an endpoint is asked no more: 16 at once fail
four times, with longer and longer waits between."""

BYTES_PER_TEXT, BYTES_PER_BYTE = 65_536, 120
"""Bytes of an answer that are read for each text, and for each byte of the request: a logged token
takes 120, and may be one byte long."""

MOST_MODELS = 2
"""Models of different names in one run."""

MARGIN_IN, MARGIN_OUT = 512, 16
"""Tokens that a server may put around a request, or those of the first answer if these are more,
and may write. A request itself has at most one token for each of its bytes."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds before a second attempt, doubled before each further one, as in the SDK of OpenAI."""


@dataclass(frozen=True, slots=True)
class Query:
    """A text, and the key by which the log knows it."""

    text: Text
    key: bytes


@dataclass(frozen=True, slots=True)
class _Run:
    """What the requests of one run share."""

    session: Session
    turns: Turns
    results: dict[bytes, Reading | LostText]


class Asker:
    """Asks one endpoint until it ends: by a fatal error, by silence, or by the budget.

    Parameters
    ----------
    kind : Kind
        The wire format.
    name : str
        What a user calls it.
    client : Client
        How the endpoint is reached.
    log : CallLog
        Where every attempt is noted.
    budget : Budget
        What may be spent.
    pace : Pace
        How much is sent at once.
    startup : float
        Seconds that a server may need until it is ready.

    Attributes
    ----------
    end_error : EndpointError or None
        Why nothing more is asked; None while it is.
    models : list of str
        What answers called the model, in the order of their first answers.
    proven : bool
        Whether a question of this kind was answered, now or in an earlier run.
    """

    def __init__(
        self,
        kind: Kind,
        name: str,
        client: Client,
        log: CallLog,
        *,
        budget: Budget,
        pace: Pace,
        startup: float,
    ) -> None:
        self.kind = kind
        self.name = name
        self.client = client
        self.budget = budget
        self.end_error: EndpointError | None = None
        self._log = log
        self._pace = pace
        self._startup = startup
        self._size = kind.batch
        self.models: list[str] = []
        self.proven = False
        self._n_answered = self._silent = 0
        self._silence = Silence()
        self._around = max(MARGIN_IN, log.first_tokens())
        self._began = pace.clock()

    def for_kind(self, kind: Kind) -> Self:
        """Return what asks the same endpoint in another format, at the same cost and pace."""
        other = copy(self)
        other.kind, other._size = kind, kind.batch
        return other

    def make_requests(self, queries: Sequence[Query]) -> dict[bytes, Reading | LostText]:
        """Return what the endpoint says of each text; nothing of those that were not asked."""
        results: dict[bytes, Reading | LostText] = {}
        _in_thread(self._make_requests(queries, results))
        return results

    async def _make_requests(
        self, queries: Sequence[Query], results: dict[bytes, Reading | LostText]
    ) -> None:
        try:
            # Tasks take over the context in which they are made.
            with environment_read_once():
                async with self.client.open() as session:
                    run = _Run(session, Turns(self._pace), results)
                    await self._request_all(run, _parts(queries, self._size))
        finally:
            self._log.checkpoint()

    async def _request_all(self, run: _Run, parts: Sequence[Sequence[Query]]) -> None:
        await asyncio.gather(*(self._request_until_final(run, part) for part in parts))

    async def _request_until_final(self, run: _Run, queries: Sequence[Query]) -> None:
        """Ask for some texts in one request, until each has an answer or is lost."""
        if len(queries) > self._size:
            return await self._request_all(run, _parts(queries, self._size))
        counted = attempt = 0
        while self.end_error is None:
            attempt += 1
            verdict = await self._attempt(run, queries, attempt)
            if isinstance(verdict, Again):
                counted += verdict.counts
                if counted < verdict.most:
                    await self._wait(verdict, attempt)
                    continue
                if verdict.is_final:
                    self.end_error = self.end_error or EndpointError(verdict.reason)
                verdict = LostText(verdict.reason, is_fault=True)
            if isinstance(verdict, Split):
                return await self._request_all(run, self._split(verdict, queries))
            if isinstance(verdict, LostText):
                verdict = [verdict] * len(queries)
            if isinstance(verdict, list):
                keys = (query.key for query in queries)
                run.results.update(zip(keys, verdict, strict=True))
            return None
        return None

    def _split(self, verdict: Split, queries: Sequence[Query]) -> list[Sequence[Query]]:
        half = 1 if verdict.one_by_one else -(-len(queries) // 2)
        if verdict.remember:
            self._size = min(self._size, half)
        return _parts(queries, half)

    async def _wait(self, verdict: Again, attempt: int) -> None:
        """Wait before a request is sent again; the host as a whole waits in `_learn`."""
        if verdict.wait is None:
            seconds = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempt - 1))
            await self._pace.sleep(seconds * random.uniform(0.75, 1.25))

    async def _attempt(
        self, run: _Run, queries: Sequence[Query], attempt: int
    ) -> Readings | Verdict:
        """Send one request, and return what it gave."""
        texts = [query.text for query in queries]
        body = json.dumps(self.kind.request(texts)).encode()
        written = self.kind.tokens_written if is_sampled(self.kind) else MARGIN_OUT
        most = self.budget.price(len(body) + self._around, written * len(queries))
        async with run.turns.turn(lambda: self.budget.fits(most)):
            if self.end_error is not None:
                return End(str(self.end_error))
            if len(queries) > self._size:
                return Split("a batch of this size was refused while it waited")
            if not self.budget.fits(most):
                self.end_error = SpentError(self.budget.spent_out())
                return End(str(self.end_error))
            self.budget.reserve(most)
            started = self._pace.clock()
            keys = [query.key for query in queries]
            call = self._log.begin(keys, attempt, started - self._began, body, most)
            await asyncio.sleep(0)  # What others note at this moment is written with it.
            self._log.commit()
            size = BYTES_PER_TEXT * len(texts) + BYTES_PER_BYTE * len(body)
            reply = await self.client.post(run.session, body, size)
            seconds = self._pace.clock() - started
            if isinstance(reply, Reply):
                self._silence.end()
            verdict, entry = self._read(reply, texts, most, seconds)
            verdict = self._learn(verdict, keys, started, seconds)
            entry = replace(entry, outcome=_outcome(verdict), reason=_reason(verdict))
            self.budget.book_cost(most, entry.cost)
            self._log.finish(call, entry)
            # With the call that this one made room for, which notes itself next; or by itself.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._log.commit)
        return verdict

    def _read(
        self, reply: Reply | Verdict, texts: Sequence[Text], most: Spending, seconds: float
    ) -> tuple[Readings | Verdict, Entry]:
        """Return what a reply says, and what the log notes of it but for how that ends.

        What no answer came back for may have been paid all the same.
        """
        if not isinstance(reply, Reply):
            return reply, Entry("sent", most, seconds)
        verdict = judge(reply, len(texts), self.client.host, self.client.key_env)
        if not isinstance(verdict, Answer):
            cost = most if 200 <= reply.status < 300 else Spending(1)
            known = request_id(reply.headers)
            return verdict, Entry("sent", cost, seconds, reply.status, request_id=known)
        used = tokens(verdict.content)
        self._around = max(self._around, used[0] if used and not self._n_answered else 0)
        model = answered_model(verdict.content)
        read = self._model_change(model) or readings_of(
            self.kind, self.name, verdict.content, texts
        )
        entry = Entry(
            "sent",
            most if used is None else self.budget.price(*used),
            seconds,
            reply.status,
            answer=verdict.as_json.encode(),
            model=model,
            fingerprint=fingerprint(verdict.content),
            request_id=request_id(reply.headers),
        )
        return read, entry

    def _model_change(self, model: str | None) -> End | None:
        """Take in who answered; return that too many models did, if that is so.

        One change may be told in the report; more leave nothing that could be.
        """
        if model is None or model in self.models:
            return None
        self.models.append(model)
        if len(self.models) <= MOST_MODELS:
            return None
        named = ", ".join(map(repr, self.models))
        return End(
            f"{self.client.host} answered as {named}; name the version, and begin again with "
            "another file of calls"
        )

    def _learn(
        self, verdict: Readings | Verdict, keys: Sequence[bytes], started: float, seconds: float
    ) -> Readings | Verdict:
        """Take in how an attempt ended; return what it then means."""
        if isinstance(verdict, Again):
            verdict = self._failed(verdict, keys, started)
        elif isinstance(verdict, Unfit):
            verdict = self._refused(verdict.reason, len(keys))
        elif fault := fault_of(verdict):
            verdict = self._without_answer(fault) or verdict
        elif isinstance(verdict, list):
            self._n_answered, self._silent, self.proven = self._n_answered + 1, 0, True
            self._pace.succeeded(seconds)
        if isinstance(verdict, End):
            self.end_error = self.end_error or EndpointError(verdict.reason)
        return verdict

    def _refused(self, reason: str, texts: int) -> Split | LostText | End:
        """Take in that a request was refused, which is due to its texts if others are answered."""
        self._silent += 1
        if not self.proven or self._silent >= GIVE_UP:
            return End(reason)
        return Split(reason) if texts > 1 else LostText(reason)

    def _failed(self, verdict: Again, keys: Sequence[bytes], started: float) -> Again | End:
        """Take in that an attempt failed, which may end all or only slow it down."""
        now = self._pace.clock()
        if verdict.is_final and not self._n_answered:
            return End(f"{verdict.reason}; look at the address")
        if verdict.starting and not self._n_answered:
            if now - self._began > self._startup:
                return End(f"{verdict.reason}, for {self._startup:g} s: it is not ready")
            self._pace.pause(max(verdict.wait or 1.0, self._startup / GIVE_UP))
            return Again(verdict.reason, 0.0, counts=False)
        news = verdict.slower and self._pace.slow_down(started)
        if verdict.is_timeout and self._silence.lasts(keys, news=news, proven=self.proven):
            return End(f"{verdict.reason}, {STALLED} times in a row; given up")
        if verdict.wait is not None:
            self._pace.pause(verdict.wait)
        return self._without_answer(verdict.reason, counts=verdict.counts or news) or verdict

    def _without_answer(self, reason: str, *, counts: bool = True) -> End | None:
        """Take in that an attempt gave no answer; return the end where too many in a row did."""
        self._silent += counts
        if self._silent < GIVE_UP:
            return None
        return End(f"{reason}; given up after {GIVE_UP} attempts in a row")


def readings_of(kind: Kind, name: str, content: Json, texts: Sequence[Text]) -> Readings | Verdict:
    """Return what an answer says of the texts, or what it means that it does not."""
    try:
        return kind.scores(content, texts)
    except EndpointError as error:
        return End(str(error))
    except UnreadableAnswer as error:
        others = kinds_of_shape(content)
        if others and name not in others:
            return End(
                f"the endpoint answers in the format of {' or '.join(others)}, not of {name}; "
                f"pass kind={others[0]!r}"
            )
        if len(texts) > 1:
            return Split(f"the answer cannot be read: {error}", one_by_one=True)
        return Again(f"the answer cannot be read: {error}", most=2)


def fault_of(verdict: Readings | Verdict | Reading | None) -> str | None:
    """Return why a reply holds nothing that can be used of any text, due to the server."""
    lost = verdict if isinstance(verdict, list) else [verdict]
    faults = [each.reason for each in lost if isinstance(each, LostText) and each.is_fault]
    return faults[0] if lost and len(faults) == len(lost) else None


def _outcome(verdict: Readings | Verdict) -> Outcome:
    if isinstance(verdict, Again):
        return "again"
    if isinstance(verdict, Split):
        return "split"
    if isinstance(verdict, End):
        return "end"
    return "lost" if isinstance(verdict, LostText) else "answered"


def _reason(verdict: Readings | Verdict) -> str | None:
    return None if isinstance(verdict, list | Answer) else verdict.reason


def _parts(queries: Sequence[Query], size: int) -> list[Sequence[Query]]:
    return [queries[start : start + size] for start in range(0, len(queries), size)]


def _in_thread(work: Coroutine[None, None, None]) -> None:
    """Run something to its end in a loop of its own, as a notebook has one running already."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except BaseException as error:
            failures.append(error)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    thread = Thread(target=run, name="explain-endpoint", daemon=True)
    thread.start()
    try:
        thread.join()
    except BaseException:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    if failures:
        raise failures[0]
