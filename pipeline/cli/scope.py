"""What the commands that ask about a site and a time share: their options, and the way to the store."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import click

from pipeline.cli.runner import KNOWN_ERRORS, Wrong, told
from pipeline.collector.sites.in_force import zone_finder
from pipeline.journey.scope import Scope, ScopeError, scope_of
from pipeline.settings import Settings
from pipeline.store.client import Reader
from pipeline.store.place import reader_of

Command = Callable[..., Any]


def scope_options(
    *,
    start: str = "First day (of the site's time zone), or a time.  [default: the first hit]",
    end: str = "The day after the last, or a time.  [default: after the last hit]",
) -> Callable[[Command], Command]:
    """``--site --from --to --data``. ``start`` and ``end``: what the two times mean."""
    options = (
        click.option("--site", help="Which site.  [default: the only one of the store]"),
        click.option("--from", "start", metavar="TIME", help=start),
        click.option("--to", "end", metavar="TIME", help=end),
        click.option("--data", metavar="DIR", help="The data directory.  [default: the setting `data`]"),
    )

    def with_options(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return with_options


@contextmanager
def in_scope(
    settings: Settings, site: str | None, start: str | None, end: str | None
) -> Iterator[tuple[Reader, Scope]]:
    """The store and what is asked about. Known errors end the command."""
    try:
        with closing(reader_of(settings)) as reader:
            yield reader, scope_of(reader, site=site, start=start, end=end, zone_of=zone_finder(settings))
    except ScopeError as error:
        raise Wrong(str(error)) from error
    except KNOWN_ERRORS as error:
        raise told(error) from error
