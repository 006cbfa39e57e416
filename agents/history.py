"""The history of some partitions of the journeys, made anew by other models: from stored hits, beside what was said.

Long work, in a thread beside the hops. Reads the store, writes nothing: the hop takes it back in a unit of work.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from agents.journeys import Remade
from pipeline.core.ids import SEPARATOR, partition_of
from pipeline.core.journeys import Output
from pipeline.core.models import Models
from pipeline.core.remaking import Kept, Remaking, evidence_of
from pipeline.store import history
from pipeline.store.blocks import block, blocks_of, pack, read_blocks
from pipeline.store.client import Reader

BLOCK_ROWS = 20_000


class History:
    """Of the persons of these partitions, of so many. ``cut``: by partition of hits, the first one that is matched by
    the new models anyway. Counts what it does.
    """

    def __init__(
        self, store: Reader, models: Models, cut: Sequence[int], kept: Mapping[int, Kept], *, partitions: int
    ) -> None:
        self._store = store
        self._models = models
        self._cut = cut
        self._kept = kept
        self._partitions = partitions
        is_all = len(kept) == partitions
        self._share = history.EVERYBODY if is_all else history.Share(min(kept), partitions)
        self.hits = self.withdrawn = self.said = 0
        self.by_model: dict[str, int] = {}

    def remade(self, version: int, watched: Sequence[str], epoch: int = 0) -> Remade:
        """``version``: of rows that are to hold over all that were said. The rest as the hop has it."""
        remaking = Remaking(self._models, self._kept, self._partitions, watched=watched)
        after = history.newest(read_blocks("transitions", list(self._blocks(remaking))))
        found = history.difference(history.said_transitions(self._store, self._share), after)
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

    def _blocks(self, remaking: Remaking) -> Iterator[bytes]:
        for hits in history.stored_hits(self._store, self._cut, self._share):
            self.hits += len(hits["site"])
            for output in remaking.take(evidence_of(self._models, hits)):
                yield from _blocks_of(output)
        for output in remaking.finish():
            yield from _blocks_of(output)

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


def _blocks_of(output: Output) -> list[bytes]:
    on_time = [] if output.columns is None else [block("transitions", output.columns)]
    return on_time + blocks_of("transitions", output.corrections)
