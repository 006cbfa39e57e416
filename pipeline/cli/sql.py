"""``masir sql``: asks the store, also while ``masir run`` holds it."""

import sys
from contextlib import closing
from pathlib import Path

import click

from pipeline.cli.runner import KNOWN_ERRORS, Wrong, settings_of, told
from pipeline.store.place import reader_of
from pipeline.store.views import VIEWS, export_views

EXAMPLES = """
\b
Examples:
  masir sql 'SELECT channel, count(), avgIf(bounced, page_views > 0) FROM sessions GROUP BY channel'
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
    query = (query or "").strip()
    if bool(query) == (export is not None):
        raise Wrong("give a QUERY or --export DIR")
    settings = settings_of(data=data)
    try:
        with closing(reader_of(settings)) as reader:
            if export is not None:
                export_views(reader, export)
                click.echo(f"{len(VIEWS)} views written to {export}", err=True)
                return
            out = click.get_binary_stream("stdout")
            with closing(reader.pieces(query, output_format or _default_format())) as answer:
                for piece in answer:
                    out.write(piece)
    except KNOWN_ERRORS as error:
        raise told(error) from error


def _default_format() -> str:
    return "PrettyCompact" if sys.stdout.isatty() else "TSVWithNames"
