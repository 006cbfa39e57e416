"""Bytes -> Hit or Flaw: a matrix of flaws, the contract's limits at their edges, and any bytes at all."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.decode import Flaw, KnownHit, decode, decode_all, keys_of
from schemas.hit import MAX_HIT_BYTES, MAX_PROPS_BYTES, MAX_PROPS_KEYS, Hit
from schemas.outcome import Reason


def raw(**fields: Any) -> bytes:
    """A hit with the least it needs, changed; None takes a field away."""
    hit = {"site": "shop", "event": "page_view", "visitor_id": "ann"} | fields
    return json.dumps({name: value for name, value in hit.items() if value is not None}).encode()


def with_json(field: str, value: bytes) -> bytes:
    """The same with ``value`` put in as it is."""
    return raw()[:-1] + b',"' + field.encode() + b'":' + value + b"}"


def read(data: bytes) -> Hit:
    hit = decode(data)
    assert isinstance(hit, Hit), hit
    return hit


def flaw(data: bytes) -> Flaw:
    found = decode(data)
    assert isinstance(found, Flaw), found
    return found


def test_the_least_hit() -> None:
    hit = read(raw())
    assert (hit.site, hit.event, hit.visitor_id, hit.user_id, hit.time) == (
        "shop",
        "page_view",
        "ann",
        None,
        None,
    )
    assert read(raw(visitor_id=None, user_id="u1")).user_id == "u1"


def test_every_field_arrives() -> None:
    fields: dict[str, Any] = {
        "site": "shop", "event": "purchase", "visitor_id": "ann", "user_id": "u1", "hit_id": "h1",
        "time": 1_767_268_800_123, "sent_time": "2026-01-01T12:00:01Z",
        "received_time": "2026-01-01T13:00:01+01:00",
        "url": "https://a.example/", "referrer": "https://b.example/", "title": "سبد خرید",
        "channel": "email",
        "campaign": {"source": "s", "medium": "m", "name": "n", "term": "t", "content": "c", "id": "i"},
        "revenue": 10.5, "currency": "EUR", "order_id": "o1", "items": [{"id": 1}], "score": 9, "scale": 10,
        "user_agent": "Mozilla", "ip": "192.0.2.1", "language": "fa", "country": "IR", "screen": "1x1",
        "props": {"metric": "nps"},
    }  # fmt: skip
    assert fields.keys() == set(Hit.__struct_fields__)
    hit = read(json.dumps(fields).encode())
    assert type(hit) is KnownHit
    at = datetime(2026, 1, 1, 12, 0, 1, tzinfo=UTC)
    assert (hit.time, hit.sent_time, hit.received_time) == (1_767_268_800_123, at, at)
    assert hit.campaign is not None
    assert (hit.campaign.source, hit.campaign.id) == ("s", "i")
    assert (bytes(hit.items), bytes(hit.props)) == (b'[{"id": 1}]', b'{"metric": "nps"}')
    for name in fields.keys() - {"campaign", "items", "props", "sent_time", "received_time"}:
        assert getattr(hit, name) == fields[name]


def test_unknown_fields_are_ignored_and_told_by_the_type() -> None:
    assert type(read(raw())) is KnownHit
    hit = read(raw(colour="red", nested={"a": [1]}))
    assert type(hit) is Hit
    assert hit.event == "page_view"


@pytest.mark.parametrize(
    ("data", "reason", "field", "site"),
    [
        (b"", Reason.ERASED, "", ""),  # what an erasure leaves of a record
        (b"GET / HTTP/1.1", Reason.NOT_JSON, "", ""),
        (raw()[:-1], Reason.NOT_JSON, "", ""),
        (raw() + b"x", Reason.NOT_JSON, "", ""),
        (b'{"site":"shop\xff","event":"x","visitor_id":"v"}', Reason.NOT_JSON, "", ""),
        (b'{"site":"\\ud800","event":"x","visitor_id":"v"}', Reason.NOT_JSON, "", ""),
        (b"\xef\xbb\xbf" + raw(), Reason.NOT_JSON, "", ""),
        (with_json("revenue", b"NaN"), Reason.NOT_JSON, "", ""),
        (with_json("colour", b"[" * 30_000 + b"]" * 30_000), Reason.NOT_JSON, "", ""),
        (with_json("props", b'{"a":"\xff"}'), Reason.NOT_JSON, "props", "shop"),
        (b"null", Reason.NOT_OBJECT, "", ""),
        (b"[" + raw() + b"]", Reason.NOT_OBJECT, "", ""),
        (b"[" * 60_000, Reason.NOT_OBJECT, "", ""),
        (b'"hit"', Reason.NOT_OBJECT, "", ""),
        (b"17", Reason.NOT_OBJECT, "", ""),
        (raw(site=None), Reason.MISSING_FIELD, "site", ""),
        (raw(event=None), Reason.MISSING_FIELD, "event", "shop"),
        (raw(visitor_id=None), Reason.MISSING_FIELD, "visitor_id", "shop"),
        (raw(visitor_id=""), Reason.MISSING_FIELD, "visitor_id", "shop"),
        (raw(visitor_id="", user_id=""), Reason.MISSING_FIELD, "visitor_id", "shop"),
        (raw(site=7), Reason.WRONG_TYPE, "site", ""),
        (raw(event=["page_view"]), Reason.WRONG_TYPE, "event", "shop"),
        (raw(visitor_id=42), Reason.WRONG_TYPE, "visitor_id", "shop"),
        (raw(hit_id=42), Reason.WRONG_TYPE, "hit_id", "shop"),
        (raw(time=1.5), Reason.WRONG_TYPE, "time", "shop"),
        (raw(time=True), Reason.WRONG_TYPE, "time", "shop"),
        (raw(revenue="10"), Reason.WRONG_TYPE, "revenue", "shop"),
        (raw(score="9"), Reason.WRONG_TYPE, "score", "shop"),
        (raw(campaign="spring"), Reason.WRONG_TYPE, "campaign", "shop"),
        (raw(campaign={"source": 1}), Reason.WRONG_TYPE, "campaign.source", "shop"),
        (
            with_json("props", b'{"a":[1e999]}'),
            Reason.BAD_VALUE,
            "props",
            "shop",
        ),  # ClickHouse would read none of it
        (with_json("props", b'{"a":1,"b":{},"a":2}'), Reason.BAD_VALUE, "props", "shop"),
        (with_json("props", b'{"a":1,"\\u0061":2}'), Reason.BAD_VALUE, "props", "shop"),
        (raw(props=[1]), Reason.WRONG_TYPE, "props", "shop"),
        (raw(props="{}"), Reason.WRONG_TYPE, "props", "shop"),
        (raw(items={"a": 1}), Reason.WRONG_TYPE, "items", "shop"),
        (raw(items=7), Reason.WRONG_TYPE, "items", "shop"),
        (raw(site="my shop"), Reason.BAD_VALUE, "site", "my shop"),
        (raw(site=""), Reason.BAD_VALUE, "site", ""),
        (raw(site="shop\n"), Reason.BAD_VALUE, "site", "shop\n"),
        (raw(event=""), Reason.BAD_VALUE, "event", "shop"),
        (raw(time=-1), Reason.BAD_VALUE, "time", "shop"),
        (raw(time="yesterday"), Reason.BAD_VALUE, "time", "shop"),
        (raw(time="2026-01-01T12:00:00"), Reason.BAD_VALUE, "time", "shop"),
        (raw(sent_time="2026-13-01T00:00:00Z"), Reason.BAD_VALUE, "sent_time", "shop"),
        (raw(currency="EURO"), Reason.BAD_VALUE, "currency", "shop"),
        (raw(currency="EU"), Reason.BAD_VALUE, "currency", "shop"),
        (with_json("score", b"1e999"), Reason.BAD_VALUE, "score", "shop"),
        (raw(revenue=1.000001e12), Reason.BAD_VALUE, "revenue", "shop"),
        (raw(revenue=-1.000001e12), Reason.BAD_VALUE, "revenue", "shop"),
    ],
)
def test_the_matrix_of_flaws(data: bytes, reason: Reason, field: str, site: str) -> None:
    found = flaw(data)
    assert (found.reason, found.field, found.site) == (reason, field, site)
    assert found.message


@pytest.mark.parametrize(
    ("field", "most"),
    [
        ("site", 64), ("event", 64), ("visitor_id", 128), ("user_id", 128), ("hit_id", 64), ("title", 512),
        ("channel", 32), ("order_id", 128), ("user_agent", 4_096), ("ip", 64), ("language", 64),
        ("country", 64), ("screen", 32),
    ],
)  # fmt: skip
def test_limits_of_characters(field: str, most: int) -> None:
    letter = "a" if field == "site" else "ژ"  # characters count, not bytes
    assert getattr(read(raw(**{field: letter * most})), field) == letter * most
    found = flaw(raw(**{field: letter * (most + 1)}))
    assert (found.reason, found.field) == (Reason.BAD_VALUE, field)


def test_a_site_that_is_too_long_is_cut_in_the_flaw() -> None:
    assert flaw(raw(site="a" * 1_000)).site == "a" * 64


def test_urls_have_no_limit_here_since_they_are_cut_and_not_refused() -> None:
    assert len(read(raw(url="u" * 5_000)).url or "") == 5_000


def test_a_hit_is_at_most_64_kib() -> None:
    padding = MAX_HIT_BYTES - len(raw(url=""))
    assert len(raw(url="u" * padding)) == 65_536
    assert read(raw(url="u" * padding))
    found = flaw(raw(url="u" * (padding + 1)))
    assert (found.reason, found.field, found.site) == (Reason.TOO_LARGE, "", "")


def test_props_are_at_most_8_kib() -> None:
    for size, is_good in ((MAX_PROPS_BYTES, True), (MAX_PROPS_BYTES + 1, False)):
        props = b'{"a":"' + b"x" * (size - 8) + b'"}'
        assert len(props) == size
        found = decode(with_json("props", props))
        assert isinstance(found, Hit) is is_good
        if isinstance(found, Flaw):
            assert (found.reason, found.field) == (Reason.TOO_LARGE, "props")


@pytest.mark.parametrize("key", ["{}", "a_longer_key_{}"])
def test_props_have_at_most_64_keys(key: str) -> None:
    assert read(raw(props={key.format(n): n for n in range(MAX_PROPS_KEYS)}))
    found = flaw(raw(props={key.format(n): n for n in range(MAX_PROPS_KEYS + 1)}))
    assert (found.reason, found.field) == (Reason.TOO_LARGE, "props")


def test_65_keys_as_short_as_can_be_are_seen() -> None:
    letters = [chr(at) for at in range(35, 127) if chr(at) not in '"\\'][:65]
    assert (
        flaw(with_json("props", b"{" + b",".join(f'"{c}":1'.encode() for c in letters) + b"}")).field
        == "props"
    )


@pytest.mark.parametrize("field", ["props", "items", "time", "campaign", "score", "user_id", "url"])
def test_null_is_as_absent(field: str) -> None:
    assert read(with_json(field, b"null")) == read(raw())


def test_nesting_ends_as_a_hit_or_a_flaw_at_any_depth() -> None:
    """From 900 on: the limit of the interpreter's stack lies there, and differs from call to call."""
    reasons = {None: 0, Reason.NOT_JSON: 0}
    for depth in range(900, 1_000):
        for field in ("props", "items", "colour"):
            inner = b"[" * depth + b"]" * depth
            value = b'{"a":%b,"b":"%b"}' % (inner, b"x" * 400) if field == "props" else inner
            found = decode(with_json(field, value))
            reasons[found.reason if isinstance(found, Flaw) else None] += 1
    assert all(reasons.values()), reasons


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_values = st.recursive(
    _scalars,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3),
    max_leaves=6,
)
_fields = st.sampled_from([*Hit.__struct_fields__, "colour"])


_PLAIN = raw(url="https://a.example/")
_WITH_DETAILS = (
    raw(props={"a": 1}),
    raw(items=[1]),
    raw(props={"a": 1}, items=[{}]),
    with_json("props", b"null"),
)
_FLAWED = (
    raw(visitor_id=None), raw(visitor_id=""), with_json("props", b"[1]"), with_json("items", b"{}"),
    with_json("props", b'{"a":1,"a":2}'), raw(url="u" * MAX_HIT_BYTES), raw(site="no site"), b"{", b"", b"\xff",
)  # fmt: skip


@pytest.mark.parametrize("one", [*_WITH_DETAILS, *_FLAWED, raw(colour="red")])
def test_many_at_once_are_read_as_one_by_one(one: bytes) -> None:
    for many in ([one], [_PLAIN, one], [one, _PLAIN, raw(colour="red"), _FLAWED[0]]):
        assert decode_all(many) == [decode(each) for each in many]
    assert decode_all([]) == []


def test_a_record_is_keyed_by_its_visitor_or_else_its_user() -> None:
    keys = {_PLAIN: b"shop\x1fvann", raw(visitor_id=None, user_id="ann"): b"shop\x1fuann"}
    assert keys_of(list(keys)) == list(keys.values())
    assert keys_of([b"{", raw(visitor_id="", user_id="u")]) == [b"", b"shop\x1fuu"]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_hit_or_a_flaw(data: bytes) -> None:
    assert isinstance(decode(data), Hit | Flaw)


@given(st.dictionaries(_fields, _values, max_size=8), st.data())
@settings(max_examples=300, deadline=None)
def test_any_object_and_any_damage_to_it_is_a_hit_or_a_flaw(
    fields: dict[str, Any], data: st.DataObject
) -> None:
    whole = json.dumps({"site": "shop", "event": "click", "visitor_id": "ann"} | fields).encode()
    at = data.draw(st.integers(0, len(whole)))
    damaged = whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + data.draw(st.integers(0, 3)) :]
    for one in (whole, damaged):
        found = decode(one)
        if isinstance(found, Flaw):
            assert found.reason in Reason
            assert found.message
            assert len(found.site) <= 64
        else:
            assert found.visitor_id or found.user_id
            json.loads(bytes(found.props) or b"{}")
            json.loads(bytes(found.items) or b"[]")
