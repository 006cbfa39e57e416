"""Hits, usual and unusual, for comparing the compiled decoder with the Python one; and that comparison."""

import json
import shutil
from random import Random
from typing import Any

import pytest

from pipeline.core import decode, hit_fields, plain_fields
from pipeline.core.hit_fields import TEXTS, TIMES, Fields
from schemas.hit import Hit
from tests.parts import missing

LONG = "a" * 64
# JSON, and almost, that some field takes and others do not.
VALUES = [
    b"null", b"true", b"false", b"nul", b"nulll", b"True", b'""', b'"a"', b'"EUR"', b'"eur "', b'"shop"',
    b'"sh op"', b'"shop\\n"', b"0", b"-0", b"-0.0", b"00", b"01", b"1", b"-1", b"1.", b".5", b"1.5", b"-1.5",
    b"+1", b"1e3", b"1E-3", b"1e999", b"0.1", b"0.30000000000000004", b"1767225600000", b"999999999999999",
    b"1000000000000000", b"1e12", b"1000000000000", b"1000000000000.0001", b"1000000000001",
    b"-1000000000000",
    b"-1000000000001", b"9007199254740993", b"9223372036854775807", b"9223372036854775808",
    b"18446744073709551616", b"1152921504606846977", b"0.1234567890123456789012345678",
    b"0.12345678901234567890123456789012345", b"123456789012345678901234567890.5", b"NaN", b"Infinity",
    b'"2026-01-01T12:00:00Z"', b'"\\u0061"', b'"\\u00e9"', b'"\\u0633\\u0628"', b'"\\ud83d\\ude00"',
    b'"\\ud83d"', b'"\\ude00\\ud83d"', b'"\\ude00"', b'"\\ude00\\ude00"',
    b'"\\ud83dx"', b'"\\ud83d\\n"', b'"\\ud83d\\u0061"',
    b'"\\uD83D\\uDE00 \\b\\f\\n\\r\\t\\/\\\\\\""', b'"\\x"', b'"\\u12"', b'"\\u12g4"', b'"\\u0000"', b'"\\',
    b'"\\"', b'"\x7f"', b'"\x1f"', b'"\n"', b'"a\tb"', "سبد".encode().join([b'"'] * 2),
    "é".encode().join([b'"'] * 2), "😀".encode().join([b'"'] * 2), b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"',
    b'"\xf4\x90\x80\x80"', b'"\xc0\x80"', b"[]", b"{}", b"[1]", b"[1,]", b"[,1]", b"[1 2]", b"[01]", b"[1.]",
    b"[-]", b"[1e5]", b"[1e999]", b'[{"id":1,"a":[{}]}]', b"[[]", b"[]]", b"[}", b"{]",
    b"[1}", b'{"a":1]', b"[[1}]", b'{"a":1}',
    b'{"a":1,}', b'{"a" :\t1 , "b":{"c":[]}}', b'{"a"}', b'{"a":}', b"{1:2}", b'{"a":1 "b":2}',
    b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b'{"a":"\xff"}', b'{"\\ud800":1}', b'{"a":"\\q"}',
    b'{"a":"\x01"}', b"{'a':1}", b'{"source":"s","medium":"m"}', b'{"medium":"m","source":"s"}',
    b'{"source":"s" ,"medium":"m"}', b'{"source":"\\u0073","medium":"m"}', b'{"source":"s","extra":[1]}',
    b'{"source":null}', b'{"source":1}', b'{"source":"%b"}' % (b"s" * 257), b'{"id":"i","id":"j"}',
    b"[" * 31 + b"]" * 31, b"[" * 32 + b"]" * 32, b"[" * 33 + b"]" * 33, b"[" * 200 + b"]" * 200,
    b'{"a":' * 32 + b"1" + b"}" * 32, b'{"a":[' * 20 + b"]}" * 20,
    *(b'"%b"' % (letter * size) for size in (7, 8, 9, 31, 32, 33, 63, 64, 65, 128, 129, 256, 257, 512, 513)
      for letter in (b"a", "ژ".encode())),
    b'"%b"' % (b"u" * 4_097), b'{"a":"%b"}' % (b"x" * 8_200), b"/**/1", b"",
]  # fmt: skip
PIECES = [
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\t",
    b"0", b"-", b".", b"e", b"\0", b"\xff", b"\xd9", b"null", b'"a":1', b"\\u", b"\\ud83d",
]  # fmt: skip
NAMES = [
    *(name.encode() for name in Hit.__struct_fields__),
    b"colour", b"sit", b"site2", b"\\u0073ite", b"", b"visitor", b"Site",
]  # fmt: skip
SPACES = [b""] * 12 + [b" ", b"\n", b"\t", b"\r", b"  ", b"\x0b", b"\xc2\xa0"]
SHOP = json.dumps({
    "site": "shop", "event": "purchase", "visitor_id": "ann", "user_id": "u1", "hit_id": "h1",
    "time": 1_767_268_800_123, "sent_time": 1_767_268_801_123, "received_time": 1_767_268_802_000,
    "url": "https://a.example/?q=%D8%B3", "referrer": "https://b.example/", "title": "سبد خرید",
    "channel": "email", "campaign": {"source": "s", "medium": "m"}, "revenue": 10.5, "currency": "EUR",
    "order_id": "o1", "items": [{"id": 1, "price": 2.5}], "score": 9, "scale": 10,
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "ip": "192.0.2.1", "language": "fa", "country": "IR",
    "screen": "1x1", "props": {"metric": "nps", "nested": {"a": [1, None, True]}},
}, ensure_ascii=False).encode()  # fmt: skip
VIEW = b'{"site":"shop","event":"page_view","visitor_id":"bob","url":"https://a.example/\\u00e9","title":"A \\"b\\""}'
HITS = (SHOP, VIEW)


def unusual(hit: bytes, random: Random) -> bytes:
    """The hit with one to three changes; it may still be one."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        hit = random.choice(CHANGES)(hit, random)
    return hit


def _fields(hit: bytes) -> dict[bytes, bytes]:
    try:
        found = json.loads(hit)
        return {
            name.encode(): json.dumps(value, ensure_ascii=False).encode() for name, value in found.items()
        }
    except (ValueError, AttributeError):
        return {b"site": b'"shop"', b"event": b'"click"', b"user_id": b'"u"'}


def _joined(fields: list[tuple[bytes, bytes]], random: Random) -> bytes:
    def space() -> bytes:
        return random.choice(SPACES)

    rows = [
        space() + b'"' + name + b'"' + space() + b":" + space() + value + space() for name, value in fields
    ]
    return space() + b"{" + b",".join(rows) + b"}" + space()


def _with_value(hit: bytes, random: Random) -> bytes:
    fields = _fields(hit)
    fields[random.choice(NAMES[:-7] if random.random() < 0.9 else NAMES)] = random.choice(VALUES)
    return b"{" + b",".join(b'"%b":%b' % field for field in fields.items()) + b"}"


def _rewritten(hit: bytes, random: Random) -> bytes:
    """In another order, with spaces, some fields gone or there twice."""
    fields = list(_fields(hit).items())
    random.shuffle(fields)
    kept = fields[random.choice((0, 0, 0, 1)) :]
    return _joined(kept + ([random.choice(kept)] if kept and random.random() < 0.1 else []), random)


def _with_piece(hit: bytes, random: Random) -> bytes:
    at = random.randint(0, len(hit))
    return hit[:at] + random.choice(PIECES) + hit[at + random.choice((0, 0, 1, 2)) :]


def _cut(hit: bytes, random: Random) -> bytes:
    at = random.randint(0, len(hit))
    return hit[:at] if random.random() < 0.5 else hit[:at] + hit[at + random.randint(1, 9) :]


def _doubled(hit: bytes, random: Random) -> bytes:
    at, size = random.randint(0, len(hit)), random.randint(1, 40)
    return hit[: at + size] + hit[at : at + size] + hit[at + size :]


def assert_same(raws: list[bytes]) -> int:
    """Both ways give the same of these records; how many of them were odd."""
    found, right = plain_fields.compiled(raws, odd_share=1.0), hit_fields.fields_of(raws)
    assert contents(found) == contents(right)
    for name in TEXTS:
        column = found.columns[name]
        assert column.values[0] is None
        assert len(set(column.values)) == len(column.values)
        assert set(range(1, len(column.values))) <= set(column.codes.tolist())
    assert plain_fields.keys_of(raws) == decode.keys_of(raws)
    return len(plain_fields.plain.columns_of(raws)[1])


def contents(fields: Fields) -> dict[str, Any]:
    """Something to compare, in which -0.0 is not 0.0, and 1 not 1.0."""
    columns = {name: [repr(bytes(value)) for value in fields.columns[name]] for name in ("items", "props")}
    for name in Hit.__struct_fields__:
        if name not in columns:
            columns[name] = [repr(value) for value in fields.columns[name][:]]
    assert all(fields.columns[name].dtype == "int64" for name in TIMES)
    return columns | {"good": fields.good.tolist(), "flaws": fields.flaws, "unknown": fields.unknown_fields}


CHANGES = (_with_value, _with_value, _rewritten, _with_piece, _with_piece, _cut, _doubled)


def needs_compiled() -> None:
    """The test is left out without a C compiler; where there is one, and in CI, the modules must be there."""
    if plain_fields.IS_COMPILED:
        return
    if shutil.which("cc") or shutil.which("gcc"):
        pytest.fail("pipeline.core.plain and its like are not compiled: rm .venv/.installed; make venv")
    missing("no C compiler: apt-get install gcc")
