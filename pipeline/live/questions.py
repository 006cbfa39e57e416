"""What the store is asked for the page: the views that everybody may ask, so its figures are those of ``masir sql``.

Each question runs on one thread and ends after MOST_SECONDS. ``site`` of "" is all sites. Times are ms UTC.
"""

from typing import Any, Final

from pipeline.store.client import Client

MOST_SECONDS = 20
MOST_PERSONS = 10_000  # of a list
MOST_EVENTS = 500  # of a timeline, the newest
HOUR_MS = 3_600_000

_MEANS: Final = f" SETTINGS max_threads = 1, max_execution_time = {MOST_SECONDS}"
_OF_SITE: Final = "({site:String} = '' OR site = {site:String})"
_OF_PERSON: Final = "site = {site:String} AND person_id = {person:String}"
_MINUTE: Final = "toUnixTimestamp(toStartOfMinute({}))"
_AFTER: Final = "fromUnixTimestamp64Milli({after:Int64}, 'UTC')"

_SESSIONS = f"""
SELECT {_MINUTE.format("pane_start")} AS minute, sum(sessions), sum(counted), sum(bounced), sum(converted)
FROM counters WHERE {_OF_SITE} AND pane_start > {_AFTER} AND pane_start <= {_AFTER} + INTERVAL 1 HOUR
GROUP BY minute ORDER BY minute"""
_HITS = f"""
SELECT {_MINUTE.format("event_time")} AS minute, count()
FROM hits WHERE {_OF_SITE} AND event_time > {_AFTER} GROUP BY minute ORDER BY minute"""
_LEDGER = f"SELECT outcome, toInt64(sum(hits)) FROM ledger WHERE {_OF_SITE} GROUP BY outcome ORDER BY outcome"
_AT_RISK = f"""
SELECT site, person_id, least(arraySum(arraySort(groupArray(latest.2))), 1) AS churn_score,
       arraySort(groupArray(toString(reason))) AS reasons, max(toUnixTimestamp64Milli(latest.3)) AS since
FROM
(
    SELECT site, person_id, reason, argMax((state, score, time), (time, ordinal)) AS latest
    FROM signals WHERE {_OF_SITE} GROUP BY site, person_id, reason HAVING latest.1 = 'raised'
)
GROUP BY site, person_id ORDER BY churn_score DESC, since DESC, site, person_id LIMIT {MOST_PERSONS}"""
_RECENT = f"""
SELECT site, person_id, 0 AS churn_score, [] AS reasons, max(toUnixTimestamp64Milli(end_time)) AS since
FROM sessions WHERE {_OF_SITE} GROUP BY site, person_id ORDER BY since DESC, site, person_id LIMIT {MOST_PERSONS}"""
_PERSON = f"""
SELECT user_id, toUnixTimestamp64Milli(first_seen), toUnixTimestamp64Milli(last_seen), sessions, orders,
       toFloat64(revenue), stages, churn_score, churn_reasons
FROM persons WHERE {_OF_PERSON}"""
_EVENTS = f"""
SELECT toUnixTimestamp64Milli(event_time) AS at, event, url, title, channel, toFloat64(revenue), currency, score, scale,
       campaign_name, JSONExtractString(props, 'metric'), session_id
FROM hits WHERE {_OF_PERSON} ORDER BY at DESC, event LIMIT {MOST_EVENTS}"""
_MOVES = f"""
SELECT toUnixTimestamp64Milli(time) AS at, model, from_stage, to_stage, kind
FROM transitions WHERE {_OF_PERSON} ORDER BY at DESC, model, ordinal DESC LIMIT {MOST_EVENTS}"""
_SIGNALS = f"""
SELECT toUnixTimestamp64Milli(time) AS at, reason, state, score
FROM signals WHERE {_OF_PERSON} ORDER BY at DESC, reason LIMIT {MOST_EVENTS}"""

LISTS: Final = {"risk": _AT_RISK, "recent": _RECENT}


class Questions:
    """Asks one connection; blocks, so it is for a thread. Raises StoreError."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def sections(self, site: str, pane_start: int | None) -> dict[str, Any]:
        """``hour``: per minute [minute in s, sessions, counted, bounced, converted]; ``hits``; ``hour_end``;
        ``ledger``.

        ``pane_start``: of the pane that the watermark is in, so that the hour is the counters' window of 1h.
        """
        found: dict[str, Any] = {"hour": [], "hits": [], "hour_end": pane_start}
        found["ledger"] = dict(self._ask(_LEDGER, site=site))
        if pane_start is not None:
            hour = {"site": site, "after": pane_start - HOUR_MS}
            found["hour"] = self._ask(_SESSIONS, **hour)
            found["hits"] = self._ask(_HITS, **hour)
        return found

    def persons(self, kind: str, site: str) -> list[tuple[Any, ...]]:
        """Of one of LISTS: (site, person_id, churn score, reasons, since)."""
        return self._ask(LISTS[kind], site=site)

    def person(self, site: str, person: str) -> dict[str, Any]:
        """What is known of one person, and the timeline, the newest first."""
        of = {"site": site, "person": person}
        return {
            "person": next(iter(self._ask(_PERSON, **of)), None),
            "events": self._ask(_EVENTS, **of),
            "moves": self._ask(_MOVES, **of),
            "signals": self._ask(_SIGNALS, **of),
        }

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _ask(self, question: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return self._client.query(question + _MEANS, parameters)
