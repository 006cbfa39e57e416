"""What is measured from outside of the hops: how far they are behind, the disk, and whether the ledger adds up.

The ledger, in the store, must hold at least the hits that had been consumed a round before (rows are under way for
less than that) and at most those that have been consumed by now. A round is what lies between two calls.
"""

import asyncio
import shutil
from collections import Counter
from pathlib import Path

from agents.embedded import APP
from pipeline.metrics import Metrics
from pipeline.store.client import Client
from pipeline.store.errors import StoreUnavailableError
from pipeline.transport.log import Log
from schemas.topics import HITS, TOPICS

_SAID = "SELECT toInt64(sum(hits)) FROM ledger"


class Upkeep:
    """Reports to ``metrics``; decides nothing."""

    def __init__(self, log: Log, client: Client, metrics: Metrics, directory: Path) -> None:
        self._log = log
        self._client = client
        self._metrics = metrics
        self._directory = directory
        self._taken = 0

    def report_lags(self) -> None:
        """Records that each hop has not read yet, of all the topics that it reads."""
        committed = self._log.committed(APP)
        readers = {topic.name: topic.readers for topic in TOPICS}
        lags: Counter[tuple[str, int]] = Counter()
        for (topic, partition), end in self._log.ends().items():
            for reader in readers[topic]:
                lags[reader, partition] += end - committed.get((topic, partition), 0)
        for (reader, partition), lag in lags.items():
            self._metrics.consumer_lag(reader, partition, lag)

    def report_disk(self) -> None:
        """Space where the data directory is."""
        usage = shutil.disk_usage(self._directory)
        self._metrics.disk(free_bytes=usage.free, size_bytes=usage.total)

    async def report_ledger(self) -> None:
        """How many hits too few or too many have an outcome. A store that is away says nothing."""
        try:
            ((said,),) = await asyncio.to_thread(self._client.query, _SAID)
        except StoreUnavailableError:
            return
        committed = self._log.committed(APP)
        taken = sum(offset for (topic, _), offset in committed.items() if topic == HITS.name)
        self._metrics.ledger_difference(max(self._taken - said, 0) - max(said - taken, 0))
        self._taken = taken
