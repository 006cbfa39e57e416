"""The other collectors of ``masir run``: processes of their own on the same port. One that dies is started again."""

import asyncio
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress

import msgspec

from agents.embedded import APP
from pipeline.collector.tally import Tally
from pipeline.settings import PREFIX, Settings

RESTART_SECONDS = 1.0
STOP_SECONDS = 15.0
_decode = msgspec.json.Decoder(Tally).decode
_log = logging.getLogger(__name__)


class Collectors:
    """``count`` processes. What each has counted, and what those before it had, adds up in :meth:`tally`."""

    def __init__(self, settings: Settings, address: str, count: int) -> None:
        self._settings = settings
        self._address = address
        self._count = count
        self._of_ended = Tally()
        self._running: dict[str, Tally] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """They listen a moment later."""
        names = [str(number + 1) for number in range(self._count)]
        self._tasks = [asyncio.create_task(self._keep(name)) for name in names]

    async def stop(self) -> None:
        """Each answers what it has in hand."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)

    def tally(self) -> Tally:
        """All of them together."""
        total = self._of_ended
        for one in self._running.values():
            total = total.plus(one)
        return total

    async def _keep(self, name: str) -> None:
        while not self._stopping.is_set():
            try:
                code = await self._run(name)
            except OSError as error:  # no memory, no descriptor for another process
                code = error.errno
            if not self._stopping.is_set():
                _log.error("collector %s ended with code %s, starting it again", name, code)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), RESTART_SECONDS)

    async def _run(self, name: str) -> int | None:
        process = await self._spawn(name)
        stop = asyncio.create_task(self._stop_it(process))
        await self._listen_to(process, name)
        await process.wait()
        stop.cancel()
        ended = self._running.pop(name, Tally())
        ended.spooled = 0
        self._of_ended = self._of_ended.plus(ended)
        return process.returncode

    async def _spawn(self, name: str) -> Process:
        own = {f"{PREFIX}DATA": self._settings.data, f"{PREFIX}LISTEN": self._settings.listen}
        arguments = ("--address", self._address, "--name", name, "--consumer", APP)
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pipeline.collector.process", *arguments,
            stdin=PIPE, stdout=PIPE, env={**os.environ, **own}, start_new_session=True,
        )  # fmt: skip

    async def _listen_to(self, process: Process, name: str) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            with suppress(msgspec.DecodeError):
                self._running[name] = _decode(line)

    async def _stop_it(self, process: Process) -> None:
        """Its input ends, and so does it; if not, it is made to."""
        await self._stopping.wait()
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.sleep(STOP_SECONDS)
        process.kill()
