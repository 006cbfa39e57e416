"""What takes long to start is started once, by the first process of tests that needs it; and the order of the tests."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from pathlib import Path

import pytest

from tests.collector.chromium import running_browser
from tests.forked import commands_are_forked, installed_masir
from tests.kafka_broker import VARIABLE, running_broker

HERE = Path(__file__).parent
LONG = (  # the longest files by what they take, then folders
    "system/test_persons.py",
    "system/test_verify_live.py",
    "system/test_kafka_faults.py",
    "system/test_erase.py",
    "system/test_fuzz.py",
    "system/test_kafka_views.py",
    "system/test_kafka_persons.py",
    "system/test_order_free.py",
    "system/test_kafka_rebuild.py",
    "watching/test_rules.py",
    "watching/test_alerts_system.py",
    "system",
    "live",
    "journey/test_commands.py",
    "sources/test_tail.py",
    "collector/protocols/test_fuzz.py",
    "collector/clients",
    "transport/kafka",
    "watching",
    "store/verify",
    "collector",
    "journey",
    "store",
    "bench",
    "core/test_sessionizer.py",
    "core/test_journeys_property.py",
    "core/test_splits.py",
    "core",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: none shall begin when the other processes have nothing left to do."""
    places = {HERE / name: place for place, name in enumerate(LONG)}

    def place(item: pytest.Item) -> int:
        return min(places.get(path, len(places)) for path in (item.path, *item.path.parents))

    items.sort(key=place)


_AT_THE_END = ExitStack()


def pytest_sessionfinish() -> None:
    """After the last test, whose time it is not: a process may wait here for others."""
    _AT_THE_END.close()


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
def broker(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> str:
    """HOST:PORT of a real Kafka that nobody kills; each test has topics of its own in it."""
    own = tmp_path_factory.getbasetemp()
    common = own.parent if hasattr(request.config, "workerinput") else own
    return _AT_THE_END.enter_context(shared_broker(common))


@contextmanager
def shared_broker(directory: Path) -> Iterator[str]:
    """One for all processes of pytest-xdist: the first starts it, and stops it when nobody uses it any more."""
    said = directory / "broker"
    with (directory / "starting").open("w") as starting, (directory / "using").open("w") as using:
        flock(starting, LOCK_EX)
        flock(using, LOCK_SH)
        if said.exists():
            flock(starting, LOCK_UN)
            yield said.read_text()
            return
        with running_broker(directory / "kafka") as address:
            said.write_text(address)
            flock(starting, LOCK_UN)
            yield address
            flock(using, LOCK_EX)
            said.unlink()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Chromium: tests.collector.chromium.open_page opens a tab in it."""
    with running_browser(tmp_path_factory.mktemp("browser")) as address:
        yield address
