"""The sign ``support``: a fold over a person's tickets, in SQL.

It goes over (what, at, ticket). What there is: a timer of the oldest open ticket, a timer of the end, both up to the
next note; a ticket opened, one closed. State: the open tickets, oldest first; when there was last a reason, or 0; the
steps; the latest that were opened, each once in a while. Nothing of ``pipeline.core.persons`` is used but its names and
thresholds.
"""

from typing import Final

from pipeline.core.persons.signal_rules import REASONS, SignalRules
from schemas.touchpoint import Touch

EVER: Final = 1 << 62
BY_ITSELF: Final = "map('ended', 'by itself')"
_MOST_TICKETS: Final = 50
_TICKETS: Final = f"({Touch.TICKET_OPEN:d}, {Touch.TICKET_CLOSE:d})"
_LATE, _ENDED, _OPENED, _CLOSED = (f"toUInt8({what})" for what in range(4))
_STEP: Final = "Tuple(is_raised UInt8, time Int64, evidence Map(String, String))"
_TICKET_LIST: Final = "Array(Tuple(Int64, String))"
_STATE: Final = f"Tuple(tickets {_TICKET_LIST}, last Int64, steps Array({_STEP}), opened {_TICKET_LIST})"


def support(signals: SignalRules) -> str:
    """Steps of the reason, from the query ``notes``, as in :mod:`pipeline.store.signal_steps`."""
    fold = f"(state, one) -> {_next(signals)}"
    what = f"if(kind = {Touch.TICKET_CLOSE:d}, {_CLOSED}, {_OPENED})"
    return f"""
    SELECT
        site, person_id, 'support' AS reason, step.1 AS is_raised, step.2 AS time, (toUInt64(0), order) AS place,
        step.3 AS evidence, toUInt8(order > settled) AS is_open
    FROM
    (
        SELECT
            site, person_id,
            arrayFold({fold}, arrayFlatten(arrayMap(
                note -> [({_LATE}, note.1, ''), ({_ENDED}, note.1, ''), (note.4, note.1, note.3)], in_order
            )), ([], 0, [], [])::{_STATE}) AS known,
            arrayFold({fold}, [({_LATE}, {EVER}, ''), ({_ENDED}, {EVER}, '')], known).3 AS made,
            length(known.3) AS settled
        FROM
        (
            SELECT
                site, person_id,
                arraySort(groupArray((at, kind, text, {what}))) AS in_order
            FROM notes
            WHERE kind IN {_TICKETS}
            GROUP BY site, person_id
        )
    )
    ARRAY JOIN made AS step, arrayEnumerate(made) AS order
    """


def _next(signals: SignalRules) -> str:
    ends_ms = signals.ends_ms[REASONS.index("support")]
    late = f"(state.1[1].1 + {signals.ticket_ms})"
    opened = f"""
        arraySlice(
            if(
                arrayExists(ticket -> ticket.2 = one.3, state.1),
                state.1,
                arraySort(arrayPushBack(state.1, (one.2, one.3)))
            ),
            -{_MOST_TICKETS}
        )"""
    closed = "arrayFilter(ticket -> ticket.2 != one.3, state.1)"

    def step(is_raised: int, time: str, evidence: str) -> str:
        return f"arrayPushBack(state.3, ({is_raised}, {time}, {evidence})::{_STEP})"

    since = f"(one.2 - {signals.tickets_ms})"
    is_further = f"(one.3 = '' OR NOT arrayExists(last -> last.2 = one.3 AND last.1 >= {since}, state.4))"
    latest = f"arraySlice(arrayPushBack(state.4, (one.2, one.3)), -{signals.tickets})"
    is_many = f"({is_further} AND length({latest}) = {signals.tickets} AND {latest}[1].1 >= {since})"
    many = step(1, "one.2", f"map('opened', '{signals.tickets}')")
    return f"""
        multiIf(
            one.1 = {_LATE},
            if(
                notEmpty(state.1) AND state.2 = 0 AND {late} < one.2,
                (state.1, {late}, {step(1, late, "map('open_since', toString(state.1[1].1))")}, state.4)::{_STATE},
                state
            ),
            one.1 = {_ENDED},
            if(
                state.2 != 0 AND state.2 + {ends_ms} < one.2,
                ([], 0, {step(0, f"state.2 + {ends_ms}", BY_ITSELF)}, state.4)::{_STATE},
                state
            ),
            one.1 = {_OPENED},
            (
                {opened},
                if(state.2 != 0 OR {is_many}, one.2, 0),
                if(state.2 = 0 AND {is_many}, {many}, state.3),
                if({is_further}, {latest}, state.4)
            )::{_STATE},
            empty({closed}) AND state.2 != 0,
            ([], 0, {step(0, "one.2", "map('ticket', one.3)")}, state.4)::{_STATE},
            ({closed}, state.2, state.3, state.4)::{_STATE}
        )"""
