"""What the collector puts into a hit, and that the judge downstream says the same as the answer."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.collector.stamping import stamp, take_in
from pipeline.core.decode import Flaw, decode
from schemas.hit import MAX_HIT_BYTES, Hit
from schemas.outcome import Reason

from .conftest import NOW_MS, hit

_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0"
_MARK = stamp(NOW_MS, user_agent=_BROWSER, accept_language="fa-IR,en;q=0.5")
_LONG = stamp(NOW_MS, user_agent="Mozilla/" + "x" * 100, accept_language="")
_BARE = stamp(NOW_MS, user_agent="", accept_language="")

_members = st.dictionaries(
    st.sampled_from([*Hit.__struct_fields__, "other"]),
    st.none()
    | st.integers()
    | st.text(max_size=6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.just({})
    | st.just([]),
)
_bytes = st.one_of(
    st.binary(max_size=80),
    _members.map(lambda members: json.dumps(members).encode()),
    _members.map(lambda members: json.dumps(hit(**members)).encode()),
    _members.map(lambda members: json.dumps(hit(**members)).encode()[:-3] + b'"}'),
)


def _one(raw: bytes, mark: Any = _MARK) -> tuple[bytes, bytes, Reason | None]:
    taken = take_in([raw], mark)
    ((key, value),) = taken.records
    return key, value, taken.refused[0].reason if taken.refused else None


def _stamped(mark: Any = _MARK, **fields: Any) -> Hit:
    _, value, reason = _one(json.dumps(hit(**fields)).encode(), mark)
    assert reason is None
    judged = decode(value)
    assert isinstance(judged, Hit)
    return judged


@given(st.lists(_bytes, max_size=5))
def test_judge_says_of_the_record_what_the_answer_said_of_the_hit(hits: list[bytes]) -> None:
    taken = take_in(hits, _MARK)
    verdicts = [decode(value) for _, value in taken.records]
    assert len(verdicts) == len(hits)
    flawed = [index for index, verdict in enumerate(verdicts) if isinstance(verdict, Flaw)]
    assert flawed == [refused.index for refused in taken.refused]
    assert flawed == [index for index, (key, _) in enumerate(taken.records) if key == b""]


@given(_members | _members.map(lambda members: hit() | members))
def test_stamp_changes_nothing_else(members: dict[str, Any]) -> None:
    _, value, reason = _one(json.dumps(members).encode())
    stamped = json.loads(value)
    assert stamped.pop("received_time") == NOW_MS
    members.pop("received_time", None)
    for name, text in (("user_agent", _BROWSER), ("language", "fa-IR")):
        if members.get(name) is None and reason is None:
            assert stamped.pop(name) == text
            members.pop(name, None)
    assert stamped == members


def test_collectors_received_time_wins() -> None:
    assert _stamped(received_time=1).received_time == NOW_MS
    raw = (
        b'{"site":"s","event":"e","user_id":"u","received_time":1,"received\\u005ftime":2,"received_time":3}'
    )
    judged = decode(_one(raw)[1])
    assert isinstance(judged, Hit)
    assert judged.received_time == NOW_MS


def test_user_agent_and_language_come_from_the_browser_where_absent() -> None:
    assert _stamped().user_agent == _BROWSER
    assert _stamped().language == "fa-IR"
    assert _stamped(user_agent="App/1", language="ar").user_agent == "App/1"
    assert _stamped(user_agent="App/1", language="ar").language == "ar"
    assert _stamped(user_agent="").user_agent == ""
    assert _stamped(_BARE).user_agent is None


def test_http_library_of_a_relaying_server_is_not_its_customers_browser() -> None:
    mark = stamp(NOW_MS, user_agent="python-requests/2.32", accept_language="en")
    assert _stamped(mark).user_agent is None
    assert _stamped(mark).language is None


@pytest.mark.parametrize(
    ("header", "language"),
    [("de", "de"), ("zh-Hant-TW;q=1, en", "zh-Hant-TW"), ("*", None), ("", None), (";;", None)],
)
def test_first_language_of_the_header(header: str, language: str | None) -> None:
    mark = stamp(NOW_MS, user_agent=_BROWSER, accept_language=header)
    assert _stamped(mark).language == language


@pytest.mark.parametrize(
    "text", ['Mozilla/"\\', "Mozilla/\udcff", "Mozilla/" + "x" * 9_000, "Mozilla/\x01\u06f4"]
)
def test_any_user_agent_gives_a_hit(text: str) -> None:
    mark = stamp(NOW_MS, user_agent=text, accept_language="en")
    assert (_stamped(mark).user_agent or "").startswith("Mozilla/")


def test_key_keeps_the_hits_of_a_visitor_together() -> None:
    def key(**fields: Any) -> bytes:
        return _one(json.dumps(hit(**fields)).encode())[0]

    assert key(user_id="u", event="purchase") == key()
    assert len({key(), key(visitor_id="v2"), key(site="blog"), key(visitor_id=None, user_id="v1")}) == 4


def _hit_of(size: int) -> bytes:
    """A hit that is stamped with ``received_time`` alone, of that many bytes before it."""
    head = b'{"site":"s","event":"e","user_id":"u","user_agent":"a","language":"en","pad":"'
    return head + b"x" * (size - len(head) - 2) + b'"}'


def test_largest_hit_holds_its_received_time() -> None:
    room = MAX_HIT_BYTES - len(f',"received_time":{NOW_MS}')
    _, value, reason = _one(_hit_of(room))
    assert (len(value), reason) == (MAX_HIT_BYTES, None)
    _, value, reason = _one(_hit_of(room + 1))
    assert (len(value), reason) == (MAX_HIT_BYTES + 1, Reason.TOO_LARGE)


def test_user_agent_is_left_out_where_it_does_not_fit() -> None:
    raw = _hit_of(MAX_HIT_BYTES - 100).replace(b'"user_agent"', b'"user_name_"')
    _, value, reason = _one(raw, _LONG)
    assert reason is None
    assert msgspec.json.decode(value).keys() >= {"user_name_", "received_time"}
    assert b'"user_agent"' not in value


@pytest.mark.parametrize("size", [MAX_HIT_BYTES + 1, 3 * MAX_HIT_BYTES])
def test_too_large_is_cut_and_stays_too_large(size: int) -> None:
    key, value, reason = _one(_hit_of(size))
    assert (key, len(value), reason) == (b"", MAX_HIT_BYTES + 1, Reason.TOO_LARGE)
    assert decode(value).reason is Reason.TOO_LARGE  # type: ignore[union-attr]


@pytest.mark.parametrize("raw", [b"{}", b"{ }", b"{" + b" " * 50 + b"}"])
def test_empty_object_is_stamped_too(raw: bytes) -> None:
    _, value, reason = _one(raw)
    assert reason is Reason.MISSING_FIELD
    assert msgspec.json.decode(value) == {"received_time": NOW_MS}


@pytest.mark.parametrize("raw", [b'{"a":"}', b'{"a":"\\}', b"{,}", b"null", b"[1]", b"{"])
def test_what_is_not_an_object_stays_as_it_came(raw: bytes) -> None:
    key, value, reason = _one(raw)
    assert (key, value) == (b"", raw)
    assert reason in (Reason.NOT_JSON, Reason.NOT_OBJECT)
