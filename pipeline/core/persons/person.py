"""One id: a visitor, a user, or both. What came under it, whose that is, and what it makes of the person.

A visitor is the home of what came without a user. While nobody owns the visitor it counts here. When somebody does, it
is kept ``away`` and passed on to the owner, with a sign, so that a change of owners can take it back: the home knows
what it has passed on, and messages of one home reach one person in their order. What came with a user counts here.
"""

from collections.abc import Iterable

from msgspec import Struct, field

from pipeline.core.persons.emails import Email
from pipeline.core.persons.fold import MAX_ITEMS, Change, Items, Touches, change_items, end_of_older_half
from pipeline.core.persons.identity import (
    NO_OWNERS,
    NOBODY,
    Links,
    Members,
    Owners,
    claim,
    link,
    owner_at,
    owners,
    refuse,
    say,
)
from pipeline.core.persons.items import Note, Visit
from pipeline.core.persons.signal_rules import SignalRules
from pipeline.core.persons.signals import BEFORE_ALL


class Away(Struct, array_like=True, gc=False):
    """What the visitor's owners have been given; for good, up to and including ``cut``."""

    visits: list[Visit] = []
    notes: list[Note] = []
    cut: int = BEFORE_ALL


class Person(Struct, array_like=True, gc=False):
    """Packed state of one id. ``due``: the watermark at which there is something to say."""

    due: int | None = None
    items: Items = field(default_factory=Items)
    away: Away | None = None
    links: Links | None = None
    members: Members | None = None
    emails: dict[str, Email] = {}


class News(Struct):
    """What one unit of work brings for one id. ``gone``: visits taken back. ``emails``: (message, kind, time)."""

    visits: list[Visit] = []
    gone: list[Visit] = []
    notes: list[Note] = []
    notes_gone: list[Note] = []
    links: dict[str, int] = {}
    claims: list[tuple[str, int]] = []
    answers: list[tuple[str, bool]] = []
    words: list[tuple[str, int, bool]] = []
    emails: list[tuple[str, int, int]] = []


class Outcome(Struct):
    """What follows. ``passed``: (user, visit or note, sign). ``claims``: (user, since). ``told``: (visitor, refused).

    ``owners``: before and after, where they changed.
    """

    change: Change
    passed: list[tuple[str, Visit | Note, int]] = []
    claims: list[tuple[str, int]] = []
    told: list[tuple[str, bool]] = []
    owners: tuple[Owners, Owners] | None = None


def receive(rules: SignalRules, person: Person, news: News, watermark: int, most_visitors: int) -> Outcome:
    """Take the news into ``person``. ``watermark``: timers up to it have been fired."""
    come, gone = Touches([], []), Touches([], [])
    outcome = Outcome(Change())
    missed = _leave_out(person.away.cut, news) if person.away else 0
    before = after = owners(person.links) if person.links else NO_OWNERS
    if news.links or news.words or news.answers:
        outcome.claims = _join(person, news)
        assert person.links is not None
        after = owners(person.links)
    if news.gone or news.notes_gone:
        _take_back(person, news, before, gone, outcome)
    if after != before:
        outcome.owners = before, after
        _move(person, before, after, come, gone, outcome)
    if after is NO_OWNERS or not after[0]:
        come.visits.extend(news.visits)
        come.notes.extend(news.notes)
    else:
        _place(person, news, after, come, outcome)
    if person.away:
        _bound(person.away)
    if news.claims:
        person.members = person.members or Members()
        for visitor, since in news.claims:
            outcome.told += claim(person.members, visitor, since, most_visitors)
    if come.visits or come.notes or gone.visits or gone.notes:
        outcome.change = change_items(rules, person.items, come, gone, watermark)
    outcome.change.missed += missed
    return outcome


def _leave_out(cut: int, news: News) -> int:
    """What came without a user for a time that has been settled, and how many those are."""
    visits = [visit for visit in news.visits if visit.known or visit.end > cut]
    notes = [note for note in news.notes if note.known or note.time > cut]
    missed = len(news.visits) + len(news.notes) - len(visits) - len(notes)
    news.visits, news.notes = visits, notes
    return missed


def _bound(away: Away) -> None:
    if len(away.visits) + len(away.notes) > MAX_ITEMS:
        cut = away.cut = end_of_older_half(away.visits, away.notes)
        away.visits = [visit for visit in away.visits if visit.end > cut]
        away.notes = [note for note in away.notes if note.time > cut]


def _join(person: Person, news: News) -> list[tuple[str, int]]:
    """Take in links, words and answers; the users to be told, and since when."""
    links = person.links = person.links or Links()
    claims = [(user, time) for user, time in news.links.items() if link(links, user, time)]
    for user, time, is_unlinked in news.words:
        say(links, user, time, is_unlinked=is_unlinked)
    for user, is_refused in news.answers:
        refuse(links, user, is_refused=is_refused)
    return claims


def _take_back(person: Person, news: News, known: Owners, gone: Touches, outcome: Outcome) -> None:
    """Find what is taken back, here or with an owner. What is in neither has been folded for good."""
    away = person.away or Away()
    for visit in news.gone:
        if visit in person.items.visits:
            gone.visits.append(visit)
        elif visit in away.visits:
            away.visits.remove(visit)
            outcome.passed.append((owner_at(known, visit.owned_at), visit, -1))
    gone.notes.extend(news.notes_gone)


def _move(
    person: Person, before: Owners, after: Owners, come: Touches, gone: Touches, outcome: Outcome
) -> None:
    """The owners have changed: what came without a user goes to whose it is now."""
    away = person.away or Away()
    stays = Away(cut=away.cut)
    for one, time in _timed(away.visits, away.notes):
        old, new = owner_at(before, time), owner_at(after, time)
        if old != new:
            outcome.passed.append((old, one, -1))
        if new == NOBODY:
            _put(come, one)
            continue
        _put(stays, one)
        if old != new:
            outcome.passed.append((new, one, 1))
    for one, time in _timed(person.items.visits, person.items.notes):
        new = owner_at(after, time)
        is_gone = one in gone.visits if isinstance(one, Visit) else False
        if not one.known and new != NOBODY and not is_gone:
            _put(gone, one)
            _put(stays, one)
            outcome.passed.append((new, one, 1))
    person.away = stays


def _place(person: Person, news: News, known: Owners, come: Touches, outcome: Outcome) -> None:
    away = person.away = person.away or Away()
    for one, time in _timed(news.visits, news.notes):
        user = NOBODY if one.known else owner_at(known, time)
        if user == NOBODY:
            _put(come, one)
        else:
            _put(away, one)
            outcome.passed.append((user, one, 1))


def _timed(visits: Iterable[Visit], notes: Iterable[Note]) -> list[tuple[Visit | Note, int]]:
    """Each with the time at which it is asked whose it is."""
    return [(visit, visit.owned_at) for visit in visits] + [(note, note.time) for note in notes]


def _put(into: Touches | Away, one: Visit | Note) -> None:
    if isinstance(one, Visit):
        into.visits.append(one)
    else:
        into.notes.append(one)
