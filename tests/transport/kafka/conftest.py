"""Settings for the tests of this folder, and a look at what each leaves open."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest

from pipeline.settings import Settings


@pytest.fixture
def settings(broker: str) -> Settings:
    """With a namespace of its own in the cluster."""
    return Settings(
        broker=f"kafka://{broker}",
        broker_prefix=f"t{uuid.uuid4().hex[:12]}",
        broker_replication=1,
        partitions=2,
        worker_lost_seconds=6,
    )


@pytest.fixture(autouse=True)
async def _nothing_stays_open() -> AsyncIterator[None]:
    """A connection that is left open fails the test that left it, not whichever runs when it is collected."""
    yield
    watched = asyncio.get_running_loop()._selector.get_map()  # type: ignore[attr-defined]
    try:
        async with asyncio.timeout(5):
            while len(watched) > 1:  # the loop itself has one
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"left open: {[key.data for key in watched.values()]}")
