"""The broker of the tests: ``MASIR_TEST_KAFKA=host:port``, or one that is started from Apache Kafka's own jars.

Without either (no Java, no Maven) the tests are skipped and say so; where ``CI`` is true they fail.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from bench.jars import UnavailableError
from bench.kafka import SHORT_LIVED, Broker, Brokers
from tests.parts import missing

T = TypeVar("T", Broker, Brokers)
VARIABLE = "MASIR_TEST_KAFKA"
NAMED = os.environ.get(VARIABLE, "")
UNKILLED = {"broker.session.timeout.ms": "20000"}  # a machine that is busy for seconds does not lose it


@contextmanager
def running_broker(directory: Path) -> Iterator[str]:
    """HOST:PORT of a broker that the tests may fill."""
    if NAMED:
        yield NAMED
        return
    with running(lambda: Brokers(directory, settings=UNKILLED, java_options=SHORT_LIVED)) as brokers:
        yield brokers.address


@contextmanager
def running_brokers(directory: Path, count: int) -> Iterator[Brokers]:
    """Brokers that the tests may kill."""
    with running(lambda: Brokers(directory, count, java_options=SHORT_LIVED)) as brokers:
        yield brokers


@contextmanager
def running(make: Callable[[], T]) -> Iterator[T]:
    """Brokers made in whatever way, or the reason why there are none."""
    try:
        brokers = make()
        brokers.__enter__()
    except UnavailableError as error:
        missing(f"no Kafka: {error}; {VARIABLE}=host:port names one")
    try:
        yield brokers
    finally:
        brokers.__exit__(None, None, None)
