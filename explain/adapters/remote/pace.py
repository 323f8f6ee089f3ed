"""How many requests a host takes at once: a little more while it is fast, half when it is not."""

import asyncio
import heapq
import itertools
import statistics
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

__all__ = ["STALLED", "START", "Pace", "Silence", "Turns"]

START = 4
"""Requests at once in the beginning."""

RECENT = 64
"""Requests whose median time says what is slow."""

SLOW = 2.0
"""Times the median above which a request does not speak for sending more."""

STALLED, STALLED_TEXTS = 3, 4
"""Time-outs one after the other, and texts in them, after which a host that says nothing else is
given up: it was asked again twice, and a text on which a server hangs is only one."""


class Pace:
    """Additive increase, multiplicative decrease (Chiu and Jain, 1989), for one host.

    Parameters
    ----------
    most : int
        Requests at once at most.
    sleep : callable
        Waits for some seconds.
    clock : callable
        Tells seconds.

    Attributes
    ----------
    limit : int
        Requests at once now.
    """

    def __init__(
        self,
        most: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most = most
        self.limit = min(START, most)
        self.sleep = sleep
        self.clock = clock
        self._good = 0
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._cut = self._until = -1e9

    def succeeded(self, seconds: float) -> None:
        """Take in how long a request took; as many fast ones as run at once allow one more."""
        fast = not self._recent or seconds <= SLOW * statistics.median(self._recent)
        self._recent.append(seconds)
        self._good += fast
        if self._good >= self.limit and self.limit < self.most:
            self.limit, self._good = self.limit + 1, 0

    def slow_down(self, started: float) -> bool:
        """Send half as much at once; tell whether this was news.

        It is none from requests that began before the last time: they ran together.
        """
        if started < self._cut:
            return False
        self.limit, self._good, self._cut = max(1, self.limit // 2), 0, self.clock()
        return True

    def pause(self, seconds: float) -> None:
        """Send nothing for some seconds."""
        self._until = max(self._until, self.clock() + seconds)

    async def until_open(self) -> None:
        """Wait for the end of a pause."""
        while (left := self._until - self.clock()) > 0:
            await self.sleep(left)


class Silence:
    """Time-outs since a host said anything at all."""

    def __init__(self) -> None:
        self._rounds = 0
        self._texts: set[bytes] = set()

    def end(self) -> None:
        """Take in that something came back, if only an error."""
        self._rounds = 0
        self._texts.clear()

    def lasts(self, keys: Iterable[bytes], *, news: bool, proven: bool) -> bool:
        """Take in a time-out; tell whether the host has to be given up.

        Parameters
        ----------
        keys : iterable of bytes
            The texts of the request.
        news : bool
            Whether it began after the last time-out, and did not run beside it.
        proven : bool
            Whether the host answered before; otherwise one text is enough.
        """
        self._rounds += news
        self._texts.update(keys)
        return self._rounds >= STALLED and (len(self._texts) >= STALLED_TEXTS or not proven)


class Turns:
    """The requests of one run: each waits until there is room, and something may be spent."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._running = 0
        self._tickets = itertools.count()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, fits: Callable[[], bool]) -> AsyncIterator[None]:
        """Give a turn once `fits` says so, or nothing runs that could change what it says.

        Of those that wait the first is woken first; one that comes at that moment may go before.
        """
        ticket = next(self._tickets)
        while not (self._running < self._pace.limit and (fits() or self._running == 0)):
            waiting = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (ticket, waiting))
            await waiting
        self._running += 1
        try:
            await self._pace.until_open()
            yield
        finally:
            self._running -= 1
            self._wake()

    def _wake(self) -> None:
        """Let as many look again as there is room for; a condition would wake some in vain."""
        for _ in range(min(len(self._waiting), self._pace.limit - self._running)):
            _, waiting = heapq.heappop(self._waiting)
            if not waiting.done():
                waiting.set_result(None)
