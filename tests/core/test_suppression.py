"""Who was erased stays out: by hash, by either id, at their own site only; and costs nothing while there is nobody."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.decode import Flaw, decode
from pipeline.core.suppression import Suppressed, digest
from schemas.outcome import Reason

KEY = b"k" * 32


def suppressed(*names: tuple[str, str, str]) -> Suppressed:
    return Suppressed(KEY, [digest(KEY, *name) for name in names])


def raw(**fields: object) -> bytes:
    return json.dumps({"site": "shop", "event": "page_view", **fields}).encode()


GONE = suppressed(("shop", "u", "anna"), ("shop", "v", "v1"), ("shop", "u", "ü 'x\""))


@pytest.mark.parametrize(
    ("record", "is_out"),
    [
        (raw(user_id="anna"), True),
        (raw(visitor_id="v1"), True),
        (raw(visitor_id="v2", user_id="anna"), True),
        (raw(visitor_id="v1", user_id="bert"), True),
        (raw(user_id="ü 'x\""), True),
        (raw(visitor_id="anna"), False),  # a visitor of the same name is somebody else
        (raw(user_id="v1"), False),
        (raw(site="blog", user_id="anna"), False),
        (raw(user_id="bert", props={"user_id": "anna"}), False),
        (raw(user_id="anna", revenue="much"), True),  # no hit, but theirs
        (raw(user_id=["anna"]), False),
        (b'{"site":"shop","user_id":"anna"', False),
        (b"\xff", False),
        (b"", False),
    ],
)
def test_records_of_erased_persons_are_emptied(record: bytes, is_out: bool) -> None:
    other = raw(user_id="bert")
    assert GONE.emptied([other, record]) == [other, b"" if is_out else record]


def test_what_is_emptied_is_a_dead_letter_that_says_so() -> None:
    flaw = decode(b"")
    assert isinstance(flaw, Flaw)
    assert flaw.reason is Reason.ERASED


def test_the_list_can_change_and_is_false_while_it_is_empty() -> None:
    one = Suppressed(KEY)
    assert not one
    one.put(KEY, [digest(KEY, "shop", "u", "anna")])
    assert one
    assert one.holds("shop", None, "anna")
    one.put(KEY, [])
    assert not one.holds("shop", None, "anna"), "also what was remembered is forgotten"


@given(st.text(max_size=20), st.text(max_size=20), st.sampled_from("uv"))
def test_a_digest_tells_nothing_and_names_one(site: str, an_id: str, kind: str) -> None:
    found = digest(KEY, site, kind, an_id)
    assert len(found) == 16
    assert found != digest(b"x" * 32, site, kind, an_id)
    assert found != digest(KEY, site, "v" if kind == "u" else "u", an_id)
    assert found != digest(KEY, site, kind, an_id + "x")
