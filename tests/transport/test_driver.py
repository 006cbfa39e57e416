"""The driver under a real Faust app on a real file: batches in order, one in flight, ticks, restarts."""

import asyncio
from pathlib import Path

import pytest
from faust.tables import TableManager

from pipeline.transport import driver
from pipeline.transport.batch import Batch
from pipeline.transport.driver import Transport
from pipeline.transport.ending import Ending
from pipeline.transport.log import Log
from tests.transport.driver_kit import Recorder, append, running, until


@pytest.fixture
def log(tmp_path: Path) -> Log:
    opened = Log(tmp_path / "a %20 place?#" / "masir.db")
    for topic in ("hits", "evidence"):
        opened.create_topic(topic, partitions=3, retention_ms=0)
    return opened


async def test_no_second_is_slept_at_the_start(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(tables: TableManager, seconds: float) -> None:
        pytest.fail(f"Faust sleeps {seconds} s for tables")

    monkeypatch.setattr(TableManager, "sleep", sleep)
    hop = Recorder()
    append(log, 1)
    async with running(log, hop):
        await until(lambda: len(hop.batches) == 1)


async def test_faust_leaves_no_directories_where_it_is_started(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started here"
    started.mkdir()
    monkeypatch.chdir(started)
    hop = Recorder()
    async with running(log, hop):
        append(log, 1)
        await until(lambda: len(hop.batches) == 1)
    assert list(started.iterdir()) == []


async def test_what_was_there_and_what_comes_arrives_once_in_order(log: Log) -> None:
    append(log, 10)
    append(log, 5, partition=2)
    hop = Recorder()
    async with running(log, hop):
        await until(lambda: len(hop.values()) == 10)
        for _ in range(20):
            append(log, 3)
            await asyncio.sleep(0)
        await until(lambda: len(hop.values()) == 70)
    assert hop.values() == [b"%d" % n for n in range(70)]
    assert hop.values(2) == [b"%d" % n for n in range(5)]
    for batch in hop.batches:
        assert len(batch.values) == len(batch.offsets) == len(batch.timestamps)
        assert batch.next_offset == batch.offsets[-1] + 1
    assert log.committed("test") == {("hits", 0): 70, ("hits", 2): 5}


async def test_a_batch_has_at_most_so_many_records_and_says_when_it_is_the_last(log: Log) -> None:
    for _ in range(10):
        append(log, 4)
    hop = Recorder()

    def configure(transport: Transport) -> None:
        transport.most_records = 12

    async with running(log, hop, configure=configure):
        await until(lambda: len(hop.values()) == 40)
    assert [len(batch.values) for batch in hop.batches] == [12, 12, 12, 4]
    assert [batch.is_caught_up for batch in hop.batches] == [False, False, False, True]


async def test_one_batch_of_a_partition_is_in_flight_until_it_is_released(log: Log) -> None:
    append(log, 1)
    hop = Recorder(pause=0.15)
    async with running(log, hop):
        await until(lambda: hop.is_busy)
        for _ in range(3):
            append(log, 1)
            await asyncio.sleep(0.01)
        await until(lambda: len(hop.values()) == 4)
    assert [batch.values for batch in hop.batches] == [[b"0"], [b"1", b"2", b"3"]]


async def test_an_idle_partition_gives_ticks_and_one_with_records_none(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "TICK_SECONDS", 0.1)
    hop = Recorder()
    append(log, 1)
    async with running(log, hop):
        await until(lambda: all([tick.partition for tick in hop.ticks].count(p) >= 3 for p in range(3)))
    assert all(tick.is_caught_up and not tick.is_final for tick in hop.ticks)
    assert {tick.next_offset for tick in hop.ticks if tick.partition == 0} == {1}
    assert [batch.partition for batch in hop.batches] == [0]
    assert log.committed("test") == {("hits", 0): 1}


async def test_few_records_wait_for_more(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "LINGER_SECONDS", 100.0)
    monkeypatch.setattr(driver, "TICK_SECONDS", 100.0)
    monkeypatch.setattr(driver, "FEW_RECORDS", 3)
    hop = Recorder()
    append(log, 1)
    async with running(log, hop):
        await until(lambda: len(hop.values()) == 1)  # the first does not wait
        append(log, 2)
        await asyncio.sleep(10 * driver.POLL_SECONDS)
        assert len(hop.values()) == 1
        append(log, 1)
        await until(lambda: len(hop.values()) == 4)
        monkeypatch.setattr(driver, "LINGER_SECONDS", 0.0)
        append(log, 1)
        await until(lambda: len(hop.values()) == 5)
    assert [len(batch.values) for batch in hop.batches] == [1, 3, 1]


async def test_records_that_an_agent_gathers_wait_for_no_more(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "LINGER_SECONDS", 100.0)
    hop = Recorder()

    def configure(transport: Transport) -> None:
        transport.gathered = {"hits"}

    async with running(log, hop, configure=configure):
        for count in range(1, 4):
            append(log, 1)
            await until(lambda count=count: len(hop.values()) == count)  # type: ignore[misc]


async def test_of_a_bounded_input_none_waits_for_more(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "LINGER_SECONDS", 100.0)
    hop = Recorder()

    def configure(transport: Transport) -> None:
        transport.ending = Ending({"hits": 3}, lambda: False)

    async with running(log, hop, configure=configure):
        for count in range(1, 4):
            append(log, 1)
            await until(lambda count=count: len(hop.values()) == count)  # type: ignore[misc]


async def test_records_that_another_process_appends_are_seen_soon(log: Log) -> None:
    hop = Recorder()
    async with running(log, hop):
        await until(lambda: len(hop.ticks) > 0)
        other = Log(log.path)
        append(other, 2, partition=1)
        await until(lambda: len(hop.values(1)) == 2)
        other.close()


async def test_a_restart_goes_on_at_the_committed_offset(log: Log) -> None:
    """Stopped again and again while it works: no record is lost, none comes twice, each has its output."""
    seen: list[bytes] = []
    for n in range(6):
        append(log, 50)
        hop = Recorder(pause=0.01)

        def configure(transport: Transport) -> None:
            transport.most_records = 7

        async with running(log, hop, configure=configure):
            await until(lambda hop=hop: len(hop.values()) >= 10)  # type: ignore[misc]
        seen += hop.values()
        assert log.committed("test")["hits", 0] == len(seen) >= 10 * (n + 1)
    assert seen == [b"%d" % n for n in range(len(seen))]
    assert b",".join(log.read("out", 0, 0, most=10_000).values).split(b",") == seen


async def test_a_hop_that_raises_stops_the_line_and_commits_nothing(log: Log) -> None:
    class Poisoned(Recorder):
        async def handle(self, batch: Batch) -> None:
            if b"3" in batch.values:
                raise ValueError("poison")
            await super().handle(batch)

    hop, crashes = Poisoned(), list[Exception]()

    def configure(transport: Transport) -> None:
        transport.most_records = 1

    for _ in range(5):
        append(log, 1)
    async with running(log, hop, configure=configure, on_crash=crashes.append):
        await until(lambda: bool(crashes))
        append(log, 1, partition=1)
        await asyncio.sleep(0.2)
    assert [str(crash) for crash in crashes] == ["poison"]
    assert hop.values() == [b"0", b"1", b"2"]
    assert hop.values(1) == [], "nothing more is handled, of any partition"
    assert log.committed("test") == {("hits", 0): 3}
    again = Recorder()
    async with running(log, again):
        await until(lambda: len(again.values()) == 2)
    assert again.values() == [b"3", b"4"], "the batch is there for the next start"


async def test_two_topics_and_two_agents_each_have_their_own(log: Log) -> None:
    append(log, 2)
    append(log, 3, topic="evidence", partition=1)
    hop = Recorder()
    async with running(log, hop, "hits", "evidence"):
        await until(lambda: len(hop.batches) == 2)
    assert {(batch.topic, batch.partition, len(batch.values)) for batch in hop.batches} == {
        ("hits", 0, 2),
        ("evidence", 1, 3),
    }


async def test_a_bounded_input_ends_with_a_final_batch_of_each_partition(log: Log) -> None:
    append(log, 4)
    hop, has_ended = Recorder(), False
    endings: list[Ending] = []

    def configure(transport: Transport) -> None:
        transport.ending = Ending({"hits": 3, "evidence": 3}, lambda: has_ended)
        endings.append(transport.ending)

    async with running(log, hop, "hits", "evidence", configure=configure):
        await until(lambda: len(hop.values()) == 4)
        append(log, 1)
        has_ended = True
        await until(lambda: endings[0].is_over)
    assert len(hop.values()) == 5
    finals = [(tick.topic, tick.partition) for tick in hop.ticks if tick.is_final]
    assert sorted(finals) == [(topic, p) for topic in ("evidence", "hits") for p in range(3)]
    assert {topic for topic, _ in finals[:3]} == {"hits"}, "what is upstream ends first"


async def test_a_message_of_fausts_own_is_appended_as_a_transaction_of_its_own(log: Log) -> None:
    hop = Recorder()
    async with running(log, hop) as app:
        sent = await app.producer.send_and_wait("hits", None, b"x", 1, 12.5, None)
        assert (sent.topic, sent.partition, sent.offset) == ("hits", 1, 0)
        await until(lambda: hop.values(1) == [b"x"])


async def test_the_consumer_tells_where_it_is(log: Log) -> None:
    append(log, 3)
    hop = Recorder()
    async with running(log, hop) as app:
        await until(lambda: len(hop.values()) == 3)
        consumer = app.consumer
        (first,) = [tp for tp in consumer.assignment() if tp.partition == 0]
        assert len(consumer.assignment()) == 3
        assert await consumer.highwaters(first) == {first: 3}
        assert await consumer.earliest_offsets(first) == {first: 0}
        assert await consumer.position(first) == 3
        assert consumer.topic_partitions("hits") == 3
        assert app.transport.partitions("hits") == 3
        with pytest.raises(KeyError):
            app.transport.partitions("nonesuch")
