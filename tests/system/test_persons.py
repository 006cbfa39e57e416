"""Persons through the whole pipeline: several ids, refunds, silences and returns, in any order and partitioning."""

import random
from pathlib import Path

import pytest

from bench.running import export
from pipeline.demo.simulator import simulate
from tests.forked import installed_masir

from .kit import T0, ask, ask_all, differing, hit, masir, process, verify, write_lines

DAY = 86_400_000
HOUR = 3_600_000


def _story() -> list[bytes]:
    """A phone and a laptop that prove to be one person; a shared tablet; a refund; a lapse, a return, a friend."""
    shop = "https://shop.example"
    order = {"event": "purchase", "revenue": 30.0, "currency": "EUR", "order_id": "o1"}
    refund = {"event": "refund", "revenue": 12.5, "currency": "EUR", "order_id": "o1", "user_id": "ann"}
    friend = {"referrer": f"{shop}/", "channel": "referral", "url": f"{shop}/welcome?code=ANN"}
    return [
        hit("phone", T0, url=f"{shop}/blog/a", channel="organic_search"),
        hit("phone", T0 + DAY, event="add_to_cart", url=f"{shop}/p"),
        hit("laptop", T0 + 2 * DAY, url=f"{shop}/pricing", channel="email"),
        hit("laptop", T0 + 2 * DAY + 60_000, user_id="ann", **order),
        hit("", T0 + 9 * DAY, **refund),
        hit("phone", T0 + 20 * DAY, event="identify", user_id="ann"),  # late in their lives
        hit("tablet", T0 + HOUR, event="begin_checkout"),
        hit("tablet", T0 + 3 * DAY, user_id="ann"),
        hit("tablet", T0 + 5 * DAY, user_id="bob", event="login"),
        hit("tablet", T0 + 6 * DAY, url=f"{shop}/account/cancel"),
        hit("old", T0, url=f"{shop}/blog/b"),
        hit("old", T0 + 100 * DAY, url=f"{shop}/pricing"),
        hit("friend", T0 + 30 * DAY, **friend),
        *[hit("habit", T0 + n * DAY) for n in range(4)],
        hit("last", T0 + 250 * DAY),
    ]


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same hits in order, and in none, by another number of partitions."""
    directory = tmp_path_factory.mktemp("persons")
    shop, _ = simulate(seed=11, customers=80, start_ms=T0, days=40)
    hits = [*_story(), *shop]
    hits = [
        b'%s,"hit_id":"p%d"}' % (one[:-1], n) if b'"hit_id"' not in one else one for n, one in enumerate(hits)
    ]
    with installed_masir():
        process(directory / "first", write_lines(directory / "in_order.ndjson", hits))
    random.Random(5).shuffle(hits)
    files = [write_lines(directory / f"{n}.ndjson", hits[n::2]) for n in range(2)]
    process(directory / "other", *files, partitions=1)
    return directory / "first", directory / "other"


def test_the_views_depend_on_the_set_of_the_hits(ways: tuple[Path, Path]) -> None:
    first, other = ways
    assert differing(export(first), export(other)) == {}


def test_batch_agrees(ways: tuple[Path, Path]) -> None:
    for data in ways:
        assert verify(data)["agrees"]


def test_a_person_has_no_more_visitors_than_the_setting_says(tmp_path: Path) -> None:
    hits = [hit(f"v{n}", T0 + n * HOUR, user_id="ann", hit_id=f"h{n}") for n in range(4)]
    process(tmp_path / "data", write_lines(tmp_path / "hits.ndjson", hits), person_max_visitors=2)
    linked = "SELECT visitor_id FROM links WHERE user_id = 'ann' ORDER BY visitor_id"
    assert ask(tmp_path / "data", linked) == [{"visitor_id": "v0"}, {"visitor_id": "v1"}]
    assert verify(tmp_path / "data", person_max_visitors=2)["agrees"]


def test_the_story_is_told(ways: tuple[Path, Path]) -> None:
    data = ways[0]
    mine = (
        "site = 'shop' AND person_id IN ('ann', 'bob', 'phone', 'laptop', 'tablet', 'old', 'friend', 'habit')"
    )
    known, steps, shares, signals = ask_all(
        data,
        f"SELECT person_id, visitor_ids, sessions FROM persons WHERE {mine}",
        f"SELECT person_id, kind, to_stage FROM transitions WHERE {mine} AND model = 'classic5' ORDER BY time",
        "SELECT channel, sum(credit) AS credit, sum(attribution.revenue) AS revenue FROM attribution"
        " WHERE person_id = 'ann' AND model = 'linear' GROUP BY channel ORDER BY channel",
        f"SELECT person_id, reason, state FROM signals WHERE {mine}",
    )
    persons = {row["person_id"]: row for row in known}
    assert set(persons) == {"ann", "bob", "old", "friend", "habit"}
    assert persons["ann"]["visitor_ids"] == ["laptop", "phone", "tablet"]
    assert persons["bob"]["visitor_ids"] == ["tablet"]
    of = {
        person: [(row["kind"], row["to_stage"]) for row in steps if row["person_id"] == person]
        for person in persons
    }
    assert of["ann"][0] == ("enter", "awareness")
    assert of["old"][:3] == [("enter", "awareness"), ("lapse", ""), ("return", "consideration")]
    assert of["friend"][0][0] == "loop"
    assert sum(row["credit"] for row in shares) == pytest.approx(1)
    assert sum(float(row["revenue"]) for row in shares) == pytest.approx(17.5)
    assert {"organic_search", "email"} <= {row["channel"] for row in shares}
    told = {(row["person_id"], row["reason"], row["state"]) for row in signals}
    assert {("ann", "abandoned", "raised"), ("ann", "abandoned", "cleared")} <= told
    assert {
        ("bob", "leaving", "raised"),
        ("habit", "overdue", "raised"),
        ("habit", "overdue", "cleared"),
    } <= told


def test_a_wrong_link_is_undone(ways: tuple[Path, Path], tmp_path: Path) -> None:
    data = ways[1]
    masir("unlink", "--site", "shop", "--visitor", "tablet", "--user", "bob", "--data", data)
    process(data, write_lines(tmp_path / "more.ndjson", [hit("more", T0 + 250 * DAY)]), partitions=1)
    of_bob, found = ask_all(
        data,
        "SELECT count() AS found FROM signals WHERE person_id = 'bob'",
        "SELECT DISTINCT person_id FROM signals WHERE reason = 'leaving' AND person_id IN ('ann', 'bob')",
    )
    assert of_bob == [{"found": 0}]
    assert found == [{"person_id": "ann"}], "the tablet's other owner"
    masir("unlink", "--site", "shop", "--visitor", "no", "--user", "bob", "--data", tmp_path / "none", code=2)


MINUTE = 60_000
UNCREDITED = """
SELECT c.*, a.credits, a.shares
FROM
(
    SELECT site, person_id, time, event, order_id, count() AS conversions, sum(ifNull(conversions.revenue, 0)) AS earned
    FROM conversions
    GROUP BY ALL
) AS c
LEFT JOIN
(
    SELECT site, person_id, time, event, order_id, groupArray(credit) AS credits, groupArray(share) AS shares
    FROM
    (
        SELECT
            site, person_id, time, event, order_id, model, round(sum(credit), 9) AS credit,
            sum(attribution.revenue) AS share
        FROM attribution
        GROUP BY site, person_id, time, event, order_id, model
    )
    GROUP BY site, person_id, time, event, order_id
) AS a USING (site, person_id, time, event, order_id)
WHERE a.credits != arrayMap(_ -> c.conversions, range(6)) OR a.shares != arrayMap(_ -> c.earned, range(6))
ORDER BY site
"""


def _hit(site: str, minute: int, user: str = "", event: str = "page_view", **fields: object) -> bytes:
    """Of one device, which came by an advertisement."""
    paid = {"revenue": 100.0, "currency": "EUR", "order_id": "o"} if event == "purchase" else {}
    named = {"user_id": user} if user else {}
    url = f"https://shop.example/{'?gclid=1' if minute == 0 else ''}"
    return hit("v", T0 + minute * MINUTE, site=site, event=event, url=url, **paid, **named, **fields)


SWITCHES = [
    *(_hit("switched", 0, "ann"), _hit("switched", 1, "ann", "purchase"), _hit("switched", 5, "bob")),
    *(_hit("renamed", 0), _hit("renamed", 1, "a@b.c", "purchase"), _hit("renamed", 5, "42")),
    *(_hit("between", 0, "ann"), _hit("between", 1, event="purchase"), _hit("between", 5, "bob")),
    *(_hit("beside", -9, "ann", "identify"), _hit("beside", 0), _hit("beside", 5, "bob", "identify")),
    *(_hit("beside", 6, event="purchase"), _hit("late", 0, "ann"), _hit("late", 5, "bob")),
    *(_hit("late", 9, "ann", "purchase"), _hit("late", 20, "cyd")),
    *(_hit("unlinked", 0), _hit("unlinked", 1, event="purchase"), _hit("unlinked", 5, "ann")),
]


def test_a_conversion_in_another_persons_session_is_credited_to_that_session(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process(data, write_lines(tmp_path / "hits.ndjson", SWITCHES))
    asked = (
        "SELECT site, person_id, channel, toFloat64(attribution.revenue) AS paid, session_id FROM attribution"
        " WHERE model = 'linear' ORDER BY site, touch_number"
    )
    buyers = {"beside": "bob", "between": "ann", "late": "ann", "renamed": "a@b.c", "switched": "ann"}
    buyers |= {"unlinked": "ann"}
    visits = "SELECT site, sum(sessions) AS visits FROM persons GROUP BY site ORDER BY site"
    named, found, visited = ask_all(data, "SELECT site, session_id FROM sessions", asked, visits)
    sessions = {row["site"]: row["session_id"] for row in named}

    def credited() -> list[dict[str, object]]:
        touch = {"channel": "paid_search", "paid": 100.0}
        return [{"site": s, "person_id": p, **touch, "session_id": sessions[s]} for s, p in buyers.items()]

    assert found == credited()
    assert visited == [{"site": site, "visits": 1} for site in buyers], "no visit is counted twice"
    masir("unlink", "--site", "unlinked", "--visitor", "v", "--user", "ann", "--data", data)
    process(data, write_lines(tmp_path / "more.ndjson", [hit("more", T0)]))
    buyers["unlinked"] = "v"
    assert ask(data, asked) == credited()
    assert verify(data)["agrees"]


def test_every_conversion_is_credited_whoever_shares_devices(tmp_path: Path) -> None:
    """Each site is a small input of its own; all is late or a duplicate in the second run."""
    rng = random.Random(7)
    events = ("page_view", "page_view", "purchase", "sign_up", "identify")
    hits = [
        _hit(f"s{site}", rng.choice((0, 1, 1, 2, 31, 62, 90, 1500)), rng.choice(("", "", "ann", "bob", "cyd")),
             rng.choice(events), hit_id=f"h{number}", visitor_id=rng.choice("vvw"))
        for site in range(300) for number in range(rng.randint(2, 8))
    ]  # fmt: skip
    for name in ("first", "other"):
        files = [write_lines(tmp_path / f"{name}{n}.ndjson", hits[n::2]) for n in range(2)]
        for file in files:
            process(tmp_path / name, file, partitions=2)
        assert ask(tmp_path / name, UNCREDITED) == []
        assert verify(tmp_path / name)["agrees"]
        rng.shuffle(hits)
    assert differing(export(tmp_path / "first"), export(tmp_path / "other")) == {}
