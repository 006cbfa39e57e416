"""The registry that the settings name, as it stands now: also for those who take no hits, so without HTTP."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.collector.sites.reading import SitesError
from pipeline.collector.sites.registry import Registry
from pipeline.collector.sites.site import Site, zones_of
from pipeline.collector.sites.watching import Watched
from pipeline.core.model_check import ModelError
from pipeline.model_files import model_names
from pipeline.settings import Settings, SettingsError
from pipeline.zones import zone_of


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
