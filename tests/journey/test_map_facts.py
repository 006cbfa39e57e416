"""What the map says of a small store, of an empty one, and of campaigns beside everyone and the time before."""

import csv
import io

import pytest
from store.kit import hit

from pipeline.journey.map.campaigns import Compared, campaigns_of
from pipeline.journey.map.facts import Item, map_facts
from pipeline.journey.map.plain import CSV_HEAD, as_csv, markdown
from pipeline.journey.map.tongue import tongue
from pipeline.journey.scope import Scope, ScopeError
from pipeline.store.blocks import to_arrow
from pipeline.store.client import Client
from pipeline.store.sink import Sink
from pipeline.store.stages import set_stages
from schemas.signal import Signal

from .kit import DAY, DAY_0, HOUR, put, visit, walk
from .map_kit import LABELS, fill

WEEK = Scope("shop", DAY_0, DAY_0 + 7 * DAY)


def test_a_stage_has_all_its_figures(client: Client, sink: Sink) -> None:
    fill(client, sink)
    facts = map_facts(client, WEEK, "m")
    awareness, consideration, purchase, retention = facts.stages
    assert (awareness.persons, awareness.now, awareness.advanced, awareness.exited) == (13, 11, 2, 1)
    assert (awareness.touches, awareness.sessions, awareness.session_seconds) == (30, 15, 60.0)
    assert awareness.median_seconds == 3600
    assert awareness.touchpoints == [
        Item("blog", 13, 1.0), Item("comparison", 2, 2 / 13), Item("churn_feedback", 1, 1 / 13),
        Item("survey_response", 1, 1 / 13),
    ]  # fmt: skip
    assert awareness.channels == [Item("sms", 13, 1.0), Item("email", 2, 2 / 13)]
    assert awareness.contents == [Item("blog", 2, 2 / 13)]
    assert awareness.reasons == [Item("=too <dear>", 1, 1.0)]
    assert awareness.nps == -100
    assert (consideration.persons, consideration.now, consideration.median_seconds) == (
        2,
        0,
        (5 * DAY - HOUR) / 1000,
    )
    assert (purchase.csat, purchase.nps, purchase.ces, purchase.answers) == (9.0, 100.0, None, 2)
    assert (retention.persons, retention.exit_ratio, retention.curve) == (0, None, [])
    assert sum(awareness.curve) == awareness.touches
    assert facts.totals.revenue == {"EUR": 99.5}
    assert (facts.totals.persons, facts.totals.sessions, facts.totals.nps) == (13, 15, 0)
    assert facts.totals.conversion_ratio == pytest.approx(2 / 15)
    flows = {(flow.from_stage, flow.to_stage, flow.kind): flow.persons for flow in facts.flows}
    assert flows == {
        ("", "awareness", "enter"): 13, ("awareness", "consideration", "advance"): 2, ("awareness", "", "lapse"): 1,
        ("consideration", "purchase", "advance"): 1, ("consideration", "awareness", "regress"): 1,
    }  # fmt: skip


def signal(who: str, state: str, at: int) -> Signal:
    return Signal(
        site="shop", person_id=who, reason="overdue", score=0.5, state=state, time=DAY_0 + at, ordinal=0, evidence="{}",
        withdrawn=False, version=1,
    )  # fmt: skip


def test_persons_at_risk_are_those_whose_signal_is_still_raised(client: Client, sink: Sink) -> None:
    fill(client, sink)
    signals = [
        signal(who, state, at)
        for who, state, at in (
            ("p0", "raised", 1),
            ("p1", "raised", 1),
            ("p1", "cleared", 2),
            ("cyd", "raised", 1),
        )
    ]
    sink.insert("signals", to_arrow("signals", signals), "signals")
    assert map_facts(client, WEEK, "m").stages[0].at_risk == 1


def test_a_signal_raised_before_the_scope_and_still_on_is_at_risk(client: Client, sink: Sink) -> None:
    fill(client, sink)
    signals = [signal("p0", "raised", -DAY), signal("p1", "raised", -DAY), signal("p1", "cleared", 1)]
    signals += [signal("p2", "raised", 7 * DAY)]
    sink.insert("signals", to_arrow("signals", signals), "signals")
    assert map_facts(client, WEEK, "m").stages[0].at_risk == 1


def test_a_campaign_beside_everyone_and_the_time_before(client: Client, sink: Sink) -> None:
    fill(client, sink)
    put(
        sink,
        [hit(-DAY, "old")],
        [visit(0, "eve", "direct")],
        [*walk(client, "old", (-DAY, "awareness"), (-DAY + 1, "purchase")),
         *walk(client, "eve", (0, "awareness"), (1, "consideration"))],
    )  # fmt: skip
    (campaign,) = campaigns_of(client, WEEK, "m", 3)
    assert (campaign.name, campaign.sessions, campaign.persons, campaign.new_persons) == (
        "spring",
        13,
        13,
        13,
    )
    assert campaign.visits == [13, 0, 0, 0, 0, 0, 0]
    assert (campaign.channels, campaign.cost) == ([Item("sms", 13, 1.0)], {"EUR": 5.0})
    assert campaign.revenue == {"EUR": 99.5}
    assert campaign.stages[0] == Compared("awareness", 13, 2 / 13, 3 / 14, 1.0)
    assert campaign.stages[3] == Compared("retention", 0, None, None, None)
    assert campaigns_of(client, WEEK, "m", 0) == []


def test_nothing_happened(client: Client) -> None:
    set_stages(client, {"m": ["a", "b"]})
    facts = map_facts(client, WEEK, "m")
    assert [stage.persons for stage in facts.stages] == [0, 0]
    assert (facts.totals.conversion_ratio, facts.totals.nps, facts.flows) == (None, None, [])
    assert campaigns_of(client, WEEK, "m", 3) == []
    with pytest.raises(ScopeError, match="no model n; there are m"):
        map_facts(client, WEEK, "n")


def test_markdown_and_csv_say_what_the_sheet_says(client: Client, sink: Sink) -> None:
    fill(client, sink)
    facts, campaigns = map_facts(client, WEEK, "m"), campaigns_of(client, WEEK, "m", 1)
    text = markdown(facts, campaigns, tongue("en"), "Model", LABELS)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert table[0] == "|  | Awareness | Consideration | Purchase | retention |"
    assert {line.count(" | ") for line in table[2:10]} == {4}
    assert "=too \\<dear\\> 100%" in text
    assert "## Campaign: spring" in text
    lines = list(csv.reader(io.StringIO(as_csv(facts, campaigns))))
    assert tuple(lines[0]) == CSV_HEAD
    assert ["shop", "m", "2026-01-01", "2026-01-07", "", "awareness", "persons", "", "13"] in lines
    assert ["shop", "m", "2026-01-01", "2026-01-07", "", "awareness", "reasons", "'=too <dear>", "1"] in lines
    assert [
        "shop",
        "m",
        "2026-01-01",
        "2026-01-07",
        "spring",
        "awareness",
        "campaign persons",
        "",
        "13",
    ] in lines
