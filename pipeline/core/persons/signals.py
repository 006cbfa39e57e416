"""Signs that a person is about to leave: raised and cleared, each at a time of its own. A fold over visits and notes.

| reason | raised | cleared |
|---|---|---|
| overdue | no visit for 3 times the usual gap, at least 7 days (timer) | a visit begins |
| fading | recent visits half as long as in the past, or gaps twice as long | both at 3/4 of the past again |
| unhappy | CSAT <= 4, CES (effort) >= 7, NPS <= 6, complaint | CSAT >= 7, CES <= 4, NPS >= 8 |
| abandoned | a visit with a cart closes, and no order came after it (timer) | an order |
| support | a ticket open for 48 h (timer), or a third one within 30 days | a ticket closes and none is open |
| payment | payment failed | an order, a renewal |
| leaving | cancel page, cancellation, unsubscribed | an order, a renewal, a new subscription |
| regress | moved back a stage | an order, a renewal |

Each also ends by itself some time after what last gave reason for it: who left long ago is not about to leave.

The *usual gap* is a decayed average: one more gap has a weight of 1/8, so half is forgotten after 5.2 visits; the
first ones count alike. It lies between one visit's end and the next one's start. What is *recent* are the latest four
visits, and the *past* that they are compared with is a decayed average over those before them, each with a weight of
1/16 (half is forgotten after 10.7 visits). All arithmetic is in integers, ms.

The fold takes items in their order. Timers fire when an item, or the watermark, has passed them: what is told in the
end depends on the set of items and on how far time has come. A visit is told when it closes, so the watermark must
pass a timer of silence by SETTLE_MS before it is believed. Nothing raises.
"""

from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Struct

from pipeline.core.persons.items import Note, Visit
from pipeline.core.persons.signal_rules import (
    ABANDONED,
    FADING,
    HOUR_MS,
    LEAVING,
    OVERDUE,
    PAYMENT,
    RECENT_VISITS,
    REGRESS,
    SUPPORT,
    UNHAPPY,
    SignalRules,
)
from schemas.touchpoint import Touch

SETTLE_MS: Final = HOUR_MS
_USUAL, _RECENT, _PAST = 8, RECENT_VISITS, 16  # visits
_SHORT_STAY_MS, _SHORT_GAP_MS = 30_000, HOUR_MS  # pasts below are noise
_MOST_TICKETS: Final = 50
_ONE: Final = 1_000_000  # scores are in micros
BEFORE_ALL: Final = -(1 << 62)
_encode = msgspec.json.Encoder().encode


class Risk(Struct, array_like=True, gc=False):
    """State of the fold. ``raised``: reason -> when it was last given reason for. ``steps``: reason -> how many so far.

    ``recent``: gap before, and length of, the latest visits. ``is_silence_told``: of that since the last visit.
    ``cart``: time of the last one without an order. ``closes``: when the last visit known to hold it does.
    ``opened``, ``opened_ids``: the latest tickets, each once in a while.
    ``fired``: the latest timer that the watermark has fired; what lies before it must be folded anew.
    """

    visits: int = 0
    last_end: int = 0
    usual_gap: int = 0
    past_gap: int = 0
    past_stay: int = 0
    recent: tuple[tuple[int, int], ...] = ()
    is_silence_told: bool = False
    raised: dict[int, int] = {}
    steps: dict[int, int] = {}
    cart: int | None = None
    last_order: int | None = None
    tickets: dict[str, int] = {}
    opened: tuple[int, ...] = ()
    fired: int = BEFORE_ALL
    closes: int | None = None
    opened_ids: tuple[str, ...] = ()


class Step(NamedTuple):
    """``reason``: its place in REASONS. ``ordinal`` counts the person's steps of the reason. ``evidence``: JSON."""

    reason: int
    state: Literal["raised", "cleared"]
    time: int
    ordinal: int
    evidence: str


def take_visit(rules: SignalRules, risk: Risk, visit: Visit) -> list[Step]:
    """Take the next visit into ``risk``."""
    steps = _silence(rules, risk, visit.start) + _timers(rules, risk, visit.end)
    steps += _clear(risk, OVERDUE, visit.start, visit_began=visit.start)
    risk.is_silence_told = False
    _average(risk, visit)
    if risk.visits >= rules.fading_visits:
        steps += _compare(risk, visit.end)
    if risk.cart is not None and visit.start <= risk.cart:
        risk.closes = visit.end + rules.timeout_ms
    return steps


def take_note(rules: SignalRules, risk: Risk, note: Note) -> list[Step]:
    """Take the next note into ``risk``."""
    kind, time = note.kind, note.time
    steps = _timers(rules, risk, time)
    if risk.raised:
        for reason in _ENDED_BY.get(kind, ()):
            steps += _clear(risk, reason, time, event=note.event, what=note.text)
    if kind in _PLAIN:
        steps += _raise(risk, _PLAIN[kind], time, event=note.event, what=note.text)
    elif kind == Touch.ORDER:
        risk.cart, risk.closes, risk.last_order = None, None, time
    elif kind == Touch.CART:
        if risk.last_order != time:  # what happens in one moment has no order: that cart has been bought
            risk.cart, risk.closes = time, None
    elif kind in _ANSWERS:
        steps += _answer(rules, risk, note)
    elif kind == Touch.TICKET_OPEN:
        steps += _open_ticket(rules, risk, note)
    elif kind == Touch.TICKET_CLOSE:
        risk.tickets = {ticket: at for ticket, at in risk.tickets.items() if ticket != note.text}
        if not risk.tickets:
            steps += _clear(risk, SUPPORT, time, ticket=note.text)
    elif kind == Touch.GOAL and note.event == "subscribe":
        steps += _clear(risk, LEAVING, time, event=note.event)
    return steps


def pass_time(rules: SignalRules, risk: Risk, watermark: int) -> list[Step]:
    """Fire the timers that the watermark has passed."""
    steps = _silence(rules, risk, watermark - SETTLE_MS) + _timers(rules, risk, watermark)
    for step in steps:
        risk.fired = max(risk.fired, step.time)
    return steps


def due(rules: SignalRules, risk: Risk) -> int | None:
    """The watermark at which :func:`pass_time` has something to do; None: never."""
    times = [last + rules.ends_ms[reason] for reason, last in risk.raised.items() if reason != OVERDUE]
    if OVERDUE in risk.raised:
        times.append(risk.raised[OVERDUE] + rules.ends_ms[OVERDUE] + SETTLE_MS)
    elif not risk.is_silence_told and risk.visits >= rules.overdue_visits:
        times.append(_silent_at(rules, risk) + SETTLE_MS)
    if risk.closes is not None:
        times.append(risk.closes)
    if risk.tickets and SUPPORT not in risk.raised:
        times.append(min(risk.tickets.values()) + rules.ticket_ms)
    return min(times) + 1 if times else None


_ANSWERS: Final = (Touch.CSAT, Touch.CES, Touch.NPS)
_PLAIN: Final[dict[int, int]] = {
    Touch.COMPLAINT: UNHAPPY,
    Touch.EMAIL_COMPLAINT: UNHAPPY,
    Touch.PAYMENT_FAILED: PAYMENT,
    Touch.LEAVING: LEAVING,
    Touch.EMAIL_UNSUBSCRIBE: LEAVING,
    Touch.REGRESSED: REGRESS,
}
_ENDED_BY: Final[dict[int, tuple[int, ...]]] = {
    Touch.ORDER: (ABANDONED, PAYMENT, LEAVING, REGRESS),
    Touch.RENEWAL: (PAYMENT, LEAVING, REGRESS),
}


def _raise(risk: Risk, reason: int, time: int, **evidence: Any) -> list[Step]:
    is_new = reason not in risk.raised
    risk.raised = {**risk.raised, reason: time}
    return [_step(risk, reason, "raised", time, evidence)] if is_new else []


def _clear(risk: Risk, reason: int, time: int, **evidence: Any) -> list[Step]:
    if reason not in risk.raised:
        return []
    risk.raised = {key: last for key, last in risk.raised.items() if key != reason}
    return [_step(risk, reason, "cleared", time, evidence)]


def _step(
    risk: Risk, reason: int, state: Literal["raised", "cleared"], time: int, evidence: dict[str, Any]
) -> Step:
    ordinal = risk.steps.get(reason, 0)
    risk.steps = {**risk.steps, reason: ordinal + 1}
    return Step(reason, state, time, ordinal, _encode(evidence).decode())


def _silent_at(rules: SignalRules, risk: Risk) -> int:
    """When the silence since the last visit has become too long."""
    return risk.last_end + max(rules.overdue_gaps * risk.usual_gap, rules.overdue_ms)


def _silence(rules: SignalRules, risk: Risk, until: int) -> list[Step]:
    """No visit has begun before ``until``."""
    if risk.visits < rules.overdue_visits:
        return []
    steps: list[Step] = []
    silent = _silent_at(rules, risk)
    if not risk.is_silence_told and silent < until:
        risk.is_silence_told = True
        steps += _raise(risk, OVERDUE, silent, last_seen=risk.last_end, usual_gap_ms=risk.usual_gap)
    if OVERDUE in risk.raised and silent + rules.ends_ms[OVERDUE] < until:
        steps += _clear(risk, OVERDUE, silent + rules.ends_ms[OVERDUE], ended="by itself")
    return steps


def _timers(rules: SignalRules, risk: Risk, until: int) -> list[Step]:
    """All but the silence."""
    steps: list[Step] = []
    if risk.closes is None and not risk.raised and not risk.tickets:
        return steps
    if risk.tickets and SUPPORT not in risk.raised:
        opened = min(risk.tickets.values())
        if opened + rules.ticket_ms < until:
            steps += _raise(risk, SUPPORT, opened + rules.ticket_ms, open_since=opened)
    closes = risk.closes
    if closes is not None and closes < until:
        steps += _ended(rules, risk, closes)
        steps += _raise(risk, ABANDONED, closes, cart=risk.cart)
        risk.cart, risk.closes = None, None
        risk.fired = max(risk.fired, closes)  # a longer visit that holds the cart would come too late
    return steps + _ended(rules, risk, until)


def _ended(rules: SignalRules, risk: Risk, until: int) -> list[Step]:
    """What ends by itself."""
    steps: list[Step] = []
    for reason, last in sorted(risk.raised.items()):
        end = last + rules.ends_ms[reason]
        if reason != OVERDUE and end < until:
            steps += _clear(risk, reason, end, ended="by itself")
            if reason == SUPPORT:
                risk.tickets = {}  # nobody will close them any more
    return steps


def _average(risk: Risk, visit: Visit) -> None:
    gap = max(0, visit.start - risk.last_end) if risk.visits else 0
    if risk.visits:
        risk.usual_gap = _mixed(risk.usual_gap, gap, risk.visits, _USUAL)
    if len(risk.recent) == _RECENT:
        old_gap, old_stay = risk.recent[0]
        older = risk.visits - _RECENT + 1
        risk.past_stay = _mixed(risk.past_stay, old_stay, older, _PAST)
        if older > 1:  # the first visit of all has no gap before it
            risk.past_gap = _mixed(risk.past_gap, old_gap, older - 1, _PAST)
    risk.recent = (*risk.recent, (gap, visit.end - visit.start))[-_RECENT:]
    risk.visits += 1
    risk.last_end = visit.end


def _mixed(average: int, value: int, count: int, memory: int) -> int:
    """``average`` with the ``count``-th ``value`` in it."""
    parts = min(count, memory)
    return (average * (parts - 1) + value) // parts


def _compare(risk: Risk, time: int) -> list[Step]:
    gap, stay = (sum(values) // _RECENT for values in zip(*risk.recent, strict=True))
    past_gap, past_stay = risk.past_gap, risk.past_stay
    is_shorter = past_stay >= _SHORT_STAY_MS and 2 * stay <= past_stay
    is_rarer = past_gap >= _SHORT_GAP_MS and gap >= 2 * past_gap
    if is_shorter or is_rarer:
        seen = {"stay_ms": stay, "past_stay_ms": past_stay, "gap_ms": gap, "past_gap_ms": past_gap}
        return _raise(risk, FADING, time, **seen)
    if 4 * stay >= 3 * past_stay and 3 * gap <= 4 * past_gap:
        return _clear(risk, FADING, time, stay_ms=stay, gap_ms=gap)
    return []


def _answer(rules: SignalRules, risk: Risk, note: Note) -> list[Step]:
    score = note.amount
    if note.kind == Touch.CSAT:
        is_bad, is_good = score <= rules.csat_low * _ONE, score >= rules.csat_good * _ONE
    elif note.kind == Touch.CES:
        is_bad, is_good = score >= rules.ces_hard * _ONE, score <= rules.ces_easy * _ONE
    else:
        is_bad, is_good = score <= rules.nps_low * _ONE, score >= rules.nps_good * _ONE
    if is_bad:
        return _raise(risk, UNHAPPY, note.time, metric=Touch(note.kind).name.lower(), score=score / _ONE)
    return _clear(risk, UNHAPPY, note.time, score=score / _ONE) if is_good else []


def _open_ticket(rules: SignalRules, risk: Risk, note: Note) -> list[Step]:
    risk.tickets = {note.text: note.time, **risk.tickets}
    if len(risk.tickets) > _MOST_TICKETS:
        del risk.tickets[min(risk.tickets, key=lambda ticket: (risk.tickets[ticket], ticket))]
    since = note.time - rules.tickets_ms
    known = zip(reversed(risk.opened), reversed(risk.opened_ids), strict=False)
    if not note.text or not any(ticket == note.text and at >= since for at, ticket in known):
        risk.opened = (*risk.opened, note.time)[-rules.tickets :]
        risk.opened_ids = (*risk.opened_ids, note.text)[-rules.tickets :]
        if len(risk.opened) == rules.tickets and risk.opened[0] >= since:
            return _raise(risk, SUPPORT, note.time, opened=rules.tickets)
    if SUPPORT in risk.raised:
        risk.raised = {**risk.raised, SUPPORT: note.time}
    return []
