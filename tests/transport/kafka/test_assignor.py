"""Who has which partition: everyone about as many of each topic, nobody's taken away without need."""

from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from hypothesis import given
from hypothesis import strategies as st

from pipeline.transport.kafka.assignor import Assignor, Claims, assign

Given = dict[str, dict[str, list[int]]]
NOTHING = Claims()


def held_by(given_before: Given, member: str, generation: int = 1) -> Claims:
    return Claims(generation, [(topic, p) for topic, found in given_before[member].items() for p in found])


def moved(before: Given, after: Given) -> int:
    """Partitions that a worker that is still there has lost."""
    return sum(
        partition not in after[member].get(topic, [])
        for member, topics in before.items()
        if member in after
        for topic, found in topics.items()
        for partition in found
    )


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 9), min_size=1),
    st.integers(1, 6),
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(-1, 3), st.sampled_from("abcd"), st.integers(0, 9)),
        max_size=30,
    ),
)
def test_each_partition_has_one_owner_and_each_topic_is_balanced(
    partitions: dict[str, int], count: int, claimed: list[tuple[int, int, str, int]]
) -> None:
    claims = {f"m{n}": Claims(-1, []) for n in range(count)}
    for number, generation, topic, partition in claimed:
        claim = claims[f"m{number % count}"]
        claim.generation = max(generation, claim.generation)
        claim.held.append((topic, partition))
    given_now = assign(partitions, {name: (partitions, claim) for name, claim in claims.items()})
    for topic, number in partitions.items():
        found = [p for topics in given_now.values() for p in topics.get(topic, [])]
        assert sorted(found) == list(range(number))
        sizes = [len(topics.get(topic, [])) for topics in given_now.values()]
        assert max(sizes) - min(sizes) <= 1


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 12), min_size=1), st.integers(1, 5))
def test_nothing_moves_when_nobody_comes_or_goes(partitions: dict[str, int], count: int) -> None:
    names = [f"m{n}" for n in range(count)]
    before = assign(partitions, dict.fromkeys(names, (partitions, NOTHING)))
    after = assign(partitions, {name: (partitions, held_by(before, name)) for name in names})
    assert moved(before, after) == 0


@given(st.integers(1, 24), st.integers(1, 5))
def test_a_newcomer_takes_its_share_and_no_more(number: int, count: int) -> None:
    partitions, names = {"hits": number}, [f"m{n}" for n in range(count)]
    before = assign(partitions, dict.fromkeys(names, (partitions, NOTHING)))
    members = {name: (partitions, held_by(before, name)) for name in names}
    after = assign(partitions, {**members, "new": (partitions, NOTHING)})
    assert moved(before, after) == len(after["new"].get("hits", []))


def test_the_later_generation_is_believed() -> None:
    """A zombie still says that it has what others were given since."""
    members = {
        "zombie": (["hits"], Claims(3, [("hits", 0), ("hits", 1)])),
        "a": (["hits"], Claims(5, [("hits", 0)])),
        "b": (["hits"], Claims(5, [("hits", 1)])),
    }
    given_now = assign({"hits": 3}, members)
    assert given_now == {"zombie": {"hits": [2]}, "a": {"hits": [0]}, "b": {"hits": [1]}}


def test_who_does_not_read_a_topic_gets_none_of_it() -> None:
    given_now = assign({"hits": 2, "rows": 2}, {"a": (["hits"], NOTHING), "b": (["rows"], NOTHING)})
    assert given_now == {"a": {"hits": [0, 1]}, "b": {"rows": [0, 1]}}


def test_the_rest_goes_to_whoever_has_less() -> None:
    given_now = assign({"a": 1, "b": 1, "c": 2}, dict.fromkeys(("one", "two"), ("abc", NOTHING)))
    assert sorted(sum(map(len, topics.values())) for topics in given_now.values()) == [2, 2]


def test_over_the_wire() -> None:
    class Cluster:
        def partitions_for_topic(self, topic: str) -> set[int] | None:
            return {"hits": {0, 1}}.get(topic)

    mine = Assignor(lambda: Claims(2, [("hits", 1)]))
    metadata = {
        "me": mine.metadata(["hits"]),
        "stranger": ConsumerProtocolMemberMetadata(0, ["hits", "unknown"], b"\xff of another kind"),
    }
    assigned = mine.assign(Cluster(), metadata)
    assert assigned["me"].assignment == [("hits", [1])]
    assert assigned["stranger"].assignment == [("hits", [0])]
