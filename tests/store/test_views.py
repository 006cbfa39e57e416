"""What the views make of the rows: moved sessions, persons, conversions, attribution, surveys, e-mails,
costs.
"""

from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.core.scores import normalised_score
from pipeline.store.blocks import to_arrow
from pipeline.store.client import Client
from pipeline.store.sink import Sink
from pipeline.store.stages import set_stages
from pipeline.store.views import PROCESS_COLUMNS, VIEWS, export_views
from schemas.counter import CounterRow
from schemas.outcome import LedgerRow, Outcome
from schemas.person import LinkRow
from schemas.session import Session, SessionMove
from schemas.signal import Signal
from schemas.transition import Kind, Transition

from .credits import credit
from .kit import DAY_0, Row, hit, hit_table, session

DAY = 86_400_000


def fill(sink: Sink, *, hits: list[Row] | None = None, sessions: list[Session] | None = None) -> None:
    sink.insert("hits", hit_table(hits or []), "hits")
    sink.insert("sessions", to_arrow("sessions", sessions or []), "sessions")
    credit(sink)


def transition(time: int, to_stage: str, *, ordinal: int = 0, **fields: object) -> Transition:
    values: Row = {
        "site": "shop", "person_id": "ann", "model": "funnel4", "from_stage": "", "kind": Kind.ENTER,
        "dwell_ms": 0, "cause_event": "page_view", "cause_url": "/", "cause_channel": "direct",
        "cause_session_id": "",
        "withdrawn": False, "version": 1,
    }  # fmt: skip
    return Transition(**(values | {"time": DAY_0 + time, "to_stage": to_stage, "ordinal": ordinal} | fields))


def test_hits_follow_their_session_when_it_moves(client: Client, sink: Sink) -> None:
    fill(
        sink,
        hits=[hit(1, session_id="a"), hit(2, session_id="b"), hit(3, session_id="c"), hit(4, session_id="")],
    )
    first = [SessionMove("shop", "a", "b", 1), SessionMove("blog", "c", "x", 1)]
    later = [SessionMove("shop", "a", "z", 2), SessionMove("shop", "b", "z", 2)]
    for number, moves in enumerate((later, first)):
        sink.insert("session_moves", to_arrow("session_moves", moves), str(number))
    assert client.query("SELECT session_id FROM hits ORDER BY event_time") == [("z",), ("z",), ("c",), ("",)]
    assert client.query("SELECT session_id FROM hits ORDER BY event_time SETTINGS join_use_nulls = 1") == [
        ("z",), ("z",), ("c",), ("",)
    ]  # fmt: skip


def test_hits_of_a_session_that_was_split_go_by_their_time(client: Client, sink: Sink) -> None:
    fill(sink, hits=[hit(at, session_id="a") for at in (1, 4, 5, 9)])
    moves = [SessionMove("shop", "a", "c", 2, [DAY_0 + 1, DAY_0 + 5, DAY_0 + 9], ["a", "b", "c"])]
    sink.insert("session_moves", to_arrow("session_moves", moves), "split")
    assert client.query("SELECT session_id FROM hits ORDER BY event_time") == [("a",), ("a",), ("b",), ("c",)]


def test_transitions_name_the_session_their_cause_has_moved_to(client: Client, sink: Sink) -> None:
    steps = [
        transition(0, "awareness", cause_session_id="a"),
        transition(1, "interest", cause_session_id="b"),
    ]
    sink.insert("transitions", to_arrow("transitions", steps), "t")
    sink.insert("session_moves", to_arrow("session_moves", [SessionMove("shop", "a", "z", 1)]), "t")
    assert client.query("SELECT cause_session_id FROM transitions ORDER BY time") == [("z",), ("b",)]


def test_hits_and_sessions_belong_to_the_owner_of_their_visitor(client: Client, sink: Sink) -> None:
    """Before the first owner to the first; then to the last who had turned up; what has a user to that user."""
    times = {0: "ann", 99: "ann", 100: "ann", 200: "bob", 300: "bob"}
    fill(
        sink,
        hits=[hit(at, "tablet") for at in times] + [hit(250, "tablet", user_id="ann"), hit(1, "phone")],
        sessions=[session(at, at, f"s{at}", visitor_id="tablet", person_id="tablet") for at in times],
    )
    owners = LinkRow("shop", "tablet", ["ann", "bob"], [DAY_0 + 100, DAY_0 + 200], 2)
    for version, row in ((2, owners), (1, LinkRow("shop", "tablet", ["eve"], [DAY_0], 1))):
        sink.insert("links", to_arrow("links", [row]), str(version))
    expected = [*times.values()]
    asked = "SELECT person_id FROM hits WHERE visitor_id = 'tablet' AND user_id = '' ORDER BY event_time"
    assert [row[0] for row in client.query(asked)] == expected
    assert [row[0] for row in client.query("SELECT person_id FROM sessions ORDER BY start_time")] == expected
    assert client.query("SELECT person_id FROM hits WHERE user_id = 'ann'") == [("ann",)]
    assert client.query("SELECT person_id FROM hits WHERE visitor_id = 'phone'") == [("phone",)]
    assert client.query("SELECT visitor_id, user_id FROM links ORDER BY since") == [
        ("tablet", "ann"),
        ("tablet", "bob"),
    ]
    sink.insert("links", to_arrow("links", [LinkRow("shop", "tablet", [], [], 3)]), "3")
    assert {row[0] for row in client.query(asked)} == {"tablet"}
    assert client.query("SELECT count() FROM links") == [(0,)]


def test_a_withdrawn_transition_is_gone(client: Client, sink: Sink) -> None:
    for version, withdrawn in ((2, True), (1, False)):
        step = transition(0, "awareness", version=version, withdrawn=withdrawn)
        sink.insert("transitions", to_arrow("transitions", [step]), str(version))
    assert client.query("SELECT count() FROM transitions") == [(0,)]


def test_a_pane_that_fell_back_to_zero_is_gone(client: Client, sink: Sink) -> None:
    for version, sessions in ((1, 1), (2, 0)):
        row = CounterRow("shop", "direct", DAY_0, 10_000, sessions, 0, 0, 0, 0, 0, version)
        sink.insert("counters", to_arrow("counters", [row]), str(version))
    assert client.query("SELECT count() FROM counters") == [(0,)]


def test_the_ledger_adds_the_newest_of_each_partition(client: Client, sink: Sink) -> None:
    ledger = [LedgerRow(0, "shop", Outcome.LATE, 3, 1), LedgerRow(0, "shop", Outcome.LATE, 5, 2),
              LedgerRow(1, "shop", Outcome.LATE, 10, 1), LedgerRow(1, "shop", Outcome.BOT, 0, 1)]  # fmt: skip
    for number, row in enumerate(reversed(ledger)):
        sink.insert("ledger", to_arrow("ledger", [row]), str(number))
    assert client.query("SELECT * FROM ledger") == [("shop", "late", 15)]


def test_a_person_is_summed_up(client: Client, sink: Sink) -> None:
    fill(
        sink,
        hits=[
            hit(0, "phone", person_id="ann"),
            hit(1, "laptop", person_id="ann", user_id="ann"),
            hit(
                2, "", person_id="ann", user_id="ann", event="purchase", goal=True, revenue_micros=19_990_000
            ),
            hit(3, "bot", person_id="bot", outcome="bot", bot=True),
        ],
        sessions=[session(0, 2, "s1"), session(DAY, DAY, "s2")],
    )
    steps = [transition(0, "interest"), transition(1, "awareness", ordinal=1, kind=Kind.REGRESS)]
    sink.insert("transitions", to_arrow("transitions", steps), "t")
    client.command(
        "INSERT INTO stages_rows (model, stage, position, version) "
        "VALUES ('funnel4', 'awareness', 1, 1), ('funnel4', 'interest', 2, 1)"
    )
    signals = [
        Signal("shop", "ann", "overdue", 0.25, "raised", DAY_0, 0, "{}", False, 1),
        Signal("shop", "ann", "payment", 0.5, "raised", DAY_0, 0, "{}", False, 1),
        Signal("shop", "ann", "support", 0.5, "raised", DAY_0, 0, "{}", False, 1),
        Signal("shop", "ann", "support", 0.5, "cleared", DAY_0 + 1, 1, "{}", False, 1),
    ]
    sink.insert("signals", to_arrow("signals", signals), "t")
    (person,) = client.query("SELECT * EXCEPT (first_seen, last_seen) FROM persons")
    assert person == (
        "shop", "ann", "ann", ["laptop", "phone"], 2, 1, Decimal("19.990000"), {"funnel4": "awareness"},
        {"funnel4": "interest"}, 0.75, ["overdue", "payment"],
    )  # fmt: skip


def test_a_conversion_has_the_channel_of_its_session(client: Client, sink: Sink) -> None:
    buy: Row = {"event": "purchase", "goal": True}
    fill(
        sink,
        hits=[
            hit(0, session_id="s", channel="email"),
            hit(1, session_id="s", channel="direct", **buy),
            hit(2, outcome="background", channel="offline", **buy),
            hit(3, outcome="bot", bot=True, **buy),
        ],
        sessions=[session(0, 1, "s", channel="email", campaign_name="spring")],
    )
    assert client.query("SELECT channel, campaign_name FROM conversions ORDER BY time") == [
        ("email", "spring"), ("offline", "")
    ]  # fmt: skip


CREDITS = {
    "first_touch": [1, 0, 0, 0],
    "last_touch": [0, 0, 0, 1],
    "last_non_direct": [0, 0, 1, 0],
    "linear": [0.25] * 4,
    "position_based": [0.4, 0.1, 0.1, 0.4],
    "time_decay": [part / 1.875 for part in (0.125, 0.25, 0.5, 1)],
}


def test_credits_of_a_conversion_add_up_to_it(client: Client, sink: Sink) -> None:
    weeks = [session(week * 7 * DAY, week * 7 * DAY, f"s{week}", channel=channel)
             for week, channel in enumerate(["display", "email", "sms", "direct"], start=1)]  # fmt: skip
    too_old = session(-3 * DAY, -3 * DAY, "old", channel="video")
    after = session(29 * DAY, 29 * DAY, "after", channel="video")
    buy = hit(28 * DAY, session_id="s4", event="purchase", goal=True, revenue_micros=10_000_001)
    fill(sink, hits=[buy], sessions=[*weeks, too_old, after])
    for model, expected in CREDITS.items():
        touches = client.query(
            "SELECT session_id, credit, revenue FROM attribution "
            f"WHERE model = '{model}' ORDER BY touch_number"
        )
        assert [touch[0] for touch in touches] == ["s1", "s2", "s3", "s4"]
        assert [touch[1] for touch in touches] == pytest.approx(expected, abs=2e-6)
        assert sum(touch[2] for touch in touches) == Decimal("10.000001")


def test_a_conversion_without_sessions_is_its_own_touch(client: Client, sink: Sink) -> None:
    fill(
        sink,
        hits=[hit(0, outcome="background", event="purchase", goal=True, channel="offline", revenue_micros=7)],
    )
    touches = client.query("SELECT model, channel, credit, revenue FROM attribution")
    assert len(touches) == len(CREDITS)
    assert {touch[1:] for touch in touches} == {("offline", 1.0, Decimal("0.000007"))}


def test_survey_scores_are_normalised_as_in_the_core(client: Client, sink: Sink) -> None:
    cases = [
        (metric, score, scale)
        for metric in ("csat", "ces", "nps", "other")
        for score in (None, -1.0, 0.0, 1.0, 3.5, 5.0, 7.0, 10.0, 11.0)
        for scale in (None, 0.0, 1.0, 5.0, 7.0, 10.0)
    ]
    hits = [
        hit(
            at,
            event="survey_response",
            outcome="background",
            score=score,
            scale=scale,
            props=f'{{"metric":"{metric}"}}',
        )
        for at, (metric, score, scale) in enumerate(cases)
    ]
    fill(sink, hits=hits)
    stored = client.query("SELECT metric, score, scale, normalised_score FROM survey_responses ORDER BY time")
    assert [row[:3] for row in stored] == cases
    expected = [normalised_score(*case) for case in cases]
    assert sum(score is not None for score in expected) > 20
    assert [row[3] for row in stored] == pytest.approx(expected)


def test_emails_and_costs(client: Client, sink: Sink) -> None:
    fill(
        sink,
        hits=[
            hit(0, event="email_open", outcome="background", campaign_name="spring"),
            hit(1, event="ad_cost", outcome="background", revenue_micros=5_000_000, channel="display"),
            hit(2, event="page_view"),
        ],
    )
    assert client.query("SELECT action, campaign_name FROM emails") == [("open", "spring")]
    assert client.query("SELECT channel, cost FROM costs") == [("display", Decimal(5))]


def test_two_runs_over_the_same_hits_export_the_same_bytes(
    client: Client, sink: Sink, tmp_path: Path
) -> None:
    def run(directory: Path, version: int, order: int) -> dict[str, bytes]:
        for table in ("hits", "sessions"):
            client.command(f"TRUNCATE TABLE {table}_rows")
        changing = {"received_time": DAY_0 + version, "url": "/\t\n"}
        rows = [
            hit(at, session_id=f"s{at}", source_offset=version + order * at, **changing) for at in range(3)
        ]
        sink.insert("hits", hit_table(rows[::order]), f"{directory}")
        records = [session(at, at, f"s{at}", version=version) for at in range(3)]
        sink.insert("sessions", to_arrow("sessions", records[::order]), f"{directory}")
        return {file.name: file.read_bytes() for file in export_views(client, directory)}

    one, two = run(tmp_path / "one", 1, 1), run(tmp_path / "two", 90, -1)
    assert one == two
    assert one.keys() == {f"{view}.tsv" for view in VIEWS}
    assert len(one["hits.tsv"].splitlines()) == 4
    for view, process_columns in PROCESS_COLUMNS.items():
        assert not process_columns & set(one[f"{view}.tsv"].decode().splitlines()[0].split("\t"))


def test_an_export_is_sorted(client: Client, sink: Sink, tmp_path: Path) -> None:
    fill(sink, hits=[hit(at, f"v{at}") for at in range(100)])
    export_views(client, tmp_path, ("persons",))
    persons = (tmp_path / "persons.tsv").read_bytes().splitlines()[1:]
    assert len(persons) == 100
    assert persons == sorted(persons)


def test_the_order_of_stages_follows_the_models(client: Client) -> None:
    set_stages(client, {"m": ["a", "b", "c"], "n": ["x"]})
    set_stages(client, {"m": ["a", "b", "c"], "n": ["x"]})
    assert client.query("SELECT count() FROM stages_rows") == [(4,)]
    set_stages(client, {"m": ["b", "a"], "n": ["x"]}, {"n": 30})
    assert client.query("SELECT * FROM stages ORDER BY model, position") == [
        ("m", "b", 1, 0),
        ("m", "a", 2, 0),
        ("n", "x", 1, 30),
    ]
