"""The collector's connection to the topics, watched for traces: what each transaction appended, once it is durable."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.traces import Range, Traces
from pipeline.transport.log import Log


class TracedLog(Log):
    """For one thread at a time, as every log."""

    def __init__(self, path: Path, traces: Traces, **options: float) -> None:
        super().__init__(path, **options)
        self._traces = traces
        self._appended: list[Range] = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """As the log's; when it is over, what it appended is told."""
        start_ns = time.time_ns()
        self._appended = []
        with super().transaction():
            yield
        end_ns = time.time_ns()
        for appended in self._appended:
            self._traces.collected(appended, start_ns, end_ns)

    def append(self, topic: str, partition: int, values: list[bytes], **options: Any) -> int:
        """As the log's."""
        first = super().append(topic, partition, values, **options)
        self._appended.append(Range(topic, partition, first, first + len(values)))
        return first
