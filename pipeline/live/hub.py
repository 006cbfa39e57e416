"""One snapshot per site and second, made once for all who look, and none when nobody does.

What is in memory is looked at every second, what is in the store as often as its budget allows; if looking itself takes
long, it is done more rarely. A viewer gets the whole snapshot first and then what has changed; one who reads slowly is
given the whole again, and nothing waits for it. Whatever fails is tried again. Runs in the event loop; the store is
asked in a thread.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from time import perf_counter

from pipeline.live.snapshot import Snapshot, diff
from pipeline.store.errors import StoreError

EVERY_SECONDS = 1.0
STORE_EVERY_SECONDS = 5.0
MOST_SHARE = 0.012  # of one core: for the memory, for the store's rounds and for its lists each

_log = logging.getLogger(__name__)


class Budget:
    """How long to rest after work, so that it takes at most MOST_SHARE of the time."""

    def __init__(self, every_seconds: float) -> None:
        self._every_seconds = every_seconds

    def rest(self, took_seconds: float) -> float:
        """In seconds."""
        return max(self._every_seconds, took_seconds / MOST_SHARE)


class _Scope:
    """What is known of one site, and how many look at it. ``delta``: from the version before to ``version``."""

    def __init__(self, look: Callable[[], Snapshot]) -> None:
        self._look = look
        self.viewers = 0
        self.version = 0
        self.whole: Snapshot = {}
        self.delta: Snapshot = {}
        self.stored: Snapshot = {}
        self.changed = asyncio.Event()

    def refresh(self) -> None:
        """Look, and let those know who follow."""
        snapshot = self._look() | self.stored
        self.delta, self.whole = diff(self.whole, snapshot), snapshot
        self.version += 1
        self.changed.set()
        self.changed = asyncio.Event()


class Hub:
    """``looker``: makes what gives a site's snapshot of the memory. ``ask``: its sections of the store, given that."""

    def __init__(
        self,
        looker: Callable[[str], Callable[[], Snapshot]],
        ask: Callable[[str, Snapshot], Awaitable[Snapshot]],
    ) -> None:
        self._looker = looker
        self._ask = ask
        self._scopes: dict[str, _Scope] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._joined = asyncio.Event()  # somebody, who does not want to wait for the store's next round
        self._is_closed = False

    @property
    def viewers(self) -> int:
        """How many look now."""
        return sum(scope.viewers for scope in self._scopes.values())

    async def follow(self, site: str) -> AsyncGenerator[Snapshot, None]:
        """The snapshot, then its changes, until the hub is closed."""
        scope = self._scopes.get(site)
        if scope is None:
            scope = _Scope(self._looker(site))
            scope.refresh()
            self._scopes[site] = scope
            self._joined.set()
        scope.viewers += 1
        self._start()
        seen = 0
        try:
            while not self._is_closed:
                if scope.version == seen:
                    await scope.changed.wait()
                    continue
                changes = scope.delta if scope.version == seen + 1 and seen else scope.whole
                seen = scope.version
                yield changes
        finally:
            scope.viewers -= 1
            if not scope.viewers:
                self._scopes.pop(site, None)
            if not self._scopes:
                self._stop()

    async def close(self) -> None:
        """Everybody is sent away."""
        self._is_closed = True
        for scope in self._scopes.values():
            scope.changed.set()
        tasks = self._stop()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    def _start(self) -> None:
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._keep_looking()),
                asyncio.create_task(self._keep_asking()),
            ]

    def _stop(self) -> list[asyncio.Task[None]]:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        return tasks

    async def _keep_looking(self) -> None:
        budget = Budget(EVERY_SECONDS)
        while True:
            started = perf_counter()
            for scope in list(self._scopes.values()):
                try:
                    scope.refresh()
                except Exception:
                    _log.exception("the live page could not be brought up to date, trying again")
            await asyncio.sleep(budget.rest(perf_counter() - started))

    async def _keep_asking(self) -> None:
        budget = Budget(STORE_EVERY_SECONDS)
        while True:
            self._joined.clear()
            started = perf_counter()
            for site, scope in list(self._scopes.items()):
                try:
                    scope.stored = await self._ask(site, scope.whole)
                except StoreError as error:
                    _log.warning("the live page cannot ask the store: %s", error)
                except Exception:
                    _log.exception("the live page could not ask the store, trying again")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._joined.wait(), budget.rest(perf_counter() - started))
