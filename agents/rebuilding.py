"""Making the history of stage models anew from stored hits, beside the running hops of one data directory.

    hits wait -> evidence is left out; all that is under way arrives -> cut: hits before it are stored, those after it
    are matched by the new models -> hits go on, evidence waits -> stored hits are matched and folded -> what differs
    from what was said is withdrawn and said, with the new state, in one unit of work -> evidence goes on

After a crash the request is still there, and starts from the beginning. The evidence that it finds left out is among
the stored hits again.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import perf_counter

import msgspec
import pyarrow as pa
from msgspec import Struct

from agents.embedded import APP, Embedded
from agents.gate import Gate
from agents.journeys import Journeys, Remade, changed_models
from agents.sessionizer import Sessionizer
from pipeline.core.ids import SEPARATOR, partition_of
from pipeline.core.journeys import Output
from pipeline.core.model_check import ModelError
from pipeline.core.models import Models
from pipeline.core.remaking import Kept, Remaking, evidence_of
from pipeline.core.rules import Model
from pipeline.settings import Settings, SettingsError
from pipeline.store import history
from pipeline.store.blocks import block, blocks_of, pack, read_blocks
from pipeline.store.vocabulary import tell
from pipeline.transport.rebuilds import Request
from schemas import topics

POLL_SECONDS = 0.05
BLOCK_ROWS = 20_000


class Receipt(Struct, kw_only=True):
    """What was done. ``refused``: why it was not. Rows are those of ``transitions``, of all models."""

    number: int
    models: tuple[str, ...]
    refused: str = ""
    hits: int = 0
    withdrawn: int = 0
    said: int = 0
    by_model: dict[str, int] = {}
    seconds: float = 0.0


class Rebuilder:
    """One request at a time. ``on_models``: is told the models that hold from now on."""

    def __init__(
        self, embedded: Embedded, on_models: Callable[[Iterable[Model]], object] = lambda _: None
    ) -> None:
        self._embedded = embedded
        self._on_models = on_models

    async def do_all(self) -> None:
        """Everything that is asked for now."""
        for request in self._embedded.rebuilds.pending():
            receipt = await self._do(request)
            self._embedded.rebuilds.finish(request.number, msgspec.json.encode(receipt))

    async def _do(self, request: Request) -> Receipt:
        began, embedded = perf_counter(), self._embedded
        hits_gate, gate = embedded.gates["sessionizer"], embedded.gates["journeys"]
        sessionizer, journeys = hits_gate.hop, gate.hop
        assert isinstance(sessionizer, Sessionizer)
        assert isinstance(journeys, Journeys)
        models, refused = self._models_for(request, journeys)
        if models is None:
            gate.open()  # at a start the hop says itself what is wrong
            return Receipt(number=request.number, models=request.models, refused=refused)
        await hits_gate.shut()
        try:
            cut = await self._set_aside(request, models, journeys, gate)
            sessionizer.use(models)
        finally:
            hits_gate.open()
        embedded.models = models
        self._on_models(models.models)
        await asyncio.to_thread(tell, embedded.client, models.models, embedded.settings)
        history_of = _History(embedded, models, cut, journeys)
        await journeys.take_back(await asyncio.to_thread(history_of.remade))
        gate.open()
        return Receipt(
            number=request.number,
            models=request.models,
            hits=history_of.hits,
            withdrawn=history_of.withdrawn,
            said=history_of.said,
            by_model=history_of.by_model,
            seconds=round(perf_counter() - began, 3),
        )

    def _models_for(self, request: Request, journeys: Journeys) -> tuple[Models | None, str]:
        """The models of the files as they are now, or why it cannot be done."""
        try:
            models = self._embedded.load_models()
        except (ModelError, SettingsError, OSError) as error:
            if request.is_begun:
                raise
            return None, str(error)
        before = journeys.digests()
        if unknown := set(request.models) - before.keys() - models.digests.keys():
            return None, f"{', '.join(sorted(unknown))}: no such model; there is {', '.join(models.digests)}"
        others = set(changed_models(before, models.digests)) - set(request.models)
        if others and before and not request.is_begun:
            names = ", ".join(sorted(others))
            return None, f"{names}: changed too, and stages depend on each other; name all with --model"
        return models, ""

    async def _set_aside(self, request: Request, models: Models, journeys: Journeys, gate: Gate) -> list[int]:
        """Let all that is under way arrive, the evidence of it left out. Returns the cut; the gate is shut then."""
        embedded = self._embedded
        await gate.shut()
        embedded.rebuilds.begin(request.number)
        await journeys.set_aside(models)
        gate.open()
        while not self._is_quiet():
            await asyncio.sleep(POLL_SECONDS)
        await gate.shut()
        committed = embedded.transport.log.committed(APP)
        return [committed.get((topics.HITS.name, at), 0) for at in range(embedded.settings.partitions)]

    def _is_quiet(self) -> bool:
        """All that follows from the hits has been consumed. What was consumed is asked first: what comes of it then
        shows in the ends."""
        log = self._embedded.transport.log
        committed = log.committed(APP)
        names = {topic for reads in self._embedded.reads.values() for topic in reads} - {topics.HITS.name}
        return all(committed.get(at, 0) >= end for at, end in log.ends().items() if at[0] in names)


class _History:
    """Of all persons, by other models; worked out in a thread beside the hops. Counts what it does."""

    def __init__(self, embedded: Embedded, models: Models, cut: Sequence[int], journeys: Journeys) -> None:
        self._client = embedded.client
        self._models = models
        self._cut = cut
        self._kept: list[Kept] = journeys.kept()
        self._version = journeys.next_version
        self._watched = journeys.watched
        self.hits = self.withdrawn = self.said = 0
        self.by_model: dict[str, int] = {}

    def remade(self) -> Remade:
        """Reads the store, writes nothing."""
        remaking = Remaking(self._models, self._kept, watched=self._watched)
        after = history.newest(read_blocks("transitions", list(self._blocks(remaking))))
        found = history.difference(history.said_transitions(self._client), after)
        self.withdrawn, self.said = found.withdrawn.num_rows, found.said.num_rows
        self.by_model = dict(Counter(found.said["model"].to_pylist()))
        regressed = history.regressions(found, self._watched)
        return Remade(
            remaking.journeys,
            self._by_partition(found.rows(self._version)),
            dict(history.changes(found)),
            dict(history.stays(found)),
            [
                (f"{site}{SEPARATOR}{person}", model, time, sign)
                for (site, person, model, time), sign in regressed
            ],
        )

    def _blocks(self, remaking: Remaking) -> Iterator[bytes]:
        for hits in history.stored_hits(self._client, self._cut):
            self.hits += len(hits["site"])
            for output in remaking.take(evidence_of(self._models, hits)):
                yield from _blocks_of(output)
        for output in remaking.finish():
            yield from _blocks_of(output)

    def _by_partition(self, rows: pa.Table) -> list[tuple[int, bytes]]:
        """As the stream sends them: by person."""
        keys = zip(rows["site"].to_pylist(), rows["person_id"].to_pylist(), strict=True)
        targets = [partition_of(f"{site}{SEPARATOR}{person}", len(self._kept)) for site, person in keys]
        found = []
        for target in sorted(set(targets)):
            mine = rows.filter(pa.array([one == target for one in targets]))
            for at in range(0, mine.num_rows, BLOCK_ROWS):
                found.append((target, pack(mine.slice(at, BLOCK_ROWS).combine_chunks())))
        return found


def _blocks_of(output: Output) -> list[bytes]:
    on_time = [] if output.columns is None else [block("transitions", output.columns)]
    return on_time + blocks_of("transitions", output.corrections)


async def rebuild(settings: Settings) -> None:
    """Do what is asked for, in a data directory that nothing runs on."""
    embedded = Embedded(settings)
    try:
        await embedded.start()
        await embedded.run_until(asyncio.ensure_future(Rebuilder(embedded).do_all()))
    finally:
        await embedded.stop()
        embedded.close()
