"""A worker in this process, on a real broker: what it lets go of when it stops, and in which order."""

import uuid
from pathlib import Path

import pytest

from agents.worker import Worker
from pipeline.settings import Settings
from pipeline.transport.kafka.control import Control
from pipeline.transport.kafka.topics import TopicAdmin


@pytest.fixture
async def settings(broker: str, tmp_path: Path) -> Settings:
    settings = Settings(
        broker=f"kafka://{broker}",
        broker_prefix=f"t{uuid.uuid4().hex[:12]}",
        broker_replication=1,
        partitions=2,
        data=str(tmp_path),
        listen="127.0.0.1:0",
    )
    async with TopicAdmin(settings) as admin:
        await admin.create()
    return settings


async def test_partitions_are_given_up_before_the_control_topic(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is being taken up asks it, and would wait ten seconds for an answer."""
    held: list[int] = []
    stop = Control.stop

    async def noting(self: Control) -> None:
        held.append(len(worker.transport.owning.partitions) + len(worker.transport.owning._tasks))
        await stop(self)

    monkeypatch.setattr(Control, "stop", noting)
    worker = Worker(settings, ["counters"])
    await worker.start()
    await worker.stop()
    assert held == [0]
