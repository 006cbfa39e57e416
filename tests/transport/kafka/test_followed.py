"""A topic that every process follows: waited for where it can be read only a while later, named where it never can."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import TopicAuthorizationFailedError

from pipeline.settings import Settings, SettingsError
from pipeline.transport.kafka import followed
from pipeline.transport.kafka.connection import BrokerError, client_options
from pipeline.transport.kafka.followed import Followed
from pipeline.transport.kafka.names import SALTS, Names
from pipeline.transport.kafka.topics import TopicAdmin

REQUEST_MS = 1_000


@pytest.fixture
def salts(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Followed:
    """Nobody has made its topic yet: the broker answers as where it does not lead it yet, try again."""
    monkeypatch.setattr(followed, "REQUEST_MS", REQUEST_MS)
    return Followed(Names(settings.broker_prefix).topic(SALTS), client_options(settings), lambda _: None)


async def test_longer_than_one_question_takes(settings: Settings, salts: Followed) -> None:
    starting = asyncio.create_task(salts.start())
    await asyncio.sleep(2.5 * REQUEST_MS / 1_000)
    assert not starting.done()
    async with TopicAdmin(settings) as admin:
        await admin.create()
    await starting
    await salts.stop()


async def test_not_for_ever(salts: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed, "START_SECONDS", 2.0)
    with pytest.raises(BrokerError, match=r"\.salts cannot be read for 2 s"):
        async with asyncio.timeout(15):
            await salts.start()
    await salts.stop()


async def test_one_that_may_not_be_read_is_not_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with TopicAdmin(settings) as admin:
        await admin.create()
    name, options = Names(settings.broker_prefix).topic(SALTS), client_options(settings)
    one = Followed(name, options, lambda _: None)
    await one.start()
    await one.add([(b"key", b"known")])
    await one.stop()

    async def refused(*_: object, **__: object) -> None:
        raise TopicAuthorizationFailedError("for the test")

    monkeypatch.setattr(followed.Consumer, "getmany", refused)
    other = Followed(name, options, lambda _: None)
    with pytest.raises(SettingsError, match=r"\.salts may not be read by this user: the right Read"):
        async with asyncio.timeout(15):
            await other.start()
    await other.stop()


async def test_what_cannot_be_read_is_said_and_not_waited_for(settings: Settings) -> None:
    """Whoever went on without a record of erasures would let a person in who is to stay out."""

    def take(record: Any) -> None:
        if record.value == b"of a later version":
            raise ValueError("for the test")

    async with TopicAdmin(settings) as admin:
        await admin.create()
    salts = Followed(Names(settings.broker_prefix).topic(SALTS), client_options(settings), take)
    await salts.start()
    await salts.add([(b"key", b"known")])
    await salts.catch_up()
    salts.check()
    await salts.add([(b"key", b"of a later version")])
    async with asyncio.timeout(15):
        with pytest.raises(ValueError, match="for the test"):
            await salts.catch_up()
    with pytest.raises(ValueError, match="for the test"):
        salts.check()
    await salts.stop()
