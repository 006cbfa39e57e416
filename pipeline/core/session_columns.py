"""A session as a row of columns: from and to the object that the general way works on, and to what is stored of it."""

from typing import Any

import numpy as np

from pipeline.core.bounce import bounced
from pipeline.core.closing import Closed
from pipeline.core.coded import Coded, Codes, combined
from pipeline.core.ids import SEPARATOR
from pipeline.core.session import CONTEXT, OpenSession, channel_of
from pipeline.core.slots import Array, Index, Slots
from schemas.session import SessionFact

_TEXTS = ("key", "url", "context", "entry_url", "exit_url", "user")
COLUMNS: dict[str, Any] = {
    **dict.fromkeys(_TEXTS, object),
    **dict.fromkeys(("start", "end", "entry_time", "exit_time", "user_time", "close_time"), np.int64),
    **dict.fromkeys(("revenue", "since"), np.int64),
    **dict.fromkeys(("hits", "views", "conversions"), np.int32),
    "told": np.int8,  # what the counters were told, as the bits below; 0 while it is open
    "id": "V16",
    "old_ids": object,  # ids that stored rows may still carry; None where there are none
    "goals": object,  # as in OpenSession; None where there are none
    "prev": np.int64,  # the visitor's session before this one, or -1
    "unsaid": np.bool_,  # its row has not left since it changed
}
_CLOSED, _COUNTED, _BOUNCED, _CONVERTED = 1, 2, 4, 8
_AS_IT_IS = (
    "start",
    "end",
    "hits",
    "views",
    "conversions",
    "url",
    "entry_time",
    "entry_url",
    "exit_time",
    "exit_url",
)
_SAID = (*_AS_IT_IS, "key", "context", "user", "revenue", "told")


def rows_of(slots: Slots, at: Index, version: int, bounce: str) -> dict[str, Any]:
    """The sessions as they stand, as columns of ``schemas.rows.SESSION_ROWS`` (lists, arrays, coded); at least one."""
    column = {name: slots[name][at] for name in _SAID}
    key, users, contexts = (Codes().of(column[name].tolist()) for name in ("key", "user", "context"))
    names = key.map(lambda key: key.partition(SEPARATOR))
    visitors = names.map(lambda name: name[2][1:] if name[2][0] == "v" else "").distinct()
    parts = zip(*[context.split(SEPARATOR) for context in contexts.values], strict=True)
    return {
        "session_id": slots["id"][at],
        "site": names.map(lambda name: name[0]).distinct(),
        "visitor_id": visitors,
        "user_id": users,
        "person_id": combined(users, visitors).map(lambda ids: ids[0] or ids[1]),
        "start_time": column["start"],
        "end_time": column["end"],
        "duration_ms": column["end"] - column["start"],
        "hits": column["hits"],
        "page_views": column["views"],
        "entry_url": column["entry_url"].tolist(),
        "exit_url": column["exit_url"].tolist(),
        **{name: Coded(contexts.codes, part) for name, part in zip(CONTEXT, parts, strict=True)},
        "bounced": _bounced(slots, at, bounce),
        "converted": column["conversions"] > 0,
        "conversions": column["conversions"],
        "revenue_micros": column["revenue"],
        "closed": column["told"] != 0,
        "withdrawn": np.zeros(len(at), bool),
        "version": np.full(len(at), version),
    }


def session_at(slots: Slots, slot: int) -> OpenSession:
    """The row as an object of its own."""
    value = {name: slots[name][slot] for name in COLUMNS}
    as_it_is: dict[str, Any] = {
        name: value[name] if name in _TEXTS else int(value[name]) for name in _AS_IT_IS
    }
    site = value["key"].partition(SEPARATOR)[0]
    told = int(value["told"])
    closed = SessionFact(
        site,
        channel_of(value["context"]),
        int(value["close_time"]),
        int(value["end"] - value["start"]),
        bool(told & _COUNTED),
        bool(told & _BOUNCED),
        bool(told & _CONVERTED),
        int(value["revenue"]),
        value["context"],
    )
    return OpenSession(
        session_id=value["id"].tobytes().hex(),
        since=int(value["since"]),
        revenue_micros=int(value["revenue"]),
        context=value["context"],
        user=(int(value["user_time"]), value["user"]) if value["user"] else None,
        closed=closed if told else None,
        old_ids=list(value["old_ids"] or ()),
        goals=value["goals"] or (),
        **as_it_is,
    )


def write(slots: Slots, slot: int, session: OpenSession) -> None:
    """Put the object into the row; ``key`` and ``prev`` are the caller's."""
    user_time, user = session.user or (-1, "")
    told = session.closed
    values = {name: getattr(session, name) for name in _AS_IT_IS} | {
        "id": bytes.fromhex(session.session_id),
        "since": session.since,
        "revenue": session.revenue_micros,
        "context": session.context,
        "user_time": user_time,
        "user": user,
        "old_ids": tuple(session.old_ids) or None,
        "goals": session.goals or None,
        "told": bits_of(told) if told else 0,
        "close_time": told.close_time if told else 0,
        "unsaid": told is None,
    }
    for name, value in values.items():
        slots[name][slot] = value


def close(slots: Slots, at: Index, *, timeout_ms: int, bounce: str) -> Closed:
    """What is told of these sessions, which close; the rows note what the counters were told."""
    start, end, views, conversions = (slots[name][at] for name in ("start", "end", "views", "conversions"))
    flags = views > 0, _bounced(slots, at, bounce), conversions > 0
    slots["close_time"][at] = end + timeout_ms
    slots["told"][at] = _bits(*flags)
    key, user, context = (Codes().of(slots[name][at].tolist()) for name in ("key", "user", "context"))
    counted = (np.ones(len(at), np.int64), *(flag.astype(np.int64) for flag in flags))
    sums = (*counted, end - start, slots["revenue"][at])
    close_time, an_id, goals = end + timeout_ms, slots["id"][at], slots["goals"][at]
    return Closed(key, user, context, an_id, start, end, close_time, sums, goals)


def bits_of(one: SessionFact) -> int:
    """What the counters were told, as bits."""
    return int(_bits(one.counted, one.bounced, one.converted))


def _bits(counted: Any, is_bounced: Any, converted: Any) -> Any:
    return _CLOSED + counted * _COUNTED + is_bounced * _BOUNCED + converted * _CONVERTED


def _bounced(slots: Slots, at: Index, preset: str) -> Array:
    return bounced(
        preset,
        views=slots["views"][at],
        hits=slots["hits"][at],
        duration_ms=slots["end"][at] - slots["start"][at],
        conversions=slots["conversions"][at],
    )
