"""The collector's parts as the settings describe them; the same for every way to run one."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pipeline.collector.addresses import networks
from pipeline.collector.countries import nowhere, open_countries
from pipeline.collector.entrance import Entrance
from pipeline.collector.gate import SiteGate
from pipeline.collector.limits import Limits
from pipeline.collector.privacy import PrivacyRules
from pipeline.collector.rates import Rates
from pipeline.collector.salts import Salts
from pipeline.collector.sites.registry import Denial
from pipeline.collector.sites.watching import Watched
from pipeline.settings import Settings, SettingsError

HOUR_MS = 3_600_000


class Parts(NamedTuple):
    """``watched``: None without a registry; whoever runs the collector refreshes it now and then."""

    entrance: Entrance
    limits: Limits
    salts: Salts
    watched: Watched | None


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
