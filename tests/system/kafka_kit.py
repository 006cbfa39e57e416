"""A cluster of Masir for a test, over Kafka and a ClickHouse server of its own; and what stands in its topics."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition

from bench.clickhouse import ClickHouse
from bench.cluster import Cluster
from pipeline.transport.kafka.names import ERASURES, Names
from pipeline.transport.kafka.restore import read_all

PARTITIONS = 2


@contextmanager
def running_cluster(directory: Path, broker: str, **settings: Any) -> Iterator[Cluster]:
    """``broker``: HOST:PORT. ``settings`` as for ``masir``."""
    with (
        ClickHouse(directory / "store", password="secret") as server,
        Cluster(
            directory / "data", broker, clickhouse=server.url, partitions=PARTITIONS, **settings
        ) as cluster,
    ):
        yield cluster


def records(cluster: Cluster, topic: str) -> list[Any]:
    """Everything that can be read in a topic."""
    source, count = Names(cluster.prefix).topic(topic), 1 if topic == ERASURES else PARTITIONS

    async def read() -> list[Any]:
        options = {"bootstrap_servers": cluster.broker}
        return [one for p in range(count) for one in await read_all(TopicPartition(source, p), options)]

    return asyncio.run(read())
