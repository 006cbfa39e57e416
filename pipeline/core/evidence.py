"""Which hits some stage model understands, as columns for the journeys' hop."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np

from pipeline.core.coded import Coded, Codes, combined
from pipeline.core.ids import SEPARATOR, hex_ids, partition_of
from pipeline.core.keys import partitions
from pipeline.core.look import Looks, Page
from pipeline.core.models import Models
from pipeline.core.numbers import numbered
from pipeline.core.reading import Reading
from pipeline.core.referrals import REFERRAL, is_referral
from pipeline.core.scores import metric_of, normalised_score
from pipeline.core.slots import Array, Index, objects
from schemas.evidence import Evidence, EvidenceBatch, Kind
from schemas.hit import ABSENT

MOST_REMEMBERED: Final = 200_000
_NONE: Final = -1
_TRAFFIC_BITS: Final = 32
_TRAFFIC: Final = (1 << _TRAFFIC_BITS) - 1
Value = TypeVar("Value")


class Evidences(NamedTuple):
    """Columns of equal length; ``persons`` are keys (site, 0x1F, person), none twice in their table; ``kind`` and
    ``url`` are places in the lists.
    """

    persons: Coded
    time: Index
    kinds: Sequence[Kind]
    kind: Index
    urls: Sequence[str]
    url: Index
    session: Array  # V16
    known: Array

    def by_partition(
        self, source: int, count: int, watermark: int | None, epoch: int = 0
    ) -> Iterator[tuple[int, EvidenceBatch]]:
        """A message for each of ``count`` partitions that persons of these belong to."""
        people = self.persons
        targets = partitions(list(people.values), count)
        target = targets[people.codes]
        for partition in np.unique(targets).tolist():
            rows = np.flatnonzero(target == partition)
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
                    self.known[rows].astype(np.int8).tobytes(),
                    watermark=watermark,
                    epoch=epoch,
                ),
            )


class Matcher:
    """Asks the stage models about each distinct page and channel once."""

    def __init__(self, models: Models, looks: Looks) -> None:
        self._models, self.looks = models, looks
        self._kinds: dict[Kind, int] = {}
        self._known: dict[int, int] = {}  # numbers of page and traffic, packed -> of a kind

    def match(self, reading: Reading, rows: Index, page: Index, traffic: Index, session: Array) -> Evidences:
        """The evidence among these rows of the reading. ``page traffic session``: columns of all its rows."""
        if len(self._known) > MOST_REMEMBERED:
            self.forget()
        pairs = page[rows] << _TRAFFIC_BITS | traffic[rows]
        first, codes = numbered(pairs)
        get = self._known.get
        kinds = [
            self._kind(pair) if (known := get(pair)) is None else known for pair in pairs[first].tolist()
        ]
        kind = np.array(kinds, np.int64)[codes]
        self._details(reading, rows, page, traffic, kind)
        found = kind != _NONE
        chosen, fields = rows[found], reading.fields
        urls = fields["url"].at(chosen)
        return Evidences(
            combined(fields["site"].at(chosen), fields["person_id"].at(chosen))
            .map(SEPARATOR.join)
            .distinct(),
            reading.time[chosen],
            list(self._kinds),
            kind[found],
            urls.values,
            urls.codes,
            session[chosen],
            fields["user_id"].at(chosen).array(np.bool_),
        )

    def _kind(self, pair: int) -> int:
        page, traffic = pair >> _TRAFFIC_BITS, pair & _TRAFFIC
        channel = self.looks.traffics[traffic].channel
        code = self._known[pair] = self._ask(self.looks.pages[page], channel)
        return code

    def _ask(self, page: Page, channel: str, score: float | None = None, props: bytes | None = None) -> int:
        touched = self._models.touchpoint(page.event, page.url, channel, page.is_goal, score, props)
        touched = self._models.applying(touched, page.models)
        if not touched:
            return _NONE
        return self._kinds.setdefault((touched, page.event, channel), len(self._kinds))

    def _details(self, reading: Reading, rows: Index, page: Index, traffic: Index, kind: Index) -> None:
        """Hits whose score or props may decide are asked about one by one."""
        scores, props = reading.fields["score"], reading.fields["props"]
        if scores.count(None) == len(scores) and props.count(ABSENT) == len(props):
            return
        events = reading.fields["event"].at(rows).map(self._models.looks_at_details)
        for place in np.flatnonzero(events.array(np.bool_)).tolist():
            row = int(rows[place])
            if scores[row] is None and props[row] is ABSENT:
                continue
            raw = None if props[row] is ABSENT else bytes(props[row])
            score = None
            if scores[row] is not None:
                score = normalised_score(metric_of(raw), scores[row], reading.fields["scale"][row])
            channel = self.looks.traffics[traffic[row]].channel
            kind[place] = self._ask(self.looks.pages[page[row]], channel, score, raw)

    def use(self, models: Models) -> None:
        """From now on these models hold."""
        self._models = models
        self.forget()

    def forget(self) -> None:
        """The numbers of pages and channels are not good any more."""
        self._kinds, self._known = {}, {}


def _used(values: Sequence[Value], codes: Index) -> tuple[list[Value], bytes]:
    """The values that the codes use, and the codes' places in them, as int32 bytes."""
    used = Coded(codes, values).compact()
    return list(used.values), used.codes.astype(np.int32).tobytes()


class Arrived(NamedTuple):
    """The evidence of some messages as columns; ``person kind url`` are places in the lists before them."""

    persons: list[str]
    person: Index
    kinds: list[Kind]
    kind: Index
    urls: list[str]
    url: Index
    time: Index
    session: Array
    known: Array
    sign: Index

    def columns(self, rows: Index) -> dict[str, Array]:
        """Some of it, as it is kept."""
        return {
            "time": self.time[rows],
            "kind": objects(self.kinds)[self.kind[rows]],
            "url": objects(self.urls)[self.url[rows]],
            "session": self.session[rows],
            "known": self.known[rows],
        }

    def referrals(self, rows: Index) -> Array:
        """Which of these come from another person's referral."""
        found = np.array([kind[2] == REFERRAL for kind in self.kinds], np.bool_)[self.kind[rows]]
        for at in np.flatnonzero(found).tolist():
            found[at] = is_referral(REFERRAL, self.urls[self.url[rows[at]]])
        return found

    def causes(self, rows: Index) -> dict[str, Any]:
        """Some of it, as what moved a person."""
        _, events, channels = zip(*self.kinds, strict=True)
        kind = self.kind[rows]
        return {
            "cause_event": Coded(kind, events),
            "cause_url": Coded(self.url[rows], self.urls),
            "cause_channel": Coded(kind, channels),
            "cause_session_id": self.session[rows],
        }

    def evidence(self, row: int) -> Evidence:
        """One piece."""
        rules, event, channel = self.kinds[self.kind[row]]
        (session,) = hex_ids(self.session[row : row + 1])
        known = bool(self.known[row])
        return Evidence(int(self.time[row]), rules, event, self.urls[self.url[row]], channel, session, known)


def arrived(messages: Iterable[EvidenceBatch]) -> Arrived:
    """The messages one after the other; each text is one object."""
    persons, kinds, urls = Codes(), Codes(), Codes()
    parts = [
        (
            persons.of(message.persons).codes[np.frombuffer(message.person, np.int32)],
            kinds.of(message.kinds).codes[np.frombuffer(message.kind, np.int32)],
            urls.of(message.urls).codes[np.frombuffer(message.url, np.int32)],
            np.frombuffer(message.time, np.int64),
            np.frombuffer(message.session, "V16"),
            _ones(message.known, message) != 0,
            _ones(message.sign, message),
        )
        for message in messages
    ]
    person, kind, url, time, session, known, sign = map(np.concatenate, zip(*parts, strict=True))
    return Arrived(persons.values, person, kinds.values, kind, urls.values, url, time, session, known, sign)


def _ones(packed: bytes, message: EvidenceBatch) -> Index:
    rows = len(message.time) // 8
    return np.frombuffer(packed, np.int8).astype(np.int64) if packed else np.ones(rows, np.int64)


def passed_on(
    passed: Iterable[tuple[str, Evidence, int]], count: int, epoch: int = 0
) -> Iterator[tuple[int, EvidenceBatch]]:
    """(key of a user, evidence, sign) as a message for each of ``count`` partitions."""
    by_target: dict[int, list[tuple[str, Evidence, int]]] = {}
    for one in passed:
        by_target.setdefault(partition_of(one[0], count), []).append(one)
    for target, found in by_target.items():
        keys, pieces, signs = zip(*found, strict=True)
        persons, kinds = Codes().of(keys), Codes().of([_kind_of(piece) for piece in pieces])
        places = Codes().of([piece.url for piece in pieces])
        yield (
            target,
            EvidenceBatch(
                -1,
                list(persons.values),
                list(kinds.values),
                list(places.values),
                persons.codes.astype(np.int32).tobytes(),
                np.array([piece.time for piece in pieces], np.int64).tobytes(),
                kinds.codes.astype(np.int32).tobytes(),
                places.codes.astype(np.int32).tobytes(),
                b"".join(bytes.fromhex(piece.session_id) or bytes(16) for piece in pieces),
                sign=np.array(signs, np.int8).tobytes(),
                epoch=epoch,
            ),
        )


def only_time(source: int, watermark: int | None) -> EvidenceBatch:
    """A message without evidence."""
    return EvidenceBatch(source, watermark=watermark)


def without_evidence(message: EvidenceBatch) -> EvidenceBatch:
    """Its owners and its watermark."""
    return EvidenceBatch(message.source, watermark=message.watermark, owners=message.owners)


def only_owners(owners: list[tuple[str, list[int], list[str]]]) -> EvidenceBatch:
    """A message of the persons: who owns these visitors now."""
    return EvidenceBatch(-1, owners=owners)


def _kind_of(one: Evidence) -> Kind:
    return one.rules, one.event, one.channel
