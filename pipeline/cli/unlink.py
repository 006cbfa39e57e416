"""``masir unlink``: undoes a wrong link between a visitor and a user."""

import asyncio
import time
from contextlib import closing
from pathlib import Path

import click
import msgspec

from pipeline.cli.runner import KNOWN_ERRORS, Wrong, settings_of, told
from pipeline.core.ids import SEPARATOR, partition_of
from pipeline.transport.kafka.publish import send_as_operator
from pipeline.transport.log import DATABASE, Log
from schemas.topics import TOUCHPOINTS
from schemas.touchpoint import Touchpoints, WordColumns

EXAMPLES = """
\b
Examples:
  masir unlink --site shop --visitor 3f1c9a --user anna@example.com
  masir unlink --site shop --visitor 3f1c9a --user anna@example.com --again    (they belong together after all)
"""


@click.command(epilog=EXAMPLES)
@click.option("--site", required=True, help="The site that knows both.")
@click.option("--visitor", required=True, help="The id of the browser, device or app.")
@click.option("--user", required=True, help="The user whom it does not belong to.")
@click.option("--again", is_flag=True, help="Take that back: what hits say of the two holds again.")
@click.option("--data", metavar="DIR", help="The data directory.  [default: the setting `data`]")
def unlink(site: str, visitor: str, user: str, again: bool, data: str | None) -> None:
    """Say that a visitor does not belong to a user, whatever hits say, before and after.

    Sessions, stages, signals and credits that came without a user id go back to the visitor; what names the user
    stays with the user. Works beside a running Masir; without one it takes effect at the next start.
    """
    settings = settings_of(data=data)
    now_ms = time.time_ns() // 1_000_000
    key = f"{site}{SEPARATOR}{visitor}"
    word = WordColumns([key], [user], [now_ms], [not again])
    message = Touchpoints("operator", None, words=word)
    value = msgspec.msgpack.encode(message)
    try:
        if settings.broker:
            asyncio.run(send_as_operator(settings, TOUCHPOINTS.name, key, value, now_ms=now_ms))
        else:
            _append(Path(settings.data) / DATABASE, key, value, now_ms)
    except KNOWN_ERRORS as error:
        raise told(error) from error
    click.echo(
        f"visitor {visitor} and user {user} of {site} are {'linked again' if again else 'no longer linked'}"
    )


def _append(path: Path, key: str, value: bytes, now_ms: int) -> None:
    if not path.exists():
        raise Wrong(f"{path.parent} is no data directory of Masir: there is no {DATABASE}")
    with closing(Log(path)) as log:
        partitions = log.partitions(TOUCHPOINTS.name)
        if partitions is None:
            raise Wrong(f"{path} has no topic {TOUCHPOINTS.name}: start Masir once")
        with log.transaction():
            log.append(TOUCHPOINTS.name, partition_of(key, partitions), [value], now_ms=now_ms)
