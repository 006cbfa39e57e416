"""Paths out of the store: fractribution's sessions give fractribution's paths, and the boundaries of the scope."""

from collections import Counter
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from store.kit import hit

from pipeline.journey.attribution import MODELS, attribute
from pipeline.journey.paths import PathCount, paths_of
from pipeline.journey.scope import Scope, ScopeError, scope_of, time_of
from pipeline.store.client import Client
from pipeline.store.sink import Sink

from .kit import DAY, DAY_0, order, put, visit
from .test_shapley import fractribution_paths, read

SCOPE = Scope("shop", DAY_0, DAY_0 + 90 * DAY)


def at(written: str) -> int:
    return round(datetime.fromisoformat(written).replace(tzinfo=UTC).timestamp() * 1000) - DAY_0


def test_the_sessions_of_fractribution_give_its_paths(client: Client, sink: Sink) -> None:
    put(
        sink,
        [
            order(at(row["conversion_tstamp"]), row["customer_id"], float(row["revenue"]), currency="USD")
            for row in read("conversions_by_customer_id_expected")
        ],
        [
            visit(
                at(row["visit_start_tstamp"]),
                row["customer_id"],
                row["channel"],
                campaign_name=row["campaign"],
            )
            for row in read("sessions_by_customer_id_expected")
        ],
    )
    scope = Scope("shop", time_of("2022-06-03"), time_of("2022-08-02"))
    found = paths_of(client, scope, "channel")
    assert found == fractribution_paths()


def walks(client: Client, sink: Sink) -> None:
    put(
        sink,
        [order(40 * DAY, "ann", 9, goal=True), hit(41 * DAY, "ann", event="sign_up", goal=True)],
        [
            visit(10 * DAY - 1, "ann", "video"), visit(10 * DAY, "ann", "email", campaign_name="spring"),
            visit(39 * DAY, "ann", "sms"), visit(50 * DAY, "ann", "push"),
            visit(1, "bob", "display"), visit(30 * DAY + 1, "bob", "direct"), visit(3 * DAY, "bob", "direct"),
            visit(0, "cyd", "display"), visit(30 * DAY + 1, "cyd", "email"),
        ],
    )  # fmt: skip


def test_touches_of_thirty_days_and_persons_who_did_not_convert(client: Client, sink: Sink) -> None:
    walks(client, sink)
    found = paths_of(client, SCOPE, "channel")
    assert found == {
        ("email", "sms"): PathCount(1, 0, {"EUR": 9_000_000}),
        ("sms",): PathCount(1, 0),
        ("display", "direct"): PathCount(0, 1),
        ("email",): PathCount(0, 1),
    }


def test_only_conversions_of_the_goals_and_of_the_time(client: Client, sink: Sink) -> None:
    walks(client, sink)
    orders = paths_of(client, SCOPE, "channel", ("purchase",))
    assert sum(count.conversions for count in orders.values()) == 1
    until = Scope("shop", DAY_0, DAY_0 + 40 * DAY)
    found = paths_of(client, until, "channel")
    assert Counter({path: count.lost for path, count in found.items()})["video", "email", "sms"] == 1, (
        "not yet converted"
    )
    assert sum(count.conversions for count in found.values()) == 0
    assert (
        sum(
            count.conversions
            for count in paths_of(client, until._replace(end_ms=until.end_ms + 1), "channel").values()
        )
        == 1
    )


@pytest.mark.parametrize("model", MODELS)
def test_credits_add_up_in_every_model_and_costs_stand_beside(client: Client, sink: Sink, model: str) -> None:
    walks(client, sink)
    cost = {"event": "ad_cost", "outcome": "background", "currency": "EUR", "channel": "display"}
    put(sink, [hit(5, "ads", revenue_micros=2_500_000, **cost)])
    found = attribute(client, SCOPE, model, "channel")
    assert sum(credit.conversions for credit in found) == pytest.approx(2)
    assert sum(credit.revenue.get("EUR", 0) for credit in found) == 9_000_000
    assert {credit.name: credit.cost for credit in found}["display"] == {"EUR": 2_500_000}
    assert [credit.conversions for credit in found] == sorted((c.conversions for c in found), reverse=True)


@pytest.mark.parametrize("model", MODELS)
def test_sums_of_money_beyond_64_bits_of_micros_are_whole(client: Client, sink: Sink, model: str) -> None:
    """More than nine million millions: of rials a good year."""
    most = 10**12
    cost = {"event": "ad_cost", "outcome": "background", "currency": "IRR", "channel": "sms"}
    put(
        sink,
        [
            *(order(n * DAY + 1, "ann", most, goal=True, currency="IRR") for n in range(1, 21)),
            *(hit(n * DAY, "ads", revenue_micros=most * 1_000_000, **cost) for n in range(1, 21)),
        ],
        [visit(n * DAY, "ann", "sms") for n in range(1, 21)],
    )
    (credit,) = attribute(client, SCOPE, model, "channel")
    assert (credit.revenue, credit.cost) == ({"IRR": 20 * most * 1_000_000},) * 2


def test_by_campaign(client: Client, sink: Sink) -> None:
    walks(client, sink)
    assert paths_of(client, SCOPE, "campaign", ("purchase",))["spring", "(none)"].conversions == 1


def test_a_scope_is_taken_from_the_store_where_it_is_left_open(client: Client, sink: Sink) -> None:
    with pytest.raises(ScopeError, match="holds no hits"):
        scope_of(client)
    put(sink, [hit(0, "ann"), hit(5, "ann")])
    assert scope_of(client) == Scope("shop", DAY_0, DAY_0 + 6)
    assert scope_of(client, start="2026-01-01T01:00:00+01:00", end="2026-01-02") == Scope(
        "shop", DAY_0, DAY_0 + DAY
    )
    put(sink, [hit(0, "ann", site="blog")])
    with pytest.raises(ScopeError, match=r"several sites.*: blog, shop"):
        scope_of(client)
    with pytest.raises(ScopeError, match="no site x; there are blog, shop"):
        scope_of(client, site="x")
    with pytest.raises(ScopeError, match="'monday' is no time"):
        scope_of(client, site="shop", start="monday")
    with pytest.raises(ScopeError, match="--to must be later"):
        scope_of(client, site="shop", start="2026-01-02", end="2026-01-02")


def test_the_time_before_is_as_long() -> None:
    assert Scope("s", 100, 130).before() == Scope("s", 70, 100)


def test_days_are_those_of_the_sites_time_zone(client: Client, sink: Sink) -> None:
    put(sink, [hit(0)])
    tehran = ZoneInfo("Asia/Tehran")
    scope = scope_of(client, start="2026-01-01", end="2026-01-03", zone_of={"shop": tehran}.__getitem__)
    ahead = 12_600_000  # of UTC, 3:30 h
    assert scope == Scope("shop", DAY_0 - ahead, DAY_0 + 2 * DAY - ahead, tehran)
    assert (scope.first_day, scope.last_day) == (date(2026, 1, 1), date(2026, 1, 2))
    assert scope._replace(zone=UTC).first_day == date(2025, 12, 31)
    assert time_of("2026-01-01T00:00:00Z", tehran) == DAY_0, "a time that names its zone has it"
