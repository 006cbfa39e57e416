"""Blocks arrive once however often they are sent; versions may come one insert at a time and in any order."""

import itertools
from collections.abc import Iterator

import pyarrow as pa
import pytest
from msgspec.structs import replace

from pipeline.store.blocks import INT64_MAX, block, join_blocks, read_blocks, to_arrow
from pipeline.store.client import Client
from pipeline.store.errors import RowsRefusedError
from pipeline.store.sink import Sink
from schemas.counter import CounterRow
from schemas.outcome import DeadLetter, LedgerRow, Outcome, Reason
from schemas.person import AttributionRow, LinkRow
from schemas.rows import TABLES
from schemas.session import SessionMove
from schemas.signal import Signal
from schemas.transition import Kind, Transition

from .kit import DAY_0, hit, hit_table, session

RECORDS = {
    "sessions": session(0, 5, "s"),
    "session_moves": SessionMove("shop", "old", "new", 1),
    "transitions": Transition(
        "shop",
        "ann",
        "classic5",
        "",
        "awareness",
        Kind.ENTER,
        DAY_0,
        0,
        0,
        "page_view",
        "/",
        "direct",
        "s",
        False,
        1,
    ),
    "signals": Signal("shop", "ann", "overdue", 0.5, "raised", DAY_0, 0, "{}", False, 1),
    "attribution": AttributionRow(
        "shop", "ann", DAY_0, "purchase", "o1", 0, 1, 1, DAY_0, "s", "direct", "EUR", *[7] * 12, False, 1
    ),
    "links": LinkRow("shop", "phone", ["ann"], [DAY_0], 1),
    "counters": CounterRow("shop", "direct", DAY_0, 10_000, 1, 1, 0, 0, 5, 7, 1),
    "dead_letters": DeadLetter("hits", 0, 1, Reason.NOT_JSON, "", "no", "", DAY_0, b"\xff\x00"),
    "ledger": LedgerRow(0, "shop", Outcome.LATE, 3, 1),
}


def _in_ms(field: pa.Field) -> str:
    if pa.types.is_timestamp(field.type):
        return f"toUnixTimestamp64Milli({field.name})"
    if pa.types.is_list(field.type) and pa.types.is_timestamp(field.type.value_type):
        return f"arrayMap(time -> toUnixTimestamp64Milli(time), {field.name})"
    return f"`{field.name}`"


@pytest.mark.parametrize("table", RECORDS)
def test_a_record_comes_back_as_it_was(client: Client, sink: Sink, table: str) -> None:
    record = RECORDS[table]
    assert sink.insert(table, to_arrow(table, [record]), "t") == 1
    names = [_in_ms(field) for field in TABLES[table]]
    (stored,) = client.query(f"SELECT {', '.join(names)} FROM {table}_rows")
    expected = [getattr(record, name) for name in record.__struct_fields__]
    if table == "dead_letters":
        expected[-1] = expected[-1].hex()  # the driver gives bytes that are no text as hex
    assert list(stored) == expected


def test_a_hit_comes_back_as_it_was(client: Client, sink: Sink) -> None:
    row = hit(5, url="/é\U0001f642", revenue_micros=-1_500_000, score=7.5, bot=True, props='{"a": 1}')
    sink.insert("hits", hit_table([row, hit(6)]), "t")
    (first, second) = client.query(
        "SELECT url, revenue, toString(revenue), score, bot, props, event_time FROM hits ORDER BY event_time"
    )
    assert first[0] == "/é\U0001f642"
    assert first[2:6] == ("-1.5", 7.5, 1, '{"a": 1}')
    assert (second[1], second[3]) == (None, None)
    assert first[6].microsecond == 5_000


def test_no_rows_insert_nothing(client: Client, sink: Sink) -> None:
    assert sink.insert("sessions", to_arrow("sessions", []), "t") == 0
    assert client.query("SELECT count() FROM sessions_rows") == [(0,)]


def test_a_block_with_a_known_token_is_dropped(client: Client, sink: Sink) -> None:
    for token in ("a", "a", "b"):
        sink.insert(
            "hits", hit_table([hit(0, source_offset=1), hit(40 * 86_400_000, source_offset=2)]), token
        )
    assert client.query("SELECT count() FROM hits_rows") == [(4,)]
    assert client.query("SELECT count() FROM hits") == [(2,)]


def test_a_block_sent_again_in_other_parts_shows_once(client: Client, sink: Sink) -> None:
    rows = [hit(at, source_offset=at) for at in range(10)]
    sink.insert("hits", hit_table(rows), "whole")
    sink.insert("hits", hit_table(rows[:4]), "part 1")
    sink.insert("hits", hit_table(rows[4:]), "part 2")
    assert client.query("SELECT count(), uniqExact(source_offset) FROM hits") == [(10, 10)]


def test_a_table_of_several_batches_is_one_block(client: Client, sink: Sink) -> None:
    batches = [batch for at in (0, 1) for batch in hit_table([hit(at, country=f"c{at}")]).to_batches()]
    assert sink.insert("hits", pa.Table.from_batches(batches), "t") == 2
    assert client.query("SELECT country FROM hits ORDER BY 1") == [("c0",), ("c1",)]


def versions() -> Iterator[list[tuple[int, bool]]]:
    """(version, withdrawn) in every order: the newest is live, or withdrawn."""
    for last_withdrawn in (False, True):
        yield from map(list, itertools.permutations([(1, False), (2, True), (3, last_withdrawn)]))


@pytest.mark.parametrize("merge", [False, True])
def test_versions_may_come_in_any_order_one_insert_at_a_time(client: Client, sink: Sink, merge: bool) -> None:
    expected = []
    for number, order in enumerate(versions()):
        for version, withdrawn in order:
            record = session(0, 5, f"s{number:02}", version=version, withdrawn=withdrawn, hits=version)
            sink.insert("sessions", to_arrow("sessions", [record]), f"{number}-{version}")
        if not dict(order)[3]:
            expected.append((f"s{number:02}", 3))
    if merge:
        client.command("OPTIMIZE TABLE sessions_rows FINAL")
    assert client.query("SELECT session_id, hits FROM sessions ORDER BY 1") == expected


def test_of_one_version_the_later_row_holds(client: Client, sink: Sink) -> None:
    open_session = session(0, 5, "s", closed=False)
    sink.insert("sessions", to_arrow("sessions", [open_session, replace(open_session, closed=True)]), "t")
    assert client.query("SELECT closed FROM sessions") == [(1,)]


def test_absurd_sums_stay_at_the_edge_instead_of_stopping_the_stream(client: Client, sink: Sink) -> None:
    records = [session(at, at, f"s{at}", revenue_micros=sign * 10**20) for at, sign in enumerate((1, -1))]
    sink.insert("sessions", to_arrow("sessions", records), "t")
    assert client.query("SELECT revenue_micros FROM sessions_rows ORDER BY start_time") == [
        (INT64_MAX,),
        (-INT64_MAX,),
    ]
    assert client.query("SELECT count(revenue), sum(revenue) FROM sessions")[0][0] == 2


@pytest.mark.parametrize(
    "columns", [{"site": ["shop"]}, {"hit_id": ["h1"], "site": [1]}, {"hit_id": ["h1"], "name": [""]}]
)
def test_rows_of_another_shape_are_refused(sink: Sink, columns: dict[str, list[object]]) -> None:
    with pytest.raises(RowsRefusedError, match="hits"):
        sink.insert("hits", pa.table(columns), "t")


@pytest.mark.parametrize("table", TABLES)
def test_a_column_left_out_is_to_the_engine_what_it_is_to_the_reader_of_blocks(
    client: Client, sink: Sink, table: str
) -> None:
    first = TABLES[table].field(0)
    blocks = [block(table, {name: [None] for name in TABLES[table].names} | {first.name: [_some(first)]})]
    left_out, whole = join_blocks(table, blocks), read_blocks(table, blocks)
    assert (left_out.num_columns, whole.num_columns) == (1, len(TABLES[table]))
    sink.insert(table, left_out, "a")
    sink.insert(table, whole, "b")
    assert client.query(f"SELECT count(), uniqExact(tuple(*)) FROM {table}_rows") == [(2, 1)]


def _some(field: pa.Field) -> object:
    return "x" if pa.types.is_string(field.type) else 1
