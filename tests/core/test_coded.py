"""Coded columns: numbers for distinct values, combinations of columns."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import numbers
from pipeline.core.coded import Coded, Codes, combined

INT64 = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))


@given(st.lists(INT64))
def test_numbers_go_by_first_appearance(values: list[int]) -> None:
    distinct = list(dict.fromkeys(values))
    for way in (numbers.numbered, numbers.numbered_by_sorting):
        first, codes = way(np.array(values, np.int64))
        assert [values[at] for at in first.tolist()] == distinct
        assert [distinct[code] for code in codes.tolist()] == values
        assert first.tolist() == sorted(first.tolist())


@given(st.lists(st.one_of(st.text("ab", max_size=2), st.tuples(st.integers(0, 2)), st.none())))
def test_places_are_those_of_the_table(values: list[Any]) -> None:
    values += msgspec.msgpack.decode(msgspec.msgpack.encode(values))  # equal, and other objects
    values = [tuple(value) if isinstance(value, list) else value for value in values]
    for way in (numbers.placed, numbers.placed_by_each):
        table = {"b": 0}
        places = way(values, table).tolist()
        assert [list(table)[place] for place in places] == values
        assert list(table) == list(dict.fromkeys(["b", *values]))
        assert list(table.values()) == list(range(len(table)))


def test_what_cannot_be_in_a_table_is_an_error() -> None:
    with pytest.raises(TypeError):
        numbers.placed([[]], {})


@given(st.lists(INT64))
def test_ascending(values: list[int]) -> None:
    assert numbers.ascending(np.array(values, np.int64)).tolist() == sorted(set(values))


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.none() | st.sampled_from("ij"))))
def test_columns_side_by_side(rows: list[tuple[str, str, str | None]]) -> None:
    columns = (
        [Codes().of(list(column)) for column in zip(*rows, strict=True)] if rows else [Codes().of([])] * 3
    )
    found = combined(*columns)
    assert list(found) == rows
    assert len(set(found.values)) == len(found.values)


def test_columns_of_more_combinations_than_64_bits() -> None:
    table = range(2**22)
    first, other = Coded(np.array([0, 2**20, 0]), table), Coded(np.array([7, 7, 7]), table)
    found = combined(first, other, other)  # 2**20 of the first column is 2**64 of all three
    assert list(found) == [(0, 7, 7), (2**20, 7, 7), (0, 7, 7)]


def test_a_compact_table_has_what_is_used() -> None:
    column = Coded(np.array([5, 2, 5]), "abcdef").compact()
    assert (list(column), column.values) == (["f", "c", "f"], ["c", "f"])


def test_a_distinct_table_has_no_value_twice() -> None:
    column = Coded(np.array([0, 1, 2]), ["a", "b", "a"]).distinct()
    assert (list(column), column.values, column.codes.tolist()) == (["a", "b", "a"], ["a", "b"], [0, 1, 0])
