"""Blocks of rows, and what making one must not load."""

import subprocess
import sys

from pipeline.store.blocks import blocks_of, read_blocks
from schemas.outcome import LedgerRow, Outcome

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


def test_a_block_is_made_without_pandas_which_stays_there_for_others() -> None:
    """In a process of its own: each start of a pipeline would wait for it."""
    done = subprocess.run(
        [sys.executable, "-c", MAKES_A_BLOCK], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("False\n", "")
