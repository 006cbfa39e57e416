"""What is in a body: one object, an array, lines, gzip; and what stays as it came."""

import gzip
import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.collector import body as bodies
from pipeline.collector.body import TooLargeError, TooManyError, inflate, mended
from pipeline.core.decode import decode
from schemas.hit import Hit

_LIMIT = 1_000_000
split = partial(bodies.split, at_most=10_000)
_objects = st.dictionaries(
    st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5) | st.lists(st.booleans()), max_size=4
)


def _json(value: Any, **options: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, **options).encode("utf-8", "surrogatepass")


@given(st.lists(_objects, max_size=6), st.sampled_from([None, 2]))
def test_array_gives_each_of_its_values(objects: list[Any], indent: int | None) -> None:
    assert [json.loads(raw) for raw in split(_json(objects, indent=indent))] == objects


@given(st.lists(_objects, min_size=1, max_size=6), st.sampled_from(["\n", "\r\n", "\n\n", " \n\t"]))
def test_lines_give_each_line(objects: list[Any], separator: str) -> None:
    body = separator.encode().join(map(_json, objects)) + b"\n"
    assert split(body) == list(map(_json, objects))


@given(_objects, st.sampled_from([None, 1, 4]))
def test_one_object_is_one_hit_however_it_is_laid_out(value: Any, indent: int | None) -> None:
    body = _json(value, indent=indent)
    assert split(b"\xef\xbb\xbf \r\n" + body + b"\n") == [body]


def test_object_with_an_object_on_a_line_of_its_own_is_one_hit() -> None:
    body = b'{"items":[\n{"sku":"a"}\n]}'
    assert split(body) == [body]


@pytest.mark.parametrize("body", [b"", b" \r\n\t", b"\xef\xbb\xbf", b"[]", b" [ ] "])
def test_nothing_is_no_hit(body: bytes) -> None:
    assert split(body) == []


@pytest.mark.parametrize(
    "body",
    [
        b'[{"a":1},{"b":]',  # a broken array
        b'[{"a":1}',
        b'{"a":1',
        b'{\n"a":1,\n"b":\n',  # a broken object on several lines
        b"plain\nwords",
        b"[" * 100_000,
        b"[1][2]",
        b"[1],2",
        b"[{]}",
        b"[,]",
        b'["a]',
        b"a=1&b=2",
        b"\xff\xfe",
    ],
)
def test_what_cannot_be_read_is_one_hit_as_it_came(body: bytes) -> None:
    assert split(body) == [body.strip()]


@pytest.mark.parametrize(
    ("broken", "mended_one"),
    [
        (rb'{"a":"\ud83d"}', rb'{"a":"\ufffd"}'),  # JSON.stringify("😀".slice(0, 1))
        (rb'{"a":"\uDE00 x"}', rb'{"a":"\ufffd x"}'),
        (rb'{"a":"\ud83d\ud83d\ude00\ude00"}', rb'{"a":"\ufffd\ud83d\ude00\ufffd"}'),
        (rb'{"a":"\\ud83d\ude00"}', rb'{"a":"\\ud83d\ufffd"}'),  # a backslash and five letters
        (rb'{"a":"\\\ud83d\"NaN"}', rb'{"a":"\\\ufffd\"NaN"}'),
    ],
)
def test_half_of_a_pair_is_mended(broken: bytes, mended_one: bytes) -> None:
    good = b'{"b":2}'
    assert mended(broken) == mended_one
    assert split(broken) == [mended_one]
    assert split(b"[%s, %s]" % (good, broken)) == [good, mended_one]
    assert split(good + b"\n" + broken + b"\n") == [good, mended_one]
    assert split(broken + b"\n" + good) == [mended_one, good]
    assert split(b'{\n"x":\n%s\n}' % broken) == [b'{\n"x":\n%s\n}' % mended_one]


def test_a_number_that_is_none_is_refused_of_our_own_and_null_of_trackers() -> None:
    broken = b'{"a":NaN,"b":[-Infinity,Infinity],"c":"NaN \\ud83d"}'  # Python's json.dumps
    assert split(broken) == [broken]
    assert split(b'[{"b":2}, %s]' % broken) == [b'{"b":2}', broken]
    assert mended(broken, numbers=True) == b'{"a":null,"b":[null,null],"c":"NaN \\ufffd"}'


@pytest.mark.parametrize(
    "text",
    [
        rb'{"a":"\ud83d\ude00"}',
        rb'{"a":"\\ud83d"}',
        b'{"a":"NaN"}',
        b"NaN and",
        rb'{"a":"\ud83d"',
        rb"\ud83d",
    ],
)
def test_what_is_right_or_wrong_in_another_way_stays_as_it_came(text: bytes) -> None:
    assert mended(text) is text


@given(st.text(st.characters(), max_size=20))
def test_any_text_with_halves_of_pairs_becomes_one_without(text: str) -> None:
    raw = json.dumps({"site": "s", "event": "e", "user_id": "u", "title": text}).encode()
    hit = decode(mended(raw))
    assert isinstance(hit, Hit)
    assert hit.title == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_bad_element_of_an_array_is_alone_with_it() -> None:
    bad = [
        b'{"c":tru}',
        rb'{"d":"],[\" \x"}',
        b'{"e":"\x01"}',
        b'{"f":[1,{"g":2 3}]}',
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    ]
    good = [b'{"a":1}', rb'{"h":"\"]}"}', b"7"]
    assert split(b"[%s]" % b" ,\n".join([good[0], *bad, *good[1:]])) == [good[0], *bad, *good[1:]]
    assert split(b'[{"a":1},]') == [b'{"a":1}']


@pytest.mark.parametrize(
    "body",
    [
        b"[%s]" % (b"{}," * 10_000 + b"{}"),
        b"[%s]" % (b"NaN," * 10_001),
        b"[" + b"," * 10_002,
        b"{}\n" * 10_001,
    ],
)
def test_hits_are_counted_before_they_are_cut_out(body: bytes) -> None:
    with pytest.raises(TooManyError):
        split(body)


def test_broken_lines_among_good_ones_are_hits_of_their_own() -> None:
    assert split(b'rubbish\n{"a":1}\n{"b":') == [b"rubbish", b'{"a":1}', b'{"b":']


@given(st.binary(max_size=200))
def test_any_bytes_are_split_and_no_byte_but_white_space_is_lost(body: bytes) -> None:
    hits = split(body)
    assert all(hits)
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        kept = b"".join(hits).translate(None, b" \t\r\n")
        assert kept == body.removeprefix(b"\xef\xbb\xbf").translate(None, b" \t\r\n")


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=5))
def test_gzip_of_any_number_of_members_is_undone(parts: list[bytes]) -> None:
    assert inflate(b"".join(map(gzip.compress, parts)), max_bytes=_LIMIT) == b"".join(parts)


@given(st.binary(max_size=100))
def test_broken_gzip_stays_as_it_is(tail: bytes) -> None:
    whole = gzip.compress(b"hello, hello, hello")
    for body in (whole[:-1], whole[:15], b"\x1f\x8b\x08" + b"\xff" * 20, whole + b"x" + tail):
        assert inflate(body, max_bytes=_LIMIT) == body


def test_plain_bytes_stay_as_they_are() -> None:
    assert inflate(b"\x1f\x8c plain", max_bytes=1) == b"\x1f\x8c plain"


def test_inflated_size_is_bounded_and_the_bound_is_inclusive() -> None:
    body = gzip.compress(bytes(1_000)) + gzip.compress(bytes(1_000))
    assert len(inflate(body, max_bytes=2_000)) == 2_000
    with pytest.raises(TooLargeError, match="more than 1999 bytes"):
        inflate(body, max_bytes=1_999)


def test_bomb_is_cut_short() -> None:
    bomb = gzip.compress(bytes(100_000_000))
    with pytest.raises(TooLargeError):
        inflate(bomb, max_bytes=10_000)


def test_too_many_members_are_refused() -> None:
    with pytest.raises(TooLargeError, match="members"):
        inflate(gzip.compress(b"") * 101, max_bytes=_LIMIT)
