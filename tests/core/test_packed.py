"""Records in one buffer are those that were put there; compiled and in Python they are parted in the same way."""

from random import Random
from zlib import crc32

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_kit import HITS, SHOP, VALUES, VIEW, contents, unusual

from pipeline.core import decode, plain_fields
from pipeline.core.packed import Packed, Run, gathered, joined, lines_by_search, without_blank
from pipeline.core.parting import lines_of, rows_by_each, rows_of, targets_by_each, targets_of

TIME = 1_767_268_800_123
needs_compiled = pytest.mark.skipif(not plain_fields.IS_COMPILED, reason="not compiled")
Batches = list[list[bytes]]


def packed(*batches: list[bytes]) -> Packed:
    """A run for each batch, with something else between the records."""
    runs = []
    for batch in batches:
        ends = np.cumsum([len(record) + 1 for record in batch], dtype=np.int64)
        sizes = np.array([len(record) for record in batch], np.int64)
        runs.append(Run(b"".join(b"|" + record for record in batch) + b"|", ends - sizes, ends))
    return Packed(runs)


@given(st.lists(st.lists(st.binary(max_size=3), max_size=4), max_size=4))
def test_it_is_the_sequence_of_its_records(batches: Batches) -> None:
    found, right = packed(*batches), [record for batch in batches for record in batch]
    assert (list(found), len(found)) == (right, len(right))
    assert [found[at] for at in range(-len(right), len(right))] == right + right
    assert (found[1:3], found[::-2]) == (right[1:3], right[::-2])
    for beyond in (len(right), -len(right) - 1):
        with pytest.raises(IndexError):
            found[beyond]


@given(st.lists(st.lists(st.binary(max_size=3), max_size=4), max_size=4), st.integers(1, 5), st.booleans())
def test_joined_they_are_the_same_records(batches: Batches, least: int, some_are_lists: bool) -> None:
    right = [record for batch in batches for record in batch]
    some = [batch if some_are_lists and at % 2 else packed(batch) for at, batch in enumerate(batches)]
    assert list(joined(some)) == right
    assert isinstance(joined(some), Packed) == (bool(some) and all(isinstance(one, Packed) for one in some))
    parts = list(gathered(some, least))
    assert [record for part in parts for record in part] == right
    assert all(len(part) >= least for part in parts[:-1])
    assert all(parts)


@given(
    st.lists(
        st.binary(max_size=4).map(
            lambda raw: raw.translate(bytes(b" \ta\0\x0b\r"[n % 6] for n in range(256)))
        )
    )
)
def test_lines_are_those_of_the_text(lines: list[bytes]) -> None:
    text = b"".join(line + b"\n" for line in lines)
    for rest in (b"", b"rest"):
        for find in (lines_of, lines_by_search):
            run = find(text + rest, 2)
            assert list(Packed([run])) == [line[:2] for line in lines]
            assert list(Packed([without_blank(run)])) == [line[:2] for line in lines if line[:2].strip()]


@needs_compiled
@pytest.mark.parametrize("partitions", [1, 4, 7])
def test_hits_are_parted_as_by_the_python_way(partitions: int) -> None:
    random = Random(partitions)
    raws = [unusual(random.choice(HITS), random) for _ in range(2_000)] + [b"", b"{", VIEW, SHOP]
    raws += [
        b'{"site":%b,"event":"click","visitor_id":%b,"user_id":%b}' % (value, value, other)
        for value in VALUES
        for other in (b'"u"', value)
    ]
    targets = targets_of(packed(raws[:99], raws[99:]), partitions)
    assert (
        targets.tolist()
        == targets_by_each(raws, partitions).tolist()
        == targets_of(raws, partitions).tolist()
    )
    keys = zip(decode.keys_of(raws), raws, strict=True)
    assert targets.tolist() == [crc32(key or raw) % partitions for key, raw in keys]


@needs_compiled
@pytest.mark.parametrize("time", [0, 127, 300, TIME, 1 << 40])
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 70_000])
def test_rows_are_those_of_the_python_way(count: int, time: int) -> None:
    raws = [b"x" * (at % 3) for at in range(count)]
    raws[:6] = [b"y" * size for size in (255, 256, 65_535, 65_536, 0, 7)][:count]
    targets = np.arange(count, dtype=np.int64) ** 2 % 3
    found, right = rows_of(packed(raws), targets, 4, time), rows_by_each(raws, targets, 4, time)
    for target, (row, other) in enumerate(zip(found, right, strict=True)):
        records = [raw for raw, to in zip(raws, targets.tolist(), strict=True) if to == target]
        assert row.buffer == other.buffer == msgspec.msgpack.encode((records, [time] * len(records)))
        assert list(Packed([row])) == list(Packed([other])) == records


def test_without_the_compiled_modules_all_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    raws = packed([VIEW, SHOP, b"{"])
    targets = targets_of(raws, 5)
    rows = [(row.buffer, row.ends.tolist()) for row in rows_of(raws, targets, 5, TIME)]
    fields = contents(plain_fields.fields_of(raws))
    monkeypatch.setattr(plain_fields, "IS_COMPILED", False)
    assert targets_of(raws, 5).tolist() == targets.tolist()
    assert [(row.buffer, row.ends.tolist()) for row in rows_of(raws, targets, 5, TIME)] == rows
    assert contents(plain_fields.fields_of(raws)) == fields


@needs_compiled
def test_packed_hits_are_read_as_others() -> None:
    random = Random("packed")
    raws = [unusual(random.choice(HITS), random) for _ in range(500)] + [VIEW] * 2_000
    found = packed(raws[:40], [], raws[40:])
    assert contents(plain_fields.fields_of(found)) == contents(plain_fields.fields_of(raws))
    assert plain_fields.keys_of(found) == plain_fields.keys_of(raws)


@needs_compiled
@pytest.mark.parametrize(("start", "end"), [(-1, 1), (2, 1), (0, 3), (3, 4)])
def test_what_lies_outside_its_buffer_is_refused(start: int, end: int) -> None:
    run = Run(b"ab", np.array([start], np.int64), np.array([end], np.int64))
    with pytest.raises(ValueError, match="outside its buffer"):
        plain_fields.plain.columns_of(Packed([run]))


@needs_compiled
def test_only_bytes_go_to_partitions_that_are_there() -> None:
    for raws, target in (([b"{}"], 2), ([b"{}"], -1), (["{}"], 0)):
        with pytest.raises(ValueError, match="for each record"):
            plain_fields.plain.parted(raws, np.array([target], np.int64), 2, b"\x00")
    with pytest.raises(ValueError, match="no partitions"):
        plain_fields.plain.targets([b"{}"], 0)
