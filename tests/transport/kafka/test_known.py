"""What the topic of erasures says: the newest of a key, whether or not the broker has compacted it, and nothing of who
was erased once that is done.
"""

from typing import NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipeline.transport.kafka.followed import Record
from pipeline.transport.kafka.known import KEY, Asked, Known, done, out, request, step
from schemas.erasure import Erasure, Place, Request, Step

HASH_KEY = bytes(range(32))
STEP = Step(7, 1, {"hits": [3, 4]}, Erasure(7, "shop", users=frozenset({"ann"})))
PLACES = [Place(7, 1, "hits", partition) for partition in (0, 1, 32)]


class Written(NamedTuple):
    offset: int
    key: bytes
    value: bytes | None


def known_of(records: list[Written]) -> Known:
    known = Known()
    for record in records:
        known.take(record)
    return known


def written(*records: Record) -> list[Written]:
    return [Written(offset, *record) for offset, record in enumerate(records)]


def compacted(records: list[Written]) -> list[Written]:
    """As a broker does: the newest of each key stays where it was; what ended one may go, too."""
    newest = {record.key: record for record in records}
    return [record for record in records if newest[record.key] is record and record.value is not None]


ASKED = request("one", Asked("shop", "u", "ann", 5))
SOME = st.sampled_from([
    ASKED,
    request("two", Asked("blog", "v", "bob", 6)),
    (KEY, HASH_KEY),
    step(STEP),
    (step(STEP)[0], None),
    *(done(place, {"hits_rows": 2}) for place in PLACES),
    (done(PLACES[0], {})[0], None),
    *out([b"a digest", b"b\x20\x00gest"]),
    *out([b"a digest"], stays=False),
    *list(known_of(written(ASKED)).finished("one", b"{}")),
])  # fmt: skip


@given(st.lists(SOME, max_size=30))
def test_a_compacted_topic_says_the_same(records: list[Record]) -> None:
    every = written(*records)
    full, less = known_of(every), known_of(compacted(every))
    for name in ("key", "step", "requests", "receipts", "done", "suppressed", "sites"):
        assert getattr(full, name) == getattr(less, name), name


def test_everything_is_there_and_ends_with_the_receipt() -> None:
    records = [(KEY, HASH_KEY), ASKED, step(STEP), *(done(place, {}) for place in PLACES)]
    known = known_of(written(*records))
    assert known.requests == {"one": Request(1, "shop", "u", "ann", 5)}, "numbered by its place"
    assert (known.step, set(known.done)) == (STEP, set(PLACES))
    digest = known.digest("shop", "u", "ann")
    records += [*out([digest]), *known.finished("one", b'{"site":"shop"}')]
    known = known_of(written(*records))
    assert (known.requests, known.step, known.done) == ({}, None, {})
    assert known.receipts["one"].text == b'{"site":"shop"}'
    assert (known.is_out("shop", "u", "ann"), known.is_out("blog", "u", "ann")) == (True, False)
    kept = b"".join(record.key + (record.value or b"") for record in compacted(written(*records)))
    assert b"ann" not in kept
    known.take(Written(99, *out([digest], stays=False)[0]))
    assert not known.is_out("shop", "u", "ann")


def test_before_the_first_erasure_nobody_is_out() -> None:
    assert not Known().is_out("shop", "u", "ann")
    assert msgspec.msgpack.decode(step(STEP)[1] or b"", type=Step) == STEP
