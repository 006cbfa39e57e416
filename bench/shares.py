"""Where the time of the embedded job goes: ``python -m bench.shares [--visitors 5000] [--hits 200000] [--shop]``.

Runs ``masir process`` in this process with a stop-watch of CPU time around each part, less the parts inside it, and
prints microseconds a hit. The store's inserts run in the engine's threads: they are the process's time less that of the
main thread. The stop-watches cost a little themselves.
"""

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import stream

# part -> functions, as module:object
PARTS = {
    "feeding: lines": ("pipeline.sources.lines:lines_of", "pipeline.sources.read:without_blank"),
    "feeding: keys": ("pipeline.transport.publish:targets_of",),
    "log: packing, compressing": (
        "pipeline.transport.publish:rows_of",
        "pipeline.transport.log:encode",
        "pipeline.transport.log:compressed",
    ),
    "log: append": ("pipeline.transport.log:Log._append", "pipeline.transport.log:Log.append_changes"),
    "log: read": ("pipeline.transport.log:Log.read",),
    "decoding into columns": ("pipeline.core.reading:fields_of",),
    "times, own columns": ("pipeline.core.intake:read", "pipeline.core.intake:own_columns"),
    "duplicates": ("pipeline.core.intake:Intake._known",),
    "pages, traffic, devices": (
        "pipeline.core.look:Looks.page_codes",
        "pipeline.core.look:Looks.traffic_codes",
        "pipeline.core.look:Looks.device_codes",
    ),
    "sessions": (
        "pipeline.core.session_table:SessionTable.place",
        "pipeline.core.session_table:SessionTable.close",
        "pipeline.core.session_columns:rows_of",
    ),
    "judging, the rest": ("pipeline.core.intake:Intake._judge",),
    "evidence": ("pipeline.core.evidence:Matcher.match", "agents.sessionizer:Sessionizer._send_evidence"),
    "journeys": ("pipeline.core.journeys:Journeys.take",),
    "state: what changed": ("pipeline.core.slots:Slots.changes",),
    "Arrow blocks": ("agents.sessionizer:block", "agents.journeys:block"),
    "persons": (
        "pipeline.core.persons.teller:Teller.tell",
        "pipeline.core.persons.people:People.take",
        "pipeline.core.persons.people:People.finish",
    ),
    "counters": ("pipeline.core.counters:Counters.apply",),
}


class StopWatches:
    """CPU seconds of this thread per part, each without the parts inside it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner: list[float] = []

    def around(self, part: str, name: str) -> None:
        """Put a watch around ``module:object``."""
        module, _, path = name.partition(":")
        owner: Any = import_module(module)
        *parents, last = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        setattr(owner, last, self._watched(part, getattr(owner, last)))

    def _watched(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def watched(*args: Any, **named: Any) -> Any:
            started = time.thread_time()
            self._inner.append(0.0)
            try:
                return function(*args, **named)
            finally:
                taken = time.thread_time() - started
                self.seconds[part] += taken - self._inner.pop()
                if self._inner:
                    self._inner[-1] += taken

        return watched


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--visitors", type=int, default=5_000)
    parser.add_argument("--hits", type=int, default=200_000)
    parser.add_argument(
        "--shop", action="store_true", help="hits of the synthetic shop, not page views of strangers"
    )
    asked = parser.parse_args()
    watches = StopWatches()
    for part, names in PARTS.items():
        for name in names:
            watches.around(part, name)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "hits.ndjson"
        if asked.shop:
            stream.write_shop(path, hits=asked.hits)
        else:
            stream.write(path, visitors=asked.visitors, hits=asked.hits)
        main_thread, process = _process(path, watches)
    whose = "a shop" if asked.shop else f"{asked.visitors:,} visitors"
    table = Table("part", "µs a hit", "share", title=f"{asked.hits:,} hits of {whose}")
    rows: list[tuple[str, float]] = sorted(watches.seconds.items(), key=lambda row: -row[1])
    rows.append(("Faust, SQLite's commits, reading the file", main_thread - sum(watches.seconds.values())))
    rows.append(("the engine's threads", process - main_thread))
    for part, seconds in rows:
        table.add_row(part, f"{seconds / asked.hits * 1e6:.2f}", f"{seconds / process:.0%}")
    table.add_row("all", f"{process / asked.hits * 1e6:.2f}", "100%")
    Console(width=None if sys.stdout.isatty() else 100).print(table)


def _process(path: Path, watches: StopWatches) -> tuple[float, float]:
    """CPU seconds of the main thread and of the whole process, from the first hit to the last row."""
    bounded: Any = import_module("agents.bounded")
    began: list[tuple[float, float]] = []
    ended: list[tuple[float, float]] = []
    start, until_over = bounded.Embedded.start, bounded._until_over

    async def started(*args: Any, **named: Any) -> None:
        await start(*args, **named)
        watches.seconds.clear()
        began.append((time.thread_time(), time.process_time()))

    async def over(embedded: Any) -> None:
        await until_over(embedded)
        ended.append((time.thread_time(), time.process_time()))

    bounded.Embedded.start, bounded._until_over = started, over
    command = import_module("pipeline.cli").main
    command(["process", str(path), "--data", str(path.parent / "data"), "--json"], standalone_mode=False)
    (thread, process), (thread_end, process_end) = began[0], ended[0]
    return thread_end - thread, process_end - process


if __name__ == "__main__":
    main()
