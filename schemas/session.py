"""The session: a person's activity with no pause longer than the timeout. From the sessionizer to ``sessions``."""

from msgspec import Struct


class SessionFact(Struct, frozen=True, array_like=True, gc=False):
    """What the counters are told of a closed session, summed up. A correction takes the old one back (``sign`` -1).

    ``context``: what the session took from its first hit, as ``pipeline.core.session`` packs it.
    """

    site: str
    channel: str
    close_time: int  # end + timeout, ms
    duration_ms: int
    counted: bool  # has a view, so it counts in the bounce rate
    bounced: bool
    converted: bool
    revenue_micros: int
    context: str = ""
    sign: int = 1


class Session(Struct, gc=False):
    """One change of one session. The newest ``version`` of a ``session_id`` holds; ``withdrawn`` takes it away."""

    session_id: str
    site: str
    visitor_id: str
    user_id: str
    person_id: str
    start_time: int
    end_time: int  # the last hit; inclusive
    duration_ms: int
    hits: int
    page_views: int
    entry_url: str
    exit_url: str
    referrer: str
    channel: str
    campaign_source: str
    campaign_medium: str
    campaign_name: str
    campaign_term: str
    campaign_content: str
    campaign_id: str
    device: str
    browser: str
    os: str
    country: str
    language: str
    bounced: bool
    converted: bool
    conversions: int
    revenue_micros: int
    closed: bool
    withdrawn: bool
    version: int


class SessionMove(Struct, array_like=True, gc=False):
    """Hits that were stored under ``old_id`` belong to ``session_id`` (a late hit moved its start, or merged it).

    To several sessions, where it was split: from ``starts[n]`` ms on to ``ids[n]``; ``session_id`` is the last of them.
    """

    site: str
    old_id: str
    session_id: str
    version: int
    starts: list[int] = []
    ids: list[str] = []
