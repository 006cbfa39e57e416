"""What the topic of erasures says of stage models: the newest of a key, compacted or not, and nothing but the models in
force and the receipt once a rebuild is done.
"""

from hypothesis import given
from hypothesis import strategies as st
from test_known import Written, compacted, written

from pipeline.transport.kafka.followed import Record
from pipeline.transport.kafka.known import Asked, Known, request
from pipeline.transport.kafka.known_models import Asked as ToRebuild
from pipeline.transport.kafka.known_models import KnownModels, in_force, part, phase
from pipeline.transport.kafka.known_models import request as to_rebuild
from schemas.rebuild import PREPARE, REMAKE, SWITCH, InForce, Part, Phase, Request

ASKED = to_rebuild("one", ToRebuild(("tiny",), {"tiny": 7, "odd": 8}))
PARTS = [Part(1, SWITCH, "hits", partition) for partition in (0, 1, 32)]
BEGUN = [
    in_force(InForce(0, {"tiny": 6})),
    ASKED,
    phase(Phase(1, PREPARE)),
    in_force(InForce(2, {"tiny": 7, "odd": 8})),
    phase(Phase(1, SWITCH)),
    *(part(one, {"cut": 5}) for one in PARTS),
    phase(Phase(1, REMAKE, [5, 5])),
]


def known_of(records: list[Written]) -> KnownModels:
    known = KnownModels()
    for record in records:
        known.take(record)
    return known


ENDING = list(known_of(written(*BEGUN)).finished("one", b"{}"))
SOME = st.sampled_from([*BEGUN, *ENDING, to_rebuild("two", ToRebuild(("odd",), {})), (BEGUN[0][0], None)])


@given(st.lists(SOME, max_size=30))
def test_a_compacted_topic_says_the_same(records: list[Record]) -> None:
    every = written(*records)
    full, less = known_of(every), known_of(compacted(every))
    for name in ("in_force", "phase", "requests", "receipts", "parts"):
        assert getattr(full, name) == getattr(less, name), name


def test_everything_is_there_and_ends_with_the_receipt() -> None:
    known = known_of(written(*BEGUN))
    assert known.requests == {"one": Request(1, ("tiny",), {"tiny": 7, "odd": 8})}, "numbered by its place"
    assert (known.phase, known.parts) == (Phase(1, REMAKE, [5, 5]), {one: {"cut": 5} for one in PARTS})
    assert known.requests["one"].epoch == 2
    left = compacted(written(*BEGUN, *ENDING))
    known = known_of(left)
    assert (known.in_force, known.receipts) == (InForce(2, {"tiny": 7, "odd": 8}), {"one": b"{}"})
    assert (known.phase, known.requests, known.parts, len(left)) == (None, {}, {}, 2)


def test_erasures_and_models_are_told_apart() -> None:
    erasing, models = Known(), KnownModels()
    for record in written(*BEGUN, request("person", Asked("shop", "u", "ann", 5))):
        erasing.take(record)
        models.take(record)
    assert (list(erasing.requests), list(models.requests)) == (["person"], ["one"])
    assert (erasing.step, erasing.done) == (None, {})
