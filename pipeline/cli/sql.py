"""``masir sql``: asks the store, also while ``masir run`` holds it."""

import os
import sys
from pathlib import Path

import click

from pipeline.settings import SettingsError, load
from pipeline.store.errors import StoreError
from pipeline.store.query_socket import open_reader
from pipeline.store.views import VIEWS, export_views

EXAMPLES = """
\b
Examples:
  masir sql 'SELECT channel, count(), avg(bounced) FROM sessions GROUP BY channel'
  masir sql 'SELECT * FROM ledger' --format JSONEachRow | jq .
  masir sql --export before/     (every view as sorted TSV, to compare two stores)
"""


@click.command(epilog=EXAMPLES)
@click.argument("query", required=False)
@click.option("--data", metavar="DIR", help="The data directory.  [default: the setting `data`]")
@click.option(
    "--format",
    "output_format",
    metavar="F",
    help="Any output format of ClickHouse.  [default: PrettyCompact on a terminal, TSVWithNames in a pipe]",
)
@click.option(
    "--export",
    type=click.Path(file_okay=False, path_type=Path),
    help="Instead of a query: write every view into this directory.",
)
def sql(query: str | None, data: str | None, output_format: str | None, export: Path | None) -> None:
    """Ask the store with a QUERY in ClickHouse's SQL.

    Read the views: hits, sessions, transitions, persons, conversions, attribution, signals, survey_responses,
    emails, costs, counters, dead_letters, ledger. Queries cannot write.
    """
    if (query is None) == (export is None):
        raise click.UsageError("give a QUERY or --export DIR")
    try:
        directory = Path(load(os.environ, data=data).data)
        reader = open_reader(directory)
        try:
            if export is not None:
                export_views(reader, export)
                click.echo(f"{len(VIEWS)} views written to {export}", err=True)
                return
            answer = reader.raw(query or "", output_format or _default_format())
        finally:
            reader.close()
    except (StoreError, SettingsError) as error:
        raise failure(error) from error
    click.get_binary_stream("stdout").write(answer)


def failure(error: StoreError | SettingsError) -> click.ClickException:
    """What the command ends with: 2 if the person who asked must change something, 1 if trying again may help."""
    ended = click.ClickException(str(error))
    ended.exit_code = 1 if getattr(error, "retriable", False) else 2
    return ended


def _default_format() -> str:
    return "PrettyCompact" if sys.stdout.isatty() else "TSVWithNames"
