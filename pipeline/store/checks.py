"""The batch side of "stream equals batch": SQL that recomputes what the stream said, from the stored hits
alone.

Each check gives the rows that differ as (``key``, ``stream``, ``batch``): tuples with named fields;
``stream`` or ``batch`` is null where that side has no such row. No rows: both say the same. Nothing of
``pipeline.core`` is used here.

Sessions are told apart by site, visitor and start: ClickHouse has no BLAKE2b, so the id itself is not
recomputed, but every hit must carry the id of the very session that its time puts it into. A session counts
as final if the stream has closed it, or if its partition has seen a hit so much later that it should have
been closed; rows of the others are still to come while hits flow in. With a table's TTL set, older rows are
gone and the checks that need them fail.
"""

from typing import Final, NamedTuple

from pipeline.core.persons.identity import MOST_VISITORS
from pipeline.store.cuts import CAMPAIGN, IS_NAMED, Cuts, numbered
from pipeline.store.sql import differing, named_tuple

_VISITOR = "if(visitor_id != '', concat('v', visitor_id), concat('u', user_id))"
_HITS_IN_SESSIONS = f"""
    SELECT
        *,
        {_VISITOR} AS visitor,
        toUnixTimestamp64Milli(event_time) AS at,
        event IN ('page_view', 'screen_view') AS is_view
    FROM hits
    WHERE outcome = 'sessionized'
    """
_FROM_THE_FIRST_HIT = [
    "referrer", "channel", "campaign_source", "campaign_medium", "campaign_name", "campaign_term",
    "campaign_content", "campaign_id", "device", "browser", "os", "country", "language",
]  # fmt: skip
_BOUNCED = {
    "pages": "page_views = 1",
    "plausible": "page_views = 1 AND hits = 1",
    "ga4": "page_views = 1 AND duration_ms < 10000 AND conversions = 0",
}

_KEY = "site, visitor, start_time"
_SESSION_VALUES = (
    "user_id, person_id, end_time, duration_ms, hits, page_views, entry_url, exit_url, "
    + ", ".join(_FROM_THE_FIRST_HIT)
    + ", bounced, converted, conversions, revenue"
)


class Rules(NamedTuple):
    """What the recomputation must know of the settings. ``final_after_ms``: so long after its end, in the partition's
    time, a row may still be on its way.
    """

    timeout_ms: int = 1_800_000
    bounce: str = "pages"
    pane_ms: int = 10_000
    cuts: Cuts = Cuts()
    most_visitors: int = MOST_VISITORS
    final_after_ms: int = 60_000

    @property
    def crowded(self) -> str:
        """A query for the users who have as many visitors as they may: further ones are not linked to them."""
        linked = "SELECT site, user_id FROM links GROUP BY site, user_id"
        return f"{linked} HAVING count() >= {self.most_visitors}"


PERSON: Final = "site, person_id"
VISITOR: Final = "site, if(visitor_id != '', visitor_id, user_id)"


class Check(NamedTuple):
    """``sql`` gives the differing rows. ``models``: rows of the model ``M`` are those of the check ``name.M``.

    ``shorter``: says the same as long as the checks ``given`` have found nothing, since it believes what they compared.
    ``by``: rows with different values of it can be checked one after the other.
    """

    name: str
    sql: str
    models: tuple[str, ...] = ()
    shorter: str = ""
    given: tuple[str, ...] = ()
    by: str = ""


def checks(rules: Rules) -> list[Check]:
    """All of them, in the order of the way."""
    return [
        Check("ledger", _ledger()),
        Check("sessions", _sessions(rules), by=VISITOR),
        Check("hits.session_id", _session_of_hit(rules)),
        Check(
            "counters",
            _counters(rules, f"SELECT * FROM ({batch_sessions(rules)}) WHERE ({_KEY}) IN ({_closed_keys()})"),
            shorter=_counters(rules, f"SELECT * FROM ({_stream_sessions()}) WHERE closed = 1"),
            given=("sessions",),
        ),
    ]


def batch_sessions(rules: Rules) -> str:
    """A query: the sessions that the stored hits make.

    A gap of exactly the timeout parts nothing; at equal times a url goes before none. Where campaigns part sessions,
    the first hit that names one tells where the session came from.
    """
    first = ", ".join(["at", "url = ''", "url", *_FROM_THE_FIRST_HIT])
    source = (
        f"min((NOT {IS_NAMED}, at, {CAMPAIGN}, ({first}))).4" if rules.cuts.campaign else f"min(({first}))"
    )
    from_source = ", ".join(
        f"source.{place} AS {name}" for place, name in enumerate(_FROM_THE_FIRST_HIT, start=4)
    )
    return f"""
    SELECT
        site, visitor, began AS start_time, ended AS end_time, end_time - start_time AS duration_ms,
        latest_user.2 AS user_id, if(user_id != '', user_id, substring(visitor, 2)) AS person_id,
        hits_in_all AS hits, views AS page_views,
        if(views > 0, first_view.3, first.3) AS entry_url, if(views > 0, last_view.2, last.2) AS exit_url,
        {from_source},
        goals AS conversions, goals > 0 AS converted, {_BOUNCED[rules.bounce]} AS bounced,
        earned AS revenue, a_partition AS source_partition
    FROM
    (
        SELECT
            site, visitor, number,
            min(at) AS began, max(at) AS ended,
            count() AS hits_in_all, countIf(is_view) AS views, countIf(goal = 1) AS goals,
            min(({first})) AS first, {source} AS source, max((at, url)) AS last,
            minIf((at, url = '', url), is_view) AS first_view, maxIf((at, url), is_view) AS last_view,
            maxIf((at, user_id), user_id != '') AS latest_user,
            toDecimal128(ifNull(sumIf(revenue, goal = 1), 0), 6) AS earned,
            any(source_partition) AS a_partition
        FROM ({numbered(_HITS_IN_SESSIONS, rules.timeout_ms, rules.cuts)})
        GROUP BY site, visitor, number
    )
    """


def _stream_sessions() -> str:
    return f"""
    SELECT
        * REPLACE (
            toUnixTimestamp64Milli(start_time) AS start_time,
            toUnixTimestamp64Milli(end_time) AS end_time,
            toDecimal128(revenue, 6) AS revenue
        ),
        {_VISITOR} AS visitor
    FROM sessions
    """


def _horizon() -> str:
    """Per partition, the latest time of a hit: its watermark is not far behind."""
    return """
    SELECT source_partition, max(toUnixTimestamp64Milli(event_time)) AS latest
    FROM hits_rows
    WHERE outcome != 'late'
    GROUP BY source_partition
    """


def _sessions(rules: Rules) -> str:
    batch = f"""
    SELECT b.*, b.end_time + {rules.timeout_ms + rules.final_after_ms} < h.latest AS is_final
    FROM ({_owned_sessions(rules)}) AS b
    LEFT ANY JOIN ({_horizon()}) AS h ON h.source_partition = b.source_partition
    """
    stream = f"SELECT *, closed AS is_final FROM ({_stream_sessions()})"
    return _difference(_KEY, _SESSION_VALUES, stream, batch)


def _owned_sessions(rules: Rules) -> str:
    """The recomputed sessions, each with the person whose it is."""
    return f"""
    SELECT
        b.* REPLACE (
            if(
                b.user_id != '' OR empty(o.owners),
                b.person_id,
                o.owners[greatest(1, arrayCount(owner -> owner.1 <= b.start_time, o.owners))].2
            ) AS person_id
        )
    FROM ({batch_sessions(rules)}) AS b
    LEFT ANY JOIN ({_owners()}) AS o ON o.of_site = b.site AND o.of_visitor = b.visitor
    """


def batch_visits(rules: Rules) -> str:
    """A query: the recomputed sessions that the stream has closed: when it did so depends on watermarks."""
    return f"""
    SELECT site, person_id, start_time, end_time
    FROM ({_owned_sessions(rules)})
    WHERE ({_KEY}) IN ({_closed_keys()})
    """


def stream_visits() -> str:
    """A query: the sessions that the stream has closed, as :func:`batch_visits` has them."""
    return f"SELECT site, person_id, start_time, end_time FROM ({_stream_sessions()}) WHERE closed = 1"


def _closed_keys() -> str:
    return f"SELECT {_KEY} FROM ({_stream_sessions()}) WHERE closed = 1"


def _owners() -> str:
    """Per visitor its owners by time: the links, which have a check of their own."""
    return """
    SELECT
        site AS of_site, concat('v', visitor_id) AS of_visitor,
        arraySort(groupArray((toUnixTimestamp64Milli(links.since), user_id))) AS owners
    FROM links
    GROUP BY site, visitor_id
    """


def _session_of_hit(rules: Rules) -> str:
    """Every hit names a session of its own visitor whose interval holds it, unless that is yet to be said."""
    return f"""
    SELECT
        (h.site, h.hit_id, h.source_partition, h.source_offset)
            ::Tuple(site String, hit_id String, source_partition UInt32, source_offset UInt64) AS key,
        (h.session_id, h.visitor, h.at)::Tuple(session_id String, visitor String, event_time Int64) AS stream,
        if(
            s.session_id = '',
            NULL,
            (s.session_id, s.visitor, s.start_time, s.end_time)
                ::Tuple(session_id String, visitor String, start_time Int64, end_time Int64)
        ) AS batch
    FROM ({_HITS_IN_SESSIONS}) AS h
    LEFT ANY JOIN ({_stream_sessions()}) AS s ON s.site = h.site AND s.session_id = h.session_id
    LEFT ANY JOIN ({_horizon()}) AS p ON p.source_partition = h.source_partition
    WHERE (s.session_id = '' AND h.at + {rules.final_after_ms} < p.latest)
        OR (s.session_id != '' AND s.visitor != h.visitor)
        OR (s.closed = 1 AND (h.at < s.start_time OR h.at > s.end_time))
    """


def _counters(rules: Rules, closed: str) -> str:
    """``closed``: a query of those sessions that the stream has closed: when it did so depends on watermarks."""
    values = "sessions, counted, bounced, converted, duration_ms, revenue"
    batch = f"""
    SELECT
        site, channel, closes - closes % {rules.pane_ms} AS pane_start,
        1 AS is_final, count() AS sessions, countIf(page_views > 0) AS counted, countIf(bounced) AS bounced,
        countIf(converted) AS converted, sum(duration_ms) AS duration_ms, sum(revenue) AS revenue
    FROM (SELECT *, end_time + {rules.timeout_ms} AS closes FROM ({closed}))
    GROUP BY site, channel, pane_start
    """
    stream = """
    SELECT
        * REPLACE (toUnixTimestamp64Milli(pane_start) AS pane_start, toDecimal128(revenue, 6) AS revenue),
        1 AS is_final
    FROM counters
    WHERE channel != 'all'
    """
    return _difference("site, channel, pane_start", values, stream, batch)


def _ledger() -> str:
    """Each outcome of which rows are kept, per site. Duplicates leave no row: nothing to count them by."""
    batch = """
    SELECT site, outcome, count() AS hits, 1 AS is_final FROM hits GROUP BY site, outcome
    UNION ALL
    SELECT site, 'dead_letter' AS outcome, count() AS hits, 1 AS is_final FROM dead_letters GROUP BY site
    """
    stream = "SELECT site, outcome, hits, 1 AS is_final FROM ledger WHERE outcome != 'duplicate'"
    return _difference("site, outcome", "hits", stream, batch)


def _difference(key: str, values: str, stream: str, batch: str) -> str:
    """Of two queries by the columns ``key`` and ``values``; both have a column ``is_final``."""
    return differing(stream, batch, key=named_tuple(key), value=named_tuple(values), is_final="is_final")
