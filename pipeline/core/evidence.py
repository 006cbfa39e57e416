"""Which hits some stage model understands, as columns for the journeys' hop."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

import numpy as np

from pipeline.core.coded import Codes
from pipeline.core.ids import SEPARATOR, hex_ids, partition_of
from pipeline.core.look import Looks
from pipeline.core.models import Models
from pipeline.core.reading import Reading
from pipeline.core.scores import metric_of, normalised_score
from pipeline.core.slots import Array, Index
from schemas.evidence import Evidence, EvidenceBatch, Kind
from schemas.hit import ABSENT

MOST_REMEMBERED: Final = 200_000
_NONE: Final = -1
Value = TypeVar("Value")


class Evidences(NamedTuple):
    """Columns of equal length; ``persons`` are keys (site, 0x1F, person), ``kind`` and ``url`` places in the lists."""

    persons: list[str]
    time: Index
    kinds: Sequence[Kind]
    kind: Index
    urls: Sequence[str]
    url: Index
    session: Array  # V16
    scores: dict[int, float]

    def by_partition(self, source: int, partitions: int) -> Iterator[tuple[int, EvidenceBatch]]:
        """A message for each partition that persons of these belong to."""
        people = Codes().of(self.persons)
        target = np.array([partition_of(person, partitions) for person in people.values])[people.codes]
        for partition in np.unique(target).tolist():
            rows = np.flatnonzero(target == partition)
            at = {row: place for place, row in enumerate(rows.tolist())} if self.scores else {}
            persons, person = _used(people.values, people.codes[rows])
            kinds, kind = _used(self.kinds, self.kind[rows])
            urls, url = _used(self.urls, self.url[rows])
            yield (
                partition,
                EvidenceBatch(
                    source,
                    persons,
                    kinds,
                    urls,
                    person,
                    self.time[rows].tobytes(),
                    kind,
                    url,
                    self.session[rows].tobytes(),
                    {at[row]: score for row, score in self.scores.items() if row in at},
                ),
            )


class Matcher:
    """Asks the stage models about each distinct page and channel once."""

    def __init__(self, models: Models, looks: Looks) -> None:
        self._models, self._looks = models, looks
        self._kinds: dict[Kind, int] = {}
        self._known: dict[tuple[int, int], int] = {}

    def match(self, reading: Reading, rows: Index, page: Index, traffic: Index, session: Array) -> Evidences:
        """The evidence among these rows of the reading. ``page traffic session``: columns of all its rows."""
        if len(self._known) > MOST_REMEMBERED:
            self.forget()
        pairs, inverse = np.unique(
            page[rows] * len(self._looks.traffics) + traffic[rows], return_inverse=True
        )
        codes = [self._kind(*divmod(pair, len(self._looks.traffics))) for pair in pairs.tolist()]
        kind = np.array(codes, np.int64)[inverse] if len(rows) else np.empty(0, np.int64)
        scores = self._details(reading, rows, page, traffic, kind)
        found = kind != _NONE
        chosen = rows[found].tolist()
        fields = reading.fields
        sites, users, visitors = fields["site"], fields["user_id"], fields["visitor_id"]
        used, url = np.unique(page[rows[found]], return_inverse=True)
        place = np.cumsum(found) - 1
        return Evidences(
            [f"{sites[at]}{SEPARATOR}{users[at] or visitors[at]}" for at in chosen],
            reading.time[rows[found]],
            list(self._kinds),
            kind[found],
            [self._looks.pages[code].url for code in used.tolist()],
            url,
            session[rows[found]],
            {int(place[at]): score for at, score in scores.items() if found[at]},
        )

    def _kind(self, page: int, traffic: int) -> int:
        code = self._known.get((page, traffic))
        if code is None:
            look, channel = self._looks.pages[page], self._looks.traffics[traffic].channel
            code = self._known[page, traffic] = self._ask(look.event, look.url, channel, look.is_goal)
        return code

    def _ask(
        self,
        event: str,
        url: str,
        channel: str,
        goal: bool,
        score: float | None = None,
        props: bytes | None = None,
    ) -> int:
        touched = self._models.touchpoint(event, url, channel, goal, score, props)
        if not touched:
            return _NONE
        return self._kinds.setdefault((touched, event, channel), len(self._kinds))

    def _details(
        self, reading: Reading, rows: Index, page: Index, traffic: Index, kind: Index
    ) -> dict[int, float]:
        """Hits whose score or props may decide are asked about one by one; gives the scores, by place in ``rows``."""
        marks, props = reading.fields["score"], reading.fields["props"]
        if marks.count(None) == len(marks) and props.count(ABSENT) == len(props):
            return {}
        scores: dict[int, float] = {}
        for place, row in enumerate(rows.tolist()):
            if marks[row] is None and props[row] is ABSENT:
                continue
            raw = None if props[row] is ABSENT else bytes(props[row])
            score = None
            if marks[row] is not None:
                score = normalised_score(metric_of(raw), marks[row], reading.fields["scale"][row])
            if score is not None:
                scores[place] = score
            look = self._looks.pages[page[row]]
            if self._models.looks_at_details(look.event):
                channel = self._looks.traffics[traffic[row]].channel
                kind[place] = self._ask(look.event, look.url, channel, look.is_goal, score, raw)
        return scores

    def forget(self) -> None:
        """The numbers of pages and channels are not good any more."""
        self._kinds, self._known = {}, {}


def _used(values: Sequence[Value], codes: Index) -> tuple[list[Value], bytes]:
    """The values that the codes use, and the codes' places in them, as int32 bytes."""
    used, places = np.unique(codes, return_inverse=True)
    return [values[code] for code in used.tolist()], places.astype(np.int32).tobytes()


def unpacked(batch: EvidenceBatch) -> Iterator[tuple[str, Evidence]]:
    """(person's key, evidence) of each row."""
    time = np.frombuffer(batch.time, np.int64).tolist()
    person, kind, url = (
        np.frombuffer(one, np.int32).tolist() for one in (batch.person, batch.kind, batch.url)
    )
    sessions = hex_ids(np.frombuffer(batch.session, "V16"))
    for row, (at, who, what, where, session) in enumerate(
        zip(time, person, kind, url, sessions, strict=True)
    ):
        rules, event, channel = batch.kinds[what]
        one = Evidence(at, rules, event, batch.urls[where], channel, session, batch.scores.get(row))
        yield batch.persons[who], one
