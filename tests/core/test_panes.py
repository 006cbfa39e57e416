"""Sums of panes as they are kept."""

import msgspec

from pipeline.core.windows import Panes


def test_of_what_fell_back_to_zero_nothing_is_kept() -> None:
    panes = Panes({}.get)
    assert panes.add("shop", 7, {"direct": [1, 1, 0, 0, 5, 0], "email": [1, 0, 0, 0, 0, 0]}).keys() == {
        "direct",
        "email",
    }
    assert panes.add("shop", 7, {"direct": [-1, -1, 0, 0, -5, 0]}) == {"email": [1, 0, 0, 0, 0, 0]}
    assert panes.add("shop", 7, {"email": [-1, 0, 0, 0, 0, 0]}) == {}
    ((_, packed),) = panes.changes()
    assert msgspec.msgpack.decode(packed) == {}


def test_changes_are_told_in_the_order_in_which_they_came() -> None:
    """And not in that of a set of texts, which differs from process to process."""
    panes = Panes({}.get)
    sites = [f"site{number}" for number in range(20)]
    for site in sites:
        panes.add(site, 0, {"direct": [1, 0, 0, 0, 0, 0]})
    assert [key.split(b"\x1f")[1].decode() for key, _ in panes.changes()] == sites
