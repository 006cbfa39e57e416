"""Keys, partitions and ids, recomputed here from the words of the contract."""

import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.ids import (
    partition_of,
    session_id,
    visitor_key,
)

ids = st.text(min_size=1, max_size=20)


def by_hand(site: str, visitor: str, start_ms: int) -> str:
    text = b"\x1f".join([site.encode(), visitor.encode(), str(start_ms).encode()])
    return hashlib.blake2b(text).digest()[:16].hex()


def test_the_session_id_is_the_contracts_blake2b() -> None:
    assert session_id(visitor_key("shop", "ann", ""), 1_767_268_800_123) == by_hand(
        "shop", "ann", 1_767_268_800_123
    )
    assert by_hand("shop", "ann", 1_767_268_800_123) == "d3ba9a6b0a7faa6968d32293ec449e4d"


@given(st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True), ids, ids, st.integers(0, 2**42))
def test_ids_are_functions_of_site_visitor_and_start(site: str, visitor: str, user: str, start: int) -> None:
    assert session_id(visitor_key(site, visitor, ""), start) == by_hand(site, visitor, start)
    assert session_id(visitor_key(site, visitor, user), start) == by_hand(site, visitor, start), (
        "the visitor wins"
    )
    assert session_id(visitor_key(site, "", user), start) == by_hand(site, f"user\x1f{user}", start)
    assert session_id(visitor_key(site, visitor, ""), start) != session_id(
        visitor_key(site, visitor, ""), start + 1
    )


def test_a_visitor_and_a_user_of_one_id_have_two_sessions() -> None:
    assert session_id(visitor_key("shop", "7", ""), 1_000) != session_id(visitor_key("shop", "", "7"), 1_000)


@given(ids, ids)
def test_a_visitor_and_a_user_never_share_a_key(visitor: str, user: str) -> None:
    assert visitor_key("shop", visitor, "") != visitor_key("shop", "", user)
    assert visitor_key("shop", visitor, user) == visitor_key("shop", visitor, "")
    assert visitor_key("shop", visitor, "") != visitor_key("blog", visitor, "")


@given(ids, st.integers(1, 256))
def test_the_partition_is_crc_32_of_the_keys_bytes(key: str, partitions: int) -> None:
    assert partition_of(key, partitions) == zlib.crc32(key.encode("utf-8")) % partitions


@pytest.mark.parametrize(("key", "partition"), [("", 0), ("123456789", 0xCBF43926 % 7)])
def test_the_partition_of_published_check_values(key: str, partition: int) -> None:
    assert partition_of(key, 7) == partition
