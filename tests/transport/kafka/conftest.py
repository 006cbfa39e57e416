"""A real Kafka for the tests of this folder: one broker, started once, or the one that ``MASIR_TEST_KAFKA`` names."""

import uuid
from collections.abc import Iterator

import pytest

from pipeline.settings import Settings
from tests.kafka_broker import running_broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT."""
    with running_broker(tmp_path_factory.mktemp("kafka")) as address:
        yield address


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
