"""Where a hit came from, of its whole urls and without a memory."""

from pipeline.core import channels
from pipeline.core.campaigns import query_of
from schemas.hit import Campaign


def traffic(
    url: str,
    referrer: str,
    *,
    channel: str = "",
    campaign: Campaign | None = None,
    own_domains: frozenset[str],
) -> channels.Traffic:
    """As a :class:`channels.Classifier` must say it."""
    return channels.traffic(url, query_of(url), referrer, channel, campaign, channels.own(own_domains))
