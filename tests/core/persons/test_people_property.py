"""Whatever the order, the batches, the partitions and the restarts: what persons say is what one fold over all says."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.persons.people import PersonRules
from pipeline.transport.rows import Cold
from schemas.touchpoint import Touch
from tests.core.persons.kit import DAY, HOUR, Net, Seen, naive, note, touchpoints, visit

IDS = ("v1", "v2", "v3", "ann", "bob")
USERS = ("ann", "bob", "v3")
KINDS = (
    Touch.ORDER, Touch.GOAL, Touch.REFUND, Touch.CART, Touch.CSAT, Touch.NPS, Touch.TICKET_OPEN, Touch.TICKET_CLOSE,
    Touch.PAYMENT_FAILED, Touch.RENEWAL, Touch.LEAVING, Touch.EMAIL_UNSUBSCRIBE, Touch.REGRESSED,
)  # fmt: skip


def happened(seed: int) -> list[Seen]:
    rng = random.Random(seed)
    seen = []
    for number in range(rng.randint(1, 25)):
        an_id = rng.choice(IDS)
        time = rng.randrange(60) * DAY + rng.randrange(4) * HOUR
        known = an_id in USERS and rng.random() < 0.5
        draw = rng.random()
        if draw < 0.45:
            channel = rng.choice(("direct", "email", "paid_search"))
            one = visit(time, rng.choice((0, 5, 90)), channel=channel, known=known, name=f"s{number}")
            seen.append(Seen(an_id, one))
        elif draw < 0.85:
            kind = rng.choice(KINDS)
            amount = rng.choice((2_000_000, 9_000_000))
            in_session = kind in (Touch.ORDER, Touch.CART) and rng.random() < 0.5
            text = rng.choice(("o1", "o2", ""))
            one = note(kind, time, amount=amount, text=text, known=known, in_session=in_session)
            seen.append(Seen(an_id, one))
            if in_session and rng.random() < 0.7:  # in a session that may be another's visit
                began = time - rng.choice((0, HOUR, 40 * DAY))
                its_own = visit(began, 70 * 24 * 60, known=known, name=f"s{number}", goal_time=time)
                seen.append(Seen(an_id, its_own))
        elif draw < 0.95:
            seen.append(Seen(an_id, (rng.choice(USERS), time)))
        else:
            seen.append(Seen(an_id, (rng.choice(USERS), time, rng.random() < 0.7)))
    return seen


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 3), st.integers(0, 80), st.integers(0, 6), st.booleans())
def test_any_order_gives_what_one_fold_over_all_gives(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    partitions: int,
    last_day: int,
    in_memory: int,
    bounded: bool,
) -> None:
    """``in_memory``: how many states a partition keeps there; the others are on disk. ``bounded``: input in runs."""
    seen = happened(seed)
    rng = random.Random(seed + 1)
    rules = PersonRules(most_visitors=10, bounded=bounded)
    net = Net(partitions, rules, seed=seed, cold=Cold(tmp_path_factory.getbasetemp(), in_memory))
    told = list(seen)
    rng.shuffle(told)
    watermark = 0
    wrong: list[Seen] = []
    while told or wrong:
        part = [told.pop() for _ in range(min(len(told), rng.randint(1, 4)))]
        gone, wrong = wrong, []
        if rng.random() < 0.3:  # a session that is told, and taken back with the next message
            wrong = [Seen(rng.choice(IDS), visit(rng.randrange(60) * DAY, name=f"wrong-{rng.random()}"))]
        watermark = max(watermark, rng.randrange(last_day + 1) * DAY)
        net.tell(touchpoints(part + wrong, watermark=watermark, gone=gone))
        if rng.random() < 0.5:
            net.run()
            if bounded and rng.random() < 0.5:
                net.end()
        if rng.random() < 0.2:
            net.restart(rng.randrange(partitions))
    net.tell(touchpoints([], watermark=last_day * DAY))
    net.run()
    net.end()
    signals, shared = naive(seen, rules, last_day * DAY)
    assert net.rows["signals"] == signals
    assert net.rows["credits"] == shared
    raised = {name for name in signals if signals[name][0] == "raised"}
    assert sum(net.raised.values()) == len(raised)
    now = {
        (name[0], name[1]): signals[name][0] for name in sorted(signals, key=lambda name: (name[2], name[3]))
    }
    assert sum(net.risks.values()) == sum(state == "raised" for state in now.values())
