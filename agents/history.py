"""The history of some partitions of the journeys, made anew by other models: from stored hits, beside what was said.

Long work, in a thread beside the hops. Reads the store, writes nothing: the hop takes it back in a unit of work.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from agents.journeys import Remade, rows_of
from pipeline.core.homes import AWAY
from pipeline.core.ids import SEPARATOR, partition_of
from pipeline.core.models import Models
from pipeline.core.recalling import Remembered
from pipeline.core.remaking import Kept, Remaking, evidence_of
from pipeline.store import history
from pipeline.store.blocks import blocks_of, pack, read_blocks
from pipeline.store.client import Reader

BLOCK_ROWS = 20_000
DAY_MS = 86_400_000


class Since(NamedTuple):
    """Times, ms, from which on the store has all; 0: all there has ever been."""

    hits: int = 0
    transitions: int = 0


def since_of(ttl_days: Mapping[str, int | None], now_ms: int) -> Since:
    """A while later than what the store forgets first, as it goes on forgetting meanwhile."""

    def of(table: str) -> int:
        days = ttl_days.get(table)
        return 0 if days is None else now_ms - days * DAY_MS + min(DAY_MS, days * DAY_MS // 10)

    return Since(of("hits"), of("transitions"))


class History:
    """Of the persons of these partitions, of so many. ``cut``: by partition of hits, the first one that is matched by
    the new models anyway. ``since``: what is older is not asked of the store: evidence is what is remembered, and of
    transitions nothing is said. Counts what it does.
    """

    def __init__(
        self,
        store: Reader,
        models: Models,
        cut: Sequence[int],
        kept: Mapping[int, Kept],
        *,
        partitions: int,
        since: Since,
    ) -> None:
        self._store = store
        self._models = models
        self._cut = cut
        self._kept = kept
        self._partitions = partitions
        is_all = len(kept) == partitions
        self._share = history.EVERYBODY if is_all else history.Share(min(kept), partitions)
        self._since = since
        self.remembered = sum(len(one.evidence) for _, _, one in self._known_of())
        self.hits = self.withdrawn = self.said = 0
        self.by_model: dict[str, int] = {}

    def remade(self, version: int, watched: Sequence[str], epoch: int = 0) -> Remade:
        """``version``: of rows that are to hold over all that were said. The rest as the hop has it."""
        remaking = Remaking(self._models, self._kept, self._partitions, watched=watched)
        bounds = {
            (site, person): one.since for site, person, one in self._known_of() if one.since is not None
        }
        before, after = (
            history.within(rows, self._since.transitions, bounds)
            for rows in (
                history.said_transitions(self._store, self._share),
                history.newest(read_blocks("transitions", list(self._blocks(remaking)))),
            )
        )
        found = history.difference(before, after)
        self.withdrawn, self.said = found.withdrawn.num_rows, found.said.num_rows
        self.by_model = dict(Counter(found.said["model"].to_pylist()))
        regressed = history.regressions(found, watched)
        return Remade(
            remaking.journeys,
            self._by_partition(found.rows(version)),
            dict(history.changes(found)),
            dict(history.stays(found)),
            [
                (f"{site}{SEPARATOR}{person}", model, time, sign)
                for (site, person, model, time), sign in regressed
            ],
            remaking.away,
            epoch,
        )

    def _known_of(self) -> Iterator[tuple[str, str, Remembered]]:
        """Site, person and what is remembered; not what visitors have passed on."""
        for kept in self._kept.values():
            for key, one in kept.remembered.items():
                if not key.startswith(AWAY):
                    site, _, person = key.partition(SEPARATOR)
                    yield site, person, one

    def _blocks(self, remaking: Remaking) -> Iterator[bytes]:
        yield from blocks_of("transitions", remaking.recall())
        for hits in history.stored_hits(self._store, self._cut, self._share, self._since.hits):
            self.hits += len(hits["site"])
            for output in remaking.take(evidence_of(self._models, hits)):
                yield from rows_of(output)
        for output in remaking.finish():
            yield from rows_of(output)

    def _by_partition(self, rows: pa.Table) -> list[tuple[int, bytes]]:
        """As the stream sends them: by person."""
        keys = zip(rows["site"].to_pylist(), rows["person_id"].to_pylist(), strict=True)
        targets = [partition_of(f"{site}{SEPARATOR}{person}", self._partitions) for site, person in keys]
        found = []
        for target in sorted(set(targets)):
            mine = rows.filter(pa.array([one == target for one in targets]))
            for at in range(0, mine.num_rows, BLOCK_ROWS):
                found.append((target, pack(mine.slice(at, BLOCK_ROWS).combine_chunks())))
        return found
