"""Which models a worker may match by, which of its partitions wait, and from where on hits are matched by new ones."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from agents import shared_models
from agents.sessionizer import Sessionizer
from agents.shared_models import SharedModels
from pipeline.core.models import Models, load
from pipeline.model_files import builtin_texts
from pipeline.settings import Settings, SettingsError
from pipeline.transport.kafka.known_models import KnownModels
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.partition import KafkaBatch, Partition
from schemas.rebuild import PREPARE, REMAKE, SWITCH, InForce, Part, Phase, Request

OLD = load(builtin_texts())
NEW = load({name: text for name, text in builtin_texts().items() if name != "buyer3.toml"})
ASKED = Request(7, ("buyer3",), NEW.digests)


class World:
    """A worker with hits and evidence 0, and what it writes to the topic of erasures."""

    def __init__(self, models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
        self.known = KnownModels()
        self.files = OLD
        self.submitted: list[Any] = []
        names = Names("t")
        control: Any = SimpleNamespace(models=self.known, check=self._check)
        self.ended_with: Exception | None = None
        transport: Any = SimpleNamespace(cluster=SimpleNamespace(names=names))
        monkeypatch.setattr(shared_models, "load_models", lambda _: self.files)
        self.models = SharedModels(Settings(), transport, control, models, None)
        self.partition: Callable[[str], Partition] = lambda topic: Partition(TP(names.topic(topic), 0))

    def _check(self) -> None:
        if self.ended_with is not None:
            raise self.ended_with

    def batch(self, owner: Partition, *, first: int | None = None) -> KafkaBatch:
        """Three records, or a tick at the same place."""

        async def submit(*unit: Any) -> None:
            self.submitted.append(unit)

        transactions: Any = SimpleNamespace(submit=submit)
        owner.transactions = transactions
        batch: Any = SimpleNamespace(
            owner=owner, partition=0, is_tick=first is None, next_offset=9, offsets=[first, 8]
        )
        return batch  # type: ignore[no-any-return]


class Matching(Sessionizer):
    """Notes what it is told to match by."""

    def __init__(self) -> None:
        self.epoch, self.using = 0, OLD

    @property
    def models(self) -> Models:
        return self.using

    def use(self, models: Models, epoch: int = 0) -> None:
        self.using, self.epoch = models, epoch


def test_before_anybody_has_said_so_all_models_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(NEW, monkeypatch)
    assert world.models.check()
    assert not world.models.is_held(world.partition("hits"))


def test_other_files_are_refused_and_those_that_were_asked_for_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(NEW, monkeypatch)
    world.files, world.known.in_force = NEW, InForce(0, OLD.digests)
    with pytest.raises(SettingsError, match="masir rebuild --model buyer3"):
        world.models.check()
    world.known.requests["one"] = ASKED
    assert not world.models.check()
    held = [
        topic
        for topic in ("hits", "evidence", "facts", "hit_rows")
        if world.models.is_held(world.partition(topic))
    ]
    assert held == ["hits", "evidence"]
    world.known.in_force = InForce(8, NEW.digests)
    assert world.models.check()
    assert not world.models.is_held(world.partition("hits"))


def test_a_worker_takes_the_files_up_when_they_come_into_force(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(OLD, monkeypatch)
    world.known.in_force, world.files = InForce(0, OLD.digests), NEW
    assert world.models.check()
    assert world.models.models is OLD, "changed files alone change nothing"
    world.known.in_force = InForce(8, NEW.digests)
    assert world.models.is_held(world.partition("hits")), "until it has read them"
    assert world.models.check()
    assert world.models.models is NEW
    world.known.in_force = InForce(9, OLD.digests)
    with pytest.raises(SettingsError, match="buyer3"):
        world.models.check()


def test_evidence_waits_until_it_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(OLD, monkeypatch)
    evidence, hits = world.partition("evidence"), world.partition("hits")
    for phase in (PREPARE, SWITCH, REMAKE):
        world.known.phase = Phase(7, phase)
        assert (world.models.is_held(evidence), world.models.is_held(hits)) == (True, False)
    world.known.parts[Part(7, REMAKE, "evidence", 1)] = {}
    assert world.models.is_held(evidence), "another one is"
    world.known.parts[Part(7, REMAKE, "evidence", 0)] = {}
    assert not world.models.is_held(evidence)


@pytest.mark.parametrize(("first", "cut"), [(4, 4), (None, 9)])
async def test_hits_are_matched_anew_from_the_next_batch_on_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, first: int | None, cut: int
) -> None:
    world, matching = World(OLD, monkeypatch), Matching()
    world.known.in_force, world.known.phase = InForce(0, OLD.digests), Phase(7, PREPARE)
    owner = world.partition("hits")
    await world.models.before(matching, world.batch(owner, first=first))
    assert (world.submitted, matching.epoch) == ([], 0)
    world.files = NEW
    world.known.in_force, world.known.phase = InForce(8, NEW.digests), Phase(7, SWITCH)
    await world.models.before(matching, world.batch(owner, first=first))
    await world.models.before(matching, world.batch(owner, first=20))
    assert (matching.models, matching.epoch) == (NEW, 8)
    ((sent, stores, offset),) = world.submitted
    again = KnownModels()
    for key, value in sent["t.erasures", 0]:
        again.take(SimpleNamespace(key=key, value=value, offset=0))
    assert (again.parts, stores, offset) == ({Part(7, SWITCH, "hits", 0): {"cut": cut}}, [], None)
    await world.models.before(matching, world.batch(world.partition("hits"), first=20))
    assert len(world.submitted) == 2, "the next owner does not know of it"
    world.known.parts = again.parts
    await world.models.before(Matching(), world.batch(world.partition("hits"), first=30))
    assert len(world.submitted) == 2, "and this one does"


async def test_a_control_topic_that_cannot_be_read_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    world, told = World(OLD, monkeypatch), list[Exception]()
    world.ended_with = ValueError("for the test")
    await world.models.watch(told.append)
    assert told == [world.ended_with]
