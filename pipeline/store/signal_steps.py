"""Signs of leaving, raised and cleared again in SQL from the notes and visits of :mod:`pipeline.store.signal_notes`.

Six reasons are *given*: something happens that is a reason (or ends it), and one such row with its neighbours tells
whether a signal is raised there, cleared, or has ended by itself. That the visit of a cart has closed is told by a
timer. Silences follow from the visits alone, support from :mod:`pipeline.store.signal_support`. Decayed averages are
integers, as everything here; times in ms.

A step is (``site``, ``person_id``, ``reason``, ``is_raised``, ``time``, ``place``, ``evidence``, ``is_open``).
``place`` orders the steps of one reason. ``is_open``: a timer's, after all that gives or ends the reason, so it has not
taken place yet if time has not come so far. Nothing of ``pipeline.core.persons`` is used but its names and thresholds.
"""

from typing import Final

from pipeline.core.persons.signal_rules import REASONS, SignalRules
from pipeline.store.signal_support import BY_ITSELF, EVER, support
from schemas.touchpoint import Touch

_ONE: Final = 1_000_000
_RECENT: Final = 4  # visits, compared with those before
_ANSWERS: Final = f"({Touch.CSAT:d}, {Touch.CES:d}, {Touch.NPS:d})"


def steps(signals: SignalRules) -> str:
    """All steps of all reasons, from the queries ``notes`` and ``visits``, which stand WITH this one."""
    given = " UNION ALL ".join((_told(signals), _fading(signals), _abandoned(signals)))
    return " UNION ALL ".join((_of_given(signals, given), _overdue(signals), support(signals)))


def rhythm(visits: str) -> str:
    """Per person the arrays ``starts``, ``ends``, ``gaps``, ``stays`` of its visits, and the decayed averages.

    ``usual[n]``: the usual gap after the n-th visit. ``past_*[n + 1]``: of the first n values.
    """
    return f"""
    SELECT
        site, person_id, starts, ends, gaps, stays,
        {_decayed("arraySlice(gaps, 2)", 8)} AS usual,
        {_decayed("arraySlice(gaps, 2)", 16)} AS past_gaps,
        {_decayed("stays", 16)} AS past_stays
    FROM
    (
        SELECT
            site, person_id,
            arraySort(groupArray((end_time, start_time))) AS spans,
            arrayMap(span -> span.2, spans) AS starts,
            arrayMap(span -> span.1, spans) AS ends,
            arrayPushFront(arrayPopBack(ends), starts[1]) AS ends_before,
            arrayMap((start, before) -> greatest(0, start - before), starts, ends_before) AS gaps,
            arrayMap((start, end) -> end - start, starts, ends) AS stays
        FROM ({visits})
        GROUP BY site, person_id
    )
    """


def _decayed(values: str, memory: int) -> str:
    """The n-th value weighs 1/n, and 1/memory at least; rounded down."""
    parts = f"least(length(made), {memory})"
    return (
        f"arrayFold((made, one) -> arrayPushBack(made, intDiv(made[-1] * ({parts} - 1) + one, {parts})), "
        f"{values}, [toInt64(0)])"
    )


def _told(signals: SignalRules) -> str:
    """What notes give by themselves. A note may be about several reasons."""
    thresholds = {
        Touch.CSAT: (f"<= {signals.csat_low * _ONE}", f">= {signals.csat_good * _ONE}"),
        Touch.CES: (f">= {signals.ces_hard * _ONE}", f"<= {signals.ces_easy * _ONE}"),
        Touch.NPS: (f"<= {signals.nps_low * _ONE}", f">= {signals.nps_good * _ONE}"),
    }
    is_bad, is_good = (
        " OR ".join(f"(kind = {kind:d} AND amount {said[at]})" for kind, said in thresholds.items())
        for at in (0, 1)
    )
    metric = f"transform(kind, {[int(kind) for kind in thresholds]}, ['csat', 'ces', 'nps'], '')"
    return f"""
    SELECT
        site, person_id, given.1 AS reason, at, (kind, event, text, amount) AS rank, given.2 AS is_reason,
        multiIf(
            kind NOT IN {_ANSWERS}, if(kind = {Touch.GOAL:d}, map('event', event), map('event', event, 'what', text)),
            is_reason,
            map('metric', {metric}, 'score', toString(amount / {_ONE})),
            map('score', toString(amount / {_ONE}))
        ) AS evidence
    FROM notes
    ARRAY JOIN
        multiIf(
            kind = {Touch.ORDER:d}, [('payment', 0), ('leaving', 0), ('regress', 0), ('abandoned', 0)],
            kind = {Touch.RENEWAL:d}, [('payment', 0), ('leaving', 0), ('regress', 0)],
            kind = {Touch.GOAL:d}, [('leaving', 0)],
            kind = {Touch.PAYMENT_FAILED:d}, [('payment', 1)],
            kind IN ({Touch.LEAVING:d}, {Touch.EMAIL_UNSUBSCRIBE:d}), [('leaving', 1)],
            kind IN ({Touch.COMPLAINT:d}, {Touch.EMAIL_COMPLAINT:d}), [('unhappy', 1)],
            kind = {Touch.REGRESSED:d}, [('regress', 1)],
            {is_bad}, [('unhappy', 1)],
            {is_good}, [('unhappy', 0)],
            []::Array(Tuple(String, UInt8))
        ) AS given
    """


def _fading(signals: SignalRules) -> str:
    """Each visit compares the latest four with those before them."""
    return f"""
    SELECT
        site, person_id, 'fading' AS reason, ends[n] AS at, (toUInt8(0), '', '', toInt64(n)) AS rank,
        (past_stay >= 30000 AND 2 * stay <= past_stay) OR (past_gap >= 3600000 AND gap >= 2 * past_gap) AS is_reason,
        if(
            is_reason,
            map(
                'stay_ms', toString(stay), 'past_stay_ms', toString(past_stay),
                'gap_ms', toString(gap), 'past_gap_ms', toString(past_gap)
            ),
            map('stay_ms', toString(stay), 'gap_ms', toString(gap))
        ) AS evidence
    FROM
    (
        SELECT
            *, n,
            intDiv(arraySum(arraySlice(stays, n - {_RECENT - 1}, {_RECENT})), {_RECENT}) AS stay,
            intDiv(arraySum(arraySlice(gaps, n - {_RECENT - 1}, {_RECENT})), {_RECENT}) AS gap,
            past_stays[n - {_RECENT - 1}] AS past_stay,
            past_gaps[n - {_RECENT}] AS past_gap
        FROM visits
        ARRAY JOIN arrayEnumerate(ends) AS n
        WHERE n >= {signals.fading_visits}
    )
    WHERE is_reason OR (4 * stay >= 3 * past_stay AND 3 * gap <= 4 * past_gap)
    """


def _abandoned(signals: SignalRules) -> str:
    """A cart is a reason when the last visit that holds it has closed, unless an order or another cart came by then."""
    order, cart = f"{Touch.ORDER:d}", f"{Touch.CART:d}"
    return f"""
    SELECT
        site, person_id, 'abandoned' AS reason, until + {signals.timeout_ms} AS at,
        (toUInt8(100), '', '', toInt64(0)) AS rank, 1::UInt8 AS is_reason, map('cart', toString(cart)) AS evidence
    FROM
    (
        SELECT
            site, person_id, kind, until, ordered, at AS cart,
            leadInFrame(toNullable(at)) OVER (
                PARTITION BY site, person_id ORDER BY at, kind ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
            ) AS next
        FROM
        (
            SELECT *, max(end) OVER known AS until, maxIf(at, kind = {order}) OVER known AS ordered
            FROM
            (
                SELECT site, person_id, at, kind, toInt64(0) AS end FROM notes WHERE kind IN ({order}, {cart})
                UNION ALL
                SELECT site, person_id, starts[n] AS at, toUInt8(0) AS kind, ends[n] AS end
                FROM visits
                ARRAY JOIN arrayEnumerate(ends) AS n
            )
            WINDOW known AS (PARTITION BY site, person_id ORDER BY at, kind ROWS UNBOUNDED PRECEDING)
        )
        WHERE kind != 0
    )
    WHERE kind = {cart} AND until >= cart AND ordered != cart AND ifNull(next > until + {signals.timeout_ms}, 1)
    """


def _of_given(signals: SignalRules, given: str) -> str:
    """Steps of what is given: a reason after none, its end, and the end by itself when nothing came in time."""
    ends = f"transform(reason, {list(REASONS)}, {list(signals.ends_ms)}, 0)"
    return f"""
    SELECT
        site, person_id, reason, step.1 AS is_raised, step.2 AS time, (place, order) AS place,
        step.3 AS evidence, step.4 AS is_open
    FROM
    (
        SELECT
            site, person_id, reason, place,
            before = 1 AND before_at + ends_ms >= at AS was_raised,
            toUInt8(is_last AND reason = 'abandoned') AS is_timer,
            if(was_raised = is_reason, [], [(is_reason, at, evidence, is_timer)]) AS now,
            if(
                is_reason AND (is_last OR next_at > at + ends_ms),
                [(toUInt8(0), at + ends_ms, {BY_ITSELF}, toUInt8(is_last))],
                []
            ) AS later,
            arrayConcat(now, later) AS made
        FROM
        (
            SELECT
                *,
                {ends} AS ends_ms,
                row_number() OVER in_order AS place,
                lagInFrame(is_reason, 1, 0) OVER in_order AS before,
                lagInFrame(at) OVER in_order AS before_at,
                leadInFrame(at) OVER in_order AS next_at,
                place = count() OVER (PARTITION BY site, person_id, reason) AS is_last
            FROM ({given})
            WINDOW in_order AS (
                PARTITION BY site, person_id, reason ORDER BY at, rank
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
            )
        )
    )
    ARRAY JOIN made AS step, arrayEnumerate(made) AS order
    """


def _overdue(signals: SignalRules) -> str:
    """After each visit a silence, until the next one begins."""
    least, ends_ms = signals.overdue_ms, signals.ends_ms[REASONS.index("overdue")]
    return f"""
    SELECT
        site, person_id, 'overdue' AS reason, step.1 AS is_raised, step.2 AS time, (n, order) AS place,
        step.3 AS evidence, toUInt8(n = length(ends)) AS is_open
    FROM
    (
        SELECT
            *, n,
            ends[n] + greatest({signals.overdue_gaps} * usual[n], {least}) AS silent,
            if(n = length(ends), {EVER}, starts[n + 1]) AS next,
            [
                (toUInt8(1), silent, map('last_seen', toString(ends[n]), 'usual_gap_ms', toString(usual[n]))),
                if(
                    silent + {ends_ms} < next,
                    (toUInt8(0), silent + {ends_ms}, {BY_ITSELF}),
                    (toUInt8(0), next, map('visit_began', toString(next)))
                )
            ] AS made
        FROM visits
        ARRAY JOIN arrayEnumerate(ends) AS n
        WHERE n >= {signals.overdue_visits} AND silent < next
    )
    ARRAY JOIN made AS step, arrayEnumerate(made) AS order
    """
