"""A role's process from its start to the signal that ends it, which may come while it still starts."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol


class Role(Protocol):
    """``stop`` comes last, however far ``start`` came."""

    async def start(self) -> None: ...

    async def run_until(self, done: asyncio.Event) -> None: ...

    async def stop(self) -> None: ...


async def run_role(
    role: Role, on_started: Callable[[Any], object], signals: Sequence[signal.Signals]
) -> None:
    """Until a signal comes. Raises what the role cannot go on with."""
    stop = asyncio.Event()
    for number in signals:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        if await _has_started(role, stop):
            on_started(role)
            await role.run_until(stop)
    finally:
        await role.stop()


async def cancelled(task: asyncio.Task[None]) -> None:
    """Break it off, and wait until it has ended; raises what it ended with before."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _has_started(role: Role, stop: asyncio.Event) -> bool:
    """False: it was told to stop before, and what it had begun is broken off."""
    starting, stopping = asyncio.ensure_future(role.start()), asyncio.ensure_future(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.wait([starting])
        return False
    starting.result()
    return True
