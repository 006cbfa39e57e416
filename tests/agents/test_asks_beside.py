"""What a running pipeline asks its own store holds up no rows: it goes over another connection than theirs."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import pytest

from agents.live import Live
from agents.worker import Worker
from pipeline.settings import Settings
from pipeline.store.client import Client
from pipeline.transport.kafka.topics import TopicAdmin

QUESTIONS = ("lifetime_values", "acquisition_costs", "toInt64(sum(hits)) FROM ledger")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Client]:
    """Who was asked each question last."""
    found: dict[str, Client] = {}
    query = Client.query

    def noting(self: Client, sql: str, *arguments: Any) -> Any:
        found.update({question: self for question in QUESTIONS if question in sql})
        return query(self, sql, *arguments)

    monkeypatch.setattr(Client, "query", noting)
    monkeypatch.setattr("agents.beside.LOOK_SECONDS", 0.05)
    return found


async def until_all_are_asked(asked: dict[str, Client]) -> None:
    async with asyncio.timeout(60):
        while len(asked) < len(QUESTIONS):
            await asyncio.sleep(0.05)


async def test_in_one_process(asked: dict[str, Client], tmp_path: Path) -> None:
    live = Live(Settings(data=str(tmp_path), listen="127.0.0.1:0", partitions=1))
    asked.clear()
    await live.start()
    await until_all_are_asked(asked)
    await live.stop()
    assert live.embedded.client not in asked.values()


async def test_by_one_of_several_workers(asked: dict[str, Client], broker: str, tmp_path: Path) -> None:
    settings = Settings(
        broker=f"kafka://{broker}",
        broker_prefix=f"t{uuid.uuid4().hex[:12]}",
        broker_replication=1,
        partitions=1,
        data=str(tmp_path),
    )
    async with TopicAdmin(settings) as admin:
        await admin.create()
    worker = Worker(settings, ["store"])
    await worker.start()
    asked.clear()
    await until_all_are_asked(asked)
    writes = worker._sink()._client
    await worker.stop()
    assert writes not in asked.values()
