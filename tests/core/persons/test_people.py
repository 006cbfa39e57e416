"""One partition and several: links, caps, refunds, e-mails, restarts; the usual ways and the rare ones, by name."""

import pytest

from pipeline.core.persons import fold, person
from pipeline.core.persons.people import PersonRules
from schemas.touchpoint import Touch
from tests.core.persons.kit import DAY, HOUR, MINUTE, Net, Seen, key, naive, note, touchpoints, visit

CART_THEN_NOTHING = [Seen("v1", note(Touch.CART, HOUR)), Seen("v1", visit(HOUR, 10))]


def after(
    *units: list[Seen], watermark: int = 0, partitions: int = 1, rules: PersonRules | None = None
) -> Net:
    net = Net(partitions, rules)
    for seen in units:
        net.tell(touchpoints(seen, watermark=watermark))
        net.run()
    return net


def persons(net: Net) -> set[str]:
    return {name[0] for name in net.rows["signals"]}


def test_a_late_login_moves_what_was_before() -> None:
    for partitions in (1, 4):
        net = after(CART_THEN_NOTHING, watermark=DAY, partitions=partitions)
        assert persons(net) == {"v1"}
        net.tell(touchpoints([Seen("v1", ("ann", 9 * DAY))]))
        net.run()
        assert persons(net) == {"ann"}
        assert net.links == {"v1": [("ann", 9 * DAY)]}
        assert dict(net.risks) == {"abandoned": 1}


def test_unlinking_gives_it_back_and_linking_again_takes_it() -> None:
    net = after(CART_THEN_NOTHING, [Seen("v1", ("ann", DAY))], watermark=DAY, partitions=3)
    for time, is_unlinked, owner in ((10, True, "v1"), (11, False, "ann"), (12, True, "v1")):
        net.tell(touchpoints([Seen("v1", ("ann", time, is_unlinked))]))
        net.run()
        assert persons(net) == {owner}
    assert net.links == {"v1": []}


def test_what_names_its_user_stays_with_the_user() -> None:
    known = [Seen("ann", note(Touch.LEAVING, HOUR, known=True))]
    net = after(known, [Seen("v1", ("ann", DAY))], [Seen("v1", ("ann", DAY, True))])
    assert persons(net) == {"ann"}


def test_a_visitor_and_a_user_of_one_id_are_told_apart() -> None:
    seen = [
        Seen("17", note(Touch.LEAVING, HOUR)),
        Seen("17", note(Touch.PAYMENT_FAILED, HOUR, known=True)),
        Seen("17", ("ann", DAY)),
    ]
    net = after(seen)
    assert {name[:2] for name in net.rows["signals"]} == {("ann", "leaving"), ("17", "payment")}


def test_a_loop_of_links_and_a_link_to_oneself_change_nothing() -> None:
    seen = [
        Seen("a", note(Touch.LEAVING, HOUR)),
        Seen("a", ("b", DAY)),
        Seen("b", ("a", DAY)),
        Seen("a", ("a", 0)),
    ]
    for partitions in (1, 4):
        assert persons(after(seen, partitions=partitions)) == {"b"}


def test_two_devices_of_one_user_are_one_person() -> None:
    phone = [Seen("v1", note(Touch.CART, HOUR)), Seen("v1", visit(HOUR, 10))]
    laptop = [Seen("v2", note(Touch.ORDER, 5 * HOUR))]
    links = [Seen("v1", ("ann", 3 * DAY)), Seen("v2", ("ann", 5 * HOUR))]
    net = after(laptop, phone, links, partitions=4)
    states = {name: state for name, (state, _) in net.rows["signals"].items()}
    assert states == {
        ("ann", "abandoned", HOUR + 40 * MINUTE, 0): "raised",
        ("ann", "abandoned", 5 * HOUR, 1): "cleared",
    }


def test_a_runaway_user_is_capped_and_the_earliest_links_count() -> None:
    rules = PersonRules(most_visitors=2)
    visitors = [f"v{n}" for n in range(5)]
    seen = [Seen(one, note(Touch.LEAVING, HOUR + at)) for at, one in enumerate(visitors)]
    links = [Seen(one, ("guest", DAY - at)) for at, one in enumerate(visitors)]
    for partitions in (1, 4):
        net = after(seen, links, partitions=partitions, rules=rules)
        assert {one for one, known in net.links.items() if known} == {"v4", "v3"}
        assert persons(net) == {"v0", "v1", "v2", "guest"}


def test_a_refund_and_a_late_session_correct_the_credits() -> None:
    order = note(Touch.ORDER, DAY, amount=9_000_000, text="o1", in_session=True)
    net = after([Seen("v1", order)])
    assert net.rows["credits"] == {}
    net.tell(touchpoints([Seen("v1", visit(DAY - HOUR, 90))]))
    net.run()
    assert [row[-1] for row in net.rows["credits"].values()] == [9_000_000]
    net.tell(
        touchpoints(
            [Seen("v1", visit(HOUR)), Seen("v1", note(Touch.REFUND, 9 * DAY, amount=3_000_000, text="o1"))]
        )
    )
    net.run()
    linear = [values[-3] for _, values in sorted(net.rows["credits"].items())]
    assert linear == [3_000_000, 3_000_000]


def test_timers_fire_by_the_watermark_alone_also_after_a_restart() -> None:
    habit = [Seen("v1", visit(n * DAY, 0)) for n in range(3)]
    net = after(habit, watermark=2 * DAY)
    net.restart(0)
    net.tell(touchpoints([], watermark=9 * DAY + HOUR))
    net.run()
    assert net.rows["signals"] == {}
    net.tell(touchpoints([], watermark=9 * DAY + HOUR + 1_000))
    net.run()
    assert set(net.rows["signals"]) == {("v1", "overdue", 9 * DAY, 0)}
    assert net.risks["overdue"] == 1


def test_a_cart_is_abandoned_by_the_watermark_alone_also_after_a_restart() -> None:
    net = after(CART_THEN_NOTHING, watermark=HOUR + 40 * MINUTE)
    assert net.rows["signals"] == {}
    net.restart(0)
    net.tell(touchpoints([], watermark=HOUR + 40 * MINUTE + 1))
    net.run()
    assert set(net.rows["signals"]) == {("v1", "abandoned", HOUR + 40 * MINUTE, 0)}
    net.tell(touchpoints([Seen("v1", note(Touch.ORDER, HOUR + 40 * MINUTE))], watermark=DAY))
    net.run()
    assert net.rows["signals"] == {}, "it came late, and was in time"


def test_carts_of_the_last_sessions_are_abandoned_when_bounded_input_ends() -> None:
    net = after(CART_THEN_NOTHING, watermark=HOUR + 10 * MINUTE - 10_000, rules=PersonRules(bounded=True))
    assert net.rows["signals"] == {}
    net.end()
    assert persons(net) == {"v1"}


def test_time_is_that_of_the_slowest_source() -> None:
    habit = [Seen("v1", visit(n * DAY, 0)) for n in range(3)]
    net = Net()
    net.tell(touchpoints(habit, source="sessionizer-0", watermark=90 * DAY))
    net.tell(touchpoints([], source="sessionizer-1", watermark=DAY))
    net.run(most=2)
    assert net.people[0].watermark == DAY


def test_bounded_input_lets_time_pass_at_its_end_only() -> None:
    net = Net(rules=PersonRules(bounded=True))
    habit = [Seen("v1", visit(n * DAY, 0)) for n in range(3)]
    net.tell(touchpoints([], source="sessionizer-1", watermark=DAY))
    net.tell(touchpoints(habit, watermark=80 * DAY))
    net.run()
    assert net.rows["signals"] == {}
    net.end()
    assert set(net.rows["signals"]) == {("v1", "overdue", 9 * DAY, 0)}


def test_older_hits_of_a_later_run_correct_what_time_said_at_the_end_of_the_first() -> None:
    net = Net(rules=PersonRules(bounded=True))
    net.tell(touchpoints([Seen("v2", visit(200 * DAY))], watermark=200 * DAY))
    net.run()
    net.end()
    older = [
        Seen("v1", note(kind, time))
        for kind, time in ((Touch.RENEWAL, DAY), (Touch.LEAVING, 2 * DAY), (Touch.RENEWAL, HOUR))
    ]
    for one in older:
        net.tell(touchpoints([one]))
        net.run()
    net.end()
    expected, _ = naive(older, net.rules, 200 * DAY)
    assert [state for state, _ in expected.values()] == ["raised", "cleared"]
    assert net.rows["signals"] == expected


def test_an_email_counts_once_where_it_was_delivered() -> None:
    def email(kind: Touch, time: int, message: str = "m1") -> Seen:
        return Seen("ann", note(kind, time, text=message, known=True))

    net = after(
        [email(Touch.EMAIL_OPEN, 5), email(Touch.EMAIL_OPEN, 6)],
        [email(Touch.EMAIL_SENT, 1)],
        [email(Touch.EMAIL_MACHINE_OPEN, 3), email(Touch.EMAIL_DELIVERED, 2), email(Touch.EMAIL_CLICK, 9)],
        [email(Touch.EMAIL_SENT, 20, "m2"), email(Touch.EMAIL_BOUNCE, 21, "m2")],
        [email(Touch.EMAIL_SENT, 30, "m3"), email(Touch.EMAIL_MACHINE_OPEN, 31, "m3")],
    )
    sums = {time: one for (_, time), one in net.measures.items() if any(one)}
    assert sums == {2: [1, 1, 0, 1, 0, 0], 20: [0, 0, 0, 0, 1, 0], 30: [1, 0, 1, 0, 0, 0]}
    assert net.rows["signals"] == {}


def test_an_opening_of_an_old_email_is_no_delivery_of_today() -> None:
    """Whether it is remembered, forgotten, or was never told of."""

    def email(kind: Touch, time: int, message: str) -> list[Seen]:
        return [Seen("ann", note(kind, time, text=message, known=True))]

    sent = [email(Touch.EMAIL_SENT, 0, "old"), email(Touch.EMAIL_SENT, 0, "read")]
    heard = [email(Touch.EMAIL_OPEN, 20 * DAY, "read"), email(Touch.EMAIL_SENT, 40 * DAY, "new")]
    for message in ("old", "read", "unknown"):
        net = after(*sent, *heard, email(Touch.EMAIL_CLICK, 41 * DAY, message))
        sums = {time: one for (_, time), one in net.measures.items() if any(one)}
        clicks = int(message == "read")
        assert sums == {0: [2, 1, 0, clicks, 0, 0], 40 * DAY: [1, 0, 0, 0, 0, 0]}


def test_answers_are_counted_once_also_when_they_are_passed_on() -> None:
    answer = Seen("v1", note(Touch.NPS, HOUR, amount=9_000_000))
    net = after([answer], [Seen("v1", ("ann", DAY))], partitions=4)
    assert net.measures == {("nps", HOUR): [1, 9_000_000, 1, 0]}


def test_a_person_with_very_much_is_folded_for_good_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "MAX_ITEMS", 10)
    bad = Seen("v1", note(Touch.CSAT, 0, amount=1_000_000))
    net = after([bad], *([Seen("v1", visit(n * DAY, 0))] for n in range(1, 25)), watermark=24 * DAY)
    good = Seen("v1", note(Touch.CSAT, 25 * DAY, amount=9_000_000))
    too_late = Seen("v1", note(Touch.LEAVING, DAY))
    net.tell(touchpoints([good, too_late], watermark=26 * DAY))
    net.run()
    assert sorted(net.rows["signals"]) == [("v1", "unhappy", 0, 0), ("v1", "unhappy", 25 * DAY, 1)]
    assert net.missed == 1


def test_what_is_passed_on_is_bounded_and_what_is_older_stays_with_the_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (fold, person):
        monkeypatch.setattr(module, "MAX_ITEMS", 100)
    net, size, begin = after([Seen("v1", ("ann", 0))]), list[int](), 10_000 * DAY
    for number in range(250):
        net.tell(touchpoints([Seen("v1", visit(begin + number * HOUR))]))
        net.run()
        size.append(len(net.states[0][key("v1")]))
    assert max(size) < 1.01 * max(size[:100])
    early, late = (Seen("v1", note(Touch.PAYMENT_FAILED, begin + hours * HOUR)) for hours in (1, 250))
    net.tell(touchpoints([early, late]))
    net.run()
    failed = ("payment", begin + 250 * HOUR, 0)
    assert set(net.rows["signals"]) == {("ann", *failed)}, "the other one comes too late"
    net.tell(touchpoints([Seen("v1", ("ann", begin, True)), early]))
    net.run()
    assert set(net.rows["signals"]) == {("v1", *failed)}
    assert net.missed == 2


def test_a_cart_folded_for_good_knows_of_the_longer_visit_that_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fold, "MAX_ITEMS", 4)
    short, own = visit(HOUR + 5 * MINUTE, 7, name="short"), visit(HOUR, 60, name="own")
    notes = [note(Touch.CART, HOUR + 10 * MINUTE), note(Touch.ORDER, HOUR + 50 * MINUTE)]
    seen = [Seen("v1", one) for one in (short, own, *notes, note(Touch.NPS, 3 * HOUR, amount=9_000_000))]
    late = [Seen("v1", note(Touch.NPS, 2 * HOUR + 1, amount=9_000_000))]
    again = [Seen("v1", visit(DAY, 10)), Seen("v1", note(Touch.CART, DAY))]
    net = after(seen, late, again, watermark=2 * DAY)
    assert set(net.rows["signals"]) == {("v1", "abandoned", DAY + 40 * MINUTE, 0)}


def test_a_session_that_grew_and_became_the_users_stays_when_its_home_takes_the_old_one_back() -> None:
    old = visit(DAY, 0, channel="email", name="s")
    new = visit(DAY, 30, channel="email", name="s", known=True)
    buys = note(Touch.ORDER, DAY + HOUR // 2, known=True, in_session=True)
    for partitions in (1, 2, 4):  # the user may hear of the new one first
        net = after([Seen("v1", ("ann", 9 * DAY)), Seen("v1", old)], partitions=partitions)
        net.tell(touchpoints([Seen("ann", new), Seen("ann", buys)], gone=[Seen("v1", old)]))
        net.run()
        assert [values[2] for values in net.rows["credits"].values()] == ["s"]


def test_anothers_session_is_nothing_but_a_touch() -> None:
    """No visit: it neither shows that a cart was left, nor that the person was there."""
    net = after([Seen("v1", note(Touch.CART, HOUR)), Seen("v1", visit(HOUR, 10, goal_time=HOUR))])
    assert not persons(net)


def test_a_session_told_and_taken_back_in_one_unit_has_never_been() -> None:
    net = Net()
    wrong = Seen("v1", visit(HOUR, name="wrong"))
    net.tell(touchpoints([wrong, *CART_THEN_NOTHING]))
    net.tell(touchpoints([], gone=[wrong], watermark=DAY))
    net.run(most=5)
    assert set(net.rows["signals"]) == {("v1", "abandoned", HOUR + 40 * MINUTE, 0)}
