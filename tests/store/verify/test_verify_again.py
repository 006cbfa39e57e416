"""What a running pipeline is asked again: the checks that found something, until it is gone or has stood each time."""

from pipeline.store.checks import Check, Rules
from pipeline.store.client import Client
from pipeline.store.sink import Sink
from pipeline.store.verify import Difference, Found, lasting, settled, verify
from store.kit import hit, store_what_the_stream_says

RULES = Rules()


def test_only_what_differs_twice_lasts() -> None:
    on_its_way = Difference("sessions", {"start_time": 1}, None, {"hits": 1})
    wrong = Difference("sessions", {"start_time": 2}, None, {"hits": 1})
    assert lasting({"sessions": [on_its_way, wrong]}, {"sessions": [wrong]}) == {"sessions": [wrong]}
    assert lasting({"sessions": [wrong]}, {"sessions": [on_its_way]}) == {"sessions": []}


def test_a_running_pipeline_is_asked_until_nothing_differs_or_only_what_stays() -> None:
    late = Difference("sessions", {"start_time": 1}, None, {"hits": 1})
    newer = Difference("sessions", {"start_time": 3}, None, {"hits": 1})
    wrong = Difference("sessions", {"start_time": 2}, None, {"hits": 1})
    for said, expected, slept in (
        ([[]], [], []),
        ([[late], [late, newer], []], [], [3, 6]),
        ([[late, wrong], [late, wrong], [newer, wrong], [wrong]], [wrong], [3, 6, 12]),
    ):
        answers, pauses = iter(said), list[float]()
        found = settled(lambda _, answers=answers: {"sessions": next(answers)}, (3, 6, 12), pauses.append)
        assert (found, pauses) == ({"sessions": expected}, slept)


def test_only_what_differed_is_asked_again(client: Client, sink: Sink) -> None:
    store_what_the_stream_says(sink, [hit(0)], RULES)
    asked: list[Found] = []

    def ask(again: Found | None) -> Found:
        late = Check("signals", f"SELECT 1 AS ordinal FROM numbers({0 if asked else 1})")
        row = "SELECT CAST(tuple('clock') AS Tuple(model String)) AS key, NULL AS stream, NULL AS batch"
        wrong = Check("transitions", row, models=("funnel",))
        asked.append(verify(client, RULES, [late, wrong], again=again))
        return asked[-1]

    found = settled(ask, (3, 6), lambda _: None)
    missing = {"transitions.clock": [Difference("transitions.clock", {"model": "clock"}, None, None)]}
    assert [one for one in found.items() if one[1]] == [*missing.items()]
    assert found.keys() == asked[0].keys() > {"ledger", "signals"}
    assert [one.keys() for one in asked[1:]] == [
        {"signals", "transitions.funnel", "transitions.clock"},
        {"transitions.funnel", "transitions.clock"},
    ]
