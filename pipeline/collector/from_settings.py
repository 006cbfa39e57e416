"""The collector's parts as the settings describe them; the same for every way to run one."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pipeline.collector.addresses import networks
from pipeline.collector.countries import nowhere, open_countries
from pipeline.collector.entrance import Entrance
from pipeline.collector.gate import SiteGate
from pipeline.collector.limits import Limits
from pipeline.collector.privacy import PrivacyRules
from pipeline.collector.rates import Rates
from pipeline.collector.salts import Salts
from pipeline.collector.sites.reading import SitesError
from pipeline.collector.sites.registry import Denial, Registry
from pipeline.collector.sites.site import Site, zones_of
from pipeline.collector.sites.watching import Watched
from pipeline.core.model_check import ModelError
from pipeline.model_files import model_names
from pipeline.settings import Settings, SettingsError
from pipeline.zones import zone_of

HOUR_MS = 3_600_000


class Parts(NamedTuple):
    """``watched``: None without a registry; whoever runs the collector refreshes it now and then."""

    entrance: Entrance
    limits: Limits
    salts: Salts
    watched: Watched | None


def watch_sites(
    settings: Settings,
    environ: Mapping[str, str] = os.environ,
    *,
    on_change: Callable[[Registry], object] = lambda _: None,
) -> Watched | None:
    """The registry that the setting ``sites`` names; SettingsError if it is wrong."""
    if not settings.sites:
        return None
    try:
        models = model_names(settings.models)
    except (OSError, ModelError) as error:
        raise SettingsError(f"models: {error}") from error
    try:
        return Watched(Path(settings.sites), environ, models=models, on_change=on_change)
    except SitesError as error:
        raise SettingsError(f"sites: {error}") from error


def sites_of(settings: Settings) -> list[Site]:
    """The sites of the registry as it stands now; none without one. SettingsError if it is wrong."""
    watched = watch_sites(settings)
    return list(watched.current.sites.values()) if watched else []


def zone_finder(settings: Settings) -> Callable[[str], ZoneInfo]:
    """Site -> its time zone."""
    named = zones_of(sites_of(settings))
    return lambda site: zone_of(named.get(site, settings.time_zone))


def parts_of(
    settings: Settings, watched: Watched | None, *, denied: Callable[[Denial], object] = lambda _: None
) -> Parts:
    """``denied``: counts who was not let in. SettingsError names the setting that is wrong."""
    try:
        countries = open_countries(Path(settings.country_database)) if settings.country_database else nowhere
    except ValueError as error:
        raise SettingsError(str(error)) from error
    gate = SiteGate(
        lambda: watched.current if watched else None,
        rules=PrivacyRules(
            ip=settings.ip,
            do_not_track=settings.do_not_track,
            consent=settings.consent,
            email_ids=settings.email_ids,
        ),
        countries=countries,
        denied=denied,
        backdate_ms=round(settings.backdate_hours * HOUR_MS),
    )
    entrance = Entrance(
        gate,
        address_rates=Rates(settings.address_hits_per_second),
        site_rates=Rates(settings.site_hits_per_second),
        proxies=networks(settings.trusted_proxies),
        denied=denied,
    )
    limits = Limits(max_backlog=settings.max_backlog_hits, publish_timeout_s=settings.publish_timeout_seconds)
    return Parts(entrance, limits, Salts(Path(settings.data)), watched)
