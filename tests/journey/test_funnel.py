"""The funnel against the journey: a naive count over all persons, findings at their thresholds, and the scope."""

from collections import Counter, defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from store.kit import hit

from pipeline.journey.funnel import Finding, Flow, Step, Went, findings, funnel_of
from pipeline.journey.scope import Scope, ScopeError
from pipeline.store.client import Client
from pipeline.store.sink import Sink
from pipeline.store.stages import set_stages
from schemas.transition import Kind

from .kit import DAY, DAY_0, HOUR, STAGES, put, table, walk

SCOPE = Scope("shop", DAY_0, DAY_0 + 400 * DAY)

journeys = st.lists(
    st.lists(st.sampled_from(STAGES), min_size=1, max_size=6).map(
        lambda stages: [stage for at, stage in enumerate(stages) if at == 0 or stage != stages[at - 1]]
    ),
    min_size=1,
    max_size=12,
)


@given(journeys)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_counts_are_those_of_the_journeys_one_by_one(
    client: Client, sink: Sink, journeys: list[list[str]]
) -> None:
    for name in ("hits", "transitions"):
        client.command(f"TRUNCATE TABLE {name}_rows")
    steps = [
        walk(client, f"p{who}", *((at * HOUR, stage) for at, stage in enumerate(journey)))
        for who, journey in enumerate(journeys)
    ]
    put(
        sink,
        [hit(0, f"p{who}") for who in range(len(journeys))],
        transitions=[one for of in steps for one in of],
    )
    found = funnel_of(client, SCOPE, "m")
    flows: Counter[tuple[str, str]] = Counter()
    reached: dict[str, set[int]] = defaultdict(set)
    entered: dict[str, set[int]] = defaultdict(set)
    back: dict[str, set[int]] = defaultdict(set)
    for who, journey in enumerate(journeys):
        flows.update(zip(["", *journey], journey, strict=False))
        for at, stage in enumerate(journey):
            entered[stage].add(who)
            for lower in STAGES[: STAGES.index(stage) + 1]:
                reached[lower].add(who)
            if at + 1 < len(journey) and STAGES.index(journey[at + 1]) < STAGES.index(stage):
                back[stage].add(who)
    assert [(s.stage, s.reached, s.entered, s.moved_back) for s in found.steps] == [
        (stage, len(reached[stage]), len(entered[stage]), len(back[stage])) for stage in STAGES
    ]
    assert {(flow.from_stage, flow.to_stage): flow.moves for flow in found.flows} == dict(flows)
    assert found.persons == len(journeys)


def test_journeys_are_followed_from_their_beginning_to_the_end_of_the_scope(
    client: Client, sink: Sink
) -> None:
    put(
        sink,
        [hit(0, name) for name in ("early", "ann", "late")],
        transitions=[
            *walk(client, "early", (DAY - 1, "awareness"), (3 * DAY, "purchase")),
            *walk(client, "ann", (DAY, "awareness"), (2 * DAY, "consideration"), (9 * DAY, "purchase")),
            *walk(client, "late", (9 * DAY, "awareness")),
        ],
    )
    found = funnel_of(client, Scope("shop", DAY_0 + DAY, DAY_0 + 9 * DAY), "m")
    assert found.persons == 1
    assert [(step.reached, step.now, step.median_seconds) for step in found.steps] == [
        (1, 0, 86_400), (1, 1, None), (0, 0, None), (0, 0, None),
    ]  # fmt: skip


def test_who_goes_the_same_way_twice_is_one_person_and_who_returns_is_not_new(
    client: Client, sink: Sink
) -> None:
    """ann leaves awareness by a lapse, returns, and falls silent there: two ways out of one person."""
    steps = walk(client, "ann", (0, "awareness"), (40 * DAY, ""), (50 * DAY, "awareness"))
    steps[2] = replace(steps[2], kind=Kind.RETURN)
    put(
        sink,
        [hit(50 * DAY, "ann"), hit(0, "bob"), hit(90 * DAY, "cyd")],
        transitions=[
            *steps,
            *walk(client, "bob", (0, "awareness")),
            *walk(client, "cyd", (90 * DAY, "awareness")),
        ],
    )
    assert funnel_of(client, SCOPE, "m").went == [
        Went("", "awareness", returned=False, persons=3),
        Went("", "awareness", returned=True, persons=1),
        Went("awareness", "", returned=False, persons=2),
    ]
    assert funnel_of(client, SCOPE, "m").went[1].returned is True


def test_the_command_and_the_view_say_the_same(client: Client, sink: Sink) -> None:
    put(
        sink,
        [hit(0, "ann"), hit(0, "bob"), hit(90 * DAY, "cyd")],
        transitions=[
            *walk(client, "ann", (0, "awareness"), (HOUR, "retention"), (2 * HOUR, "consideration")),
            *walk(client, "bob", (0, "consideration")),
            *walk(client, "cyd", (90 * DAY, "awareness")),
        ],
    )
    steps = funnel_of(client, SCOPE, "m").steps
    assert table(client, "stage_funnel", "position, reached, entered, moved_back, exited, skipped") == [
        (step.position, step.reached, step.entered, step.moved_back, step.exited, step.skipped)
        for step in steps
    ]
    assert [step.exited for step in steps] == [0, 2, 0, 0]


def test_a_model_without_a_journey_and_one_that_is_not_there(client: Client) -> None:
    set_stages(client, {"m": ["a", "b"]})
    found = funnel_of(client, SCOPE, "m")
    assert (found.persons, found.flows, found.findings) == (0, [], [])
    assert [(step.reached, step.step_ratio) for step in found.steps] == [(0, None), (0, None)]
    with pytest.raises(ScopeError, match="no model n; there are m"):
        funnel_of(client, SCOPE, "n")


def step(stage: str, position: int, reached: int, **fields: int) -> Step:
    values = {"entered": reached, "moved_back": 0, "exited": 0, "now": 0, "again": 0}
    return Step(stage=stage, position=position, reached=reached, median_seconds=None, **(values | fields))


def test_findings_name_the_narrowest_step_and_what_the_funnel_does_not_see() -> None:
    steps = [
        step("a", 1, 100, exited=30),
        step("b", 2, 60, entered=20, moved_back=1),
        step("c", 3, 10, again=6),
    ]
    flows = [Flow("a", "c", "advance", 7, 7, None), Flow("c", "a", "regress", 9, 9, None)]
    assert findings(steps, flows) == [
        Finding("narrow", "b", 50, 60, "c"),
        Finding("skipped", "b", 40, 60),
        Finding("leaves", "a", 30, 100),
        Finding("jumps", "a", 7, 100, "c"),
        Finding("again", "c", 6, 10),
    ]


@pytest.mark.parametrize(("persons", "of", "is_said"), [(5, 100, True), (4, 20, False), (5, 101, False)])
def test_what_is_rare_is_no_finding(persons: int, of: int, is_said: bool) -> None:
    found = findings([step("a", 1, of, moved_back=persons)], [])
    assert found == ([Finding("back", "a", persons, of)] if is_said else [])
