"""A collector in a process of its own, beside others on the same port: ``python -m pipeline.collector.process``.

Started by ``masir run``, which tells it the address, its name and the consumer of the hits. It prints its tally as a
line of JSON every second, and ends when its standard input does: when the process that started it is gone, however.
"""

import argparse
import asyncio
import os
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import msgspec

from pipeline.collector.door import Door
from pipeline.collector.publisher import Record
from pipeline.logs import configure
from pipeline.settings import load
from pipeline.traces import start as start_traces
from pipeline.transport.log import DATABASE, Log
from pipeline.transport.publish import LogPublisher
from pipeline.transport.traced_log import TracedLog

TALLY_SECONDS = 1.0
BUSY_SECONDS = 0.8  # for the file's lock: less than the spool's patience, so a failure is known to be one


class _InThread:
    """The publisher of the log, whose waiting for the disk and the lock holds nobody else up.

    One thread: who was waited for too long may still be at work, and the next must not meddle with its transaction.
    """

    def __init__(self, inner: LogPublisher) -> None:
        self._inner = inner
        self._thread = ThreadPoolExecutor(max_workers=1)

    async def publish(self, records: list[Record]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._inner.append, records)

    def backlog(self) -> int:
        with suppress(sqlite3.OperationalError):
            return self._inner.backlog()
        return 0


async def _serve(address: str, name: str, consumer: str) -> None:
    settings = load(os.environ)
    configure(settings.log_format)
    traces = start_traces(settings)
    database = Path(settings.data) / DATABASE
    with ExitStack() as stack:
        if traces is None:
            log = Log(database, busy_seconds=BUSY_SECONDS)
        else:
            log = TracedLog(database, traces, busy_seconds=BUSY_SECONDS)
            stack.callback(traces.close)
        stack.enter_context(closing(log))
        publisher = LogPublisher(log, consumer, now_ms=_now_ms)
        door = Door(settings, _InThread(publisher), now_ms=_now_ms, name=name)
        host, _, port = address.rpartition(":")
        await door.start(host, int(port), shared=True)
        try:
            ended = asyncio.create_task(asyncio.to_thread(sys.stdin.buffer.read))
            while not ended.done():
                print(msgspec.json.encode(door.tally()).decode(), flush=True)
                await asyncio.wait({ended}, timeout=TALLY_SECONDS)
        finally:
            await door.stop()
            with suppress(BrokenPipeError):
                print(msgspec.json.encode(door.tally()).decode(), flush=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="One of several collectors.")
    for option in ("--address", "--name", "--consumer"):
        parser.add_argument(option, required=True)
    options = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(options.address, options.name, options.consumer))


if __name__ == "__main__":
    main()
