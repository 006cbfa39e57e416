"""The hit: any action a person takes at a touchpoint. Leaves a tracker, enters the topic ``hits``.

Event names follow GA4's recommended events. Limits are those of the contract; msgspec checks them while it decodes.
"""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Raw, Struct

MAX_HIT_BYTES = 65_536
MAX_URL_CHARS = 2_048  # longer urls and referrers are cut, and the cut is counted
MAX_PROPS_KEYS = 64
MAX_PROPS_BYTES = 8_192

ABSENT = Raw(b"")

Site = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}(?!\n)$")]
EventName = Annotated[str, Meta(min_length=1, max_length=64)]
Id = Annotated[str, Meta(max_length=128)]
HitId = Annotated[str, Meta(max_length=64)]
Short = Annotated[str, Meta(max_length=256)]
Time = Annotated[int, Meta(ge=0)] | Annotated[datetime, Meta(tz=True)]
Amount = Annotated[float, Meta(ge=-1e12, le=1e12)]


class Campaign(Struct, frozen=True, gc=False):
    """The six campaign fields; each is known by its utm name (``id`` is utm_id)."""

    source: Short = ""
    medium: Short = ""
    name: Short = ""
    term: Short = ""
    content: Short = ""
    id: Short = ""


class Hit(Struct, gc=False):
    """One hit as it was sent. ``time``, ``sent_time``, ``received_time``: ms since the epoch or RFC 3339."""

    site: Site
    event: EventName
    visitor_id: Id | None = None
    user_id: Id | None = None
    hit_id: HitId | None = None
    time: Time | None = None
    sent_time: Time | None = None
    received_time: Time | None = None
    url: str | None = None
    referrer: str | None = None
    title: Annotated[str, Meta(max_length=512)] | None = None
    channel: Annotated[str, Meta(max_length=32)] | None = None
    campaign: Campaign | None = None
    revenue: Amount | None = None
    currency: Annotated[str, Meta(pattern=r"^[A-Za-z]{3}(?!\n)$")] | None = None
    order_id: Id | None = None
    items: Raw = ABSENT  # JSON as it came; b"" when absent
    score: float | None = None
    scale: float | None = None
    user_agent: Annotated[str, Meta(max_length=4_096)] | None = None
    ip: Annotated[str, Meta(max_length=64)] | None = None
    language: Annotated[str, Meta(max_length=64)] | None = None
    country: Annotated[str, Meta(max_length=64)] | None = None
    screen: Annotated[str, Meta(max_length=32)] | None = None
    props: Raw = ABSENT
