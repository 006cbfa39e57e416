"""Attribution: which visits share the credit of a conversion, by six rules at once.

The touches of a conversion are the person's visits that began in the 30 days before it, both ends inclusive, ordered
by start, then id; and the conversion's own session where it is another's visit, say of who logged in last on a shared
device. A conversion in a session waits until a visit covers it: only a closed session has its channel and its start
for good. One outside of all visits is its own touch. Money is what the order brought less its refunds (by order id, in
the order's currency; refunds that exceed it leave 0).

Credits are millionths and add up to 1,000,000; shares of the money are micros and add up to the money. Both come from
integer weights by rounding the running sum down, so that no remainder is left and SQL can say the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, repeat
from typing import Any, Final, NamedTuple

from pipeline.core.persons.items import Note, Visit
from schemas.touchpoint import OWN, Touch

MODELS: Final = ("first_touch", "last_touch", "last_non_direct", "linear", "position_based", "time_decay")
LOOK_BACK_MS: Final = 30 * 86_400_000
HALF_LIFE_MS: Final = 7 * 86_400_000
WHOLE: Final = 1_000_000
_DIRECT: Final = "direct"
_ORDER, _REFUND = int(Touch.ORDER), int(Touch.REFUND)
_NO_MONEY: Final = frozenset((Touch.CSAT, Touch.CES, Touch.NPS))  # their amount is a score
_HAS_ORDER: Final = frozenset((Touch.ORDER, Touch.GOAL))
_DECAY_ONE: Final = 1 << 20  # the weight of a touch at the conversion itself


class Credit(NamedTuple):
    """One touch of one conversion. ``copy`` counts equal conversions from 0, ``number`` the touches from 1.

    ``credits`` and ``shares`` are in the order of MODELS.
    """

    time: int
    event: str
    order_id: str
    copy: int
    number: int
    touches: int
    touch_time: int
    session_id: str
    channel: str
    currency: str
    credits: tuple[int, ...]
    shares: tuple[int, ...]


class Conversion(NamedTuple):
    """What the credits of one follow from. ``touches``: (start, session, channel). ``money``: less its refunds."""

    note: Note
    copy: int
    touches: list[tuple[int, str, str]]
    money: int


def attribute(notes: Sequence[Note], visits: Sequence[Visit], since: int, until: int) -> list[Credit]:
    """The credits of :func:`conversions`."""
    return [credit for one in conversions(notes, visits, since, until).values() for credit in credits_of(one)]


def conversions(
    notes: Sequence[Note], visits: Sequence[Visit], since: int, until: int
) -> dict[tuple[Any, ...], Conversion]:
    """Those with ``since <= time <= until`` that have touches, by what names a :class:`Credit`, but for its number.
    ``notes``: all of the person's, in order.
    """
    refunds = _refunds(notes)
    found: dict[tuple[Any, ...], Conversion] = {}
    copies: dict[tuple[int, str, str], int] = {}
    for note in notes:
        back = 0
        if refunds and note.kind == _ORDER:
            back = _given_back(note, refunds.pop(note.text, ()))
        if not note.goal:
            continue
        name = (note.time, note.event, _order_of(note))
        copy = copies[name] = copies.get(name, -1) + 1
        if since <= note.time <= until:
            touches = _touches(note, visits)
            if touches:
                money = 0 if note.kind in _NO_MONEY else note.amount
                money = max(0, money - back) if back else money
                found[*name, copy] = Conversion(note, copy, touches, money)
    return found


def reach(visits: Iterable[Visit], notes: Iterable[Note]) -> tuple[int, int] | None:
    """The times between which conversions lie whose credits these visits and notes can change; None: no such."""
    froms, untils = list[int](), list[int]()
    for visit in visits:
        froms.append(visit.start)
        untils.append(max(visit.start + LOOK_BACK_MS, visit.end))  # those that wait for it may lie beyond
    for note in notes:
        if note.goal or note.kind == _ORDER:
            froms.append(note.time)
            untils.append(note.time)
        elif note.kind == _REFUND:
            return -_EVER, _EVER  # its order may be of any time
    return (min(froms), max(untils)) if froms else None


_EVER: Final = 1 << 62


def _refunds(notes: Iterable[Note]) -> dict[str, list[Note]]:
    """By order id."""
    found: dict[str, list[Note]] = {}
    for note in notes:
        if note.kind == _REFUND and note.text:
            found.setdefault(note.text, []).append(note)
    return found


def _given_back(order: Note, refunds: Iterable[Note]) -> int:
    """What names no currency is taken to be in the other's."""
    currency = order.currency
    return sum(one.amount for one in refunds if not one.currency or not currency or one.currency == currency)


def _touches(note: Note, visits: Sequence[Visit]) -> list[tuple[int, str, str]]:
    """Those of a conversion; none while its own session is not known."""
    time = note.time
    near = [visit for visit in visits if visit.start <= time and visit.goal_time in (OWN, time)]
    if note.in_session and not any(time <= visit.end for visit in near):
        return []
    since = time - LOOK_BACK_MS
    found = {(visit.start, visit.session_id, visit.channel) for visit in near if visit.start >= since}
    return sorted(found) or [(time, "", note.channel)]


def _order_of(note: Note) -> str:
    return note.text if note.kind in _HAS_ORDER else ""


def credits_of(conversion: Conversion) -> Iterator[Credit]:
    """One for each touch."""
    note, copy, touches, money = conversion
    name = (note.time, note.event, _order_of(note), copy)
    if len(touches) == 1:
        parts, shares = (WHOLE,) * len(MODELS), (money,) * len(MODELS)
        yield Credit(*name, 1, 1, *touches[0], note.currency, parts, shares)
        return
    last = max((at for at, touch in enumerate(touches) if touch[2] != _DIRECT), default=len(touches) - 1)
    weights, parts_by_place = _by_place(len(touches), last)
    decay = [round(2.0 ** ((start - note.time) / HALF_LIFE_MS) * _DECAY_ONE) for start, _, _ in touches]
    parts_of = zip(*parts_by_place, _divide(WHOLE, decay), strict=True)
    shares_of: Iterable[tuple[int, ...]] = repeat((0,) * len(MODELS))
    if money:
        shares_of = zip(*(_divide(money, of_model) for of_model in (*weights, decay)), strict=True)
    for number, (touch, part, share) in enumerate(zip(touches, parts_of, shares_of, strict=False), start=1):
        yield Credit(*name, number, len(touches), *touch, note.currency, part, share)


@lru_cache(maxsize=1_000)
def _by_place(count: int, last: int) -> tuple[list[list[int]], list[list[int]]]:
    """Integer weights of so many touches, and the parts of the whole, by each of MODELS but the last.

    ``last``: place of the last one that is not direct.
    """
    # 40 % each to the ends and 20 % to those between: two ends alone share half and half.
    ends = 2 * (count - 2)
    by_position = [1] * count if count <= 2 else [ends, *[1] * (count - 2), ends]
    weights = [_only(0, count), _only(count - 1, count), _only(last, count), [1] * count, by_position]
    return weights, [_divide(WHOLE, of_model) for of_model in weights]


def _only(place: int, count: int) -> list[int]:
    weights = [0] * count
    weights[place] = 1
    return weights


def _divide(whole: int, weights: list[int]) -> list[int]:
    """Parts in proportion to the weights that add up to ``whole``; a negative one is divided like its opposite."""
    total, size = sum(weights), abs(whole)
    marks = [size * reached // total for reached in accumulate(weights)]
    parts = [mark - before for mark, before in zip(marks, [0, *marks], strict=False)]
    return parts if whole >= 0 else [-part for part in parts]
