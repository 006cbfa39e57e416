"""The query of an image -> a hit."""

from typing import Any

import msgspec
import pytest

from pipeline.collector.pixel import hit_of
from pipeline.core.decode import Flaw, decode

_WHO = [("site", "shop"), ("event", "email_open"), ("user_id", "u")]


def _props(*pairs: tuple[str, str]) -> Any:
    return msgspec.json.decode(hit_of([*_WHO, *pairs]))["props"]


def test_props_as_json_and_one_by_one_are_put_together() -> None:
    whole, single = ("props", '{"a":1,"c":[2]}'), ("props.b", "2")
    assert _props(whole, single) == {"a": 1, "c": [2], "b": "2"}
    assert _props(single, whole) == {"b": "2", "a": 1, "c": [2]}


def test_last_of_equal_names_holds() -> None:
    assert _props(("props", '{"a":1}'), ("props.a", "2")) == {"a": "2"}
    assert _props(("props.a", "2"), ("props", '{"a":1}')) == {"a": 1}


@pytest.mark.parametrize("text", ["{", "[1]", "7", "plain"])
@pytest.mark.parametrize("at", [0, 1])
def test_props_that_are_no_object_are_for_the_judge_whatever_stands_beside_them(text: str, at: int) -> None:
    pairs = [("props.b", "2")]
    pairs.insert(at, ("props", text))
    judged = decode(hit_of([*_WHO, *pairs]))
    assert isinstance(judged, Flaw)
    assert judged.field == "props"


def test_half_of_a_pair_is_mended() -> None:
    assert _props(("props", r'{"a":"\ud83d"}')) == {"a": "\ufffd"}
