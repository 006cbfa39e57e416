"""The SQL of ``verify`` agrees with a naive sessionizer, and names each row that was tampered with."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.bounce import PRESETS
from pipeline.store.blocks import to_arrow
from pipeline.store.checks import Check, Rules, checks
from pipeline.store.client import Client, rows
from pipeline.store.sink import Sink
from pipeline.store.verify import Difference, verify
from store.kit import DAY_0, MINUTE, Row, hit, hit_table, session, sessions_of, store_what_the_stream_says

RULES = Rules()
TIMEOUT = RULES.timeout_ms
EVENTS = ["page_view", "screen_view", "click", "purchase"]


def found(client: Client, rules: Rules = RULES) -> list[Difference]:
    return [difference for of_check in verify(client, rules).values() for difference in of_check]


def differences_of(client: Client, name: str) -> list[Difference]:
    (check,) = [check for check in checks(RULES) if check.name == name]
    return [Difference(name, **row) for row in rows(client, check.sql)]


def random_hits(seed: int) -> list[Row]:
    """Few distinct values, so that times and whole tuples tie; gaps around the timeout."""
    dice = random.Random(seed)
    hits = []
    for number in range(60):
        at = dice.randrange(0, 40 * 24 * 60) * MINUTE
        for _ in range(dice.randrange(1, 9)):
            at += dice.choice([0, 0, 1, 5_000, 10_000, MINUTE, TIMEOUT - 1, TIMEOUT, TIMEOUT + 1])
            event = dice.choice(EVENTS)
            hits.append(
                hit(
                    at,
                    visitor_id=dice.choice(["", f"v{number}"]),
                    user_id=dice.choice([f"v{number}", f"u{number}"]),
                    site=dice.choice(["shop", "blog"]),
                    event=event,
                    url=dice.choice(["", "/a", "/é", "/z"]),
                    referrer=dice.choice(["", "r"]),
                    channel=dice.choice(["direct", "email"]),
                    campaign_name=dice.choice(["", "n"]),
                    country=dice.choice(["de", "ir"]),
                    goal=event == "purchase",
                    revenue_micros=dice.choice([None, 0, 1, -3, 12_340_000]),
                    outcome=dice.choice(["sessionized"] * 8 + ["background", "late", "bot"]),
                    source_partition=dice.randrange(4),
                )
            )
    dice.shuffle(hits)
    return hits


@pytest.mark.parametrize("bounce", PRESETS)
def test_a_faultless_stream_agrees(client: Client, sink: Sink, bounce: str) -> None:
    rules = Rules(bounce=bounce)
    hits = random_hits(7)
    store_what_the_stream_says(sink, hits, rules)
    assert len({row["session_id"] for row in hits}) > 60
    assert found(client, rules) == []


@given(
    visits=st.lists(
        st.lists(
            st.tuples(
                st.sampled_from([0, 1, 9_999, 10_000, TIMEOUT - 1, TIMEOUT, TIMEOUT + 1]),
                st.sampled_from(EVENTS),
                st.sampled_from(["", "/a", "/b"]),
                st.sampled_from(["", "u1", "u2"]),
            ),
            min_size=1,
            max_size=12,
        ),
        min_size=1,
        max_size=6,
    ),
    bounce=st.sampled_from(PRESETS),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_visits_agree(
    client: Client, sink: Sink, visits: list[list[tuple[Any, ...]]], bounce: str
) -> None:
    """Of several visitors at once: to ask costs the same of many as of one."""
    for table in ("hits", "sessions", "counters", "ledger"):
        client.command(f"TRUNCATE TABLE {table}_rows")
    hits = []
    for number, steps in enumerate(visits):
        at = 0
        for gap, event, url, user in steps:
            at += gap
            goal = event == "purchase"
            user_id = user and f"{user}-{number}"
            hits.append(
                hit(at, f"v{number}", event=event, url=url, user_id=user_id, goal=goal, revenue_micros=5)
            )
    store_what_the_stream_says(sink, hits, Rules(bounce=bounce))
    assert client.query("SELECT count() FROM hits") == [(len(hits),)]
    assert found(client, Rules(bounce=bounce)) == []


def test_exact_timeout_is_one_session_a_millisecond_more_is_two(client: Client, sink: Sink) -> None:
    one = [hit(0, "one"), hit(TIMEOUT, "one")]
    two = [hit(0, "two"), hit(TIMEOUT + 1, "two")]
    store_what_the_stream_says(sink, one + two, RULES)
    assert client.query("SELECT visitor_id, count() FROM sessions GROUP BY 1 ORDER BY 1") == [
        ("one", 1),
        ("two", 2),
    ]
    assert found(client) == []
    assert {d.check for d in found(client, Rules(timeout_ms=TIMEOUT - 1))} == {"sessions", "counters"}


def test_ten_seconds_are_no_bounce_of_ga4(client: Client, sink: Sink) -> None:
    rules = Rules(bounce="ga4")
    hits = [row for visitor, last in (("short", 9_999), ("long", 10_000))
            for row in (hit(0, visitor), hit(last, visitor, event="click"))]  # fmt: skip
    store_what_the_stream_says(sink, hits, rules)
    assert client.query("SELECT visitor_id, bounced FROM sessions ORDER BY 1") == [("long", 0), ("short", 1)]
    assert found(client, rules) == []


TAMPERINGS = [
    ("sessions", "end_time = end_time + 1, duration_ms = duration_ms + 1", "sessions", "end_time"),
    ("sessions", "hits = hits + 1", "sessions", "hits"),
    ("sessions", "page_views = 9", "sessions", "page_views"),
    ("sessions", "bounced = 1 - bounced", "sessions", "bounced"),
    ("sessions", "converted = 1 - converted", "sessions", "converted"),
    ("sessions", "conversions = conversions + 1", "sessions", "conversions"),
    ("sessions", "revenue_micros = revenue_micros + 1", "sessions", "revenue"),
    ("sessions", "channel = 'sms'", "sessions", "channel"),
    ("sessions", "entry_url = 'x'", "sessions", "entry_url"),
    ("sessions", "exit_url = 'x'", "sessions", "exit_url"),
    ("sessions", "user_id = 'x'", "sessions", "user_id"),
    ("sessions", "visitor_id = 'x'", "sessions", None),
    ("counters", "sessions = sessions + 1", "counters", "sessions"),
    ("counters", "counted = counted + 1", "counters", "counted"),
    ("counters", "bounced = bounced + 1", "counters", "bounced"),
    ("counters", "converted = converted + 1", "counters", "converted"),
    ("counters", "duration_ms = duration_ms + 1", "counters", "duration_ms"),
    ("counters", "revenue_micros = revenue_micros + 1", "counters", "revenue"),
    ("ledger", "hits = hits + 1", "ledger", "hits"),
]


@pytest.mark.parametrize(("table", "change", "check", "field"), TAMPERINGS)
def test_a_tampered_row_is_named(
    client: Client, sink: Sink, table: str, change: str, check: str, field: str | None
) -> None:
    hits = [
        hit(0, url="/a"),
        hit(5_000, event="purchase", goal=True, revenue_micros=7),
        hit(99 * MINUTE, "bob"),
    ]
    store_what_the_stream_says(sink, hits, RULES)
    replaced = ", ".join(f"{part.split(' = ')[1]} AS {part.split(' = ')[0]}" for part in change.split(", "))
    client.command(
        f"INSERT INTO {table}_rows SELECT * REPLACE ({replaced}, 2 AS version) FROM {table}_rows LIMIT 1"
    )
    differing = differences_of(client, check)
    assert differing
    if field is not None:
        (difference,) = differing
        assert difference.stream is not None
        assert difference.batch is not None
        assert field in difference.stream
        assert difference.stream[field] != difference.batch[field]


def test_a_missing_session_is_named(client: Client, sink: Sink) -> None:
    hits = [hit(0), hit(24 * 60 * MINUTE, "bob")]
    store_what_the_stream_says(sink, hits, RULES)
    client.command("DELETE FROM sessions_rows WHERE visitor_id = 'ann'")
    differences = found(client)
    assert {d.check for d in differences} == {"sessions", "hits.session_id", "counters"}
    (missing,) = [d for d in differences if d.check == "sessions"]
    assert missing.key == {"site": "shop", "visitor": "vann", "start_time": DAY_0}
    assert missing.stream is None
    assert missing.batch is not None


def test_a_hit_of_an_unknown_session_is_named(client: Client, sink: Sink) -> None:
    hits = [hit(0), hit(24 * 60 * MINUTE, "bob")]
    store_what_the_stream_says(sink, hits, RULES)
    client.command(
        "INSERT INTO session_moves_rows (site, old_id, session_id, version) "
        "SELECT site, session_id, 'x', 1 FROM sessions WHERE visitor_id = 'ann'"
    )
    (difference,) = found(client)
    assert difference.check == "hits.session_id"
    assert difference.key["source_offset"] == hits[0]["source_offset"]


def test_a_missing_hit_is_named(client: Client, sink: Sink) -> None:
    hits = [hit(0), hit(1000), hit(24 * 60 * MINUTE, "bob")]
    store_what_the_stream_says(sink, hits, RULES)
    client.command(f"DELETE FROM hits_rows WHERE source_offset = {hits[1]['source_offset']}")
    assert {d.check for d in found(client)} == {"ledger", "sessions", "counters"}


@pytest.mark.parametrize(
    ("later_ms", "checks"), [(RULES.final_after_ms, set()), (RULES.final_after_ms + 1, {"sessions"})]
)
def test_an_open_session_may_lag_until_it_should_have_closed(
    client: Client, sink: Sink, later_ms: int, checks: set[str]
) -> None:
    hits = [hit(0), hit(1000), hit(1000 + TIMEOUT + later_ms, "bob", outcome="background")]
    (said,) = sessions_of(hits[:1], RULES)
    said.closed = False
    hits[1]["session_id"] = said.session_id
    sink.insert("hits", hit_table(hits), "1")
    sink.insert("sessions", to_arrow("sessions", [said]), "1")
    assert {d.check for d in found(client) if d.check != "ledger"} == checks


def test_a_hit_outside_of_its_session_is_named(client: Client, sink: Sink) -> None:
    sink.insert("hits", hit_table([hit(0, session_id="s"), hit(3001, session_id="s", hit_id="out")]), "1")
    sink.insert("sessions", to_arrow("sessions", [session(0, 3000, "s")]), "1")
    (difference,) = [d for d in found(client) if d.check == "hits.session_id"]
    assert difference.key["hit_id"] == "out"


def test_dead_letters_are_in_the_ledger(client: Client, sink: Sink) -> None:
    client.command(
        "INSERT INTO ledger_rows VALUES (0, '', 'dead_letter', 2, 1), (0, 'shop', 'duplicate', 5, 1)"
    )
    client.command("INSERT INTO dead_letters_rows (topic, `offset`, site) VALUES ('hits', 1, '')")
    (difference,) = found(client)
    assert difference == Difference(
        "ledger", {"site": "", "outcome": "dead_letter"}, {"hits": 2}, {"hits": 1}
    )


def test_rows_of_a_further_check_are_differences(client: Client) -> None:
    query = "SELECT number AS ordinal, 'wrong' AS what FROM numbers(1)"
    assert verify(client, RULES, [Check("transitions", query)])["transitions"] == [
        Difference("transitions", {"ordinal": 0, "what": "wrong"}, None, None)
    ]


def test_ties_are_broken_by_value_not_by_arrival(client: Client, sink: Sink) -> None:
    hits = [
        hit(0, url="/b", channel="email"),
        hit(0, url="/a", channel="sms"),
        hit(0, url="/a", channel="push"),
    ]
    store_what_the_stream_says(sink, hits, RULES)
    (row,) = rows(client, "SELECT channel, entry_url, exit_url FROM sessions")
    assert row == {"channel": "push", "entry_url": "/a", "exit_url": "/b"}
    assert found(client) == []


def test_at_equal_times_a_url_goes_before_none(client: Client, sink: Sink) -> None:
    hits = [hit(0, url="", channel="direct"), hit(0, url="/a", channel="email")]
    store_what_the_stream_says(sink, hits, RULES)
    (row,) = rows(client, "SELECT channel, entry_url, exit_url FROM sessions")
    assert row == {"channel": "email", "entry_url": "/a", "exit_url": "/a"}
    assert found(client) == []
