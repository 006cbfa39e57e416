"""Settings for the tests of this folder."""

import uuid

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
