"""Units of work as transactions, against a real broker: all or nothing, in order, and only by the present owner."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from faust.types import TP

from pipeline.settings import Settings
from pipeline.transport.kafka import transactions as module
from pipeline.transport.kafka.connection import client_options
from pipeline.transport.kafka.memory import KafkaJournal, KafkaState, Memory
from pipeline.transport.kafka.names import STORES, Names
from pipeline.transport.kafka.offsets import Offsets
from pipeline.transport.kafka.restore import read_all, restore
from pipeline.transport.kafka.topics import TopicAdmin
from pipeline.transport.kafka.transactions import PartitionLostError, Sent, Transactions


class Bench:
    """Partition 0 of ``facts``, whose reader keeps its state by key."""

    def __init__(self, settings: Settings) -> None:
        self.names, self.options = Names(settings.broker_prefix), client_options(settings)
        self.source = TP(self.names.topic("facts"), 0)
        self.rows = (self.names.topic("counters"), 0)
        self.offsets = Offsets(self.names.group, self.options)
        self.committed: list[int] = []
        self.lost: list[BaseException] = []
        self._open: list[Transactions] = []

    async def transactions(self) -> Transactions:
        one = self.not_started()
        await one.start()
        self._open.append(one)
        return one

    def not_started(self) -> Transactions:
        return Transactions(
            TopicPartition(*self.source),
            transactional_id=self.names.transactional_id("facts", 0),
            group=self.names.group,
            options=self.options,
            on_commit=self.committed.append,
            on_lost=self.lost.append,
        )

    def sent(self, *values: bytes) -> Sent:
        """To the rows."""
        return {self.rows: [(None, value) for value in values]}

    def state(self) -> KafkaState:
        return KafkaState(self.names.topic("counters_state"))

    async def written(self) -> list[bytes]:
        await self._until_readable(TP(*self.rows))
        return [record.value for record in await read_all(TopicPartition(*self.rows), self.options)]

    async def restored(self, name: str) -> Memory:
        (store,) = (store for store in STORES if store.name == name)
        await self._until_readable(TP(self.names.topic(store.topic_name), 0))
        return await restore(store, self.names, 0, self.options)

    async def _until_readable(self, tp: TP) -> None:
        """What is committed can be read a moment later: a new owner waits for that when it starts."""
        async with asyncio.timeout(20):
            while await self.offsets.ends({tp}) != await self.offsets.written({tp}):
                await asyncio.sleep(0.02)

    async def committed_offset(self) -> int:
        """As a new owner finds it: its start waits for the end of what the old one has committed."""
        await self.transactions()
        return (await self.offsets.committed({self.source}))[self.source]

    async def close(self) -> None:
        for one in self._open:
            await one.close()
        await self.offsets.stop()


@pytest.fixture
async def bench(settings: Settings) -> AsyncIterator[Bench]:
    async with TopicAdmin(settings) as admin:
        await admin.create()
    bench = Bench(settings)
    await bench.offsets.start()
    yield bench
    await bench.close()


async def test_outputs_state_and_offset_together(bench: Bench) -> None:
    one, state = await bench.transactions(), bench.state()
    state["a"] = b"1"
    await one.submit(bench.sent(b"r1", b"r2"), [state], 7)
    await one.drain()
    assert await bench.written() == [b"r1", b"r2"]
    assert dict(await bench.restored("counters")) == {"a": b"1"}  # type: ignore[call-overload]
    assert await bench.committed_offset() == 7
    assert bench.committed == [7]


async def test_units_that_come_while_one_is_under_way_share_the_next_transaction(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, state, begun = await bench.transactions(), bench.state(), 0
    begin = one._producer.begin_transaction

    async def counted() -> None:
        nonlocal begun
        begun += 1
        await begin()

    monkeypatch.setattr(one._producer, "begin_transaction", counted)
    for number in range(6):
        state["k"] = b"%d" % number
        await one.submit(bench.sent(b"%d" % number), [state], number + 1)
        await asyncio.sleep(0)  # the first one begins
    await one.drain()
    assert begun == 2
    assert bench.committed == [1, 6]
    assert await bench.written() == [b"%d" % number for number in range(6)]
    assert dict(await bench.restored("counters")) == {"k": b"5"}  # type: ignore[call-overload]


async def test_whoever_is_too_fast_waits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    one, go = await bench.transactions(), asyncio.Event()
    monkeypatch.setattr(one._producer, "begin_transaction", go.wait)
    for number in range(module.MOST_UNITS + 1):
        await one.submit({}, [], number)
        await asyncio.sleep(0)  # the first one begins
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await one.submit({}, [], 99)


async def test_it_is_behind_while_a_unit_waits_for_the_transaction_of_another(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, go = await bench.transactions(), asyncio.Event()
    begin = one._producer.begin_transaction

    async def later() -> None:
        await go.wait()
        await begin()

    monkeypatch.setattr(one._producer, "begin_transaction", later)
    await one.submit(bench.sent(b"first"), [], 1)
    await asyncio.sleep(0)
    assert not one.is_behind, "the first is being committed"
    await one.submit(bench.sent(b"second"), [], 2)
    assert one.is_behind
    go.set()
    await one.drain()
    assert not one.is_behind


async def test_a_unit_of_nothing_is_no_transaction(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await bench.transactions()
    monkeypatch.setattr(one._producer, "begin_transaction", None)
    await one.submit({}, [bench.state()], None)
    await one.drain()
    assert bench.lost == []


async def test_a_new_owner_shuts_the_old_one_out(bench: Bench) -> None:
    old, state = await bench.transactions(), bench.state()
    await old.submit(bench.sent(b"before"), [], 1)
    await old.drain()
    await bench.transactions()
    state["a"] = b"stale"
    await old.submit(bench.sent(b"of a zombie"), [state], 2)
    with pytest.raises(PartitionLostError):
        await old.drain()
    with pytest.raises(PartitionLostError):
        await old.submit({}, [], 3)
    assert len(bench.lost) == 1
    assert await bench.written() == [b"before"]
    assert await bench.committed_offset() == 1
    assert dict(await bench.restored("counters")) == {}  # type: ignore[call-overload]


async def test_what_an_owner_left_unfinished_is_aborted(bench: Bench) -> None:
    old = await bench.transactions()
    await old._producer.begin_transaction()
    for pending in await old._send(*bench.rows, [(None, b"half done")]):
        await pending
    new = await bench.transactions()
    await new.submit(bench.sent(b"whole"), [], 1)
    await new.drain()
    assert await bench.written() == [b"whole"]


async def test_a_record_that_is_not_taken_stops_the_commit(bench: Bench) -> None:
    """aiokafka would commit without it: offsets would be ahead of the outputs."""
    one = await bench.transactions()
    too_large = bytes(module.MAX_REQUEST_BYTES + 2 * 1024**2)
    await one.submit(bench.sent(b"small", too_large), [], 5)
    with pytest.raises(PartitionLostError):
        await one.drain()
    assert await bench.committed_offset() == -1
    assert await bench.written() == []


async def test_many_records_of_one_unit(bench: Bench) -> None:
    one = await bench.transactions()
    values = [b"%06d" % n + bytes(200) for n in range(20_000)]  # several batches
    await one.submit(bench.sent(*values), [], 1)
    await one.drain()
    assert await bench.written() == values


async def test_a_journal_is_read_back_and_cut(bench: Bench) -> None:
    one, journal = await bench.transactions(), KafkaJournal(bench.names.topic("journeys_journal"))
    for number in range(4):
        journal.add(b"%d" % number, needed=max(0, number - 1))
        await one.submit({}, [journal], number + 1)
        await one.drain()
    before = journal.take_deletable()
    assert before is not None
    await bench.offsets.delete({TP(journal.topic, 0): before})
    source = TopicPartition(journal.topic, 0)
    assert [record.value for record in await read_all(source, bench.options)] == [b"2", b"3"]
    restored = await bench.restored("journeys")
    assert isinstance(restored, KafkaJournal)
    assert restored.next == 4
    assert list(restored.entries()) == [(2, b"2"), (3, b"3")]


async def test_what_is_lost_while_it_is_restored_is_not_read_to_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, state = await bench.transactions(), bench.state()
    for number in range(100):
        state[f"{number}"] = random.randbytes(100_000)
    await one.submit({}, [state], 1)
    await one.drain()
    (store,) = (store for store in STORES if store.name == "counters")
    checks = 0

    def check() -> None:
        nonlocal checks
        checks += 1
        if checks == 2:
            raise PartitionLostError("for the test")

    fetches, take_up = 0, KafkaState.take_up

    def counting(state: KafkaState, records: list[Any]) -> None:
        nonlocal fetches
        fetches += bool(records)
        take_up(state, records)

    monkeypatch.setattr(KafkaState, "take_up", counting)
    with pytest.raises(PartitionLostError):
        await restore(store, bench.names, 0, bench.options, check=check)
    assert fetches == 1, "and ten megabytes take two"


REACHED: dict[str, Callable[[AIOKafkaProducer], object]] = {
    "nothing": lambda _: True,
    "connected": lambda producer: producer.client.cluster.brokers(),
    "coordinator found": lambda producer: producer._sender._coordinators,
}


@pytest.mark.parametrize("step", REACHED)
async def test_closed_while_it_starts_it_shuts_nobody_out(bench: Bench, step: str) -> None:
    """As when a rebalance takes a partition that is being taken up: the next owner may have started already."""
    one = bench.not_started()
    starting = asyncio.create_task(one.start())
    async with asyncio.timeout(20):
        while not REACHED[step](one._producer):
            await asyncio.sleep(0)
    await one.close()
    await asyncio.wait([starting])
    assert isinstance(starting.exception(), PartitionLostError)
    assert one._producer._txn_manager.producer_id == -1, "it was never given one"
    client = one._producer.client
    assert not client._sync_task
    assert not [conn for conn in client._conns.values() if conn.connected()]


async def test_a_rebalance_waits_for_one_that_starts(bench: Bench) -> None:
    one = bench.not_started()
    starting = asyncio.create_task(one.start())
    await asyncio.sleep(0)
    await one.drain()
    assert one._producer._txn_manager.has_pid()
    await starting
    await one.close()
