"""Arrow schemas of the base tables in ClickHouse: column for column what the migrations make.

Times are timestamps in ms, UTC; money is int64 micros; a missing string is ''. Only ``revenue_micros``, ``score`` and
``scale`` of a hit may be null. Columns other than those of hits are the fields of the record of that hop.
"""

import pyarrow as pa

TIME = pa.timestamp("ms", tz="UTC")


def _schema(**types: pa.DataType) -> pa.Schema:
    return pa.schema(list(types.items()))


def _strings(names: str) -> dict[str, pa.DataType]:
    return dict.fromkeys(names.split(), pa.string())


_CAMPAIGN = _strings(
    "channel campaign_source campaign_medium campaign_name campaign_term campaign_content campaign_id"
)
_CLIENT = _strings("device browser os country language")

HIT_ROWS = _schema(
    **_strings("hit_id site event visitor_id user_id person_id"),
    event_time=TIME,
    received_time=TIME,
    **_strings("url referrer title"),
    **_CAMPAIGN,
    revenue_micros=pa.int64(),
    **_strings("currency order_id"),
    score=pa.float64(),
    scale=pa.float64(),
    **_CLIENT,
    screen=pa.string(),
    bot=pa.bool_(),
    outcome=pa.string(),
    goal=pa.bool_(),
    clock_clamped=pa.bool_(),
    **_strings("session_id items props"),
    source_partition=pa.int32(),
    source_offset=pa.int64(),
)
SESSION_ROWS = _schema(
    **_strings("session_id site visitor_id user_id person_id"),
    start_time=TIME,
    end_time=TIME,
    duration_ms=pa.int64(),
    hits=pa.int64(),
    page_views=pa.int64(),
    **_strings("entry_url exit_url referrer"),
    **_CAMPAIGN,
    **_CLIENT,
    bounced=pa.bool_(),
    converted=pa.bool_(),
    conversions=pa.int64(),
    revenue_micros=pa.int64(),
    closed=pa.bool_(),
    withdrawn=pa.bool_(),
    version=pa.int64(),
)
MOVE_ROWS = _schema(
    **_strings("site old_id session_id"),
    version=pa.int64(),
    starts=pa.list_(TIME),
    ids=pa.list_(pa.string()),
)
TRANSITION_ROWS = _schema(
    **_strings("site person_id model from_stage to_stage kind"),
    time=TIME,
    ordinal=pa.int32(),
    dwell_ms=pa.int64(),
    **_strings("cause_event cause_url cause_channel cause_session_id"),
    withdrawn=pa.bool_(),
    version=pa.int64(),
)
SIGNAL_ROWS = _schema(
    **_strings("site person_id reason"),
    score=pa.float64(),
    state=pa.string(),
    time=TIME,
    ordinal=pa.int32(),
    evidence=pa.string(),
    withdrawn=pa.bool_(),
    version=pa.int64(),
)
_MODELS = ("first_touch", "last_touch", "last_non_direct", "linear", "position_based", "time_decay")
ATTRIBUTION_ROWS = _schema(
    **_strings("site person_id"),
    time=TIME,
    **_strings("event order_id"),
    copy=pa.int32(),
    touch_number=pa.int32(),
    touches=pa.int32(),
    touch_time=TIME,
    **_strings("session_id channel currency"),
    **{f"{model}_{unit}": pa.int64() for unit in ("ppm", "micros") for model in _MODELS},
    withdrawn=pa.bool_(),
    version=pa.int64(),
)
LINK_ROWS = _schema(
    **_strings("site visitor_id"), users=pa.list_(pa.string()), since=pa.list_(TIME), version=pa.int64()
)
COUNTER_ROWS = _schema(
    **_strings("site channel"),
    pane_start=TIME,
    pane_ms=pa.int64(),
    sessions=pa.int64(),
    counted=pa.int64(),
    bounced=pa.int64(),
    converted=pa.int64(),
    duration_ms=pa.int64(),
    revenue_micros=pa.int64(),
    version=pa.int64(),
)
DEAD_LETTER_ROWS = _schema(
    topic=pa.string(),
    partition=pa.int32(),
    offset=pa.int64(),
    **_strings("reason field message site"),
    received_time=TIME,
    raw=pa.binary(),
)
LEDGER_ROWS = _schema(partition=pa.int32(), **_strings("site outcome"), hits=pa.int64(), version=pa.int64())
STAGE_ROWS = _schema(
    **_strings("model stage"), position=pa.int32(), version=pa.int64(), lapse_days=pa.int32()
)

TABLES: dict[str, pa.Schema] = {
    "hits": HIT_ROWS,
    "sessions": SESSION_ROWS,
    "session_moves": MOVE_ROWS,
    "transitions": TRANSITION_ROWS,
    "signals": SIGNAL_ROWS,
    "attribution": ATTRIBUTION_ROWS,
    "links": LINK_ROWS,
    "counters": COUNTER_ROWS,
    "dead_letters": DEAD_LETTER_ROWS,
    "ledger": LEDGER_ROWS,
    "stages": STAGE_ROWS,
}

NULLABLE = frozenset(("revenue_micros", "score", "scale"))
"""Columns of hits that may be null; in every other column an absent text is ''."""
