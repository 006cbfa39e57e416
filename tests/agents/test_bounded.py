"""Bounded input that is told to stop."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from agents.bounded import process
from agents.embedded import Embedded
from pipeline.settings import Settings


async def test_a_stop_that_the_start_has_swallowed_is_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(*_: object) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)

    monkeypatch.setattr(Embedded, "start", start)
    processing = asyncio.create_task(
        process(Settings(data=str(tmp_path / "d")), [], with_store=lambda *_: pytest.fail("it went on"))
    )
    with pytest.raises(asyncio.CancelledError):
        await processing
