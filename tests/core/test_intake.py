"""The sessionizer's hop: one outcome for every record, the order of the questions, what is late, the ledger,
the rows, restarts, and bytes of any kind."""

import json
from typing import Any

import pytest
from session_kit import HOUR, NOON, TIMEOUT, Follower, Hit, evidence_of, rules, said_sessions

from pipeline.core.intake_rules import BACKGROUND_EVENTS
from schemas.outcome import Outcome, Reason

DAY = 24 * HOUR
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def raw(**fields: Any) -> bytes:
    return json.dumps(
        {"site": "shop", "event": "page_view", "visitor_id": "ann", "time": NOON} | fields
    ).encode()


def outcome_of(*values: bytes | Hit, lateness_ms: int | None = None) -> list[str]:
    """The outcome of each record, one unit of work each."""
    follower = Follower(rules(lateness_ms, out_of_orderness_ms=0))
    found = []
    for value in values:
        before = follower.outcomes.copy()
        follower.feed([value], received=NOON + 3 * DAY)
        ((_, outcome),) = follower.outcomes - before
        found.append(outcome)
    return found


def test_each_outcome() -> None:
    assert outcome_of(
        raw(hit_id="h1"),
        raw(hit_id="h1"),
        raw(user_agent=BOT),
        raw(event="email_open"),
        raw(time=NOON + 2 * HOUR),
        raw(time=NOON),
        b"{",
        lateness_ms=HOUR,
    ) == ["sessionized", "duplicate", "bot", "background", "sessionized", "late", "dead_letter"]


@pytest.mark.parametrize("event", sorted(BACKGROUND_EVENTS))
def test_background_events_make_no_session(event: str) -> None:
    follower = Follower(rules())
    follower.feed([raw(event=event)])
    follower.end()
    assert follower.outcomes == {("shop", "background"): 1}
    assert not follower.sessions()
    assert follower.hits[0]["session_id"] == ""


def test_the_order_of_the_questions() -> None:
    """A record with every flaw has the first one's outcome; each further line takes one flaw away."""
    newest = raw(time=NOON + 2 * HOUR, visitor_id="bob")
    known = raw(hit_id="h1", time=NOON, event="email_open", user_agent=BOT)
    late = {"time": NOON, "hit_id": "h2"}
    assert outcome_of(
        known,
        newest,
        b"{" + raw(hit_id="h1"),
        raw(hit_id="h1", time=NOON, event="email_open", user_agent=BOT),
        raw(**late | {"event": "email_open", "user_agent": BOT}),
        raw(**late | {"event": "email_open", "hit_id": "h3"}),
        raw(**late | {"hit_id": "h4"}),
        raw(time=NOON + HOUR, hit_id="h5"),
        lateness_ms=HOUR,
    ) == ["bot", "sessionized", "dead_letter", "duplicate", "bot", "background", "late", "sessionized"]


def test_a_hit_without_user_agent_is_no_bot() -> None:
    assert outcome_of(raw(), raw(user_agent=""), raw(user_agent=BOT)) == ["sessionized", "sessionized", "bot"]


def test_the_same_hit_id_of_another_visitor_site_or_beyond_24_hours_is_another_hit() -> None:
    assert outcome_of(
        raw(hit_id="h"),
        raw(hit_id="h", visitor_id="bob"),
        raw(hit_id="h", site="blog"),
        raw(hit_id="h", time=NOON + DAY),
        raw(hit_id="h", time=NOON + DAY + 1_000),
        raw(hit_id=""),
        raw(hit_id=""),
    ) == [
        "sessionized",
        "sessionized",
        "sessionized",
        "duplicate",
        "sessionized",
        "sessionized",
        "sessionized",
    ]


@pytest.mark.parametrize("ticks", [0, 1])
def test_a_hit_id_is_forgotten_by_the_watermark_and_not_when_the_state_is_cleaned(ticks: int) -> None:
    follower = Follower(rules(HOUR, out_of_orderness_ms=0))
    first = Hit(NOON, hit_id="h")
    records = [first, Hit(NOON + DAY, "bob"), first, Hit(NOON + DAY + 1_000, "bob"), first]
    if ticks:
        for record in records:
            follower.feed([record])
            follower.idle(0)
    else:
        follower.feed(records)
    assert follower.outcomes["shop", "duplicate"] == 1
    assert follower.outcomes["shop", "late"] == 1


def test_a_hit_id_outlives_every_restart() -> None:
    follower = Follower(rules(HOUR))
    for hit_id in ("first", "second", "third", "first", "second"):
        follower.feed([Hit(NOON, hit_id=hit_id)])
        follower.restart()
    assert follower.outcomes["shop", "duplicate"] == 2


def test_received_is_when_it_was_appended_unless_the_record_says() -> None:
    live = Follower(rules(HOUR))
    live.feed([raw(), raw(received_time=NOON + 5)], received=NOON + 9)
    assert [live.hits[at]["received_time"] for at in (0, 1)] == [NOON + 9, NOON + 5]
    bounded = Follower(rules())
    bounded.feed([raw(), raw(received_time="2026-01-01T12:00:07Z")], received=NOON + 9)
    assert [bounded.hits[at]["received_time"] for at in (0, 1)] == [NOON, NOON + 7_000], (
        "a file is read later"
    )


def test_a_live_hit_without_time_happened_when_it_was_received() -> None:
    follower = Follower(rules(HOUR))
    value = b'{"site":"shop","event":"page_view","visitor_id":"ann"}'
    follower.feed([value], received=NOON + 9)
    assert follower.hits[0]["event_time"] == NOON + 9


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"time": 4_102_444_800_000}, "time"),
        ({"time": "1969-12-31T23:59:59Z"}, "time"),
        ({"time": NOON, "received_time": 4_102_444_800_000}, "received_time"),
        ({"time": NOON, "received_time": 10**30}, "received_time"),
        ({"time": NOON, "received_time": "0001-01-01T00:00:00Z"}, "received_time"),
        ({"time": NOON, "received_time": NOON, "sent_time": 10**30}, "time"),
    ],
)
def test_times_that_no_store_can_hold_are_dead_letters(fields: dict[str, Any], field: str) -> None:
    output = Follower(rules()).feed([raw(**fields)])
    (letter,) = output.dead_letters
    assert (letter.reason, letter.field, letter.site) == (Reason.BAD_VALUE, field, "shop")


def test_a_dead_letter_keeps_the_bytes_the_reason_and_where_it_came_from() -> None:
    follower = Follower(rules())
    too_large = b'{"site":"shop",' + b" " * 70_000
    letters = follower.feed([raw(), b'{"site":"shop"}', too_large], received=NOON + 9).dead_letters
    assert [(one.topic, one.partition, one.offset) for one in letters] == [("hits", 0, 1), ("hits", 0, 2)]
    assert (letters[0].reason, letters[0].field, letters[0].site) == (Reason.MISSING_FIELD, "event", "shop")
    assert letters[0].raw == b'{"site":"shop"}'
    assert (letters[1].reason, len(letters[1].raw)) == (Reason.TOO_LARGE, 65_536)
    assert {letter.received_time for letter in letters} == {NOON + 9}


def test_the_row_of_a_hit_has_everything_in_its_place() -> None:
    follower = Follower(rules())
    campaign = "utm_source=news&utm_medium=email&utm_campaign=spring&utm_term=t&utm_content=c&utm_id=7"
    url = f"https://a.example/p?{campaign}"
    follower.feed([
        raw(
            event="purchase", user_id="u1", hit_id="h1", url=url, referrer="https://mail.example/",
            title="سبد", revenue=10.5, currency="EUR", order_id="o1", items=[{"id": 1}], score=9, scale=10,
            language="fa", country="IR", screen="1x1", props={"a": 1}, ip="192.0.2.1",
            user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        )
    ])  # fmt: skip
    row = follower.hits[0]
    expected = {
        "hit_id": "h1", "site": "shop", "event": "purchase", "visitor_id": "ann", "user_id": "u1",
        "person_id": "u1", "event_time": NOON, "received_time": NOON, "url": url,
        "referrer": "https://mail.example/", "title": "سبد", "channel": "email", "campaign_source": "news",
        "campaign_medium": "email", "campaign_name": "spring",
        "campaign_term": "t", "campaign_content": "c", "campaign_id": "7", "revenue_micros": 10_500_000,
        "currency": "EUR", "order_id": "o1", "score": 9.0, "scale": 10.0, "browser": "Firefox",
        "country": "IR", "language": "fa", "screen": "1x1", "bot": False, "outcome": "sessionized",
        "goal": True,
        "clock_clamped": False, "items": '[{"id": 1}]', "props": '{"a": 1}', "source_partition": 0,
        "source_offset": 0,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert row.keys() - expected.keys() == {"device", "os", "session_id"}
    assert row["session_id"] == follower.session_of(0) != ""


def test_absent_amounts_and_scores_are_null_and_zero_is_zero() -> None:
    follower = Follower(rules())
    follower.feed([raw(), raw(revenue=0, score=0, scale=0)])
    assert [follower.hits[0][name] for name in ("revenue_micros", "score", "scale")] == [None, None, None]
    assert [follower.hits[1][name] for name in ("revenue_micros", "score", "scale")] == [0, 0.0, 0.0]


def test_a_currency_is_told_in_capitals() -> None:
    follower = Follower(rules())
    follower.feed([raw(event="purchase", revenue=5, currency="eur", user_id="u1"), raw()])
    assert [row["currency"] for row in follower.hits.values()] == ["EUR", ""]


def test_long_urls_are_cut_to_2048_characters() -> None:
    follower = Follower(rules())
    follower.feed([raw(url="u" * 2_048, referrer="r" * 2_049), raw(url="u" * 9_000)])
    assert [len(follower.hits[at]["url"]) for at in (0, 1)] == [2_048, 2_048]
    assert len(follower.hits[0]["referrer"]) == 2_048


def test_a_site_of_the_ledger_is_said_only_when_it_changed_and_counts_from_the_beginning() -> None:
    follower = Follower(rules(HOUR))
    first = follower.feed([raw(), raw(), raw(site="blog"), b"{"]).ledger
    assert sorted((row.site, str(row.outcome), row.hits) for row in first) == [
        ("", "dead_letter", 1),
        ("blog", "sessionized", 1),
        ("shop", "sessionized", 2),
    ]
    follower.restart()
    (second,) = follower.feed([raw()]).ledger
    assert (second.partition, second.site, second.outcome, second.hits) == (0, "shop", Outcome.SESSIONIZED, 3)
    assert second.version > max(row.version for row in first)


def test_evidence_leaves_with_the_session_the_hit_ended_in() -> None:
    follower = Follower(rules())
    output = follower.feed(
        [Hit(NOON + TIMEOUT, user="u1"), Hit(NOON, user="u1"), Hit(NOON, event="nonesuch")]
    )
    (session,) = {follower.session_of(at) for at in (0, 1)}
    assert [(key, one.session_id) for key, one in evidence_of(output)] == [("shop\x1fu1", session)] * 2


def test_a_bots_hit_is_no_evidence_and_a_late_one_is() -> None:
    follower = Follower(rules(0, out_of_orderness_ms=0))
    output = follower.feed([raw(user_agent=BOT), raw(time=NOON - 1)])
    assert [one.session_id for _, one in evidence_of(output)] == [""]
    assert follower.outcomes["shop", "late"] == 1


def test_open_sessions_are_said_once_an_interval_and_not_twice() -> None:
    follower = Follower(rules(HOUR, session_update_ms=1_000))
    assert len(said_sessions(follower.feed([Hit(NOON)]))) == 1
    assert not said_sessions(follower.feed([Hit(NOON + 1)]))
    follower.wall_ms = NOON + 999
    assert not said_sessions(follower.idle(0))
    (row,) = said_sessions(follower.idle(1))
    assert row.hits == 2
    assert not said_sessions(follower.idle(5_000)), "nothing has changed"


def test_what_was_not_said_before_a_crash_is_said_after_it() -> None:
    follower = Follower(rules(HOUR, session_update_ms=1_000))
    follower.feed([Hit(NOON)])
    follower.feed([Hit(NOON + 1)])
    follower.restart()
    assert [row.hits for row in said_sessions(follower.idle(1_000))] == [2]


def test_a_wall_clock_that_is_set_back_holds_no_row_up() -> None:
    follower = Follower(rules(HOUR, session_update_ms=1_000))
    follower.idle(2_000)
    follower.feed([Hit(NOON)])
    (row,) = said_sessions(follower.idle(-HOUR))
    assert row.hits == 1


def test_the_watermark_is_told_when_it_is_new() -> None:
    follower = Follower(rules(HOUR))
    assert follower.idle(1_000).watermark is None
    output = follower.feed([Hit(NOON)])
    assert (output.watermark, output.has_new_watermark) == (NOON - 10_000, True)
    output = follower.feed([Hit(NOON - 5)])
    assert (output.watermark, output.has_new_watermark) == (NOON - 10_000, False)
    assert follower.idle(3_000).has_new_watermark
    follower.restart()
    assert follower.feed([b"{"]).has_new_watermark, "those downstream may have been started anew as well"


def test_another_out_of_orderness_holds_after_a_restart() -> None:
    follower = Follower(rules(HOUR))
    follower.feed([Hit(NOON)])
    follower.rules = rules(HOUR, out_of_orderness_ms=1_000)
    follower.restart()
    follower.feed([Hit(NOON + 60_000)])
    assert follower.watermark == NOON + 59_000
