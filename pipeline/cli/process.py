"""``masir process``: files through the whole pipeline."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import chain, islice
from typing import Any

import click
import msgspec

from pipeline.cli.runner import (
    KNOWN_ERRORS,
    is_terminal,
    program,
    runner,
    settings_of,
    told,
    visible,
    without_broker,
)
from pipeline.sources import FORMATS, Options, check_readable, read_batches, read_options, total_bytes
from pipeline.store.figures import Query, figures
from schemas.hit import Hit

LOOKED_AT = 1_000  # hits of which unknown fields are named; the others' are counted
NAMED = 8
_UNREAD = (
    "Not one of them could be read. Is each line a hit in JSON? Tables want --format csv and --map, access logs --site:"
    " masir process --help"
)
_MENDED = ("unknown_field", "cut_url")

EXAMPLES = """
\b
Examples:
  masir process hits.ndjson.gz
  zcat hits.ndjson.gz | masir process - --json
  masir process visits.csv --map visitor_id=uuid --map time=ts:s --set event=page_view --site wiki
  masir process access.log --format access-log --site www.example.com
"""


@click.command(epilog=EXAMPLES)
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--data", metavar="DIR", help="The data directory.  [default: the setting `data`]")
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), help="What the files are.  [default: told by the file]"
)
@click.option(
    "--map", "maps", multiple=True, metavar="FIELD=COLUMN", help="A column of a CSV file; or a TOML file."
)
@click.option("--set", "sets", multiple=True, metavar="FIELD=VALUE", help="The same value for every hit.")
@click.option("--site", metavar="NAME", help="The same as --set site=NAME.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def process(
    files: tuple[str, ...],
    data: str | None,
    kind: str | None,
    maps: tuple[str, ...],
    sets: tuple[str, ...],
    site: str | None,
    as_json: bool,
) -> None:
    """Run bounded input (NDJSON, CSV or access logs; .gz; - is standard input) through the same agents as live hits,
    to the end: every session closes, and the ledger and the main figures of the data directory are printed.

    Nothing in a file is too late. The data directory is kept, so several files can be processed one after the other.
    """
    try:
        options = read_options(kind or "", maps, sets, site or "")
        settings = without_broker(settings_of(data=data), "`masir replay FILE --to http://COLLECTOR`")
        check_readable(files)
        skipped: Counter[str] = Counter()
        strange: Counter[str] = Counter()
        with ExitStack() as stack:
            hits = _looked_at(_hits(files, options, skipped, stack), strange)

            def with_store(embedded: Any, processed: Any) -> None:
                stack.close()  # the progress bar
                mended = _mended(embedded.metrics.registry)
                if as_json:
                    click.echo(msgspec.json.encode(_json(embedded.client.query, processed, skipped) | mended))
                else:
                    from pipeline.demo.summary import print_summary

                    print_summary(embedded.client.query, settings.data, program())
                    _say(processed, skipped, mended, strange)
                    if 0 < processed.hits == _unread(embedded.metrics.registry):
                        click.echo(_UNREAD)

            try:
                asyncio.run(runner("process")(settings, hits, with_store=with_store))
            except KeyboardInterrupt:
                stack.close()
                kept = f"What was read so far stays in {settings.data}; the next start there goes on with it."
                click.echo(f"Stopped. {kept}", err=True)
                raise
    except KNOWN_ERRORS as error:
        raise told(error) from error


def _hits(
    files: tuple[str, ...], options: Options, skipped: Counter[str], stack: ExitStack
) -> Iterator[Sequence[bytes]]:
    on_bytes = None
    if is_terminal():
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        progress = stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
        task = progress.add_task("", total=total_bytes(list(files)))

        def on_bytes(count: int) -> None:
            progress.advance(task, count)

    return chain.from_iterable(read_batches(file, options, on_bytes, skipped) for file in files)


def _looked_at(batches: Iterator[Sequence[bytes]], strange: Counter[str]) -> Iterator[Sequence[bytes]]:
    """The same hits; ``strange`` counts what fields the first of them have that are none of a hit's."""
    looked_at = 0
    for batch in batches:
        for raw in islice(batch, LOOKED_AT - looked_at):
            looked_at += 1
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).keys()
                strange.update(fields - set(Hit.__struct_fields__))
        yield batch


def _mended(registry: Any) -> dict[str, int]:
    """Hits of which not all was taken, as this process has counted them."""
    counted = (
        (what, registry.get_sample_value("masir_hits_mended_total", {"what": what})) for what in _MENDED
    )
    return {f"{what}s": int(hits or 0) for what, hits in counted}


def _unread(registry: Any) -> float:
    """Dead letters of this process."""
    samples = (sample for metric in registry.collect() for sample in metric.samples)
    return sum(float(sample.value) for sample in samples if sample.name == "masir_dead_letters_total")


def _json(query: Query, processed: Any, skipped: Counter[str]) -> dict[str, int | float]:
    return figures(query) | {
        "hits_read": processed.hits,
        "lines_skipped": skipped.total(),
        "seconds": round(processed.seconds, 3),
        "cpu_seconds": round(processed.cpu_seconds, 3),
        "hits_per_second": round(processed.hits / processed.seconds),
    }


def _say(processed: Any, skipped: Counter[str], mended: dict[str, int], strange: Counter[str]) -> None:
    speed = round(processed.hits / processed.seconds)
    click.echo(f"{processed.hits:,} hits in {processed.seconds:.1f} s: {speed:,} hits/s")
    if skipped:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in skipped.most_common())
        click.echo(f"{skipped.total():,} lines that are no page views were left out: {reasons}")
    if hits := mended["unknown_fields"]:
        names = [visible(name) for name, _ in strange.most_common(NAMED)]
        named = f" ({', '.join([*names, *['…'] * (len(strange) > NAMED)])})" if names else ""
        click.echo(f"{hits:,} hits with fields that are none of a hit's{named}: those were ignored")
    if hits := mended["cut_urls"]:
        click.echo(f"{hits:,} hits with a url or referrer that was cut")
