"""The synthetic shop, whose truth is known, through the pipeline, in no order: what is counted comes out exactly."""

import random
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.core.decode import KnownHit, decode
from pipeline.core.event_time import to_ms
from pipeline.demo.simulator import Customer, Truth, simulate

from .kit import T0, ask, process, write_lines

CUSTOMERS = 250
DAYS = 60
LOOK_BACK_MS = 30 * 86_400_000  # of attribution
BOUGHT = ("purchase", "retention", "advocacy")


class World(NamedTuple):
    """What is true of the hits, and what the pipeline says of them. ``spans``: person -> from first to last hit, ms."""

    truth: Truth
    spans: dict[str, int]
    summary: dict[str, Any]
    data: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    directory = tmp_path_factory.mktemp("truth")
    stream, truth = simulate(seed=17, customers=CUSTOMERS, start_ms=T0, days=DAYS, dirt=0.01)
    hits = list(stream)
    times: dict[str, list[int]] = defaultdict(list)
    for one in map(decode, hits):
        if isinstance(one, KnownHit):
            times[one.user_id or one.visitor_id or ""].append(to_ms(one.time or 0))
    random.Random(17).shuffle(hits)
    summary = process(directory / "data", write_lines(directory / "hits.ndjson", hits))
    return World(truth, {name: max(of) - min(of) for name, of in times.items()}, summary, directory / "data")


def name_of(customer: Customer) -> str:
    """The person that the customer is to the pipeline."""
    return customer.user_id or customer.visitor_ids[0]


def money(cents: int) -> Decimal:
    return Decimal(cents) / 100


def test_every_hit_session_and_conversion_is_counted(world: World) -> None:
    truth, summary = world.truth, world.summary
    assert min(truth.duplicates, truth.bots, truth.malformed) > 0
    expected = {
        "received": truth.hits,
        "duplicate": truth.duplicates,
        "bot": truth.bots,
        "dead_letter": truth.malformed,
        "sessionized": truth.interactive,
        "background": truth.background,
        "sessions": truth.sessions,
        "bounced": truth.bounces,
        "converted": truth.converted,
        "conversions": truth.conversions,
    }
    assert {name: summary[name] for name in expected} == expected
    assert summary["revenue"] == pytest.approx(sum(one.cents for one in truth.customers) / 100)


def test_every_customer_is_one_person_with_the_own_visits_orders_and_first_channel(world: World) -> None:
    found = ask(
        world.data,
        "SELECT f.person_id AS person_id, p.visitor_ids AS visitor_ids, f.sessions AS sessions, f.orders AS orders,"
        " p.sessions AS p_sessions, p.orders AS p_orders, toString(p.revenue) AS gross, toString(f.revenue) AS net,"
        " f.first_channel AS channel"
        " FROM person_facts AS f INNER JOIN persons AS p ON p.site = f.site AND p.person_id = f.person_id",
    )
    persons = {row["person_id"]: row for row in found}
    customers = {name_of(one): one for one in world.truth.customers}
    assert persons.keys() == customers.keys()
    for name, one in customers.items():
        row = persons[name]
        assert set(row["visitor_ids"]) <= set(one.visitor_ids), name
        assert int(row["sessions"]) == int(row["p_sessions"]) == one.sessions, name
        assert int(row["orders"]) == int(row["p_orders"]) == one.orders, name
        assert Decimal(row["gross"]) == money(one.cents), name
        assert Decimal(row["net"]) == money(one.cents - one.refunded_cents), name
        assert row["channel"] == one.first_channel, name


def test_the_channels_that_brought_the_orders_are_credited_with_them(world: World) -> None:
    """By the first touch all of a customer's orders are the first channel's, where attribution looks back as far."""
    found = ask(
        world.data,
        "SELECT model, person_id, channel, sumIf(credit, event = 'purchase') AS orders,"
        " toString(sum(attribution.revenue)) AS revenue"
        " FROM attribution GROUP BY model, person_id, channel HAVING orders > 0",
    )
    buyers = [one for one in world.truth.customers if one.orders]
    recent = {name_of(one): one for one in buyers if world.spans[name_of(one)] <= LOOK_BACK_MS}
    assert 20 < len(recent) < len(buyers)
    first = {
        row["person_id"]: (row["channel"], row["orders"], Decimal(row["revenue"]))
        for row in found
        if row["model"] == "first_touch" and row["person_id"] in recent
    }
    assert first == {
        name: (one.first_channel, one.orders, money(one.cents - one.refunded_cents))
        for name, one in recent.items()
    }
    orders, revenue = Counter[str](), Counter[str]()
    for row in found:
        orders[row["model"]] += row["orders"]
        revenue[row["model"]] += float(row["revenue"])
    expected = sum(one.cents - one.refunded_cents for one in buyers) / 100
    assert list(orders.values()) == pytest.approx([sum(one.orders for one in buyers)] * 6)
    assert list(revenue.values()) == pytest.approx([expected] * 6)


def test_buyers_promoters_friends_and_leavers_are_known_as_such(world: World) -> None:
    customers = world.truth.customers
    persons = ask(world.data, "SELECT person_id, highest_stages['classic5'] AS highest FROM persons")
    highest = {row["person_id"]: row["highest"] for row in persons}
    assert {name for name, stage in highest.items() if stage in BOUGHT} == {
        name_of(one) for one in customers if one.orders
    }
    friends = {
        name_of(one): f"user-{one.key.partition('.')[0]}" for one in customers if one.archetype == "friend"
    }
    assert {highest[promoter] for promoter in friends.values()} == {"advocacy"}
    brought = ask(
        world.data,
        "SELECT 'friend' AS kind, friend_id AS person_id, promoter_id AS by FROM referrals WHERE model = 'classic5'"
        " UNION ALL SELECT DISTINCT 'leaves', person_id, '' FROM signals WHERE reason = 'leaving' AND state = 'raised'",
    )
    assert len(friends) > 3
    assert {row["person_id"]: row["by"] for row in brought if row["kind"] == "friend"} == friends
    leaving = {name_of(one) for one in customers if one.left}
    assert {row["person_id"] for row in brought if row["kind"] == "leaves"} == leaving
    assert leaving
