"""The collector's way in: durable in the right partition when it returns, or said not to be."""

import asyncio
from pathlib import Path
from zlib import crc32

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from pipeline.collector.publisher import Unavailable
from pipeline.settings import Settings
from pipeline.sources.replay import Answer
from pipeline.sources.targets import open_target
from pipeline.transport.kafka import publish
from pipeline.transport.kafka.connection import BrokerError, client_options
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.publish import KafkaPublisher, append_hits
from pipeline.transport.kafka.restore import read_all
from pipeline.transport.kafka.topics import TopicAdmin
from tests.kafka_broker import running_brokers
from tests.transport.kafka.usurper import usurped

NOW = 1_790_812_800_000


async def publisher_of(settings: Settings, *, starts: bool = True) -> KafkaPublisher:
    async with TopicAdmin(settings) as admin:
        await admin.create()
    names = Names(settings.broker_prefix)
    publisher = KafkaPublisher(names, settings.partitions, client_options(settings), now_ms=lambda: NOW)
    if starts:
        await publisher.start()
    return publisher


async def counted(publisher: KafkaPublisher, hits: int) -> None:
    """Until they are, and nothing is counted twice."""
    async with asyncio.timeout(20):
        while (publisher._backlog, publisher.backlog()) != (hits, hits):
            await asyncio.sleep(0.05)


async def test_records_are_in_the_partition_of_their_key_with_their_time(settings: Settings) -> None:
    publisher = await publisher_of(settings)
    records = [(b"k%d" % (n % 7), b"v%d" % n) for n in range(50)] + [(b"", b"no key"), (b"", b"nor this")]
    await publisher.publish(records)
    for partition in range(settings.partitions):
        source = TopicPartition(Names(settings.broker_prefix).topic("hits"), partition)
        found = await read_all(source, client_options(settings))
        mine = [(k, v) for k, v in records if crc32(k or v) % settings.partitions == partition]
        assert [(record.key or b"", record.value) for record in found] == mine, "all of them, in their order"
        assert {record.timestamp for record in found} == {NOW}
    await publisher.stop()


async def test_more_than_one_batch(settings: Settings) -> None:
    publisher = await publisher_of(settings)
    await publisher.publish([(b"k", bytes(60_000)) for _ in range(40)])
    source = TopicPartition(Names(settings.broker_prefix).topic("hits"), crc32(b"k") % settings.partitions)
    assert len(await read_all(source, client_options(settings))) == 40
    await publisher.stop()


async def test_backlog(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "BACKLOG_SECONDS", 0.1)
    publisher = await publisher_of(settings)
    assert publisher.backlog() == 0
    await publisher.publish([(b"k%d" % n, b"v") for n in range(30)])
    assert publisher.backlog() >= 30, "known at once"
    await counted(publisher, 30)
    await publisher.stop()


@pytest.mark.parametrize("error", [KafkaConnectionError("busy"), KeyError("not foreseen")])
async def test_the_backlog_is_counted_although_the_first_try_failed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Else each hit would count as waiting, and the collector would take none any more in the end."""
    monkeypatch.setattr(publish, "BACKLOG_SECONDS", 0.1)
    publisher = await publisher_of(settings, starts=False)
    tries, start = [], AIOKafkaAdminClient.start

    async def at_the_second_try(admin: AIOKafkaAdminClient) -> None:
        tries.append(admin)
        if len(tries) == 1:
            raise error
        await start(admin)

    monkeypatch.setattr(AIOKafkaAdminClient, "start", at_the_second_try)
    await publisher.start()
    await publisher.publish([(b"k", b"v")] * 5)
    await counted(publisher, 5)
    assert len(tries) == 2
    await publisher.stop()


async def test_hits_of_an_operator(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "OPERATORS_HITS", 2)
    async with TopicAdmin(settings) as admin:
        await admin.create()
    hits = [b'{"site":"shop","event":"e","visitor_id":"v%d"}' % n for n in range(5)]
    await append_hits(settings, hits, now_ms=NOW)
    topic, found = Names(settings.broker_prefix).topic("hits"), []
    for partition in range(settings.partitions):
        records = await read_all(TopicPartition(topic, partition), client_options(settings))
        assert {crc32(record.key) % settings.partitions for record in records} <= {partition}
        found += [record.value for record in records]
    assert sorted(found) == hits
    with pytest.raises(BrokerError):
        await append_hits(msgspec.structs.replace(settings, broker="kafka://127.0.0.1:1"), hits, now_ms=NOW)


async def test_a_broker_that_dies_and_comes_back(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "REQUEST_MS", 1_500)
    with running_brokers(tmp_path, 1) as brokers:
        mine = msgspec.structs.replace(settings, broker=f"kafka://{brokers.address}")
        publisher = await publisher_of(mine)
        await publisher.publish([(b"k", b"before")])
        unit = await usurped(mine)
        brokers.nodes[0].kill()
        await unit.submit({(Names(mine.broker_prefix).topic("counters"), 0): [(None, b"lost")]}, [], 1)
        await asyncio.sleep(0.5)  # it is on its way
        async with asyncio.timeout(15):
            await unit.close()
        assert unit._producer._sender.sender_task.done(), "nobody goes on looking for the broker"
        with pytest.raises((Unavailable, TimeoutError)):
            async with asyncio.timeout(3):  # as the collector does
                await publisher.publish([(b"k", b"while it is away")])
        await asyncio.to_thread(brokers.nodes[0].start)  # the loop goes on meanwhile, as a collector's does
        async with asyncio.timeout(60):
            while True:
                try:
                    async with asyncio.timeout(3):
                        await publisher.publish([(b"k", b"after")])
                    break
                except (Unavailable, TimeoutError):
                    await asyncio.sleep(0.2)
        source = TP(Names(mine.broker_prefix).topic("hits"), crc32(b"k") % mine.partitions)
        found = [record.value for record in await read_all(TopicPartition(*source), client_options(mine))]
        assert found[0] == b"before"
        assert set(found[1:]) == {b"after"}, "what was answered as not taken is not sent later"
        await publisher.stop()


async def test_a_replay_goes_to_the_topic(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASIR_BROKER_PREFIX", settings.broker_prefix)
    monkeypatch.setenv("MASIR_PARTITIONS", str(settings.partitions))
    publisher = await publisher_of(settings, starts=False)
    await publisher.stop()
    hits = [
        msgspec.json.encode({"site": "shop", "visitor_id": f"v{n}", "event": "page_view", "hit_id": f"h{n}"})
        for n in range(20)
    ]
    async with open_target(settings.broker) as target:
        assert await target.send([*hits, b"broken"]) == Answer(20, 1)
    found = []
    for partition in range(settings.partitions):
        source = TopicPartition(Names(settings.broker_prefix).topic("hits"), partition)
        for record in await read_all(source, client_options(settings)):
            assert crc32(record.key or record.value) % settings.partitions == partition
            found.append(record.value)
    assert sum(b'"received_time"' in value for value in found) == 20
    assert b"broken" in found, "a dead letter, as a collector's"


async def test_a_replay_to_nobody_says_so() -> None:
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1"):
        async with open_target("kafka://127.0.0.1:1"):
            pass
