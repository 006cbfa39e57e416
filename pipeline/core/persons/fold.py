"""The visits and notes that count for one person, and what follows from them: signals and credits.

Whatever is added or taken away, what was said is brought to what a fold over all of them says: an item after all others
is one more step of the fold, any other change folds again and gives the steps that no longer hold and those that hold
instead. So the outcome depends on the set of items and on the watermark, never on the order or on batching.

A person keeps MAX_ITEMS items. Beyond that the older half is folded for good, and changes at or before that point come
too late: they are left out, and counted as ``missed``. Times in ms.

Of a few visits with nothing notable and no long silence between them there is no fold: it would say nothing before they
have been over for a while, so it is made then, or when something else comes. Most persons never cost one.
"""

from bisect import insort
from collections.abc import Iterable, Sequence
from copy import copy
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.persons.attribution import Conversion, Credit, conversions, credits_of, reach
from pipeline.core.persons.items import Note, Visit
from pipeline.core.persons.quiet import is_quiet, quiet_until
from pipeline.core.persons.signal_rules import SignalRules
from pipeline.core.persons.signals import BEFORE_ALL, Risk, Step, due, pass_time, take_note, take_visit
from schemas.touchpoint import OWN, Touch

MAX_ITEMS: Final = 1_000
_AFTER_ALL: Final = 1 << 62
_REFUND: Final = int(Touch.REFUND)
Item = TypeVar("Item", Visit, Note)


class Items(Struct, array_like=True, gc=False):
    """``visits`` and ``notes`` in order. ``risk``: the fold over them, None while it says nothing. ``base``: the fold
    over what was folded for good, up to and including ``cut``.
    """

    visits: list[Visit] = []
    notes: list[Note] = []
    risk: Risk | None = None
    base: Risk | None = None
    cut: int = BEFORE_ALL


class Touches(NamedTuple):
    """Visits and notes that come or go together."""

    visits: list[Visit]
    notes: list[Note]


class Change(Struct):
    """What is to be said: ``steps`` and ``credits`` that hold now, and those said before that hold no more.

    ``missed``: how many items were left out.
    """

    steps: list[Step] = []
    steps_gone: list[Step] = []
    credits: list[Credit] = []
    credits_gone: list[Credit] = []
    missed: int = 0


def change_items(rules: SignalRules, items: Items, come: Touches, gone: Touches, watermark: int) -> Change:
    """Items come, in any order, and others go (what is not there has been folded for good). Changes ``items``.

    ``watermark``: timers up to it have been fired.
    """
    if not gone.visits and not gone.notes and _is_simple(items, come):
        return Change(_append(rules, items, come))
    before = replace(items, visits=items.visits.copy(), notes=items.notes.copy(), risk=copy(items.risk))
    went = Touches(_take_out(items.visits, gone.visits), _take_out(items.notes, gone.notes))
    came = _placeable(items, come)
    missed = len(come.visits) + len(come.notes) - len(came.visits) - len(came.notes)
    for visit in came.visits:
        insort(items.visits, visit)
    for note in came.notes:
        insort(items.notes, note)
    touched = Touches(came.visits + went.visits, came.notes + went.notes)
    if not touched.visits and not touched.notes:
        return Change(missed=missed)
    change = _credit(before, items, touched)
    change.missed = missed
    if before.risk is None and not may_signal(rules, items):
        return change
    if items.risk is not None and not went.visits and not went.notes and _are_next(before, came):
        change.steps = _take(rules, items.risk, came.visits, came.notes)
    else:
        _fold_again(rules, before, items, watermark, change)
    _bound(rules, items)
    return change


def add_visits(rules: SignalRules, items: Items, visits: list[Visit]) -> bool:
    """The usual case of :func:`change_items`, on a short way: visits come, and there is no fold before or after it.
    False: it is another, and nothing is changed.
    """
    if items.risk is not None or items.notes or items.base is not None:
        return False
    visits = sorted(items.visits + visits)
    if not is_quiet(rules, visits):
        return False
    items.visits = visits
    return True


def let_time_pass(rules: SignalRules, items: Items, watermark: int) -> list[Step]:
    """Fire the timers that are due."""
    if items.risk is not None:
        return pass_time(rules, items.risk, watermark)
    first = due_at(rules, items)
    if first is None or watermark < first:
        return []
    items.risk, steps = _folded(rules, items, watermark)
    return steps


def due_at(rules: SignalRules, items: Items) -> int | None:
    """The watermark before which :func:`let_time_pass` has nothing to say; None: never."""
    return quiet_until(rules, items.visits) if items.risk is None else due(rules, items.risk)


def may_signal(rules: SignalRules, items: Items) -> bool:
    """Is there anything that a fold could say something about before :func:`due_at`?"""
    return bool(items.notes or items.base) or not is_quiet(rules, items.visits)


def end_of_older_half(visits: Iterable[Visit], notes: Iterable[Note]) -> int:
    """The time of the middle one."""
    times = sorted([visit.end for visit in visits] + [note.time for note in notes])
    return times[len(times) // 2]


def _is_simple(items: Items, come: Touches) -> bool:
    """The usual case: more of a fold that goes on, and no conversion whose credits it could change."""
    if items.risk is None or len(items.visits) + len(items.notes) >= MAX_ITEMS or not _are_next(items, come):
        return False
    if any(note.goal or note.kind == _REFUND for note in come.notes):
        return False
    return not come.visits or not any(note.goal for note in items.notes)


def _append(rules: SignalRules, items: Items, come: Touches) -> list[Step]:
    assert items.risk is not None
    items.visits += sorted(come.visits)
    items.notes += sorted(come.notes)
    return _take(rules, items.risk, come.visits, come.notes)


def _are_next(before: Items, come: Touches) -> bool:
    """All of the new items come after all that has been folded, and after the timers that the watermark fired."""
    assert before.risk is not None
    last = before.risk.fired
    if before.visits:
        last = max(last, before.visits[-1].end)
    if before.notes:
        last = max(last, before.notes[-1].time)
    return all(visit.end > last and visit.start > before.risk.fired for visit in come.visits) and all(
        note.time > last for note in come.notes
    )


def _take(
    rules: SignalRules,
    risk: Risk,
    visits: Iterable[Visit],
    notes: Iterable[Note],
    later: Sequence[Visit] = (),
) -> list[Step]:
    """The fold over both, in their order. ``later``: visits that are known, and not taken yet."""
    steps: list[Step] = []
    waiting = sorted(notes)
    place = 0
    ordered = sorted(visit for visit in visits if visit.goal_time == OWN)
    coming = [*ordered, *(visit for visit in later if visit.goal_time == OWN)]
    for number, visit in enumerate(ordered):
        while place < len(waiting) and waiting[place].time <= visit.end:
            _hold_on(risk, waiting[place].time, coming, number)
            steps += take_note(rules, risk, waiting[place])
            place += 1
        _hold_on(risk, visit.end, coming, number)
        steps += take_visit(rules, risk, visit)
    for note in waiting[place:]:
        _hold_on(risk, note.time, coming, len(ordered))
        steps += take_note(rules, risk, note)
    return steps


def _hold_on(risk: Risk, time: int, coming: Sequence[Visit], number: int) -> None:
    """A cart that a longer visit holds, too, is not abandoned before that one closes."""
    cart, closes = risk.cart, risk.closes
    if cart is None or closes is None or closes >= time:
        return
    if any(visit.start <= cart for visit in islice(coming, number, None)):
        risk.closes = None


def _fold_again(rules: SignalRules, before: Items, items: Items, watermark: int, change: Change) -> None:
    was: list[Step] = []
    if before.risk is not None:
        _, was = _folded(rules, before, watermark)
    items.risk, now = _folded(rules, items, watermark)
    known, holding = _by_name(was), _by_name(now)
    change.steps = [step for name, step in holding.items() if known.get(name) != step]
    change.steps_gone = [step for name, step in known.items() if holding.get(name) != step]


def _folded(rules: SignalRules, items: Items, watermark: int) -> tuple[Risk, list[Step]]:
    risk = copy(items.base) if items.base else Risk()
    steps = _take(rules, risk, items.visits, items.notes)
    return risk, steps + pass_time(rules, risk, watermark)


def _by_name(steps: Iterable[Step]) -> dict[tuple[int, int, int], Step]:
    return {(step.reason, step.time, step.ordinal): step for step in steps}


def _credit(before: Items, items: Items, touched: Touches) -> Change:
    """The credits that change when these come or go."""
    change = Change()
    if not any(note.goal for note in items.notes) and not any(note.goal for note in before.notes):
        return change
    span = reach(touched.visits, touched.notes)
    if span is None:
        return change
    if any(note.kind == _REFUND for note in items.notes):
        span = BEFORE_ALL, _AFTER_ALL  # which of two equal orders a refund belongs to may change
    before_it = conversions(before.notes, before.visits, *span)
    after_it = conversions(items.notes, items.visits, *span)
    was, now = _credits_beside(before_it, after_it), _credits_beside(after_it, before_it)
    change.credits = [credit for name, credit in now.items() if was.get(name) != credit]
    change.credits_gone = [credit for name, credit in was.items() if now.get(name) != credit]
    return change


def _credits_beside(
    known: dict[tuple[Any, ...], Conversion], others: dict[tuple[Any, ...], Conversion]
) -> dict[tuple[Any, ...], Credit]:
    """Of those that are not the same there."""
    return {
        credit[:5]: credit
        for name, conversion in known.items()
        if others.get(name) != conversion
        for credit in credits_of(conversion)
    }


def _take_out(known: list[Item], gone: Iterable[Item]) -> list[Item]:
    found = []
    for one in gone:
        if one in known:
            known.remove(one)
            found.append(one)
    return found


def _placeable(items: Items, come: Touches) -> Touches:
    """Those after what was folded for good."""
    cut = items.cut
    if cut == BEFORE_ALL:
        return come
    return Touches([v for v in come.visits if v.end > cut], [n for n in come.notes if n.time > cut])


def _bound(rules: SignalRules, items: Items) -> None:
    if len(items.visits) + len(items.notes) <= MAX_ITEMS:
        return
    cut = end_of_older_half(items.visits, items.notes)
    old = Items([v for v in items.visits if v.end <= cut], [n for n in items.notes if n.time <= cut])
    items.base = copy(items.base) if items.base else Risk()
    _take(rules, items.base, old.visits, old.notes, items.visits[len(old.visits) :])
    items.visits, items.notes = items.visits[len(old.visits) :], items.notes[len(old.notes) :]
    items.cut = cut
