"""Which dead letters tell of a person: what cannot be read as a hit has to be judged too."""

import pytest

from pipeline.store.erase import tells_of
from schemas.erasure import Erasure

ERASURE = Erasure(
    1, "shop", users=frozenset({"jos\u00e9"}), visitors=frozenset({"v1"}), shared=frozenset({"both"})
)


@pytest.mark.parametrize(
    ("raw", "tells"),
    [
        (rb'{"site":"shop","user_id":"jos\u00E9"}', True),
        (b'{"site":"shop","visitor_id":"v1","score":"ten"}', True),
        (rb'{"site":"shop","userId":"jos\u00E9","event":"x"}', True),
        ('{"email":"jos\u00e9","event":"unknown to a webhook"}'.encode(), True),
        ('["jos\u00e9"]'.encode(), True),
        ('{"site":5,"user_id":"jos\u00e9"}'.encode(), True),
        (b'not JSON: "v1"', True),
        (b'not JSON: "v12"', False),
        ('{"site":"blog","userId":"jos\u00e9"}'.encode(), False),
        ('{"site":"shop","user_id":"friend","note":"jos\u00e9"}'.encode(), False),
        (b'{"site":"shop","visitor_id":"both","user_id":7}', False),
        (b"", False),
    ],
)
def test_letters_that_tell_of_a_person(raw: bytes, tells: bool) -> None:
    assert tells_of(raw, ERASURE) is tells
