"""Who brought whom: the loop of the journey as a view. It is made of sets, so the order of arrival cannot matter."""

import json
from typing import Any

from msgspec.structs import replace
from store.kit import DAY_0, Row, hit

from pipeline.core.referrals import CODE_PATTERN
from pipeline.store.client import Client
from pipeline.store.migrations import bundled
from pipeline.store.sink import Sink
from schemas.transition import Kind, Transition

from .kit import DAY, HOUR, put, table, walk

COLUMNS = "promoter_id, friend_id, code"


def invited(at: int, person: str, code: str, **fields: Any) -> Row:
    return hit(at, person, event="referral_sent", props=json.dumps({"code": code}), **fields)


def came(client: Client, at: int, person: str, code: str) -> list[Transition]:
    (step,) = walk(client, person, (at, "awareness"))
    url = f"https://shop.example/welcome?utm_source=friend&code={code}&x=1#top"
    return [replace(step, kind=Kind.LOOP, cause_url=url, cause_channel="referral")]


def test_the_friend_is_linked_to_who_sent_the_code_first_with_time_and_model(
    client: Client, sink: Sink
) -> None:
    hits = [invited(2 * HOUR, "late copier", "F-1"), invited(HOUR, "pro", "F-1")]
    put(sink, hits, transitions=came(client, DAY, "friend", "F-1"))
    found = client.query(
        "SELECT site, promoter_id, friend_id, model, friend_stage, toUnixTimestamp64Milli(time), "
        "toUnixTimestamp64Milli(sent_time) FROM referrals"
    )
    assert found == [("shop", "pro", "friend", "m", "awareness", DAY_0 + DAY, DAY_0 + HOUR)]


def test_a_friend_who_came_before_the_invitation_was_known_is_linked_all_the_same(
    client: Client, sink: Sink
) -> None:
    put(sink, transitions=came(client, HOUR, "friend", "F-2"))
    assert table(client, "referrals", COLUMNS) == [("", "friend", "F-2")]
    put(sink, [invited(DAY, "pro", "F-2", outcome="late")])
    assert table(client, "referrals", COLUMNS) == [("pro", "friend", "F-2")]


def test_a_promoter_who_turns_out_to_be_somebody_is_linked_as_that_person(client: Client, sink: Sink) -> None:
    put(sink, [invited(HOUR, "browser", "F-3")], transitions=came(client, DAY, "friend", "F-3"))
    client.command(
        "INSERT INTO links_rows (site, visitor_id, users, since, version) "
        "VALUES ('shop', 'browser', ['ann'], [toDateTime64(0, 3, 'UTC')], 1)"
    )
    assert table(client, "referrals", COLUMNS) == [("ann", "friend", "F-3")]


def test_a_user_id_is_a_code_too_and_a_code_is_decoded(client: Client, sink: Sink) -> None:
    hits = [hit(0, "v", user_id="ann@x.example", person_id="ann@x.example")]
    put(sink, hits, transitions=came(client, DAY, "friend", "ann%40x.example"))
    assert table(client, "referrals", COLUMNS) == [("ann@x.example", "friend", "ann@x.example")]


def test_ones_own_code_and_a_bots_invitation_and_other_sites_link_nobody(client: Client, sink: Sink) -> None:
    hits = [
        invited(HOUR, "self", "F-4"),
        invited(HOUR, "bot", "F-5", outcome="bot"),
        invited(HOUR, "stranger", "F-5", site="other"),
    ]
    both = came(client, DAY, "self", "F-4") + came(client, DAY, "friend", "F-5")
    put(sink, hits, transitions=both)
    assert table(client, "referrals", COLUMNS) == [("", "friend", "F-5")]


def test_the_view_knows_the_names_of_codes_that_the_stream_knows() -> None:
    (sql,) = [one.sql for one in bundled() if one.name.endswith("referrals.sql")]
    assert CODE_PATTERN.removesuffix("[^&#]") in sql
