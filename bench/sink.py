"""What the engine takes for each row it stores: ``python -m bench.sink`` prints a table in Markdown.

Hits of :mod:`bench.stream` go through ``masir process``; the rows it has sent to its store are then inserted once more,
in the same order and in blocks as the store hop cuts them, ``--rounds`` times with later times, into an empty store.
CPU is that of the whole process, in microseconds per row: reading the Arrow block, sorting, writing, and all merges
that follow by themselves. A longer run merges the same rows once or twice more, about 2 microseconds each time.
"""

import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.compute as pc

from agents.store import TABLE_OF
from bench import stream
from pipeline.settings import Settings
from pipeline.store.blocks import join_blocks
from pipeline.store.client import Client, connect
from pipeline.store.migrations import migrate
from pipeline.store.sink import Sink
from pipeline.transport.log import DATABASE, Log

ROUND_MS = 2 * 3_600_000
ROUND_OFFSETS = 1_000_000_000
RARE = 1_000  # a table with less than a row for so many hits costs nothing
QUIET_CHECKS = 4
CHECK_SECONDS = 0.25
_MASIR = "from pipeline.cli import main; main()"


@click.command()
@click.option("--hits", default=300_000, show_default=True, help="Hits of a round; a tenth as many visitors.")
@click.option("--rounds", default=4, show_default=True, help="Times that the rows are inserted.")
def main(hits: int, rounds: int) -> None:
    """Fill a data directory, insert its rows again, print what each table's rows took."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        stream.write(Path(directory) / "hits.ndjson", visitors=hits // 10, hits=hits)
        command = [sys.executable, "-c", _MASIR, "process", f"{directory}/hits.ndjson", "--data", str(data)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        click.echo("| rows | per hit | insert | with merges | bytes on disk |\n|---|---:|---:|---:|---:|")
        for topic, table in TABLE_OF.items():
            blocks = list(_blocks(data / DATABASE, topic, table))
            if sum(block.num_rows for block in blocks) * RARE > hits:
                with connect(Path(directory) / "store") as client:
                    migrate(client)
                    click.echo(_measured(client, table, blocks, hits=hits, rounds=rounds))


def _blocks(database: Path, topic: str, table: str) -> Iterator[pa.Table]:
    """The topic's rows in the order in which they were sent, cut as the store hop cuts them."""
    log, least, values = Log(database), Settings().store_block_bytes, list[bytes]()
    places = sqlite3.connect(database).execute(
        "select partition, base, count from batches where topic = ? order by rowid", (topic,)
    )
    for partition, base, count in places:
        values += log.read(topic, partition, base, most=count).values
        if sum(map(len, values)) >= least:
            yield join_blocks(table, values)
            values = []
    if values:
        yield join_blocks(table, values)
    log.close()


def _measured(client: Client, table: str, blocks: list[pa.Table], *, hits: int, rounds: int) -> str:
    every = [_later(block, number) for number in range(rounds) for block in blocks]
    rows = sum(block.num_rows for block in every)
    sink, start = Sink(client), time.process_time()
    for number, block in enumerate(every):
        sink.insert(table, block, f"bench-{number}")
    inserted = time.process_time() - start
    _wait_for_merges(client)
    merged = time.process_time() - start
    ((size,),) = client.query(
        f"SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts WHERE active AND table = '{table}_rows'"
    )
    costs = f"{inserted / rows * 1e6:.1f} | {merged / rows * 1e6:.1f} | {size:.0f}"
    return f"| `{table}` | {rows / rounds / hits:.3f} | {costs} |"


def _later(block: pa.Table, number: int) -> pa.Table:
    """The block as if it came ``number`` rounds later: rows of different rounds do not replace each other."""
    for at, field in enumerate(block.schema):
        if pa.types.is_timestamp(field.type):
            shift: pa.Scalar = pa.scalar(number * ROUND_MS, pa.duration("ms"))
        elif field.name in ("source_offset", "version"):
            shift = pa.scalar(number * ROUND_OFFSETS, pa.int64())
        else:
            continue
        block = block.set_column(at, field, pc.add(block[field.name], shift))
    return block.combine_chunks()


def _wait_for_merges(client: Client) -> None:
    quiet = 0
    while quiet < QUIET_CHECKS:
        time.sleep(CHECK_SECONDS)
        ((merges,),) = client.query("SELECT count() FROM system.merges")
        quiet = 0 if merges else quiet + 1


if __name__ == "__main__":
    main()
