"""The store, asked from the event loop: one question at a time, in a thread and over a connection of its own.

Lists are the same for all who look, so each is made once and kept for as long as its budget says. Raises StoreError.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, perf_counter
from typing import Any, TypeVar

import msgspec

from pipeline.live.hub import STORE_EVERY_SECONDS, Budget
from pipeline.live.questions import Questions
from pipeline.store.client import Client

MOST_LISTS = 64  # kept at a time
T = TypeVar("T")


class Archive:
    """``open_reader``: a read-only connection."""

    def __init__(self, open_reader: Callable[[], Client]) -> None:
        self._open_reader = open_reader
        self._questions: Questions | None = None
        self._thread = ThreadPoolExecutor(1, "live-page")
        self._budget = Budget(STORE_EVERY_SECONDS)
        self._lists: dict[tuple[str, str], tuple[float, bytes]] = {}

    async def sections(self, site: str, pane_start: int | None) -> dict[str, Any]:
        """See :meth:`Questions.sections`."""
        return await self._ask(lambda questions: questions.sections(site, pane_start))

    async def persons(self, kind: str, site: str) -> bytes:
        """A list of persons as JSON."""
        keep_until, answer = self._lists.get((kind, site), (0.0, b""))
        if monotonic() < keep_until:
            return answer
        started = perf_counter()
        answer = await self._ask(lambda questions: msgspec.json.encode(questions.persons(kind, site)))
        if len(self._lists) >= MOST_LISTS:
            self._lists.clear()
        self._lists[kind, site] = (monotonic() + self._budget.rest(perf_counter() - started), answer)
        return answer

    async def person(self, site: str, person: str) -> bytes:
        """One person's timeline as JSON."""
        return await self._ask(lambda questions: msgspec.json.encode(questions.person(site, person)))

    async def close(self) -> None:
        """Let go of the connection, once what was asked has been answered."""

        def close() -> None:
            if self._questions is not None:
                self._questions.close()

        await asyncio.get_running_loop().run_in_executor(self._thread, close)
        self._thread.shutdown()

    async def _ask(self, question: Callable[[Questions], T]) -> T:
        def ask() -> T:
            if self._questions is None:
                self._questions = Questions(self._open_reader())
            return question(self._questions)

        return await asyncio.get_running_loop().run_in_executor(self._thread, ask)
