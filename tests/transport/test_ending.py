"""A topic ends when its input has ended and every topic whose readers write to it has ended before."""

import pytest

from pipeline.transport import ending as module
from pipeline.transport.ending import Ending, circle, upstream
from schemas.topics import TOPICS, Topic


@pytest.mark.parametrize(
    ("topic", "before"),
    [
        ("hits", set()),
        ("hit_rows", {"hits"}),
        ("evidence", {"hits", "evidence", "touchpoints"}),
        ("transitions", {"evidence"}),
        ("facts", {"hits", "evidence", "touchpoints"}),
        ("touchpoints", {"hits", "evidence", "touchpoints"}),
        ("counters", {"facts"}),
    ],
)
def test_upstream_is_what_the_writers_read(topic: str, before: set[str]) -> None:
    assert upstream(topic) == before


def test_every_topic_but_the_input_has_an_upstream() -> None:
    assert [topic.name for topic in TOPICS if not upstream(topic.name)] == ["hits"]


def test_nothing_ends_before_the_input() -> None:
    has_ended = False
    ending = Ending({"hits": 1}, lambda: has_ended)
    assert not ending.may_end("hits", 0)
    has_ended = True
    assert ending.may_end("hits", 0)


def test_topics_end_from_the_source_down() -> None:
    ending = Ending({"hits": 2, "evidence": 1, "facts": 1, "counters": 1}, lambda: True)
    order = [("hits", 0), ("hits", 1), ("evidence", 0), ("facts", 0), ("counters", 0)]
    may_end_at_first = [tp for tp in order if ending.may_end(*tp)]
    assert may_end_at_first == [("hits", 0), ("hits", 1)]
    ending.ended("hits", 0)
    assert not ending.may_end("hits", 0), "told once"
    assert not ending.may_end("evidence", 0), "a partition of the hits is left"
    ending.ended("hits", 1)
    assert ending.may_end("evidence", 0)
    assert not ending.may_end("facts", 0)
    ending.ended("evidence", 0)
    assert ending.may_end("facts", 0)
    assert not ending.may_end("counters", 0)
    ending.ended("facts", 0)
    assert not ending.is_over
    ending.ended("counters", 0)
    assert ending.is_over


def test_a_topic_that_nobody_consumes_here_holds_nobody_up() -> None:
    ending = Ending({"hits": 1, "transitions": 1}, lambda: True)
    assert ending.may_end("transitions", 0), "evidence is not consumed in this process"
    assert not ending.may_end("signals", 0), "not one of ours"


def test_topics_that_feed_each_other_end_together(monkeypatch: pytest.MonkeyPatch) -> None:
    def topic(name: str, writer: str, *readers: str) -> Topic:
        return Topic(name, "", "", writer, readers, 1)

    topics = (
        topic("hits", "collector", "sessionizer"),
        topic("touchpoints", "sessionizer, persons", "persons"),
        topic("evidence", "sessionizer, persons, journeys", "journeys"),
        topic("rows", "journeys", "store"),
    )
    monkeypatch.setattr(module, "TOPICS", topics)
    assert [circle(one.name) for one in topics] == [set(), {"touchpoints"}, {"evidence"}, set()]
    ending = Ending({one.name: 1 for one in topics}, lambda: True)
    assert not ending.may_end("touchpoints", 0)
    ending.ended("hits", 0)
    assert ending.may_end("touchpoints", 0), "if it is read to its end, which the consumer sees to"
    assert ending.circle("touchpoints") == {"touchpoints"}
    assert not ending.may_end("evidence", 0), "persons may still write to it"
    ending.ended("touchpoints", 0)
    assert ending.may_end("evidence", 0)
    assert not ending.may_end("rows", 0)


def test_a_larger_circle_waits_for_all_that_is_before_any_of_its_topics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topics = (
        Topic("in-a", "", "", "x", ("a",), 1),
        Topic("in-b", "", "", "x", ("b",), 1),
        Topic("to-a", "", "", "b", ("a",), 1),
        Topic("to-b", "", "", "a", ("b",), 1),
    )
    monkeypatch.setattr(module, "TOPICS", topics)
    assert circle("to-a") == circle("to-b") == {"to-a", "to-b"}
    ending = Ending({one.name: 1 for one in topics}, lambda: True)
    ending.ended("in-b", 0)
    assert not ending.may_end("to-a", 0), "in-a feeds a, which feeds b, which feeds to-a"
    ending.ended("in-a", 0)
    assert ending.may_end("to-a", 0)
    assert ending.may_end("to-b", 0)
