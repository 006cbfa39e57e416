"""The history of all persons made anew from stored hits, by other stage models than those it was made with.

Stored hits are matched as the sessionizer matches those that come, and fed to fresh journeys, of all partitions or of
some: then hits of persons of others are left out, and what is passed on to those is handed back.
Times in ms. ``owners`` of visitors and time (``Clock``) are those of the journeys before. The result is that of the
same hits in any order; hits in the order of each site's time are cheapest. What comes out is whole: transitions that
one chunk of hits says and a later one takes back are the caller's to sort out, by their version.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.core.coded import Codes
from pipeline.core.evidence import Evidences, only_owners, passed_on
from pipeline.core.homes import AWAY, Passed
from pipeline.core.ids import SEPARATOR, partition_of
from pipeline.core.journeys import Clock, Journeys, Output
from pipeline.core.models import Models
from pipeline.core.persons.identity import Owners
from pipeline.core.recalling import Remembered
from pipeline.core.scores import metric_of, normalised_score
from schemas.evidence import EvidenceBatch, Kind
from schemas.transition import Transition

COLUMNS = (
    "site", "user_id", "visitor_id", "time", "event", "url", "channel", "goal", "score", "scale", "props",
    "session_id",
)  # fmt: skip
_NO_SESSION = bytes(16)


class Kept(NamedTuple):
    """What stays of a partition of the journeys while its history is made anew. ``remembered``: of before the hits."""

    owners: Mapping[str, Owners]
    clock: Clock
    remembered: Mapping[str, Remembered] = {}


def evidence_of(models: Models, hits: Mapping[str, Sequence[Any]]) -> Evidences:
    """The evidence among stored hits: the columns named in COLUMNS, equally long."""
    persons: list[str] = []
    kinds: dict[Kind, int] = {}
    urls: dict[str, int] = {}
    time, kind, url, known = list[int](), list[int](), list[int](), list[bool]()
    sessions: list[bytes] = []
    for site, user, visitor, at, event, page, channel, goal, score, scale, props, session in zip(
        *(hits[name] for name in COLUMNS), strict=True
    ):
        raw = props.encode() if props else None
        mark = None if score is None else normalised_score(metric_of(raw), score, scale)
        touched = models.touchpoint(event, page, channel, bool(goal), mark, raw)
        touched = models.applying(touched, models.sites.get(site))
        if touched:
            persons.append(f"{site}{SEPARATOR}{user or visitor}")
            time.append(at)
            kind.append(kinds.setdefault((touched, event, channel), len(kinds)))
            url.append(urls.setdefault(page, len(urls)))
            sessions.append(bytes.fromhex(session) or _NO_SESSION)
            known.append(bool(user))
    return Evidences(
        Codes().of(persons),
        np.array(time, np.int64),
        list(kinds),
        np.array(kind, np.int64),
        list(urls),
        np.array(url, np.int64),
        np.frombuffer(b"".join(sessions), "V16"),
        np.array(known, np.bool_),
    )


class _Remembering(Journeys):
    """Journeys that begin with what others remember."""

    def begin_with(self, remembered: Mapping[str, Remembered]) -> list[Transition]:
        """When nothing but the owners is known yet: the transitions that follow."""
        said: list[Transition] = []
        for key, one in remembered.items():
            slot = int(self._table.slots([key])[0])
            if one.checkpoint is not None:
                self._table.set_checkpoint(slot, one.checkpoint)
                self._table.set_state(slot, one.checkpoint)
            if key.startswith(AWAY):  # its owners remember it as well
                self._table.rewrite(slot, one.evidence)
            else:
                said += self._again(slot, one.evidence, [], 0, Counter())
        self._stays.clear()
        self._regressed.clear()
        return said


class Remaking:
    """``kept``: of some of so many ``partitions``. ``journeys``: what has become of them. ``watched``: see there.

    ``away``: what is passed on to persons of the other partitions.
    """

    def __init__(
        self, models: Models, kept: Mapping[int, Kept], partitions: int, *, watched: Iterable[str] = ()
    ) -> None:
        self._kept = kept
        self._partitions = partitions
        self.journeys = {partition: _Remembering(models, watched=watched) for partition in kept}
        self._passed: list[Passed] = []
        self.away: list[Passed] = []
        self.version = 0
        for partition, before in kept.items():
            if before.owners:
                owners = [(key, list(since), list(users)) for key, (since, users) in before.owners.items()]
                self.journeys[partition].take([only_owners(owners)], 0, 0)

    def recall(self) -> list[Transition]:
        """Before all hits: what is remembered of the time before them, and what follows from it."""
        return [
            one
            for partition, core in self.journeys.items()
            for one in core.begin_with(self._kept[partition].remembered)
        ]

    def take(self, found: Evidences) -> Iterator[Output]:
        """Some more evidence."""
        count = self._partitions
        messages: dict[int, list[EvidenceBatch]] = {}
        for target, batch in (*found.by_partition(-1, count, None), *passed_on(self._passed, count)):
            messages.setdefault(target, []).append(batch)
        self._passed = []
        self.version += 1
        for target in messages.keys() & self.journeys.keys():
            output = self.journeys[target].take(messages[target], self.version, 0)
            for one in output.passed:
                is_ours = partition_of(one[0], count) in self.journeys
                (self._passed if is_ours else self.away).append(one)
            yield output

    def finish(self) -> Iterator[Output]:
        """All hits were taken: what is on its way to owners arrives, and time comes to where it was."""
        nothing = evidence_of(Models(()), {name: [] for name in COLUMNS})
        while self._passed:
            yield from self.take(nothing)
        self.version += 1
        for partition, core in self.journeys.items():
            core.clock = self._kept[partition].clock
            yield core.take([], self.version, 0)
