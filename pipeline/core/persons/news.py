"""Touchpoints of one unit of work, gathered by id, and what of them goes to the windows as it is."""

from collections.abc import Iterable
from itertools import repeat
from typing import NamedTuple

from pipeline.core.ids import SEPARATOR
from pipeline.core.persons.items import EMAILS, Note, Visit
from pipeline.core.persons.person import News
from schemas.counter import Measure
from schemas.touchpoint import OWN, HitColumns, SessionColumns, Touch, Touchpoints

_NOTED_EMAILS = frozenset((Touch.EMAIL_COMPLAINT, Touch.EMAIL_UNSUBSCRIBE))
_CSAT_GOOD, _CSAT_BAD = 8_000_000, 4_000_000
_CES_EASY, _CES_HARD = 4_000_000, 7_000_000
_NPS_GOOD, _NPS_BAD = 9_000_000, 6_000_000


class Gathered(NamedTuple):
    """By key: visits of ids of which nothing else is told, and all else. ``measures``: answers, for the windows."""

    visits: dict[str, list[Visit]]
    news: dict[str, News]
    measures: list[Measure]


def gather(messages: Iterable[Touchpoints]) -> Gathered:
    """The messages are taken in their order: what one tells, a later one may take back."""
    visits: dict[str, list[Visit]] = {}
    found: dict[str, News] = {}
    measures: list[Measure] = []
    for message in messages:
        if message.sessions.key:
            _sessions(visits, found, message.sessions)
        if message.hits.key:
            _hits(found, message.hits, measures, is_passed_on=message.is_passed_on)
        _links(found, message)
    for key in visits.keys() & found.keys():
        found[key].visits = visits.pop(key)
    return Gathered(visits, found, measures)


def _news(found: dict[str, News], key: str) -> News:
    news = found.get(key)
    if news is None:
        news = found[key] = News()
    return news


def _sessions(visits: dict[str, list[Visit]], found: dict[str, News], table: SessionColumns) -> None:
    goal_time = table.goal_time or repeat(OWN)
    come = map(Visit, table.end, table.start, table.session_id, table.channel, table.known, goal_time)
    for key, sign, visit in zip(table.key, table.sign, come, strict=True):
        if sign > 0:
            visits.setdefault(key, []).append(visit)
            continue
        # What is told and taken back in one unit has never been. The same session with another end is another visit:
        # a home may take the old one back when the user has been told the new one.
        known = visits.get(key, [])
        if visit in known:
            known.remove(visit)
        else:
            _news(found, key).gone.append(visit)


def _hits(found: dict[str, News], table: HitColumns, measures: list[Measure], *, is_passed_on: bool) -> None:
    columns = zip(
        table.key,
        table.time,
        table.kind,
        table.event,
        table.text,
        table.amount,
        table.currency,
        table.channel,
        table.goal,
        table.in_session,
        table.known,
        table.sign,
        strict=True,
    )
    for key, *fields, sign in columns:
        note = Note(*fields)
        kind = note.kind
        if not is_passed_on:
            if kind in _MEASURED:
                measures.append(_measure(key, note))
            if kind in EMAILS:
                _news(found, key).emails.append((note.text, kind, note.time))
        if not note.goal and (kind == Touch.COST or (kind in EMAILS and kind not in _NOTED_EMAILS)):
            continue
        news = _news(found, key)
        if sign > 0:
            news.notes.append(note)
        elif note in news.notes:
            news.notes.remove(note)
        else:
            news.notes_gone.append(note)


_MEASURED = frozenset((Touch.CSAT, Touch.CES, Touch.NPS))


def _measure(key: str, note: Note) -> Measure:
    """Answers, their sum in micros, the good ones, the bad ones."""
    score = note.amount
    if note.kind == Touch.NPS:
        name, is_good, is_bad = "nps", score >= _NPS_GOOD, score <= _NPS_BAD
    elif note.kind == Touch.CES:  # effort: less is better
        name, is_good, is_bad = "ces", score <= _CES_EASY, score >= _CES_HARD
    else:
        name, is_good, is_bad = "csat", score >= _CSAT_GOOD, score <= _CSAT_BAD
    site = key.partition(SEPARATOR)[0]
    return Measure(site, name, note.time, [1, score, int(is_good), int(is_bad)])


def _links(found: dict[str, News], message: Touchpoints) -> None:
    links = message.links
    for key, user, time in zip(links.key, links.user_id, links.time, strict=True):
        if key.partition(SEPARATOR)[2] != user:  # an id is linked to itself anyway
            since = _news(found, key).links
            since[user] = min(time, since.get(user, time))
    claims = message.claims
    for key, visitor, since_ms in zip(claims.key, claims.visitor_id, claims.since, strict=True):
        _news(found, key).claims.append((visitor, since_ms))
    answers = message.answers
    for key, user, is_refused in zip(answers.key, answers.user_id, answers.is_refused, strict=True):
        _news(found, key).answers.append((user, is_refused))
    words = message.words
    for key, user, time, is_unlinked in zip(
        words.key, words.user_id, words.time, words.is_unlinked, strict=True
    ):
        if key.partition(SEPARATOR)[2] != user:
            _news(found, key).words.append((user, time, is_unlinked))
