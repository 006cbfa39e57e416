"""``masir tail``: access logs as they are written, to a collector or into a data directory."""

import asyncio
import signal
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from pipeline.cli.runner import KNOWN_ERRORS, settings_of, told
from pipeline.sources.errors import SourceError
from pipeline.sources.follow import GRACE_S
from pipeline.sources.mapping import nested, parse_mapping
from pipeline.sources.replay import Pace, Replay, ReplayError, Summary
from pipeline.sources.tail import Memory, Tail
from pipeline.sources.targets import key_of, open_target

TO = "http://127.0.0.1:8088"
POLL_S = 0.5
_FILE = click.Path(dir_okay=False, path_type=Path)
_EXAMPLES = """
\b
Examples:
  masir tail /var/log/nginx/access.log --site www.example.com
  masir tail /var/log/apache2/access.log --site www.example.com --to http://collector:8088
  masir tail /var/log/nginx/access.log --site www.example.com --to sqlite:///var/lib/masir/masir.db --once
"""


@click.command(epilog=_EXAMPLES)
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=_FILE)
@click.option("--site", required=True, help="Site of the hits; also the host of urls where the log has none.")
@click.option("--to", default=TO, show_default=True, help="http://HOST:PORT, or sqlite:///PATH of a broker.")
@click.option(
    "--state", type=_FILE, help="Where it keeps how far it is.  [default: tail.json in the data directory]"
)
@click.option(
    "--key-file", type=_FILE, help="A file with a server key of the site, where the collector wants one."
)
@click.option("--set", "sets", multiple=True, metavar="FIELD=VALUE", help="A constant of each hit.")
@click.option(
    "--from-end", is_flag=True, help="Leave out what a file has when it is seen for the first time."
)
@click.option("--once", is_flag=True, help="Stop at the end of the files.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def tail(**options: Any) -> None:
    """Send the page views of nginx's or Apache's access logs as they are written, until Ctrl-C.

    Goes on where it stopped, also after kill -9, and across rotations. What was acknowledged counts once.
    """
    try:
        asyncio.run(_run(_Options(**options)))
    except ReplayError as error:
        raise click.ClickException(str(error)) from error
    except KNOWN_ERRORS as error:
        raise told(error) from error


class _Options(NamedTuple):
    files: tuple[Path, ...]
    site: str
    to: str
    state: Path | None
    key_file: Path | None
    sets: tuple[str, ...]
    from_end: bool
    once: bool
    as_json: bool


async def _run(options: _Options) -> None:
    if options.once and (missing := [str(path) for path in options.files if not path.exists()]):
        raise SourceError("there is no such file", missing[0])
    constants = nested(parse_mapping((), (*options.sets, f"site={options.site}")).constants)
    state = options.state or Path(settings_of().data) / "tail.json"
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with closing(Memory(state)) as memory:
        async with open_target(options.to, key_of(options.key_file)) as target:
            replay = Replay(target, pace=Pace(), patience_s=float("inf"))
            sent = Summary()

            async def deliver(hits: list[bytes]) -> None:
                nonlocal sent
                sent = await replay.run(((0, hit) for hit in hits), first_ms=0)

            tail = Tail(
                options.files,
                memory,
                constants=constants,
                deliver=deliver,
                clock=time.monotonic,
                from_end=options.from_end,
                grace_s=0.0 if options.once else GRACE_S,
                told=lambda text: click.echo(text, err=True),
            )
            with closing(tail):
                await _until(stop, _follow(tail, stop, once=options.once))
    _report(tail, sent, as_json=options.as_json)


async def _follow(tail: Tail, stop: asyncio.Event, *, once: bool) -> None:
    while not stop.is_set():
        if await tail.step():
            continue
        if once:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), POLL_S)


async def _until(stop: asyncio.Event, work: Any) -> None:
    """The work to its end, or until the signal; what is not acknowledged by then is sent at the next start."""
    running = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.done():
        running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def _report(tail: Tail, sent: Summary, *, as_json: bool) -> None:
    figures = {"lines": tail.lines, "hits": sent.hits, "accepted": sent.accepted, "refused": sent.refused}
    figures |= {"skipped": tail.skipped.total(), "retries": sent.retries}
    if as_json:
        click.echo(msgspec.json.encode(figures))
        return
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in tail.skipped.most_common()) or "none"
    click.echo(
        f"{tail.lines:,} lines read: {sent.accepted:,} hits accepted, {sent.refused:,} refused, "
        f"left out: {reasons}; {sent.retries:,} requests repeated"
    )
