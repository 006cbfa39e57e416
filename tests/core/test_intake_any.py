"""Any records, any batching: the outcome depends on the order in the partition alone, and nothing raises."""

import json
import random
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from session_kit import HOUR, MINUTE, NOON, Follower, Hit, rules, said_sessions, stored_hits

from pipeline.core.decode import Flaw, decode
from pipeline.store.blocks import block, read_blocks
from schemas.hit import Hit as Wire


def raw(**fields: Any) -> bytes:
    return json.dumps(
        {"site": "shop", "event": "page_view", "visitor_id": "ann", "time": NOON} | fields
    ).encode()


_late_times = st.integers(0, 40).map(lambda n: NOON + n * 7 * MINUTE) | st.sampled_from(
    [NOON, NOON + 1, NOON - 1]
)
_records = st.lists(
    st.builds(
        lambda time, visitor, event, hit_id: Hit(time, visitor, event, hit_id=hit_id),
        _late_times,
        st.sampled_from(["ann", "bob", "cy"]),
        st.sampled_from(["page_view", "purchase", "email_open"]),
        st.sampled_from(["", "", "h1", "h2"]),
    )
    | st.sampled_from([b"{", b"{}"]),
    min_size=1,
    max_size=40,
)


@given(
    _records,
    st.sampled_from([0, 1, MINUTE, HOUR]),
    st.sampled_from([0, 10_000]),
    st.randoms(use_true_random=False),
)
@settings(max_examples=200, deadline=None)
def test_the_outcome_of_a_record_depends_on_the_order_in_the_partition_and_never_on_the_batching(
    records: list[Hit | bytes], lateness: int, out_of_orderness: int, chance: random.Random
) -> None:
    """Late is what lies behind watermark - lateness; a duplicate is one that is remembered by then."""
    dedupe = 2 * HOUR
    followers = []
    for is_together in (True, False):
        follower = Follower(rules(lateness, out_of_orderness_ms=out_of_orderness, dedupe_ms=dedupe))
        followers.append(follower)
        if is_together:
            follower.feed(records)
        for record in [] if is_together else records:
            follower.feed([record])
            if chance.random() < 0.5:
                follower.idle(0)
            if chance.random() < 0.3:
                follower.restart()
    together, apart = followers
    expected = _outcomes(records, lateness, out_of_orderness, dedupe)
    assert dict(together.outcomes) == dict(apart.outcomes) == dict(Counter(o for o in expected))
    for follower in followers:
        assert {at: (row["site"], str(row["outcome"])) for at, row in follower.hits.items()} == {
            at: outcome
            for at, outcome in enumerate(expected)
            if outcome[1] in ("sessionized", "background", "late")
        }
        follower.idle(48 * HOUR)
    assert together.sessions() == apart.sessions()
    assert together.live_facts() == apart.live_facts()
    assert [together.session_of(at) for at in together.hits] == [apart.session_of(at) for at in apart.hits]


def _outcomes(
    records: list[Hit | bytes], lateness: int, out_of_orderness: int, dedupe: int
) -> list[tuple[str, str]]:
    """By the words of the contract, one record after the other."""
    newest = 0
    remembered: list[tuple[str, str, int]] = []
    found = []
    for record in records:
        if isinstance(record, bytes):
            found.append(("", "dead_letter"))
            continue
        newest = max(newest, record.time)
        watermark = newest - out_of_orderness
        ids = [
            time
            for key, hit_id, time in remembered
            if (key, hit_id) == (record.key, record.hit_id) and time // 1_000 >= (watermark - dedupe) // 1_000
        ]
        if record.hit_id and any(abs(time // 1_000 - record.time // 1_000) * 1_000 <= dedupe for time in ids):
            found.append(("shop", "duplicate"))
            continue
        if record.hit_id:
            remembered.append((record.key, record.hit_id, record.time))
        if record.event == "email_open":
            found.append(("shop", "background"))
        else:
            found.append(("shop", "late" if record.time < watermark - lateness else "sessionized"))
    return found


_text = st.text(max_size=12)
_odd = st.sampled_from(
    [0, -1, 1e12, 1e308, 5e-324, 10**30, NOON, "", "\0", "9999-12-31T23:59:59Z", "http://[", [], {}]
)
_fields = dict.fromkeys(Wire.__struct_fields__, _odd | _text) | {
    "unknown": _text,
    "event": st.sampled_from(["page_view", "survey_response", "purchase", "x"]),
    "props": _odd | st.dictionaries(st.sampled_from(["metric", "a"]), _odd | st.just("nps")),
    "campaign": _odd | st.dictionaries(st.sampled_from(["source", "id", "x"]), _text | _odd, max_size=3),
    "url": _text | st.sampled_from(["http://[::1", "//a.example/?utm_source=%ff&gclid=\0", "//", "a:b"]),
}


@given(
    st.lists(st.fixed_dictionaries({}, optional=_fields) | st.binary(max_size=30), max_size=8), st.booleans()
)
@settings(max_examples=300, deadline=None)
def test_any_records_end_as_one_outcome_each_and_can_be_stored(
    records: list[dict[str, Any] | bytes], is_live: bool
) -> None:
    values = [
        one
        if isinstance(one, bytes)
        else json.dumps({"site": "shop", "event": "x", "visitor_id": "v"} | one).encode()
        for one in records
    ]
    follower = Follower(rules(HOUR if is_live else None))
    output = follower.feed(values)
    assert follower.outcomes.total() == len(values)
    assert follower.outcomes.total() == len(stored_hits(output)) + len(output.dead_letters) + sum(
        n for (_, outcome), n in follower.outcomes.items() if outcome == "duplicate"
    )
    assert [one.offset for one in output.dead_letters] == [
        at for at, value in enumerate(values) if isinstance(decode(value), Flaw) or at not in follower.hits
    ] or any(outcome == "duplicate" for _, outcome in follower.outcomes)
    stored = read_blocks("hits", [block("hits", output.hits)] if output.hits else [])
    assert stored.num_rows == len(stored_hits(output))
    for said in (said_sessions(output), output.ledger, output.dead_letters):
        msgspec.json.encode(said)
    follower.restart()
    follower.end()


@pytest.mark.parametrize("event", ["page_view", "survey_response"])
def test_no_depth_of_nesting_stops_the_stream(event: str) -> None:
    """A depth that one reader's stack can hold and a later one's cannot would be a poison pill."""
    follower = Follower(rules())
    values = [
        raw(event=event, score=1)[:-1] + b',"props":{"metric":"nps","a":' + b"[" * n + b"]" * n + b"}}"
        for n in range(900, 1_000)
    ]
    follower.feed(values)
    assert follower.outcomes.total() == len(values)
    assert {outcome for _, outcome in follower.outcomes} > {"dead_letter"}
