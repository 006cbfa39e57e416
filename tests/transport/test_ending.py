"""A topic ends when its input has ended and every topic whose readers write to it has ended before."""

import pytest

from pipeline.transport.ending import Ending, upstream
from schemas.topics import TOPICS


@pytest.mark.parametrize(
    ("topic", "before"),
    [
        ("hits", set()),
        ("hit_rows", {"hits"}),
        ("evidence", {"hits"}),
        ("transitions", {"evidence"}),
        ("facts", {"hits", "evidence"}),
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
