"""A role is told to stop while it starts, or later; what it cannot go on with is raised. It is stopped in the end."""

import asyncio
import os
import signal

import pytest

from agents.starting import run_role

SIGNALS = (signal.SIGUSR1,)


class Role:
    """Notes what happens to it. ``starts_in``: seconds."""

    def __init__(self, *, starts_in: float = 0.0, error: Exception | None = None) -> None:
        self.seen: list[str] = []
        self._starts_in = starts_in
        self._error = error

    async def start(self) -> None:
        try:
            await asyncio.sleep(self._starts_in)
        except asyncio.CancelledError:
            self.seen.append("broken off")
            raise
        if self._error:
            raise self._error
        self.seen.append("started")

    async def run_until(self, done: asyncio.Event) -> None:
        await done.wait()
        self.seen.append("ran")

    async def stop(self) -> None:
        self.seen.append("stopped")


async def run(role: Role, *, signal_after: float) -> None:
    asyncio.get_running_loop().call_later(signal_after, os.kill, os.getpid(), SIGNALS[0])
    async with asyncio.timeout(10):
        await run_role(role, lambda _: role.seen.append("said"), SIGNALS)


async def test_a_signal_while_it_runs() -> None:
    role = Role()
    await run(role, signal_after=0.05)
    assert role.seen == ["started", "said", "ran", "stopped"]


async def test_a_signal_while_it_starts() -> None:
    role = Role(starts_in=60)
    await run(role, signal_after=0.05)
    assert role.seen == ["broken off", "stopped"]


async def test_what_start_raises() -> None:
    role = Role(error=ValueError("no topic"))
    with pytest.raises(ValueError, match="no topic"):
        await run_role(role, lambda _: None, SIGNALS)
    assert role.seen == ["stopped"]
