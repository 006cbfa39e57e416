"""Followers of sessions with options, and what the oracle must know of them."""

from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from session_kit import Follower, rules
from session_oracle import Options

from pipeline.core.channels import Classifier
from pipeline.core.parts import Splits
from pipeline.core.site_rules import SiteRules

BERLIN, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")


def sites_of(**zones: ZoneInfo) -> SiteRules:
    sites = SiteRules()
    sites.put({}, Classifier(), zones=zones)
    return sites


def follower_of(
    splits: Splits, lateness_ms: int | None = None, zone: tzinfo = UTC_ZONE, **more: object
) -> Follower:
    return Follower(
        rules(lateness_ms, splits=splits._replace(zone=zone), sites=sites_of(blog=BERLIN), **more)
    )


def options_of(splits: Splits, zone: tzinfo = UTC_ZONE) -> Options:
    return Options(
        {"shop": zone, "blog": BERLIN} if splits.midnight else {}, splits.campaign, splits.longest_ms
    )


def ms(text: str, zone: ZoneInfo) -> int:
    """A local time, as 2026-03-29 23:59:59.999."""
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)
