"""``masir verify``: stream equals batch, or the rows where it does not."""

import asyncio
from contextlib import closing, nullcontext
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from pipeline.cli.runner import KNOWN_ERRORS, is_terminal, settings_of, told, visible
from pipeline.collector.sites.in_force import sites_of
from pipeline.collector.sites.site import models_of, zones_of
from pipeline.core.models import load as load_models
from pipeline.model_files import texts_in_force
from pipeline.settings import Settings
from pipeline.store.checks import Rules
from pipeline.store.client import Reader
from pipeline.store.cuts import Cuts
from pipeline.store.migrations import check_applied
from pipeline.store.place import reader_of
from pipeline.store.query_socket import SocketReader
from pipeline.store.verify import Difference, Found, settled
from pipeline.store.verify import verify as verify_store
from pipeline.store.verify_person_rows import person_row_check
from pipeline.store.verify_persons import person_checks
from pipeline.store.verify_signals import SignalSources, signal_check
from pipeline.store.verify_transitions import transition_check
from pipeline.transport.erasures import ErasureRequests
from pipeline.transport.log import DATABASE

SUMS = ("counters", "ledger")  # checks of what stays when a person is erased
WRITTEN_WITHIN_SECONDS = 60.0  # of the time at which a row should be written
MAIN_SETTINGS = ("session_timeout_seconds", "bounce")
SETTINGS = (  # what is recomputed follows them; named where they are not as by default
    *MAIN_SETTINGS, "session_preset", "split_midnight", "split_campaign", "session_max_hours", "time_zone",
    "pane_seconds", "person_max_visitors", "models", "sites", "cancel_urls", "churn_thresholds", "churn_weights",
    "churn_end_days", "churn_regress_models",
)  # fmt: skip
SETTLE_SECONDS = (3.0, 6.0, 12.0)  # between one look at a running pipeline and the next

EXAMPLES = """
\b
Examples:
  masir verify
  masir verify --data masir-data --json | jq .differences
"""


@click.command(epilog=EXAMPLES)
@click.option("--data", metavar="DIR", help="The data directory.  [default: the setting `data`]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def verify(context: click.Context, data: str | None, as_json: bool) -> None:
    """Recompute sessions, bounces, conversions, transitions, persons, links of ids, attribution, signs of leaving,
    counters and the ledger from the stored rows, in SQL, and compare them with what the stream said, row by row.

    Exit code 0: they agree. 1: they do not, and the rows are shown.
    """
    settings = settings_of(data=data)
    moving = (
        Console(stderr=True).status("recomputing from the stored hits") if is_terminal() else nullcontext()
    )
    try:
        with closing(reader_of(settings)) as reader, moving:
            check_applied(reader)
            found = _verify(reader, settings)
    except KNOWN_ERRORS as error:
        raise told(error) from error
    differences = [difference for of_check in found.values() for difference in of_check]
    if as_json:
        summary = {
            "agrees": not differences,
            "checks": {check: len(of_check) for check, of_check in found.items()},
            "differences": differences,
        }
        click.echo(msgspec.json.encode(summary))
    else:
        _show(found, differences)
        if differences:
            click.echo(f"Recomputed with {_named(settings)}.")
            click.echo("Rows that were made with other settings, or by an older Masir, differ like this.")
    context.exit(1 if differences else 0)


def _verify(reader: Reader, settings: Settings) -> Found:
    sites, splits = sites_of(settings), settings.splits
    cuts = Cuts(splits.midnight, splits.campaign, splits.longest_ms, settings.time_zone, zones_of(sites))
    late_seconds = settings.out_of_orderness_seconds + settings.session_update_seconds
    rules = Rules(
        settings.timeout_ms,
        settings.bounce,
        settings.pane_ms,
        cuts,
        settings.person_max_visitors,
        round((late_seconds + settings.store_flush_seconds + WRITTEN_WITHIN_SECONDS) * 1000),
    )
    sources = SignalSources(rules, settings.signal_rules, settings.cancel_urls, settings.churn_regress_models)
    models = load_models(texts_in_force(settings.models), models_of(sites))
    more = [
        transition_check(models),
        *person_checks(rules),
        signal_check(sources),
        person_row_check(sources, models),
    ]
    is_live = isinstance(reader, SocketReader) or bool(settings.clickhouse)
    return settled(
        lambda again: _without_erased(verify_store(reader, rules, more, again=again), settings),
        SETTLE_SECONDS if is_live else (),
    )


def erased(settings: Settings) -> set[str]:
    """Sites of which somebody was erased: their sums still count that person, and cannot be recomputed."""
    data, sites = Path(settings.data), set[str]()
    if settings.broker:
        from pipeline.transport.kafka.control import erased_sites  # Kafka costs a tenth of a second

        sites = asyncio.run(erased_sites(settings))
    elif (data / DATABASE).exists():
        sites = ErasureRequests(data).sites()
    if sites:
        sites.add("")  # of dead letters in which no site can be read
    return sites


def _without_erased(found: Found, settings: Settings) -> Found:
    sites = erased(settings) if any(found.get(check) for check in SUMS) else set()
    return {
        check: [one for one in of_check if check not in SUMS or one.key.get("site") not in sites]
        for check, of_check in found.items()
    }


def _show(found: Found, differences: list[Difference]) -> None:
    console = Console(markup=False, emoji=False)
    summary = Table("check", "rows that differ", title="Stream equals batch?")
    for check, of_check in found.items():
        summary.add_row(check, str(len(of_check)) if of_check else "none")
    console.print(summary)
    if not differences:
        return
    rows = Table("check", "row", "the stream says", "batch says", title="Differences")
    for difference in differences:
        rows.add_row(
            difference.check, _text(difference.key), _text(difference.stream), _text(difference.batch)
        )
    console.print(rows)


def _named(settings: Settings) -> str:
    usual = Settings()
    values = {name: getattr(settings, name) for name in SETTINGS}
    return ", ".join(
        f"{name} = {value}"
        for name, value in values.items()
        if name in MAIN_SETTINGS or value != getattr(usual, name)
    )


def _text(value: dict[str, object] | None) -> str:
    if value is None:
        return "no such row"
    return "\n".join(visible(f"{name} = {field}") for name, field in value.items())
