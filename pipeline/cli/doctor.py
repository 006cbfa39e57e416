"""``masir doctor``: what is well, what is not, and what to do about it."""

import os
import shutil
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import click
import msgspec

from pipeline.cli.dlq import LETTERS
from pipeline.cli.doctor_broker import Finding, broker_findings
from pipeline.cli.runner import KNOWN_ERRORS, settings_of
from pipeline.cli.verify import erased
from pipeline.collector.sites.in_force import sites_of
from pipeline.core.models import changed_models, rebuild_of
from pipeline.core.models import load as load_models
from pipeline.core.plain_fields import IS_COMPILED
from pipeline.model_files import texts_in_force
from pipeline.settings import Settings, SettingsError
from pipeline.store.client import Client, Reader, rows
from pipeline.store.errors import StoreRefusedError, StoreUnavailableError
from pipeline.store.migrations import bundled
from pipeline.store.place import reader_of
from pipeline.store.query_socket import SocketReader
from pipeline.store.sql import text
from pipeline.transport.kafka.connection import BrokerError
from pipeline.transport.log import DATABASE
from pipeline.transport.packing import decode_changes
from schemas.topics import TOPICS

LEAST_FREE_BYTES = 2 * 1024**3  # the store's merges need room for the parts they write anew
MOST_AHEAD_SECONDS = 60
_NOT_COMPILED = "in Python: slower, and all else the same. With a C compiler, install anew"
_UNITS = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))


@click.command(epilog="\b\nExamples:\n  masir doctor\n  masir doctor --json")
@click.option("--data", metavar="DIR", help="The data directory.  [default: the setting `data`]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def doctor(context: click.Context, data: str | None, as_json: bool) -> None:
    """Check settings, decoder, stage models, sites, broker, workers, disk, topics, store, ledger and clock.

    Say what to do. Exit code 0: all is well. 1: something needs attention.
    """
    settings = settings_of(data=data)
    findings = list(_findings(settings))
    if as_json:
        well = not any(finding.advice for finding in findings)
        click.echo(msgspec.json.encode({"well": well, "findings": [one._asdict() for one in findings]}))
    else:
        for finding in findings:
            click.echo(f"{'!!' if finding.advice else 'ok'}  {finding.what}: {finding.says}")
            if finding.advice:
                click.echo(f"      {finding.advice}")
    context.exit(1 if any(finding.advice for finding in findings) else 0)


def _findings(settings: Settings) -> Iterator[Finding]:
    yield Finding("settings", "read and checked")
    yield Finding("decoder", "compiled" if IS_COMPILED else _NOT_COMPILED)
    yield _models(settings)
    if settings.sites:
        yield _sites(settings)
    directory = Path(settings.data)
    if settings.broker:
        yield from broker_findings(settings)
    if directory.exists():
        yield _disk(directory)
        if not settings.broker:
            yield _topics(directory / DATABASE, settings)
    elif not settings.clickhouse:
        makers = "`masir worker`" if settings.broker else "`masir run` or `masir process`"
        yield Finding("data", f"{directory} does not exist yet", f"{makers} makes it")
        return
    try:
        with closing(reader_of(settings)) as reader:
            yield Finding("store", _answers(reader))
            yield (tables := _tables(reader))
            if not tables.advice:
                yield _ledger(reader, settings)
                yield _dead_letters(reader)
                yield _clock(reader)
    except StoreRefusedError as error:
        yield Finding("store", str(error), "mend MASIR_CLICKHOUSE and the other settings of ClickHouse")
    except StoreUnavailableError as error:
        yield Finding(
            "store", str(error), "start it, or mend host and port; hits wait in their topic meanwhile"
        )
    except PermissionError as error:
        yield Finding("store", f"{error.filename}: {error.strerror}", "change its owner or its mode")
    except KNOWN_ERRORS as error:
        yield Finding("store", str(error), "stop the other process, or ask where it runs")


def _answers(reader: Reader) -> str:
    """Who it was that answered."""
    if isinstance(reader, SocketReader):
        return "answers (masir run holds it)"
    return f"{reader.place} answers" if isinstance(reader, Client) else "answers"


def _models(settings: Settings) -> Finding:
    try:
        models = load_models(texts_in_force(settings.models))
    except KNOWN_ERRORS as error:
        return Finding("stage models", str(error), "`masir models check FILE` shows it after each change")
    before = {} if settings.broker else _digests(Path(settings.data) / DATABASE)
    if before and (changed := changed_models(before, models.digests)):
        says = f"{', '.join(changed)}: not as the data directory was made with, so nothing starts on it"
        return Finding(
            "stage models", says, f"put them back, or make their history anew: `{rebuild_of(changed)}`"
        )
    return Finding("stage models", ", ".join(model.name for model in models.models))


class _Entry(msgspec.Struct, array_like=True):
    """How an entry of the journeys' journal begins (agents/journeys.py)."""

    version: int
    digests: dict[str, int]


def _digests(database: Path) -> dict[str, int]:
    """Of the models that journeys are remembered by; empty if none are, or if they are to be made anew."""
    found: dict[str, int] = {}
    if not database.exists():
        return found
    first = "select payload, min(sequence) from changelogs where store = 'journeys' group by partition"
    with suppress(sqlite3.Error), closing(_open(database)) as db:  # what is wrong with the file `topics` says
        if db.execute("select 1 from rebuilds where receipt is null").fetchone() is None:
            for payload, _ in db.execute(first):
                ((_, entry),) = decode_changes(payload)
                found |= msgspec.msgpack.decode(entry or b"", type=_Entry).digests
    return found


def _open(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)


def _sites(settings: Settings) -> Finding:
    try:
        return Finding("sites", f"{len(sites_of(settings))} in the registry")
    except SettingsError as error:
        return Finding("sites", str(error), "`masir sites check` shows it after each change")


def _disk(directory: Path) -> Finding:
    free = shutil.disk_usage(directory).free
    says = f"{free / 1024**3:.1f} GiB free in {directory}"
    if not os.access(directory, os.W_OK):
        return Finding("data", f"{directory} cannot be written", "change its owner or its mode")
    low = free < LEAST_FREE_BYTES
    return Finding("disk", says, "make room, set ttl_days, or lower hits_retention_hours" if low else "")


def _topics(database: Path, settings: Settings) -> Finding:
    if not database.exists():
        return Finding("topics", "none yet", "`masir run` or `masir process` makes them")
    try:
        with closing(_open(database)) as db:
            known = dict(db.execute("select name, partitions from topics"))
    except sqlite3.Error as error:
        return Finding("topics", f"{database}: {error}", "restore the directory from a backup")
    size = database.stat().st_size / 1024**2
    missing = [topic.name for topic in TOPICS if topic.name not in known]
    if missing:
        return Finding("topics", f"missing: {', '.join(missing)}", "start `masir run` once: it makes them")
    if set(known.values()) != {settings.partitions}:
        have = sorted(set(known.values()))
        return Finding("topics", f"have {have} partitions", f"set partitions = {have[0]}: it cannot change")
    return Finding("topics", f"{len(known)}, {settings.partitions} partitions each, {size:.0f} MiB")


def _tables(reader: Reader) -> Finding:
    """The migrations that were applied must be those of this program."""
    (is_there,) = rows(reader, "EXISTS TABLE masir_migrations")
    said = rows(reader, "SELECT name FROM masir_migrations FINAL") if is_there["result"] else []
    applied = {row["name"] for row in said}
    ours = {migration.name for migration in bundled()}
    if applied - ours:
        return Finding(
            "tables", f"made by a newer Masir: {', '.join(sorted(applied - ours))}", "upgrade the program"
        )
    advice = "start `masir run` or `masir worker` once: it makes them" if ours - applied else ""
    return Finding("tables", f"{len(applied)} of {len(ours)} migrations applied", advice)


def _ledger(reader: Reader, settings: Settings) -> Finding:
    """The ledger's accepted and bot hits must be the rows of the hits, where none of these were let go or erased."""
    if days := settings.ttl_days.get("hits"):
        return Finding("ledger", f"not compared: it counts all hits, and they are kept for {days} days")
    said, stored = _counts(reader, ())
    try:
        left_out = erased(settings) if said != stored else set()
    except BrokerError:
        return Finding(
            "ledger", "not compared: the broker, which knows of whose sites persons were erased, is away"
        )
    if left_out:
        said, stored = _counts(reader, left_out)
    says = f"{said:,} hits accepted or bots', {stored:,} stored"
    if left_out:
        says += f", without {len(left_out - {''})} sites of which persons were erased"
    return Finding(
        "ledger", says, "" if said == stored else "run again in a moment; if it stays, `masir verify`"
    )


def _counts(reader: Reader, left_out: Collection[str]) -> tuple[int, int]:
    """Hits that the ledger says are stored, and those that are."""
    where = f"site NOT IN ({', '.join(map(text, sorted(left_out)))})" if left_out else "1"
    (row,) = rows(
        reader,
        "SELECT (SELECT sum(hits) FROM ledger WHERE outcome IN ('sessionized', 'background', 'late', 'bot')"
        f" AND {where}) AS said, (SELECT count() FROM hits WHERE {where}) AS stored",
    )
    return row["said"] or 0, row["stored"]


def _dead_letters(reader: Reader) -> Finding:
    """What came a day ago or before, and was not mended since, is no news."""
    (row,) = rows(
        reader,
        "SELECT count() AS letters, countIf(NOT came_in AND reason != 'erased'"
        f" AND received_time > now() - INTERVAL 1 DAY) AS waiting FROM ({LETTERS})",
    )
    advice = "`masir dlq ls` says why; `masir dlq replay` after the fix" if row["waiting"] else ""
    return Finding(
        "dead letters", f"{row['letters']:,}, {row['waiting']:,} of them new and not mended", advice
    )


def _clock(reader: Reader) -> Finding:
    """A machine whose clock is behind takes its visitors' clocks for wrong."""
    (row,) = rows(
        reader, "SELECT toUnixTimestamp64Milli(max(received_time)) AS newest, count() AS hits FROM hits"
    )
    if not row["hits"]:
        return Finding("clock", "no hits to compare with")
    ahead = row["newest"] / 1000 - time.time()
    advice = "set this machine's clock (NTP)" if ahead > MOST_AHEAD_SECONDS else ""
    return Finding("clock", f"newest hit received {_ago(-ahead)} ago", advice)


def _ago(seconds: float) -> str:
    """In the largest unit of which there are two."""
    unit, name = next((one for one in _UNITS if seconds >= 2 * one[0]), (1, "s"))
    return f"{seconds / unit:,.0f} {name}"
