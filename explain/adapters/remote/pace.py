"""How many requests a host takes at once: a little more while it is fast, half when it is not."""

import asyncio
import statistics
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

__all__ = ["START", "Pace", "Turns"]

START = 4
"""Requests at once in the beginning."""

RECENT = 64
"""Requests whose median time says what is slow."""

SLOW = 2.0
"""Times the median above which a request does not speak for sending more."""


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


class Turns:
    """The requests of one run: each waits until there is room, and something may be spent."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._running = 0
        self._turns_changed = asyncio.Condition()

    @asynccontextmanager
    async def turn(self, fits: Callable[[], bool]) -> AsyncIterator[None]:
        """Give a turn once `fits` says so, or nothing runs that could change what it says."""

        def free() -> bool:
            return self._running < self._pace.limit and (fits() or self._running == 0)

        async with self._turns_changed:
            await self._turns_changed.wait_for(free)
            self._running += 1
        try:
            await self._pace.until_open()
            yield
        finally:
            async with self._turns_changed:
                self._running -= 1
                # Its own place, and the one by which `Pace.succeeded` may have raised the limit.
                self._turns_changed.notify(2)
