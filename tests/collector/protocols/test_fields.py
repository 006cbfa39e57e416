"""Values of any kind -> values that a hit may have; hits -> hits that fit."""

from typing import Any

import msgspec
import pytest

from pipeline.collector.protocols.fields import (
    MAX_PARAMETERS,
    amount,
    arrival_times,
    currency_of,
    decoded,
    digest,
    encoded,
    fitted,
    list_of,
    milliseconds,
    number,
    object_of,
    parameters,
    short_id,
    text_of,
)
from pipeline.core.decode import Flaw, decode
from schemas.hit import MAX_PROPS_BYTES, MAX_PROPS_KEYS

HIT = {"site": "s", "event": "e", "visitor_id": "v"}


def judged(hit: dict[str, Any]) -> Any:
    """What the judge says; None for a good hit."""
    found = decode(encoded({**HIT, **fitted(hit)}))
    return found if isinstance(found, Flaw) else None


@pytest.mark.parametrize(
    ("field", "limit"), [("event", 64), ("title", 512), ("channel", 32), ("screen", 32), ("language", 64)]
)
def test_text_is_cut_at_its_limit(field: str, limit: int) -> None:
    assert fitted({field: "x" * limit})[field] == "x" * limit
    assert fitted({field: "ü" * (limit + 1)})[field] == "ü" * limit
    assert judged({field: "x" * (limit + 1)}) is None


def test_name_of_an_event_that_was_cut_stays_whole_in_the_props() -> None:
    assert fitted({"event": "x" * 65, "props": {"a": 1}})["props"] == {"event_name": "x" * 65, "a": 1}
    assert "props" not in fitted({"event": "x" * 64})


def test_ids_that_are_too_long_stay_apart() -> None:
    one, two = (fitted({"visitor_id": "x" * 128 + end})["visitor_id"] for end in "ab")
    assert one != two
    assert fitted({"visitor_id": "x" * 128})["visitor_id"] == "x" * 128
    assert len(short_id("x" * 65)) == 32
    assert short_id("x" * 64) == "x" * 64


def test_what_says_nothing_is_left_out() -> None:
    assert fitted(
        {"title": "", "url": None, "items": [], "props": {"a": None, "b": "undefined", "c": 0}}
    ) == {"props": {"c": 0}}


def test_props_up_to_their_limits_are_kept_and_beyond_counted() -> None:
    most = {f"p{number}": number for number in range(MAX_PROPS_KEYS)}
    assert fitted({"props": most})["props"] == most
    more = fitted({"props": most | {"one": "more"}})["props"]
    assert len(more) == MAX_PROPS_KEYS
    assert more["dropped_props"] == 2
    assert judged({"props": most | {"one": "more"}}) is None
    exact = {"a": "x" * (MAX_PROPS_BYTES - len('{"a":""}'))}
    assert fitted({"props": exact})["props"] == exact
    assert fitted({"props": {"small": 1, "a": exact["a"] + "x"}})["props"] == {"small": 1, "dropped_props": 1}


@pytest.mark.parametrize("count", [2, 20, 63])
def test_large_props_always_fit(count: int) -> None:
    props = {f"p{number}": "x" * (9_000 // count) for number in range(count)}
    assert judged({"props": props}) is None
    assert "dropped_props" in fitted({"props": props})["props"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("49.90", 49.9), (" 5 ", 5), ("5.0", 5), ("-1e2", -100), (".5", 0.5), (7, 7), (0, 0),
        ("", None), ("5 EUR", None), ("1e999", None), ("NaN", None), ("٥", None), (True, None), (None, None),
        ([5], None), (float("inf"), None), ("undefined", None),
    ],
)  # fmt: skip
def test_number(value: Any, found: Any) -> None:
    assert number(value) == found
    assert type(number(value)) is type(found)


def test_amount_and_currency_as_far_as_a_hit_has_room() -> None:
    assert amount(1e12) == 1e12
    assert amount(1.1e12) is None
    assert (currency_of("eur"), currency_of("EURO"), currency_of(5), currency_of("€€€")) == (
        "EUR",
        None,
        None,
        None,
    )


def test_milliseconds() -> None:
    assert milliseconds("1795305600123456", per_second=1_000_000) == 1_795_305_600_123
    assert milliseconds("1795305600.5", per_second=1) == 1_795_305_600_500
    assert milliseconds(4_102_444_799_999) == 4_102_444_799_999
    assert [milliseconds(value) for value in (0, -1, 4_102_444_800_000, "x", None)] == [None] * 5


def test_parameters_take_the_first_filled_of_equal_names_and_any_bytes() -> None:
    assert parameters("a=&a=1&a=2&b=%FF&c=%D8%B5&d=x+y&e") == {
        "a": "1",
        "b": "\ufffd",
        "c": "ص",
        "d": "x y",
        "e": "",
    }
    assert len(parameters("&".join(f"p{n}=1" for n in range(MAX_PARAMETERS + 5)))) == MAX_PARAMETERS


def test_values_that_may_be_written_as_text() -> None:
    assert (object_of('{"a":1}'), object_of({"a": 1}), object_of("[]"), object_of("{")) == (
        {"a": 1},
        {"a": 1},
        {},
        {},
    )
    assert (list_of("[1]"), list_of([1]), list_of("{}"), list_of("[")) == ([1], [1], [], [])
    assert (text_of("a"), text_of(1.5), text_of(True), text_of(None), text_of([])) == ("a", "1.5", "", "", "")


def test_json_nested_too_deep_is_no_json_and_no_error() -> None:
    assert decoded(b"[" * 5_000 + b"]" * 5_000) is None
    nested: Any = 1
    for _ in range(5_000):
        nested = [nested]
    assert encoded(nested) == b"null"
    assert fitted({"props": {"a": nested, "b": 1}})["props"] == {"b": 1, "dropped_props": 1}


def test_times_of_one_request_and_names_of_hits() -> None:
    assert arrival_times(1_000, 3) == [998, 999, 1_000]
    assert digest("a", "bc") != digest("ab", "c")
    assert msgspec.json.decode(encoded({"a": "\N{GREEK SMALL LETTER ALPHA}"})) == {"a": "α"}
