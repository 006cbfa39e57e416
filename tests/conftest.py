"""What takes long to start is started once for each process of tests; and the order of the tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.chromium import running_browser
from tests.forked import commands_are_forked, installed_masir
from tests.kafka_broker import VARIABLE, running_broker

HERE = Path(__file__).parent
LONG = (
    "system",
    "live",
    "watching",
    "transport/kafka",
    "collector/clients",
    "bench",
    "collector",
    "journey",
    "store",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Folders of long tests first, so that no process still has one of them when all others are done."""
    places = {HERE / folder: place for place, folder in enumerate(LONG)}

    def place(item: pytest.Item) -> int:
        return next((places[folder] for folder in item.path.parents if folder in places), len(places))

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def _named_broker_is_no_setting() -> None:
    """Commands in this process would say so."""
    os.environ.pop(VARIABLE, None)


@pytest.fixture(scope="session", autouse=True)
def _commands_are_forked() -> Iterator[None]:
    """All but those of tests that ask for the installed ``masir``."""
    with commands_are_forked():
        yield


@pytest.fixture
def installed() -> Iterator[None]:
    """Commands are the installed ``masir``, as a person starts it."""
    with installed_masir():
        yield


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a real Kafka that nobody kills; each test has topics of its own in it."""
    with running_broker(tmp_path_factory.mktemp("kafka")) as address:
        yield address


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Chromium: tests.collector.chromium.open_page opens a tab in it."""
    with running_browser(tmp_path_factory.mktemp("browser")) as address:
        yield address
