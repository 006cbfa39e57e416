"""``masir sites``: checks the registry of sites, shows it, makes secret keys. Exit code 2 for a wrong file or name."""

from pathlib import Path
from typing import Any

import click
import msgspec

from pipeline.cli.runner import Wrong, settings_of
from pipeline.collector.sites import Registry, Site, SitesError, read_sites
from pipeline.collector.sites.keys import MIN_OWN_KEY_CHARS, hash_of, new_key
from pipeline.collector.sites.site import check_protocol
from pipeline.core.model_check import ModelError
from pipeline.model_files import model_names

_place = click.argument("place", required=False, metavar="[FILE]", type=click.Path(path_type=Path))


@click.group(epilog="Example: masir sites check sites.toml")
def sites() -> None:
    """Check and show the registry of sites: who may send, with which keys, under which rules."""


@sites.command(epilog="\b\nExamples:\n  masir sites check\n  masir sites check sites.toml")
@_place
def check(place: Path | None) -> None:
    """Check a FILE or directory of sites, by default that of the setting `sites`."""
    found, where = _read(place)
    registry = Registry(found, environ={})
    click.echo(f"{where}: {len(registry.sites)} sites are right")


@sites.command(epilog="\b\nExamples:\n  masir sites show\n  masir sites show sites.toml --json")
@_place
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(place: Path | None, as_json: bool) -> None:
    """Show the sites of a FILE or directory; of secrets, only that they are there."""
    found, _ = _read(place)
    if as_json:
        click.echo(msgspec.json.encode({"sites": [_as_json(site) for site in found]}))
        return
    for site in found:
        click.echo(site.name)
        for name, texts in _shown(site).items():
            click.echo(f"  {name:<12}  {', '.join(texts)}".rstrip())


@sites.command(
    epilog="\b\nExamples:\n  masir sites key segment\n  pass segment/key | masir sites key segment --own"
)
@click.argument("protocol", default="masir")
@click.option("--own", is_flag=True, help="Read a key that you have already from standard input.")
def key(protocol: str, own: bool) -> None:
    """Make a secret key of servers for a PROTOCOL: the key is shown once, its hash goes to the registry."""
    try:
        check_protocol(protocol)
    except ValueError as error:
        raise Wrong(str(error)) from error
    if own:
        secret = click.get_text_stream("stdin").readline().strip()
        if len(secret) < MIN_OWN_KEY_CHARS:
            raise Wrong(
                f"a secret key has at least {MIN_OWN_KEY_CHARS} characters: a short one can be guessed"
            )
    else:
        secret = new_key()
        click.echo(f"The key, for the server that sends: {secret}")
    click.echo("Into the site's table of the registry:")
    click.echo(f'  server_keys.{protocol} = ["{hash_of(secret)}"]')


def _read(place: Path | None) -> tuple[list[Site], Path]:
    settings = settings_of()
    named = settings.sites
    if place is None and not named:
        raise Wrong("there is no registry: name a file, or set `sites`")
    where = place or Path(named)
    try:
        return read_sites(where, model_names(settings.models)), where
    except (OSError, ModelError, SitesError) as error:
        raise Wrong(str(error)) from error


def _as_json(site: Site) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(site)
    plain["server_keys"] = {protocol: len(keys) for protocol, keys in site.server_keys.items()}
    plain["secrets"] = sorted(site.secrets)
    return plain


def _shown(site: Site) -> dict[str, list[str]]:
    settings = ["as the settings"]
    privacy = msgspec.to_builtins(site.privacy)
    return {
        "origins": [*site.origins] or ["any"],
        "own domains": settings if site.own_domains is None else [*site.own_domains] or ["none"],
        "browser keys": [f"{protocol} {key}" for protocol, keys in site.keys.items() for key in keys],
        "server keys": [f"{protocol}: {len(keys)}" for protocol, keys in site.server_keys.items()],
        "secrets": [*site.secrets],
        "goals": [*(site.goal_events or ()), *(site.goal_urls or ())] or settings,
        "currency": [site.currency or "none"],
        "time zone": [site.time_zone or settings[0]],
        "models": ["all"] if site.models is None else [*site.models] or ["none"],
        "privacy": [f"{name} {rule}" for name, rule in privacy.items() if rule] or settings,
    }
