"""What the sessionizer tells the persons of a unit of work: closed sessions, notable hits, links, as messages.

Which pages are notable the looks know; whatever else counts is looked at in notable hits only.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from msgspec import Struct

from pipeline.core.closing import Closed
from pipeline.core.coded import combined, rows_at
from pipeline.core.ids import SEPARATOR, partition_of, person_of
from pipeline.core.look import Looks, PageCodes
from pipeline.core.persons.notable import Words, details
from pipeline.core.reading import Reading
from pipeline.core.session import Told
from pipeline.core.slots import Array, Index
from schemas.touchpoint import HitColumns, LinkColumns, SessionColumns, Touch, Touchpoints

MOST_REMEMBERED: Final = 200_000  # links told before; about 200 bytes each
_OWN: Final = ("site", "visitor_id", "user_id", "currency")
_LATEST: Final = np.iinfo(np.int64).max
_NO_SESSIONS: Final[list[list[Any]]] = [[] for _ in SessionColumns.__struct_fields__]
_KIND: Final = HitColumns.__struct_fields__.index("kind")


class Touched(Struct):
    """What a unit of work tells: sessions that were closed, and that are taken back. Rows are tuples in the order of
    the columns.
    """

    closed: Closed | None = None
    sessions: list[Told] = []
    hits: list[tuple[Any, ...]] = []
    links: list[tuple[str, str, int]] = []

    def by_partition(
        self, source: str, watermark: int | None, partitions: int, *, to_all: bool
    ) -> Iterator[tuple[int, Touchpoints]]:
        """A message for each partition that is told anything; ``to_all``: the watermark is new, all are told."""
        rows = (self._session_rows(), self.hits, self.links)
        closed = self.closed.told(partitions) if self.closed else [_NO_SESSIONS] * partitions
        for target, tables in enumerate(zip(*(_parted(some, partitions) for some in rows), strict=True)):
            sessions, hits, links = ([*map(list, zip(*table, strict=True))] for table in tables)
            sessions = sessions or [[] for _ in SessionColumns.__struct_fields__]
            for column, more in zip(sessions, closed[target], strict=True):
                column += more
            told = SessionColumns(*sessions), HitColumns(*hits), LinkColumns(*links)
            if to_all or any(tables) or told[0].key:
                yield target, Touchpoints(source, watermark, *told)

    def _session_rows(self) -> Iterator[tuple[Any, ...]]:
        for of, user, *rest in self.sessions:
            yield *person_of(of, user), *rest


def _parted(rows: Iterable[tuple[Any, ...]], partitions: int) -> list[list[tuple[Any, ...]]]:
    """The rows of each partition. They begin with their keys."""
    targets: list[list[tuple[Any, ...]]] = [[] for _ in range(partitions)]
    for row in rows:
        targets[partition_of(row[0], partitions)].append(row)
    return targets


class Teller:
    """Of one partition of hits."""

    def __init__(self, looks: Looks) -> None:
        self._looks = looks
        self._linked: dict[tuple[str, str], int] = {}

    def tell(
        self,
        reading: Reading,
        rows: Index,
        pages: PageCodes,
        traffic: Index,
        in_session: Array,
        is_bot: Array,
    ) -> Touched:
        """What these rows tell. ``pages traffic in_session is_bot``: columns of all rows of the reading.

        Of bots only the e-mails that they open: a proxy's look at the pictures is no reader's, and no conversion.
        """
        kinds = pages.touch[rows]
        chosen = rows[(kinds != Touch.NONE) & (~is_bot[rows] | (kinds == Touch.EMAIL_OPEN))]
        fields = reading.fields
        ours = (pages.page, pages.touch, traffic, is_bot, in_session, reading.time)
        own, words = (
            [rows_at(fields[name], chosen) for name in names] for names in (_OWN, Words._fields[3:])
        )
        columns = (*(column[chosen].tolist() for column in ours), *own, zip(*words, strict=True))
        found = [self._hit(*values) for values in zip(*columns, strict=True)]
        hits = [hit for hit in found if hit[_KIND] != Touch.NONE]
        return Touched(hits=hits, links=self._links(reading, rows[~is_bot[rows]]))

    def _hit(
        self,
        page: int,
        kind: int,
        traffic: int,
        is_bot: bool,
        in_session: bool,
        time: int,
        site: str,
        visitor: str | None,
        user: str | None,
        currency: str | None,
        said: tuple[Any, ...],
    ) -> tuple[Any, ...]:
        """``said``: the rest of its words."""
        look, origin = self._looks.pages[page], self._looks.traffics[traffic]
        is_goal = look.is_goal and not is_bot
        words = Words(look.event, look.url, origin.id or origin.name, *said)
        kind, amount, text = details(kind, words, goal=is_goal)
        if kind == Touch.EMAIL_OPEN and is_bot:
            kind = Touch.EMAIL_MACHINE_OPEN
        return (
            f"{site}{SEPARATOR}{user or visitor}",
            bool(user),
            time,
            int(kind),
            is_goal,
            in_session,
            look.event,
            origin.channel,
            amount,
            currency or "",
            text,
            1,
        )

    def _links(self, reading: Reading, rows: Index) -> list[tuple[str, str, int]]:
        """Hits with both ids among these rows, each pair once, unless an earlier one was told before."""
        fields, linked = reading.fields, self._linked
        if len(fields["user_id"].values) == 1:  # none has a user
            return []
        names = combined(*(fields[name].at(rows) for name in ("site", "visitor_id", "user_id")))
        first = np.full(len(names.values), _LATEST)
        np.minimum.at(first, names.codes, reading.time[rows])
        found: dict[tuple[str, str], int] = {}
        for (site, visitor, user), time in zip(names.values, first.tolist(), strict=True):
            if user and visitor and user != visitor:
                pair = (f"{site}{SEPARATOR}{visitor}", user)
                if time < linked.get(pair, _LATEST):
                    found[pair] = linked[pair] = time
        if len(linked) > MOST_REMEMBERED:
            linked.clear()
        return [(key, user, time) for (key, user), time in found.items()]
