"""The synthetic shop: what it says of itself is true of its hits."""

import json
import random
from collections import Counter, defaultdict
from typing import Any, NamedTuple

import pytest

from pipeline.core.channels import Classifier
from pipeline.core.decode import Flaw, KnownHit, decode
from pipeline.demo.catalogue import BOTS
from pipeline.demo.life import HOUR_MS, Life
from pipeline.demo.shop import ARCHETYPES
from pipeline.demo.simulator import Customer, Truth, simulate
from pipeline.demo.truth import GOALS

START_MS = 1_790_000_000_000
BACKGROUND = frozenset(
    {
        "email_sent", "email_delivered", "email_open", "email_bounce", "email_unsubscribe", "survey_response",
        "ad_cost", "refund", "order_shipped", "subscription_renew", "subscription_cancel", "payment_failed",
        "support_ticket_open", "support_ticket_close", "churn_feedback",
    }
)  # fmt: skip


class World(NamedTuple):
    raws: list[bytes]
    hits: list[dict[str, Any]]
    truth: Truth


def world(**options: Any) -> World:
    stream, truth = simulate(**({"seed": 7, "customers": 1_500, "start_ms": START_MS, "days": 70} | options))
    raws = list(stream)
    return World(raws, [json.loads(raw) for raw in raws if isinstance(decode(raw), KnownHit)], truth)


@pytest.fixture(scope="module")
def clean() -> World:
    return world()


@pytest.fixture(scope="module")
def sessions(clean: World) -> list[list[dict[str, Any]]]:
    by_visitor = defaultdict(list)
    for hit in clean.hits:
        if hit["event"] not in BACKGROUND:
            by_visitor[hit.get("visitor_id") or hit["user_id"]].append(hit)
    found: list[list[dict[str, Any]]] = []
    for own in by_visitor.values():
        for before, hit in zip([None, *own], own, strict=False):
            if before is None or hit["time"] - before["time"] > 1_800_000:
                found.append([])
            found[-1].append(hit)
    return found


def test_hits_are_valid_in_order_and_counted(clean: World) -> None:
    assert len(clean.hits) == len(clean.raws) == clean.truth.hits
    assert [hit["time"] for hit in clean.hits] == sorted(hit["time"] for hit in clean.hits)
    assert len({hit["hit_id"] for hit in clean.hits}) == len(clean.hits)
    background = sum(hit["event"] in BACKGROUND for hit in clean.hits)
    assert (clean.truth.background, clean.truth.interactive) == (background, len(clean.hits) - background)


def test_sessions_bounces_and_conversions_are_true(
    clean: World, sessions: list[list[dict[str, Any]]]
) -> None:
    goals = [sum(hit["event"] in GOALS for hit in session) for session in sessions]
    views = [sum(hit["event"] == "page_view" for hit in session) for session in sessions]
    truth = clean.truth
    assert truth.sessions == len(sessions) == sum(customer.sessions for customer in truth.customers)
    assert truth.bounces == views.count(1)
    assert truth.converted == sum(goal > 0 for goal in goals)
    assert truth.conversions == sum(goals)


def test_visits_of_one_customer_are_hours_apart() -> None:
    person = Customer("k", "buyer", known=True)
    life = Life(person, Truth(), rng=random.Random(1), site="s", start_ms=START_MS, end_ms=2 * START_MS)
    for _ in range(300):
        before = life.now
        life.wait(0, 0.8)
        assert life.now - before >= 2 * HOUR_MS


def test_orders_and_refunds_are_true(clean: World) -> None:
    orders, revenue, refunds = Counter[str](), Counter[str](), Counter[str]()
    for hit in clean.hits:
        if hit["event"] == "purchase":
            orders[hit["user_id"]] += 1
            revenue[hit["user_id"]] += round(hit["revenue"] * 100)
        if hit["event"] == "refund":
            refunds[hit["user_id"]] += round(hit["revenue"] * 100)
    for customer in clean.truth.customers:
        who = customer.user_id
        assert (customer.orders, customer.cents, customer.refunded_cents) == (
            orders[who],
            revenue[who],
            refunds[who],
        )
    ids = [hit["order_id"] for hit in clean.hits if hit["event"] == "purchase"]
    assert len(ids) == len(set(ids)) > 100
    assert {hit["order_id"] for hit in clean.hits if hit["event"] == "refund"} <= set(ids)


def test_known_customers_are_named_on_every_hit_and_readers_never(clean: World) -> None:
    users = defaultdict(set)
    for hit in clean.hits:
        users[hit.get("visitor_id")].add(hit.get("user_id", ""))
    for customer in clean.truth.customers:
        assert all(users[visitor] <= {customer.user_id} for visitor in customer.visitor_ids)
    assert any(len(customer.visitor_ids) == 2 for customer in clean.truth.customers)


def test_channels_are_those_that_the_rules_derive(clean: World, sessions: list[list[dict[str, Any]]]) -> None:
    classifier = Classifier(["shop.example"])
    first = {visitor: person for person in clean.truth.customers for visitor in person.visitor_ids}
    seen = Counter[str]()
    for session in sorted(sessions, key=lambda session: session[0]["time"]):
        hit = session[0]
        channel = classifier.traffic(
            hit.get("url", ""), hit.get("referrer", ""), hit.get("channel", "")
        ).channel
        seen[channel] += 1
        customer = first.pop(hit.get("visitor_id"), None)
        if customer and len(customer.visitor_ids) == 1:
            assert channel == customer.first_channel
    assert set(seen) == {
        "direct", "organic_search", "paid_search", "organic_social", "paid_social", "email", "referral",
        "display", "affiliate", "video", "sms", "push", "chat", "offline", "app",
    }  # fmt: skip


def test_everything_that_journeys_need_happens(clean: World) -> None:
    events = {hit["event"] for hit in clean.hits}
    assert events >= BACKGROUND | GOALS | {
        "view_item",
        "add_to_cart",
        "begin_checkout",
        "referral_sent",
        "review_submit",
    }
    assert {customer.archetype for customer in clean.truth.customers} == {*ARCHETYPES, "friend"}
    assert len({customer.left for customer in clean.truth.customers}) > 3
    metrics = {hit["props"]["metric"] for hit in clean.hits if hit["event"] == "survey_response"}
    assert metrics == {"csat", "ces", "nps"}


def test_dirt_is_added_and_counted(clean: World) -> None:
    dirty = world(dirt=0.02)
    truth = dirty.truth
    flaws = [raw for raw in dirty.raws if isinstance(decode(raw), Flaw)]
    bots = [hit for hit in dirty.hits if hit.get("user_agent") in BOTS]
    ids = [hit["hit_id"] for hit in dirty.hits]
    assert len(dirty.raws) == truth.hits
    assert (
        truth.hits == truth.interactive + truth.background + truth.duplicates + truth.bots + truth.malformed
    )
    assert (truth.malformed, truth.bots) == (len(flaws), len(bots))
    assert truth.duplicates == len(ids) - len(set(ids))
    assert min(truth.malformed, truth.bots, truth.duplicates) > 100
    assert set(clean.raws) <= set(dirty.raws)
    assert truth.customers == clean.truth.customers


def test_same_seed_same_bytes(clean: World) -> None:
    assert world().raws == clean.raws
    assert world(seed=8).raws != clean.raws


def test_what_begins_after_the_end_does_not_happen() -> None:
    assert max(hit["time"] for hit in world(days=20).hits) < START_MS + 26 * 86_400_000
    assert world(customers=0, days=0.5).raws == []


@pytest.mark.parametrize("wrong", [{"customers": -1}, {"days": 0}, {"dirt": 1.5}])
def test_wrong_arguments(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="customers must be at least 0"):
        world(**wrong)
