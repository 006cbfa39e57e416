"""The channel that brought a hit, from its campaign and its referrer.

The rules are those of GA4's default channel group for manual traffic, first match wins, in any case of
letters (https://support.google.com/analytics/answer/9756891), mapped onto our closed list. What GA4 has and
we have not: Paid Shopping and Cross-network -> paid_search; Organic Shopping and AI Assistant -> referral;
Paid and Organic Video -> video; Mobile Push -> push; Audio, Paid Other, Unassigned -> other. What we have
and GA4 has not: app, chat, offline. docs/channels.md lists every rule and where and why it differs.

A campaign without source and medium leaves the channel to the referrer. Own domains, their subdomains, and
the host of the hit itself are not referrers. Any text is accepted; nothing raises.

:class:`Classifier` asks this and the other modules about a hit, and remembers answers to what repeats. It
remembers only what an answer depends on: of a page's url its host and, if it may name a campaign, its query;
of a referrer its host. So all pages of a shop share one entry. It shows in nothing but the time it takes.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, NamedTuple, get_args

from pipeline.core import devices, referrers
from pipeline.core.bots import BotDetector
from pipeline.core.campaigns import campaign_of, is_empty, query_of
from pipeline.core.devices import MAX_AGENT_CHARS, Device
from pipeline.core.referrers import Category
from pipeline.core.rules import Channel
from schemas.hit import Campaign

CACHE_ENTRIES = 16_384
QUERY_CACHE_ENTRIES = 4_096  # keeps whole urls, and most sites have few of them with a query that repeat

CHANNELS: Final[tuple[str, ...]] = get_args(Channel)


class Traffic(NamedTuple):
    """Where a hit came from. The fields after ``channel`` are those of the campaign, ``""`` without one."""

    channel: str
    source: str = ""
    medium: str = ""
    name: str = ""
    term: str = ""
    content: str = ""
    id: str = ""


_PAID = re.compile(r".*cp.*|ppc|retargeting|paid.*", re.DOTALL)
_SHOPPING_NAME = re.compile(r"(?:[^a-df-z]|^)shop|shopping")
_PAID_CHANNELS: Final[dict[Category, str]] = {
    "search": "paid_search",
    "shopping": "paid_search",
    "social": "paid_social",
    "video": "video",
}
_ORGANIC_CHANNELS: Final[dict[Category, str]] = {
    "search": "organic_search",
    "social": "organic_social",
    "video": "video",
}
_MEDIA: Final = {
    name: channel
    for channel, names in {
        "display": "display banner expandable interstitial cpm",
        "organic_social": "social social-network social-media sm organic-social",
        "organic_search": "organic organic-search",
        "referral": "referral link ai-assistant",
        "app": "app",
        "email": "email e-mail",
        "affiliate": "affiliate affiliates",
        "sms": "sms",
        "chat": "chat live-chat livechat chatbot",
        "offline": "offline print qr qr-code qrcode flyer poster billboard tv radio direct-mail in-store",
    }.items()
    for name in names.split()
}
_EMAIL_SOURCES = frozenset({"email", "e-mail", "e_mail", "e mail"})


def traffic(
    page: str, query: str, referrer: str, channel: str, campaign: Campaign | None, own_domains: frozenset[str]
) -> Traffic:
    """Where a hit came from. ``channel`` and ``campaign``, where given, hold against what the urls say.

    ``query``: the page's, see :func:`query_of`. ``own_domains``: as :func:`own` makes them.
    """
    if is_empty(campaign):
        campaign = campaign_of(query)
    fields = campaign or Campaign()
    if channel:
        found = given_channel(channel)
    else:
        found = campaign_channel(fields) or referrer_channel(referrer, page, own_domains)
    return Traffic(found, fields.source, fields.medium, fields.name, fields.term, fields.content, fields.id)


def own(domains: frozenset[str]) -> frozenset[str]:
    """The domains in the form in which hosts are compared."""
    return frozenset(referrers.bare(referrers.ascii_host(domain)) for domain in domains) - {""}


def given_channel(channel: str) -> str:
    """A channel that the sender named: ``Paid Search`` is paid_search; one outside the list is other."""
    name = re.sub(r"[\s-]+", "_", channel.strip().lower())
    return name if name in CHANNELS else "other"


def campaign_channel(campaign: Campaign) -> str:
    """The channel of a campaign; ``""`` if it names neither source nor medium."""
    source = campaign.source.strip().lower()
    medium = campaign.medium.strip().lower()
    name = campaign.name.lower()
    if not source and not medium:
        return ""
    if source in ("(direct)", "direct") and medium in ("", "(none)", "(not set)"):
        return "direct"
    if "cross-network" in name:
        return "paid_search"
    category = referrers.category_of_source(source)
    if _PAID.fullmatch(medium):
        return _paid(category, medium, name)
    return _unpaid(category, source, medium)


def _paid(category: Category, medium: str, name: str) -> str:
    if category in _PAID_CHANNELS:
        return _PAID_CHANNELS[category]
    if medium == "cpm":
        return "display"
    if _SHOPPING_NAME.search(name):
        return "paid_search"
    named = given_channel(medium)
    return named if named in ("paid_search", "paid_social") else "other"


def _unpaid(category: Category, source: str, medium: str) -> str:
    by_medium = _MEDIA.get(re.sub(r"[\s_]+", "-", medium), "")
    if by_medium == "display":
        return by_medium
    if category == "social" or by_medium == "organic_social":
        return "organic_social"
    if category == "video" or "video" in medium:
        return "video"
    if category == "search":
        return "organic_search"
    if by_medium in ("organic_search", "referral", "app"):
        return by_medium
    if source in _EMAIL_SOURCES:
        return "email"
    if by_medium:
        return by_medium
    if source == "sms":
        return "sms"
    if medium.endswith("push") or "mobile" in medium or "notification" in medium or source == "firebase":
        return "push"
    return "referral" if category in ("ai", "shopping") else "other"


def referrer_channel(referrer: str, page: str, own_domains: frozenset[str]) -> str:
    """The channel of a hit without a campaign. ``own_domains``: as :func:`own` makes them."""
    scheme, host = referrers.split(referrer)
    if not host or scheme not in ("", "http", "https", "android-app", "ios-app"):
        return "direct"
    page_host = referrers.bare(referrers.split(page)[1])
    if referrers.is_own(host, own_domains | {page_host} if page_host else own_domains):
        return "direct"
    fallback = "app" if scheme in ("android-app", "ios-app") else "referral"
    return _ORGANIC_CHANNELS.get(referrers.category_of_host(host), fallback)


class Classifier:
    """``own_domains``: those of the business. ``bot_patterns``: regular expressions, beside the known bots.

    ``cache_entries``: bound of each of its caches; 0 remembers nothing. Raises ValueError for a bad pattern.
    """

    def __init__(
        self,
        own_domains: Iterable[str] = (),
        bot_patterns: Iterable[str] = (),
        *,
        cache_entries: int = CACHE_ENTRIES,
    ) -> None:
        own_hosts = own(frozenset(own_domains))
        bots = BotDetector(bot_patterns)
        remember = lru_cache(maxsize=cache_entries)

        def find_traffic(
            page: str, query: str, referrer: str, channel: str, campaign: Campaign | None
        ) -> Traffic:
            return traffic(page, query, referrer, channel, campaign, own_hosts)

        def find_device(user_agent: str) -> Device:
            return devices.device(user_agent, bots)

        self._query: Callable[[str], str] = lru_cache(maxsize=min(cache_entries, QUERY_CACHE_ENTRIES))(
            query_of
        )
        self._traffic: Callable[[str, str, str, str, Campaign | None], Traffic] = remember(find_traffic)
        self._device: Callable[[str], Device] = remember(find_device)

    def traffic(
        self, url: str, referrer: str, channel: str = "", campaign: Campaign | None = None
    ) -> Traffic:
        """Where one hit came from: :func:`traffic`."""
        return self.traffic_of(origin(url), self.query(url), origin(referrer), channel, campaign)

    def query(self, url: str) -> str:
        """The part of a url in which a campaign stands; "" without one."""
        return self._query(url) if "?" in url else ""

    def traffic_of(
        self, page: str, query: str, sender: str, channel: str = "", campaign: Campaign | None = None
    ) -> Traffic:
        """The same of what decides: the origins of page and referrer, and the page's query."""
        # Most people go from page to page of a site: then the referrer says nothing.
        if sender == page:
            sender = ""
        if sender or query or channel or campaign is not None:
            return self._traffic(page if sender else "", query, sender, channel, campaign)
        return _DIRECT

    def device(self, user_agent: str) -> Device:
        """Who sent a hit: :func:`pipeline.core.devices.device`."""
        if len(user_agent) > MAX_AGENT_CHARS:
            user_agent = user_agent[:MAX_AGENT_CHARS]
        return self._device(user_agent)


_DIRECT: Final = Traffic("direct")


def language(tags: str) -> str:
    """The first tag of an Accept-Language header, or the tag alone, in lower case: ``en-us``."""
    return tags.partition(",")[0].partition(";")[0].strip().lower()


def origin(url: str) -> str:
    """As much of a url as its host needs, and a character that ends a host; "" of no url."""
    if not url:
        return ""
    if url.startswith(("https://", "http://")):
        end = url.find("/", 8) + 1
        if end:
            return url[:end]
    return url + "?"
