"""Journeys of persons with several ids, and of those who fall silent: any order, partitions and restarts.

Named examples first; then links, evidence and time in any order against the oracle, which puts each piece of evidence
where it belongs and walks once.
"""

import random
from collections import defaultdict, deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journey_kit import DAY, NOON, Partition, Person, live, message, oracle, summed
from msgspec.structs import replace

from pipeline.core import homes, journeys
from pipeline.core.evidence import only_owners, only_time, passed_on
from pipeline.core.ids import partition_of
from pipeline.core.journeys import Journeys
from pipeline.core.models import load
from pipeline.core.persons.identity import Links, link, owner_at, owners, say
from pipeline.model_files import builtin_texts
from schemas.evidence import Evidence, EvidenceBatch
from schemas.transition import Transition, TransitionFact

MODELS = load(builtin_texts())
PERSON = Person(MODELS)
Owned = tuple[str, list[int], list[str]]


def seen(
    event: str, day: float = 0, *, known: bool = False, url: str = "", channel: str = "direct"
) -> Evidence:
    return replace(PERSON.did(event, url, NOON + round(day * DAY), channel), known=known)


class Net:
    """Partitions that pass evidence on to each other, in order between any two."""

    def __init__(self, partitions: int = 1, seed: int = 0, most: int | None = None) -> None:
        self.parts = [Partition(MODELS, most) for _ in range(partitions)]
        self.waiting: dict[tuple[str, int], deque[EvidenceBatch]] = defaultdict(deque)
        self.said: list[Transition] = []
        self.facts: list[TransitionFact] = []
        self.rng = random.Random(seed)

    def tell(self, an_id: str, *evidence: Evidence) -> None:
        key = f"shop\x1f{an_id}"
        self.waiting["hits", partition_of(key, len(self.parts))].append(message(key, list(evidence)))

    def own(self, visitor: str, *owned: tuple[int, str]) -> None:
        key = f"shop\x1f{visitor}"
        one: Owned = (key, [since for since, _ in owned], [user for _, user in owned])
        self.waiting["persons", partition_of(key, len(self.parts))].append(only_owners([one]))

    def time(self, day: float) -> None:
        for target in range(len(self.parts)):
            self.waiting["hits", target].append(only_time(0, NOON + round(day * DAY)))

    def run(self) -> "Net":
        while ready := sorted(channel for channel, queue in self.waiting.items() if queue):
            source, target = self.rng.choice(ready)
            queue = self.waiting[source, target]
            unit = [queue.popleft() for _ in range(min(len(queue), self.rng.randint(1, 3)))]
            said, facts = self.parts[target].take(*unit)
            self.said += said
            self.facts += facts
            for to, passed in passed_on(self.parts[target].passed, len(self.parts)):
                self.waiting[f"journeys-{target}", to].append(passed)
        return self

    def way(self, model: str = "classic5") -> list[tuple[str, str, str]]:
        rows = sorted((row for row in live(self.said) if row[2] == model), key=lambda row: (row[1], row[7]))
        return [(row[1], row[5], row[4]) for row in rows]  # type: ignore[misc]


def test_a_login_moves_the_journey_that_was_before_it() -> None:
    for partitions in (1, 4):
        net = Net(partitions)
        net.tell("phone", seen("page_view"), seen("view_item", 1))
        net.tell("ann", seen("purchase", 3, known=True))
        net.run()
        assert net.way() == [
            ("ann", "enter", "purchase"),
            ("phone", "enter", "awareness"),
            ("phone", "advance", "consideration"),
        ]
        net.own("phone", (NOON + 2 * DAY, "ann"))
        net.run()
        whole = [
            ("ann", "enter", "awareness"),
            ("ann", "advance", "consideration"),
            ("ann", "advance", "purchase"),
        ]
        assert net.way() == whole
        net.tell("phone", seen("page_view", 2))
        assert net.run().way() == whole
        net.own("phone")
        assert net.run().way() == [
            ("ann", "enter", "purchase"),
            ("phone", "enter", "awareness"),
            ("phone", "advance", "consideration"),
        ]


def test_what_has_a_user_stays_with_it() -> None:
    net = Net()
    net.tell("17", seen("page_view"), seen("purchase", 1, known=True))
    net.own("17", (NOON, "ann"))
    assert net.run().way() == [("17", "enter", "purchase"), ("ann", "enter", "awareness")]


def test_a_journey_lapses_when_time_has_passed_it_by_and_goes_on_with_a_return() -> None:
    net = Net()
    net.tell("v", seen("page_view"))
    net.time(90)
    assert net.run().way() == [("v", "enter", "awareness")]
    net.time(90 + 1 / 1440)
    assert net.run().way() == [("v", "enter", "awareness"), ("v", "lapse", "")]
    lapse = max(net.said, key=lambda row: row.time * (row.model == "classic5"))
    assert (lapse.time, lapse.dwell_ms, lapse.cause_event) == (NOON + 90 * DAY, 90 * DAY, "")
    net.tell("v", seen("view_item", 100), seen("page_view", 101))
    assert net.run().way()[2:] == [("v", "return", "consideration")]
    assert summed(net.facts)["shop", "classic5", "awareness", ""] == 1


def test_late_evidence_undoes_a_lapse() -> None:
    net = Net()
    net.tell("v", seen("page_view"))
    net.time(95)
    net.run()
    net.tell("v", seen("view_item", 10))
    assert net.run().way() == [("v", "enter", "awareness"), ("v", "advance", "consideration")]
    net.time(101)
    assert net.run().way()[2:] == [("v", "lapse", "")]


def test_evidence_after_a_silence_ends_the_journey_before_time_does() -> None:
    net = Net()
    net.tell("v", seen("page_view"), seen("page_view", 90 + 1e-6))
    assert net.run().way() == [("v", "enter", "awareness"), ("v", "lapse", ""), ("v", "return", "awareness")]
    net = Net()
    net.tell("v", seen("page_view"), seen("page_view", 90))
    assert net.run().way() == [("v", "enter", "awareness")]


def test_time_is_that_of_the_slowest_source_and_survives_a_restart() -> None:
    net = Net()
    net.tell("v", seen("page_view"))
    net.time(500)
    net.waiting["hits", 0].append(only_time(1, NOON))
    net.run()
    (part,) = net.parts
    assert part.core.clock.sources == {0: NOON + 500 * DAY, 1: NOON}


def test_bounded_input_lets_time_pass_at_its_end() -> None:
    part = Partition(MODELS)
    part.bounded = True
    part.take(message("shop\x1fv", [seen("page_view")], NOON))
    said, _ = part.take(only_time(1, NOON + 500 * DAY))
    assert said == []
    said, _ = part.take(is_final=True)
    assert {row.kind for row in said} == {"lapse"}


def test_a_referral_begins_a_loop() -> None:
    friend = seen("page_view", url="https://a.example/welcome?code=F-1", channel="referral")
    net = Net()
    net.tell("v", friend, seen("view_item", 1))
    net.tell("w", seen("page_view", url="https://a.example/?code=F-1"))
    net.tell("x", seen("page_view", url="https://a.example/", channel="referral"))
    assert net.run().way() == [
        ("v", "loop", "awareness"),
        ("v", "advance", "consideration"),
        ("w", "enter", "awareness"),
        ("x", "enter", "awareness"),
    ]


def test_what_is_passed_on_costs_the_same_however_much_there_was(monkeypatch: pytest.MonkeyPatch) -> None:
    core, bytes_of = Journeys(MODELS), list[int]()
    core.take([only_owners([("shop\x1fphone", [NOON], ["ann"])])], 0, 0)
    hits = [seen("page_view", (number - 3 * (number % 50 == 0)) / 24) for number in range(600)]
    for number, one in enumerate(hits):
        bytes_of.append(len(core.take([message("shop\x1fphone", [one])], number, number).state))
    assert sum(bytes_of[-50:]) < 1.5 * sum(bytes_of[50:100])
    for module in (homes, journeys):
        monkeypatch.setattr(module, "MAX_EVIDENCE", 500)
    hits.append(seen("page_view", 26))
    core.take([message("shop\x1fphone", hits[-1:])], 600, 600)
    unlinked = core.take([only_owners([("shop\x1fphone", [], [])])], 601, 601)
    back = sorted(one.time for _, one, sign in unlinked.passed if sign == -1)
    assert back == sorted(one.time for one in hits)[-250:], "the older ones are the owner's for good"
    assert len(core._table.evidence) == 250


def happened(seed: int) -> tuple[list[tuple[str, Evidence]], list[tuple[str, object]]]:
    rng = random.Random(seed)
    events = ["page_view", "view_item", "purchase", "login", "refund", "review_submit", "subscription_cancel"]
    evidence = []
    for _ in range(rng.randint(1, 25)):
        an_id = rng.choice(["v1", "v2", "ann", "bob"])
        referral = rng.random() < 0.2
        url = "https://a.example/?code=1" if referral else rng.choice(["", "/blog/x", "/pricing"])
        day = rng.choice([rng.randrange(5), rng.randrange(400)]) + rng.choice([0, 0.5])
        one = seen(
            rng.choice(events),
            day,
            known=an_id in ("ann", "bob"),
            url=url,
            channel="referral" if referral else "direct",
        )
        if one.rules:
            evidence.append((an_id, one))
    words: list[tuple[str, object]] = []
    for _ in range(rng.randrange(5)):
        user, time = rng.choice(["ann", "bob"]), NOON + rng.randrange(400) * DAY
        word = (user, time, rng.random() < 0.6) if rng.random() < 0.3 else (user, time)
        words.append((rng.choice(["v1", "v2"]), word))
    return evidence, words


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 3), st.integers(0, 600), st.none() | st.integers(0, 4))
def test_any_order_gives_the_journeys_of_whole_persons(
    seed: int, partitions: int, last_day: int, most: int | None
) -> None:
    """``most``: how many persons a partition keeps in its columns; the others are packed."""
    evidence, words = happened(seed)
    rng = random.Random(seed + 1)
    told: list[tuple[str, object]] = [*evidence, *words]
    rng.shuffle(told)
    net, links, day = Net(partitions, seed, most), defaultdict(Links), 0
    for an_id, what in told:
        if isinstance(what, Evidence):
            net.tell(an_id, what)
        else:
            before = owners(links[an_id])
            note(links[an_id], what)
            if (after := owners(links[an_id])) != before:
                net.own(an_id, *zip(*after, strict=True))
        if rng.random() < 0.4:
            day = max(day, rng.randrange(last_day + 1))
            net.time(day)
        if rng.random() < 0.4:
            net.run()
    net.time(last_day)
    net.run()
    of_person: dict[str, list[Evidence]] = defaultdict(list)
    for an_id, one in evidence:
        owner = "" if one.known else owner_at(owners(links[an_id]), one.time)
        of_person[owner or an_id].append(one)
    now = (NOON + last_day * DAY) // 60_000 * 60_000
    expected = set().union(
        *(oracle(MODELS, "shop", person, found, now) for person, found in of_person.items())
    )
    assert live(net.said) == expected
    sums: dict[tuple[object, ...], int] = defaultdict(int)
    for row in expected:
        sums[row[0], row[2], row[3], row[4]] += 1
    assert summed(net.facts) == sums


def note(links: Links, word: object) -> None:
    assert isinstance(word, tuple)
    if len(word) == 2:
        link(links, *word)
    else:
        say(links, word[0], word[1], is_unlinked=word[2])
