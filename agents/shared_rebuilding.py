"""Making the history of stage models anew over several workers. Led by the one that has the store.

    PREPARE: partitions of the evidence wait, all files are the same -> SWITCH: hits are matched by the new models, and
    each partition of them says from where on -> what was said by the old ones arrives in the store -> REMAKE: each
    partition of the evidence is made anew by its owner, and goes on -> receipt

Until SWITCH it can be refused, and nothing has happened. From then on it is brought to its end: a leader that comes
later goes on with the phase that it finds. What the workers do: ``agents.shared_models``.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from time import perf_counter

import msgspec

from agents.history import Since, since_of
from agents.hop import wall_ms
from agents.leading import Leader
from agents.rebuilding import Receipt, refusal
from agents.store import TABLE_OF
from pipeline.core.models import Models
from pipeline.settings import Settings
from pipeline.store.client import Client
from pipeline.store.vocabulary import set_vocabulary
from pipeline.transport.kafka.known_models import CUT, in_force, phase
from schemas.rebuild import PREPARE, REMAKE, SWITCH, InForce, Part, Phase, Request
from schemas.topics import EVIDENCE, HITS

OF_MODEL = "model "


class SharedRebuilder:
    """``models``: those of this worker now. See :class:`agents.leading.Errand`."""

    def __init__(
        self, settings: Settings, leader: Leader, client: Client, models: Callable[[], Models]
    ) -> None:
        self._settings = settings
        self._leader = leader
        self._known = leader.control.models
        self._client = client
        self._models = models

    def pending(self) -> Iterable[tuple[int, str]]:
        """See Errand."""
        return [(request.number, name) for name, request in self._known.requests.items()]

    async def do(self, name: str) -> None:
        """See Errand."""
        request = self._known.requests[name]
        receipt = await self._do(request)
        ending = [*self._known.finished(name, msgspec.json.encode(receipt))]
        await self._leader.write([*ending, *self._leader.control.known.steps_ended()])

    async def _do(self, request: Request) -> Receipt:
        began, leader, known = perf_counter(), self._leader, self._known
        await leader.until(lambda: known.in_force is not None)
        if known.phase is None or known.phase.name == PREPARE:
            if refused := await self._prepare(request):
                return Receipt(number=request.number, models=request.models, refused=refused)
            switched = InForce(request.epoch, request.digests)
            await leader.write([in_force(switched), phase(Phase(request.number, SWITCH))])
        if self._is_in(SWITCH):
            cuts = [said[CUT] for said in await self._said(request, SWITCH, HITS.name)]
            await asyncio.to_thread(set_vocabulary, self._client, self._models().models, self._settings)
            await leader.let_pass(request.number, TABLE_OF)
            since = since_of(self._settings.ttl_days, wall_ms())
            await leader.write([phase(Phase(request.number, REMAKE, cuts, (since.hits, since.transitions)))])
        assert known.phase is not None, "only this worker ends it"
        since, counts = Since(*known.phase.since), Counter[str]()
        for said in await self._said(request, REMAKE, EVIDENCE.name):
            counts.update(said)
        await leader.let_pass(request.number, TABLE_OF)
        return Receipt(
            number=request.number,
            models=request.models,
            hits=counts["hits"],
            hits_since=since.hits,
            remembered=counts["remembered"],
            transitions_since=since.transitions,
            withdrawn=counts["withdrawn"],
            said=counts["said"],
            by_model={
                key.removeprefix(OF_MODEL): count
                for key, count in sorted(counts.items())
                if key.startswith(OF_MODEL)
            },
            seconds=round(perf_counter() - began, 3),
        )

    async def _prepare(self, request: Request) -> str:
        """Why it cannot be done; nothing has happened then."""
        assert self._known.in_force is not None
        if refused := refusal(request.models, self._known.in_force.digests, request.digests):
            return refused
        await self._leader.write([phase(Phase(request.number, PREPARE))])
        differing: set[str] = set()
        for topic in (HITS.name, EVIDENCE.name):
            for said in await self._said(request, PREPARE, topic):
                differing.update(said)
        names = ", ".join(sorted(differing))
        return names and f"{names}: not the same in the files of all workers as where this was asked"

    def _is_in(self, name: str) -> bool:
        return self._known.phase is not None and self._known.phase.name == name

    async def _said(self, request: Request, name: str, topic: str) -> list[dict[str, int]]:
        """What the owners of all partitions say, once they have done their part."""
        count, parts = self._leader.transport.partitions(topic), self._known.parts
        wanted = [Part(request.number, name, topic, partition) for partition in range(count)]
        await self._leader.until(lambda: all(part in parts for part in wanted))
        return [parts[part] for part in wanted]
