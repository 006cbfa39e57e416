"""Making the history of stage models anew from stored hits, beside the running hops of one data directory.

    evidence waits -> hits are matched by the new models, from the cut on, and their evidence says so -> rows that are
    under way arrive -> stored hits before the cut are matched and folded -> what differs from what was said is
    withdrawn and said, with the new state, in one unit of work -> evidence goes on; that of before the cut is left out

After a crash the request is still there, and starts from the beginning.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from time import perf_counter

import msgspec
from msgspec import Struct

from agents.embedded import APP, Embedded
from agents.history import History, Since, since_of
from agents.hop import wall_ms
from agents.journeys import Journeys
from agents.sessionizer import Sessionizer
from agents.store import TABLE_OF
from pipeline.core.model_check import ModelError
from pipeline.core.models import Models, changed_models
from pipeline.core.rules import Model
from pipeline.settings import Settings, SettingsError
from pipeline.store.vocabulary import set_vocabulary
from pipeline.transport.rebuilds import Request
from schemas import topics

FOLLOWING = ((topics.EVIDENCE.name,), (topics.TOUCHPOINTS.name, topics.FACTS.name), tuple(TABLE_OF))
"""What a new history leads to, hop after hop."""


class Receipt(Struct, kw_only=True):
    """What was done. ``refused``: why it was not. Rows are those of ``transitions``, of all models.

    ``hits_since``: ms; of what was before, the store has not all hits, and so many ``remembered`` touchpoints count.
    ``transitions_since``: older ones are as they were. 0: there is no such time.
    """

    number: int
    models: tuple[str, ...]
    refused: str = ""
    hits: int = 0
    hits_since: int = 0
    remembered: int = 0
    transitions_since: int = 0
    withdrawn: int = 0
    said: int = 0
    by_model: dict[str, int] = {}
    seconds: float = 0.0


def refusal(names: Collection[str], before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """Why the history of the named models cannot be made anew, if it cannot. Digests by name; before: perhaps none."""
    if unknown := set(names) - before.keys() - after.keys():
        return f"{', '.join(sorted(unknown))}: no such model; there is {', '.join(after)}"
    others = set(changed_models(before, after)) - set(names)
    if others and before:
        return f"{', '.join(sorted(others))}: changed too, and stages depend on each other; name all with --model"
    return ""


class Rebuilder:
    """One request at a time. ``on_models``: is told the models that hold from now on."""

    def __init__(
        self, embedded: Embedded, on_models: Callable[[Iterable[Model]], object] = lambda _: None
    ) -> None:
        self._embedded = embedded
        self._on_models = on_models
        self._since: dict[int, Since] = {}

    async def do_all(self) -> None:
        """Everything that is asked for now."""
        for request in self._embedded.rebuilds.pending():
            receipt = await self._do(request)
            self._embedded.rebuilds.finish(request.number, msgspec.json.encode(receipt))

    async def _do(self, request: Request) -> Receipt:
        began, embedded = perf_counter(), self._embedded
        gate = embedded.gates["journeys"]
        journeys = gate.hop
        assert isinstance(journeys, Journeys)
        models, refused = self._models_for(request, journeys)
        if models is None:
            gate.open()  # at a start the hop says itself what is wrong
            return Receipt(number=request.number, models=request.models, refused=refused)
        cut, epoch = await self._switch(request, models)
        await asyncio.to_thread(set_vocabulary, embedded.client, models.models, embedded.settings)
        await embedded.until_consumed(TABLE_OF)
        journeys.use(models)
        count, since = embedded.settings.partitions, self._since_of(request)
        kept = {partition: journeys.set_aside(partition, since.hits) for partition in range(count)}
        history = History(embedded.client, models, cut, kept, partitions=count, since=since)
        remade = await asyncio.to_thread(history.remade, journeys.next_version, journeys.watched, epoch)
        await journeys.take_back(remade)
        gate.open()
        for names in FOLLOWING:
            await embedded.until_consumed(names)
        return Receipt(
            number=request.number,
            models=request.models,
            hits=history.hits,
            hits_since=since.hits,
            remembered=history.remembered,
            transitions_since=since.transitions,
            withdrawn=history.withdrawn,
            said=history.said,
            by_model=history.by_model,
            seconds=round(perf_counter() - began, 3),
        )

    def _since_of(self, request: Request) -> Since:
        """The same when it is tried again: what was set aside is good for that."""
        return self._since.setdefault(request.number, since_of(self._embedded.settings.ttl_days, wall_ms()))

    def _models_for(self, request: Request, journeys: Journeys) -> tuple[Models | None, str]:
        """The models of the files as they are now, or why it cannot be done."""
        try:
            models = self._embedded.load_models()
        except (ModelError, SettingsError, OSError) as error:
            if request.is_begun:
                raise
            return None, str(error)
        refused = "" if request.is_begun else refusal(request.models, journeys.digests(), models.digests)
        return (None, refused) if refused else (models, "")

    async def _switch(self, request: Request, models: Models) -> tuple[list[int], int]:
        """Evidence waits, and hits are matched by these models: from where on, and what their evidence says."""
        embedded = self._embedded
        hits_gate = embedded.gates["sessionizer"]
        sessionizer = hits_gate.hop
        assert isinstance(sessionizer, Sessionizer)
        await embedded.gates["journeys"].shut()
        await hits_gate.shut()
        try:
            epoch = embedded.rebuilds.begin(request.number)
            sessionizer.use(models, epoch)
            committed = embedded.transport.log.committed(APP)
            cut = [committed.get((topics.HITS.name, at), 0) for at in range(embedded.settings.partitions)]
        finally:
            hits_gate.open()
        embedded.models = models
        self._on_models(models.models)
        return cut, epoch


async def rebuild(settings: Settings) -> None:
    """Do what is asked for, in a data directory that nothing runs on."""
    embedded = Embedded(settings)
    try:
        await embedded.start()
        await embedded.run_until(asyncio.ensure_future(Rebuilder(embedded).do_all()))
    finally:
        await embedded.stop()
        embedded.close()
