"""How long a restart takes: ``python -m bench.restart [--visitors 1000000]``.

Writes the state of so many visitors, each with one open session of a few hits and their hit_ids, as units of work do,
and then opens it as ``masir run`` does after ``kill -9``: read the changelogs, set the timers. Prints the seconds and
the resident bytes per visitor of the opened state.
"""

import argparse
import tempfile
from pathlib import Path
from time import perf_counter

import msgspec

from pipeline.core.channels import Classifier
from pipeline.core.goals import Goals
from pipeline.core.ids import session_id, visitor_key
from pipeline.core.intake import Intake
from pipeline.core.intake_rules import IntakeRules
from pipeline.core.models import load
from pipeline.core.session import context_of, of_one_hit
from pipeline.core.sessionizer import SessionRules, Visitor
from pipeline.model_files import builtin_texts
from pipeline.transport.log import Log
from pipeline.transport.state import StateStore

PARTITIONS = 4
UNIT = 5_000  # visitors whose state changes in one unit of work
HITS = 5
NOON = 1_767_268_800_000
_CONTEXT = context_of(
    ["https://example.com/a", "organic_search", *[""] * 6, "desktop", "Chrome", "Windows", "DE", "de"]
)
_RSS_PAGES = 1


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--visitors", type=int, default=1_000_000)
    visitors = parser.parse_args().visitors
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "masir.db"
        _write(path, visitors)
        before, started = _resident_bytes(), perf_counter()
        rules = IntakeRules(SessionRules(), Goals(), load(builtin_texts()), Classifier())
        log = Log(path)
        opened = []
        for partition in range(PARTITIONS):
            intake = Intake(rules, StateStore(log, "sessionizer", partition), partition)
            intake.restore()
            opened.append(intake)
        seconds = perf_counter() - started
        print(f"{visitors:,} visitors: {seconds:.1f} s to restore, {visitors / seconds:,.0f} visitors/s")
        print(f"{(_resident_bytes() - before) / visitors:,.0f} resident bytes per visitor")
        log.close()


def _write(path: Path, visitors: int) -> None:
    log = Log(path)
    for partition in range(PARTITIONS):
        store = StateStore(log, "sessionizer", partition)
        for first in range(partition, visitors, PARTITIONS * UNIT):
            for number in range(first, min(visitors, first + PARTITIONS * UNIT), PARTITIONS):
                key = visitor_key("shop", f"{number:032x}", "")
                store[key] = msgspec.msgpack.encode(_visitor(key, number))
            with log.transaction():
                store.write_changes()
    log.close()


def _visitor(key: str, number: int) -> Visitor:
    start = NOON + number
    session = of_one_hit(
        start,
        f"https://shop.example/p/{number % 500}",
        _CONTEXT,
        "",
        is_view=True,
        is_goal=False,
        revenue=None,
    )
    session.session_id, session.hits, session.end = session_id(key, start), HITS, start + 60_000
    return Visitor([session], bytes(12 * HITS))


def _resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[_RSS_PAGES]
    return int(pages) * 4_096


if __name__ == "__main__":
    main()
