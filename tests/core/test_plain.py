"""The compiled decoder gives what the Python one gives, of any bytes; what is plain it does decode itself."""

import json
from hashlib import blake2b
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_kit import HITS, NAMES, SHOP, VALUES, VIEW, assert_same, contents, needs_compiled, unusual

from pipeline.core import decode, duplicates, hit_fields, plain_fields
from pipeline.core.coded import Coded
from pipeline.core.event_time import UNKNOWN_MS
from pipeline.core.hit_fields import TIMES
from schemas.hit import MAX_HIT_BYTES, Campaign, Hit

CHANGED = 20_000


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    needs_compiled()


def odd(*raws: bytes) -> list[int]:
    return plain_fields.plain.columns_of(raws)[1]


@pytest.mark.parametrize("hit", HITS)
def test_usual_hits_are_plain_and_arrive(hit: bytes) -> None:
    assert odd(hit) == []
    assert_same([hit])


def test_every_field_is_decoded_natively() -> None:
    columns, _, nested = plain_fields.plain.columns_of([VIEW, SHOP])
    assert columns.keys() == set(Hit.__struct_fields__)
    assert nested == [1]
    hit = decode.decode(SHOP)
    assert isinstance(hit, Hit)
    assert {name: column[1] for name, column in columns.items()} == {
        name: getattr(hit, name) for name in Hit.__struct_fields__
    }


@pytest.mark.parametrize(
    ("field", "within", "beyond"),
    [
        ("score", b"1" * 32, b"1" * 33),  # as many characters as there is room for
        ("score", b"-1." + b"0" * 29, b"-1." + b"0" * 30),
        ("score", b"1", b"1e0"),
        ("items", b"[" * 32 + b"]" * 32, b"[" * 33 + b"]" * 33),  # as many levels as are remembered
        ("props", b'{"a":[' * 16 + b"]}" * 16, b'{"a":[' * 40 + b"]}" * 40),
        ("time", b"9" * 15, b"9" * 16),
        ("time", b"0", b"-0"),
        ("url", b'"' + b"u" * 65_000 + b'"', b'"' + b"u" * 66_000 + b'"'),
        ("url", b'"' + b"\\n" * 32_000 + b'"', b'"' + b"\\n" * 33_000 + b'"'),
        ("url", b'"a"', b'"a","url":"a"'),
    ],
)
def test_beyond_its_bounds_python_is_asked(field: str, within: bytes, beyond: bytes) -> None:
    rows = [with_field(field, within), with_field(field, beyond)]
    assert odd(*rows) == [1]
    assert_same(rows)


@pytest.mark.parametrize("value", VALUES)
def test_each_value_in_each_field_is_judged_as_in_python(value: bytes) -> None:
    start = b'{"site":"shop","event":"click","visitor_id":"ann"'
    rows = [start + b',"%b":%b}' % (name, value) for name in NAMES]
    rows += [
        b'{"site":%b,"event":"click","user_id":"u"}' % value,
        b'{"site":"shop","event":%b,"user_id":"u"}' % value,
        b'{"site":"shop","event":"click","visitor_id":%b}' % value,
        b'{"site":"shop","event":"click","visitor_id":"","user_id":%b}' % value,
        start + b"}" + value,
        value + start + b"}",
    ]
    assert_same(rows)


@pytest.mark.parametrize(
    "mark", [b'"', b'\\"', b"\\", b"\\u00e9", b"\x1f", b"\x20", b"\x7f", b"\x80", b"\xff", "ژ".encode()]
)
def test_what_ends_or_marks_a_text_is_seen_wherever_it_is(mark: bytes) -> None:
    """Texts are looked through some bytes at once."""
    texts = [b"a" * size + mark + b"b" * rest for size in range(36) for rest in (0, 1, 20)]
    for text in texts:
        raws = [
            with_field("title", b'"' + text + b'"'),
            b'{"event":"click","user_id":"u","site":"%b"}' % text,
        ]
        assert_same(raws)
        assert_same([raw[:-1] for raw in raws])
        assert odd(raws[0]) == ([] if isinstance(decode.decode(raws[0]), Hit) else [0])


def test_fields_come_in_any_order_and_only_once() -> None:
    """A row is expected to be written as those before it."""
    one, two = b'{"site":"a","event":"click","user_id":"u"}', b'{"event":"click","site":"a","user_id":"u"}'
    twice = b'{"site":"a","event":"click","site":"a","user_id":"u"}'
    assert odd(one, two, twice, one) == [2]
    assert_same([one, two, twice, one])
    random, fields = (
        Random("order"),
        [b'"site":"a"', b'"event":"click"', b'"user_id":"u"', b'"time":5', b'"title":"t"'],
    )
    fields += [
        b'"score":1',
        b'"title":null',
        b' "url" : "x"',
        b'"url":"y"',
        b'"ip":"i"',
        b'"received_time":null',
    ]
    for _ in range(300):
        rows = [random.sample(fields, random.randint(3, len(fields))) for _ in range(9)]
        assert_same([b"{" + b",".join(row) + random.choice((b"}", b"} ", b",}", b"", b"}}")) for row in rows])


def test_any_change_to_hits_is_judged_as_in_python() -> None:
    random = Random("masir")
    seen = 0
    while seen < CHANGED:
        raws = [unusual(random.choice(HITS), random) for _ in range(random.choice((1, 20, 400)))]
        assert_same(raws)
        seen += len(raws)


@given(
    st.lists(st.sampled_from(HITS) | st.binary(max_size=40) | st.randoms().map(lambda r: unusual(VIEW, r)))
)
@settings(max_examples=300, deadline=None)
def test_any_batch_is_read_as_in_python(raws: list[bytes]) -> None:
    assert_same(raws)
    assert contents(plain_fields.fields_of(raws)) == contents(hit_fields.fields_of(raws))


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["url", "title", "visitor_id"]))
def test_any_text_arrives_however_it_is_written(text: str, name: str) -> None:
    for is_ascii in (True, False):
        assert_same([with_field(name, json.dumps(text, ensure_ascii=is_ascii).encode())])


def with_field(name: str, raw: bytes) -> bytes:
    return b'{"site":"shop","event":"click","user_id":"u","%b":%b}' % (name.encode(), raw)


@given(
    st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False, places=9)
)
def test_any_number_is_the_same_double(number: object) -> None:
    assert_same([with_field("score", str(number).encode()), with_field("revenue", str(number).encode())])


def test_a_hit_is_at_most_64_kib() -> None:
    for size in (MAX_HIT_BYTES, MAX_HIT_BYTES + 1):
        raw = with_field("url", b'""')
        raw = raw.replace(b'""', b'"%b"' % (b"u" * (size - len(raw))))
        assert len(raw) == size
        assert odd(raw) == ([0] if size > MAX_HIT_BYTES else [])
        assert_same([raw, VIEW])


def test_the_cells_of_an_odd_row_are_absent() -> None:
    """Whatever of it was taken before it was seen to be odd."""
    columns, places, nested = plain_fields.plain.columns_of(
        [SHOP[:-1] + b',"country":7}', SHOP.replace(b'"IR"', b"7")]
    )
    assert (places, nested) == ([0, 1], [])
    for name, default in zip(Hit.__struct_fields__, (None, None, *Hit.__struct_defaults__), strict=True):
        absent = UNKNOWN_MS if name in TIMES else default
        assert list(columns[name]) == [absent, absent], name


def test_a_value_is_one_code_however_it_is_written() -> None:
    rows = [with_field("title", raw) for raw in (b'"a b"', b'"a\\u0020b"', b'"\\u0061 b"', b'"c"')]
    column = plain_fields.fields_of(rows).columns["title"]
    assert column.values == [None, "a b", "c"]
    assert column.codes.tolist() == [1, 1, 1, 2]
    rows = [
        with_field("campaign", raw) for raw in (b'{"source":"s"}', b'{ "source":"s","x":1}', b"{}", b"null")
    ]
    column = plain_fields.fields_of(rows).columns["campaign"]
    assert column.values == [None, Campaign(source="s"), Campaign()]
    assert column.codes.tolist() == [1, 1, 2, 0]


def test_tables_grow() -> None:
    rows = [with_field("url", b'"https://a.example/%d"' % (n % 3_000)) for n in range(6_000)]
    assert odd(*rows) == []
    assert_same(rows)


def test_a_batch_that_is_mostly_odd_goes_the_python_way(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(hit_fields, "fields_of", lambda raws: asked.append(len(raws)))
    unknown = with_field("colour", b"1")
    assert plain_fields.fields_of([VIEW] * 3 + [unknown]).unknown_fields == 1
    assert not asked
    plain_fields.fields_of([VIEW] * 2 + [unknown])
    assert asked == [3]


def test_without_the_compiled_modules_all_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [VIEW, SHOP, with_field("colour", b"1"), b"{", b""]
    fields, keys = plain_fields.fields_of(rows), plain_fields.keys_of(rows)
    digests = plain_fields.digests_of(Coded(np.array([1, 0, 1]), ["a", "b"]), ["x", "y", "ژ"])
    monkeypatch.setattr(plain_fields, "IS_COMPILED", False)
    assert contents(plain_fields.fields_of(rows)) == contents(fields)
    assert plain_fields.keys_of(rows) == keys
    assert (
        plain_fields.digests_of(Coded(np.array([1, 0, 1]), ["a", "b"]), ["x", "y", "ژ"]).tolist()
        == digests.tolist()
    )


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 4)), max_size=9))
def test_digests_are_hashlibs(rows: list[tuple[str, int]]) -> None:
    keys = ["", "shop\x1fvann", "k" * 126, "ژ" * 64, "k" * 1_000]
    codes, hit_ids = np.array([code for _, code in rows], np.int64), [text for text, _ in rows]
    right = duplicates.digests_of(Coded(codes, keys), hit_ids)
    assert plain_fields.digests_of(Coded(codes, keys), hit_ids).tolist() == right.tolist()


@pytest.mark.parametrize("size", range(120, 140))
def test_digests_at_the_edge_of_a_block(size: int) -> None:
    right = duplicates.digests_of(Coded(np.zeros(1, np.int64), ["k"]), ["h" * size])
    assert (
        plain_fields.digests_of(Coded(np.zeros(1, np.int64), ["k"]), ["h" * size]).tolist() == right.tolist()
    )


def test_digests_refuse_what_has_no_key() -> None:
    for codes in ([2], [-1]):
        with pytest.raises(IndexError):
            plain_fields.digests_of(Coded(np.array(codes, np.int64), ["a", "b"]), ["x"])
    with pytest.raises(ValueError, match="a code for each"):
        plain_fields.digests_of(Coded(np.zeros(2, np.int64), ["a"]), ["x"])


@pytest.mark.parametrize(("size", "kept"), [(64, 16), (8, 0), (8, 9), (64, 17)])
def test_no_more_is_kept_of_a_digest_than_there_is(size: int, kept: int) -> None:
    asked = (["a"], np.zeros(9, np.int64), ["x"] * 8 + ["y" * 200], size, kept)
    if kept > min(size, 16):
        with pytest.raises(ValueError, match="cannot be kept"):
            plain_fields.digests.digests(*asked)
        return
    texts = [b"a\x1fx"] * 8 + [b"a\x1f" + b"y" * 200]
    expected = b"".join(blake2b(text, digest_size=size).digest()[:kept] for text in texts)
    assert plain_fields.digests.digests(*asked) == expected
