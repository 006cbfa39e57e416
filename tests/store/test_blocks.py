"""Blocks of rows, and what making one must not load."""

import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.coded import Coded
from pipeline.store.blocks import LEAST_CODED, block, blocks_of, join_blocks, pack, read_blocks
from schemas.outcome import LedgerRow, Outcome
from schemas.rows import TABLES

ROW = LedgerRow(0, "shop", Outcome.SESSIONIZED, 2, 1)
MAKES_A_BLOCK = """
import sys
from pipeline.store.blocks import blocks_of
from schemas.outcome import LedgerRow, Outcome
assert blocks_of("ledger", [LedgerRow(0, "shop", Outcome.SESSIONIZED, 2, 1)])
print("pandas" in sys.modules)
import pandas
"""


def test_a_block_gives_its_rows_back() -> None:
    assert blocks_of("ledger", []) == []
    rows = read_blocks("ledger", blocks_of("ledger", [ROW, ROW])).to_pylist()
    assert [(row["site"], row["outcome"], row["hits"]) for row in rows] == [("shop", "sessionized", 2)] * 2


def hits(rows: int, **columns: Any) -> dict[str, Any]:
    ids = {"hit_id": [f"h{row}" for row in range(rows)]}
    return dict.fromkeys(TABLES["hits"].names, [None] * rows) | ids | columns


@pytest.mark.parametrize("rows", [1, LEAST_CODED - 1, LEAST_CODED])
def test_coded_columns_and_lists_are_read_alike(rows: int) -> None:
    codes = np.arange(rows) % 2
    coded = {
        "url": Coded(codes, ["a", "b", "unused"]),
        "title": Coded(codes, ["a", None]),
        "bot": Coded(codes, [False, True]),
        "score": Coded(codes, [0.0, None]),
        "site": ["shop"] * rows,
        "source_offset": np.arange(rows),
    }
    plain = {name: [None if value is None else value for value in values] for name, values in coded.items()}
    one, other = (read_blocks("hits", [block("hits", hits(rows, **columns))]) for columns in (coded, plain))
    assert one.equals(other)
    assert one.schema == TABLES["hits"]
    assert one["title"].to_pylist() == ["" if row % 2 else "a" for row in range(rows)]


def test_lists_and_bytes_that_are_the_same_in_every_row() -> None:
    times, ids, raw = [[0, 1]] * LEAST_CODED, [["a", "b"]] * LEAST_CODED, [b"{"] * LEAST_CODED
    for table, columns in (("session_moves", {"starts": times, "ids": ids}), ("dead_letters", {"raw": raw})):
        whole = {name: [None] * LEAST_CODED for name in TABLES[table].names} | columns
        rows = read_blocks(table, [block(table, whole)])
        for name, values in columns.items():
            assert rows[name].cast(_as_plain(rows[name].type)).to_pylist() == values


def _as_plain(kind: pa.DataType) -> pa.DataType:
    is_times = pa.types.is_list(kind) and pa.types.is_timestamp(kind.value_type)
    return pa.list_(pa.int64()) if is_times else kind


@pytest.mark.parametrize("rows", [3, LEAST_CODED])
def test_ids_become_hexadecimal_texts_and_zeros_none(rows: int) -> None:
    ids = np.frombuffer(bytes(16) + b"\x01" + bytes(15) + b"\xab" * 16, "V16")
    codes = np.arange(rows)[::-1] % 3
    texts = ["", "01" + "00" * 15, "ab" * 16]
    for column in (ids[codes], Coded(codes, ids), Coded(codes, np.concatenate((ids, ids)))):
        held = read_blocks("hits", [block("hits", hits(rows, session_id=column))])
        assert held["session_id"].to_pylist() == [texts[code] for code in codes]
    nobody = block("hits", hits(1, session_id=np.zeros(1, "V16")))
    assert "session_id" not in pa.ipc.open_stream(nobody).schema.names


def test_numbers_get_the_type_of_their_column() -> None:
    numbers = np.array([1, 2])
    made = pa.ipc.open_stream(block("hits", hits(2, event_time=numbers, source_partition=numbers))).read_all()
    for name in ("event_time", "source_partition"):
        assert made.schema.field(name) == TABLES["hits"].field(name)
        assert made[name].cast(pa.int64()).to_pylist() == [1, 2]


def test_a_block_leaves_out_what_no_row_says() -> None:
    columns = hits(
        2, site=["shop", "shop"], url=["", ""], bot=[False, False], score=[0.0, 0.0], goal=np.zeros(2, bool)
    )
    value = block("hits", columns)
    assert pa.ipc.open_stream(value).schema.names == ["hit_id", "site", "score"], (
        "a score of 0 is no absent one"
    )
    other = block("hits", hits(1, title=["T"]))
    both = join_blocks("hits", [value, other])
    assert both.schema.names == ["hit_id", "site", "title", "score"]
    assert [list(row.values()) for row in both.to_pylist()] == [
        ["h0", "shop", "", 0.0],
        ["h1", "shop", "", 0.0],
        ["h0", "", "T", None],
    ]


def test_blocks_as_they_were_before_can_be_read() -> None:
    """All columns, none coded: they are in topics of data directories, and workers not yet upgraded send them."""
    rows = read_blocks("hits", [block("hits", hits(3, url=["a", "b", "b"]))])
    assert read_blocks("hits", [pack(rows), pack(rows)]).to_pylist() == rows.to_pylist() * 2


def test_a_block_is_made_without_pandas_which_stays_there_for_others() -> None:
    """In a process of its own: each start of a pipeline would wait for it."""
    done = subprocess.run(
        [sys.executable, "-c", MAKES_A_BLOCK], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("False\n", "")
