"""Blocks go into the engine in its own format and come out as what they were."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.coded import Coded
from pipeline.store.blocks import CODED, LEAST_CODED, block, join_blocks, pack, read_blocks, without_codes
from pipeline.store.client import Client
from pipeline.store.native import write_native
from pipeline.store.sink import Sink
from schemas.rows import TABLES

ROWS = LEAST_CODED + 1
LENGTHS = (
    0,
    1,
    127,
    128,
    129,
    16_383,
    16_384,
    70_000,
)  # where the number before a text becomes a byte longer


def a_block(table: str, rows: int = ROWS, **columns: Any) -> bytes:
    return block(table, dict.fromkeys(TABLES[table].names, [None] * rows) | columns)


def hits(first: int, rows: int = ROWS, **columns: Any) -> bytes:
    """Hits of their own, one a millisecond."""
    numbers = np.arange(first, first + rows)
    named = {"hit_id": [f"h{number}" for number in numbers], "site": ["shop"] * rows}
    return a_block("hits", rows, **named, event_time=numbers, source_offset=numbers, **columns)


def cycle(values: list[Any], rows: int = ROWS) -> Coded:
    return Coded(np.arange(rows) % len(values), values)


def stored(client: Client, table: str, order: str) -> list[dict[str, Any]]:
    names = ", ".join(f"`{name}`" for name in TABLES[table].names)
    query = (
        f"SELECT {names} FROM {table}_rows ORDER BY {order} SETTINGS output_format_arrow_string_as_string = 0"
    )
    answer = pa.ipc.open_stream(client.raw(query, "ArrowStream")).read_all()
    return answer.cast(TABLES[table]).to_pylist()  # type: ignore[no-any-return]


def test_hits_of_coded_plain_and_old_blocks(client: Client) -> None:
    urls = [f"https://a.example/{number}" for number in range(300)]
    blocks = [
        hits(0, url=cycle(urls), title=cycle(["ä", None]), bot=cycle([False, True])),
        hits(
            1000,
            url=cycle(urls[:2]),
            score=[0.5, None, 0.0] * (ROWS // 3),
            revenue_micros=[None, -7, 0] * (ROWS // 3),
        ),
        hits(2000, 3, url=["x", "x", ""], props=["{}", "", '{"a":1}']),
        pack(read_blocks("hits", [hits(3000, url=cycle(urls))])),
        hits(4000),
    ]
    joined = join_blocks("hits", blocks)
    assert joined.schema.field("url").type == CODED
    assert {"props", "score"} < set(joined.schema.names), "one block says so"
    assert "referrer" in joined.schema.names, "the old one has all columns"
    assert Sink(client).insert("hits", joined, "t") == 4 * ROWS + 3
    assert stored(client, "hits", "source_offset") == read_blocks("hits", blocks).to_pylist()


@pytest.mark.parametrize("is_coded", [False, True])
def test_texts_of_all_lengths(client: Client, is_coded: bool) -> None:
    texts = ["x" * length for length in LENGTHS]
    rows = ROWS if is_coded else len(texts)
    blocks = [hits(0, rows, url=cycle(texts, rows) if is_coded else texts)]
    Sink(client).insert("hits", join_blocks("hits", blocks), "t")
    assert stored(client, "hits", "source_offset") == read_blocks("hits", blocks).to_pylist()


@pytest.mark.parametrize("count", [255, 256, 257, 65_535, 65_536, 65_537])
def test_codes_are_as_wide_as_their_table_is_long(client: Client, count: int) -> None:
    urls = [f"u{number}" for number in range(count)]
    blocks = [hits(0, count, url=cycle(urls, count))]
    Sink(client).insert("hits", join_blocks("hits", blocks), "t")
    found = client.query(
        "SELECT uniqExact(url), countIf(url = concat('u', toString(source_offset))) FROM hits_rows"
    )
    assert found == [(count, count)]


def test_values_of_several_blocks_are_one_table_in_which_they_may_come_twice(client: Client) -> None:
    blocks = [hits(number * ROWS, url=cycle(["a", "b", f"{number}"])) for number in range(300)]
    Sink(client).insert("hits", join_blocks("hits", blocks), "t")
    assert client.query("SELECT countIf(url = 'a'), uniqExact(url) FROM hits_rows") == [
        (300 * ROWS // 3, 302)
    ]


def test_lists_and_bytes(client: Client) -> None:
    times = [[0, 1], [], [1_700_000_000_000]]
    links = a_block(
        "links", 3, visitor_id=["v", "w", "x"], users=[["a", "ä"], [], [""]], since=times, version=[1, 2, 3]
    )
    letters = a_block("dead_letters", 2, offset=[1, 2], raw=[b"\xff\x00", b""], received_time=[5, 5])
    for table, value, order in (("links", links, "version"), ("dead_letters", letters, "offset")):
        expected = read_blocks(table, [value]).to_pylist()
        Sink(client).insert(table, join_blocks(table, [value]).slice(1), "without the first")
        assert stored(client, table, order) == expected[1:]
        Sink(client).insert(table, join_blocks(table, [value, value]), "twice")
        assert stored(client, table, f"{order} LIMIT 1 BY {order}") == expected


def test_a_column_of_empty_lists(client: Client) -> None:
    rows = read_blocks("links", [a_block("links", 2, visitor_id=["v", "w"])])
    Sink(client).insert("links", join_blocks("links", [pack(rows)]), "t")
    assert stored(client, "links", "visitor_id") == rows.to_pylist()


def test_without_codes_it_is_what_was_read() -> None:
    blocks = [hits(0, url=cycle(["a", "b"])), hits(1000, url=cycle(["b", "c"]))]
    plain = without_codes(join_blocks("hits", blocks))
    assert plain.equals(read_blocks("hits", blocks).select(plain.schema.names).combine_chunks())
    assert plain["url"].num_chunks == 1


def test_the_bytes() -> None:
    written = bytearray()
    rows = pa.table({"n": pa.array([1, None], pa.int32()), "s": pa.array(["ab", ""])})
    write_native(rows, written.extend)
    assert bytes(written) == (
        b"\x02\x02\x01n\x0fNullable(Int32)\x00\x01\x01\0\0\0\0\0\0\0\x01s\x06String\x02ab\x00"
    )
