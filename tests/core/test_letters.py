"""Mending a dead letter: set fields, give it an id, leave alone what is no JSON object."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.decode import Flaw, decode
from pipeline.core.letters import mended


def test_a_letter_without_a_hit_id_gets_its_own() -> None:
    assert json.loads(mended(b'{"event":"x"}', "dlq-hits-0-7", {})) == {
        "event": "x",
        "hit_id": "dlq-hits-0-7",
    }


@pytest.mark.parametrize("raw", [b'{"hit_id":null}', b'{"hit_id":""}'])
def test_an_empty_hit_id_is_none(raw: bytes) -> None:
    assert json.loads(mended(raw, "own", {})) == {"hit_id": "own"}


def test_its_own_hit_id_stays_so_that_a_replay_counts_once() -> None:
    assert json.loads(mended(b'{"hit_id":"h1"}', "own", {})) == {"hit_id": "h1"}


def test_values_win_over_what_is_there_also_for_the_id() -> None:
    raw = b'{"site":7,"hit_id":"h1"}'
    assert json.loads(mended(raw, "own", {"site": "shop"})) == {"site": "shop", "hit_id": "h1"}
    assert json.loads(mended(raw, "own", {"hit_id": "h2"})) == {"site": 7, "hit_id": "h2"}


def test_numbers_pass_through_digit_by_digit() -> None:
    assert b"12345678901234567890.10" in mended(b'{"revenue":12345678901234567890.10}', "own", {})


def test_a_mended_letter_can_be_read() -> None:
    raw = b'{"event":"page_view","visitor_id":"ann"}'
    assert isinstance(decode(raw), Flaw)
    assert not isinstance(decode(mended(raw, "own", {"site": "shop"})), Flaw)


_values = st.none() | st.integers(-9, 9) | st.text(max_size=3) | st.lists(st.booleans(), max_size=2)
_hits = st.dictionaries(
    st.sampled_from(["hit_id", "site", "event"]) | st.text(max_size=3), _values, max_size=4
)
_no_hits = st.sampled_from([b"[" * 5_000, b"[1]", b"null", b'"x"', b'{"a":"\xff"}', b""])


@given(_hits.map(msgspec.json.encode) | st.binary(max_size=40) | _no_hits)
def test_any_bytes_are_mended_or_left_as_they_are(raw: bytes) -> None:
    after = mended(raw, "own", {"site": "shop"})
    if after != raw:
        before = _fields(raw)
        assert _fields(after) == {"hit_id": b'"own"'} | before | {"site": b'"shop"'}


def _fields(raw: bytes) -> dict[str, bytes]:
    found = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    values = {name: bytes(value) for name, value in found.items()}
    return {
        name: value for name, value in values.items() if name != "hit_id" or value not in (b'""', b"null")
    }
