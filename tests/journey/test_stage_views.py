"""Stays, flows, the funnel beside them, touchpoints and content, as the engine works them out."""

from store.kit import Row, hit

from pipeline.core.counters import STAGE, Counters
from pipeline.person_metrics import families
from pipeline.store.client import Client
from pipeline.store.content import set_content
from pipeline.store.sink import Sink
from schemas.counter import Facts, Measure
from schemas.transition import Kind, TransitionFact

from .kit import DAY, DAY_0, HOUR, put, table, walk


def test_a_stay_ends_with_the_next_step(client: Client, sink: Sink) -> None:
    steps = walk(client, "ann", (0, "awareness"), (HOUR, "purchase"), (3 * HOUR, "consideration"))
    put(sink, [hit(at, "ann") for at in (0, HOUR, 3 * HOUR)], transitions=steps)
    found = table(client, "stage_visits", "ordinal, stage, left_kind, next_stage, dwell_ms, exited")
    assert found == [
        (0, "awareness", "advance", "purchase", HOUR, 0),
        (1, "purchase", "regress", "consideration", 2 * HOUR, 0),
        (2, "consideration", "", "", None, 0),
    ]


def test_a_lapse_is_an_exit_and_who_comes_back_enters_again(client: Client, sink: Sink) -> None:
    steps = walk(client, "ann", (0, "awareness"), (31 * DAY, ""), (40 * DAY, "consideration"))
    put(sink, [hit(0, "ann"), hit(40 * DAY, "ann")], transitions=steps)
    found = table(client, "stage_visits", "stage, left_kind, next_stage, exited")
    assert found == [("awareness", "lapse", "", 1), ("consideration", "", "", 0)]
    flows = table(client, "stage_flows", "from_stage, to_stage, kind, persons")
    assert flows == [
        ("", "awareness", "enter", 1),
        ("", "consideration", "enter", 1),
        ("awareness", "", "lapse", 1),
    ]


def test_silence_longer_than_the_lapse_time_is_an_exit_and_exactly_so_long_is_none(
    client: Client, sink: Sink
) -> None:
    put(
        sink,
        [
            hit(0, "gone"), hit(1, "there"), hit(30 * DAY + 1, "someone"),
            hit(0, "served"), hit(20 * DAY, "served", event="order_shipped", outcome="background"),
        ],
        transitions=[
            step
            for who, at in (("gone", 0), ("there", 1), ("served", 0))
            for step in walk(client, who, (at, "awareness"))
        ],
    )  # fmt: skip
    found = table(client, "stage_visits", "person_id, left_kind, exited, dwell_ms")
    assert found == [
        ("gone", "silence", 1, 0),
        ("served", "", 0, None),  # whether a shipment is evidence is the models' affair
        ("there", "", 0, None),
    ]


def test_the_gauge_of_exits_with_a_window_that_holds_all_says_what_the_view_says(
    client: Client, sink: Sink
) -> None:
    at = [0, HOUR, 2 * HOUR]
    steps = [
        *walk(client, "ann", (at[0], "awareness"), (at[1], "purchase")),
        *walk(client, "bob", (at[0], "awareness"), (at[2], "")),
        *walk(client, "cyd", (at[0], "awareness")),
        *walk(client, "dan", (at[1], "purchase"), (at[2], "")),
    ]
    put(sink, [hit(at[2], who) for who in ("ann", "bob", "cyd", "dan")], transitions=steps)
    facts = Facts("journeys-0", DAY_0 + at[2])
    for step in steps:
        facts.transitions.append(TransitionFact("shop", "m", step.from_stage, step.to_stage))
        if step.from_stage:
            sums = [0, 1] if step.kind == Kind.LAPSE else [1, 0]
            facts.measures.append(Measure("shop", f"{STAGE}m{STAGE}{step.from_stage}", step.time, sums))
    counters = Counters({}.get)
    counters.apply([facts], 1)
    (family,) = [one for one in families([counters.snapshot()], str) if one.name == "masir_stage_exit_ratio"]
    gauge = {one.labels["stage"]: one.value for one in family.samples if one.labels["window"] == "24h"}
    assert gauge == {"awareness": 1 / 3, "purchase": 0.5}
    assert dict(table(client, "stage_figures", "stage, exit_ratio")) == gauge


def test_figures_of_a_stage(client: Client, sink: Sink) -> None:
    put(
        sink,
        [hit(0, "ann"), hit(8 * HOUR, "ann"), hit(0, "bob"), hit(0, "cyd"), hit(60 * DAY, "dan")],
        transitions=[
            *walk(client, "ann", (0, "awareness"), (2 * HOUR, "consideration"), (4 * HOUR, "awareness"),
                  (8 * HOUR, "purchase")),
            *walk(client, "bob", (0, "awareness"), (HOUR, "consideration")),
            *walk(client, "cyd", (0, "awareness")),
            *walk(client, "dan", (60 * DAY, "awareness")),
        ],
    )  # fmt: skip
    columns = (
        "position, stage, persons, visits, persons_now, persons_advanced, persons_regressed, persons_exited, "
        "exit_ratio, median_dwell_seconds"
    )
    assert table(client, "stage_figures", columns) == [
        (1, "awareness", 4, 5, 1, 2, 0, 1, 0.25, 7200),  # 1 h, 2 h, 4 h, and cyd 0
        (2, "consideration", 2, 2, 0, 0, 1, 1, 0.5, 7200),  # bob: silent from the start
        (3, "purchase", 1, 1, 0, 0, 0, 1, 1.0, 0),
    ]


def test_the_funnel_counts_whom_the_journey_never_saw_there(client: Client, sink: Sink) -> None:
    put(
        sink,
        [hit(0, name) for name in ("ann", "bob", "cyd")],
        transitions=[
            *walk(client, "ann", (0, "awareness"), (1, "purchase")),
            *walk(client, "bob", (0, "awareness"), (1, "consideration"), (2, "awareness")),
            *walk(client, "cyd", (0, "purchase"), (1, "consideration")),
        ],
    )
    columns = "position, stage, reached, entered, skipped, moved_back, reached_before, step_ratio"
    assert table(client, "stage_funnel", columns) == [
        (1, "awareness", 3, 2, 1, 0, None, None),
        (2, "consideration", 3, 2, 1, 1, 3, 1.0),
        (3, "purchase", 2, 2, 0, 1, 3, 2 / 3),
        (4, "retention", 0, 0, 0, 0, 2, 0.0),
    ]
    flows = table(client, "stage_flows", "from_stage, to_stage, kind, moves, skipped", "from_stage != ''")
    assert flows == [
        ("awareness", "consideration", "advance", 1, 0), ("awareness", "purchase", "advance", 1, 1),
        ("consideration", "awareness", "regress", 1, 0), ("purchase", "consideration", "regress", 1, 0),
    ]  # fmt: skip


def test_a_touchpoint_belongs_to_the_stage_before_it_moved_the_person(client: Client, sink: Sink) -> None:
    set_content(client, {})
    put(
        sink,
        [
            hit(0, "ann", url="https://a.example/blog/1"), hit(5, "ann", url="https://a.example/blog/2?x"),
            hit(10, "ann", url="/compare/all"), hit(20, "ann", event="video_start", url="/compare/all"),
            hit(30, "ann", url="/compare", props='{"content":"manifesto"}'), hit(30, "bob", url="/nothing"),
        ],
        transitions=walk(client, "ann", (0, "awareness"), (10, "consideration")),
    )  # fmt: skip
    found = client.query("SELECT person_id, stage, content FROM touchpoints ORDER BY time, person_id")
    assert found == [
        ("ann", "awareness", "blog"), ("ann", "awareness", "blog"), ("ann", "awareness", "comparison"),
        ("ann", "consideration", "video"), ("ann", "consideration", "manifesto"), ("bob", "", ""),
    ]  # fmt: skip


def test_between_a_lapse_and_a_return_a_touchpoint_is_in_no_stage(client: Client, sink: Sink) -> None:
    put(
        sink,
        [hit(at, "ann") for at in (0, DAY, 40 * DAY, 50 * DAY, 60 * DAY, 61 * DAY)],
        transitions=walk(
            client, "ann", (0, "awareness"), (DAY, "purchase"), (40 * DAY, ""), (60 * DAY, "awareness")
        ),
    )
    found = client.query("SELECT stage, left_kind FROM touchpoints ORDER BY time")
    assert found == [
        ("awareness", "advance"), ("awareness", "advance"), ("purchase", "lapse"), ("", ""), ("awareness", ""),
        ("awareness", ""),
    ]  # fmt: skip


def test_content_moves_people_on_within_seven_days(client: Client, sink: Sink) -> None:
    set_content(client, {})
    hits: list[Row] = [hit(0, name, url="/") for name in ("ann", "bob", "cyd", "dan")]
    hits += [hit(HOUR, name, url="/reviews") for name in ("ann", "bob", "cyd")]
    hits += [hit(2 * HOUR, "ann", url="/reviews"), hit(8 * DAY, "dan", url="/")]
    put(sink, hits, transitions=[
        *walk(client, "ann", (0, "awareness"), (3 * HOUR, "consideration")),
        *walk(client, "bob", (0, "awareness"), (HOUR + 7 * DAY, "consideration")),
        *walk(client, "cyd", (0, "awareness"), (HOUR + 7 * DAY + 1, "consideration")),
        *walk(client, "dan", (0, "awareness")),
    ])  # fmt: skip
    columns = "stage, content, touches, persons, persons_moved_on, moved_on_ratio, stage_advance_ratio"
    assert table(client, "content_effects", columns) == [("awareness", "review", 4, 3, 2, 2 / 3, 0.75)]


def test_own_content_rules_come_first_and_can_be_taken_back(client: Client, sink: Sink) -> None:
    put(sink, [hit(0, "ann", url="/blog/looks_1"), hit(1, "ann", url="/blog/looksX1"), hit(2, "ann", event="try_on")],
        transitions=walk(client, "ann", (0, "awareness")))  # fmt: skip
    contents = "SELECT content FROM touchpoints ORDER BY time"
    set_content(client, {"lookbook": "/blog/looks_* try_on"})
    assert client.query(contents) == [("lookbook",), ("blog",), ("lookbook",)]
    set_content(client, {})
    assert client.query(contents) == [("blog",), ("blog",), ("",)]
