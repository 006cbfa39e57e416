"""Gauges of the disk that holds the data directory, in bytes: measured when they are asked for.

Every process with a data directory has them: rows, state that is too much for the memory, or a spool are there.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class Disk(Collector):
    """``directory``: of the data. Without one there is no sample."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        try:
            usage = shutil.disk_usage(self._directory)
        except OSError:
            return
        for name, text, value in (
            ("masir_disk_free_bytes", "Free on the disk of the data directory", usage.free),
            ("masir_disk_size_bytes", "Size of the disk of the data directory", usage.total),
        ):
            yield GaugeMetricFamily(name, text, value=value)
