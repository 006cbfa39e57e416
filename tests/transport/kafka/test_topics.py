"""Topics in the cluster: made as the settings say, checked, mended, and named when they are missing."""

import msgspec
import pytest
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    KafkaConnectionError,
    TransactionalIdAuthorizationFailed,
)

from pipeline.settings import Settings, SettingsError
from pipeline.transport.kafka import topics
from pipeline.transport.kafka.connection import BrokerError
from pipeline.transport.kafka.names import ERASURES, SALTS, STORES
from pipeline.transport.kafka.topics import Found, TopicAdmin, differences, usable_partitions, wanted_topics
from schemas.topics import HITS, TOPICS


async def test_all_are_made_once_and_are_well(settings: Settings) -> None:
    async with TopicAdmin(settings) as admin:
        assert set(await admin.check()) == {topic.name for topic in wanted_topics(settings)}, (
            "all are missing"
        )
        made = await admin.create()
        assert len(made) == len(TOPICS) + len(STORES) + 2
        assert await admin.create() == []
        assert await admin.check() == {}
        found = await admin.found()
    hits = found[f"{settings.broker_prefix}.hits"]
    assert (hits.partitions, hits.replication) == (2, 1)
    assert hits.configs["retention.ms"] == str(HITS.retention_ms)
    assert found[f"{settings.broker_prefix}.counters_state"].configs["cleanup.policy"] == "compact"
    journal = found[f"{settings.broker_prefix}.sessionizer_journal"].configs
    assert (journal["cleanup.policy"], journal["retention.ms"]) == ("delete", "-1")
    usable = await usable_partitions(settings)
    assert (usable.pop(ERASURES), usable.pop(SALTS)) == (1, 1)
    assert usable == dict.fromkeys([t.name for t in TOPICS] + [s.topic_name for s in STORES], 2)


async def test_what_differs_is_said_and_mended(settings: Settings) -> None:
    async with TopicAdmin(settings) as admin:
        await admin.create()
    changed = msgspec.structs.replace(settings, hits_retention_hours=2.0)
    async with TopicAdmin(changed) as admin:
        name = f"{settings.broker_prefix}.hits"
        assert await admin.check() == {name: ["retention.ms is 86400000 and not 7200000"]}
        await admin.mend()
        assert await admin.check() == {}


async def test_another_number_of_partitions_cannot_be_used(settings: Settings) -> None:
    async with TopicAdmin(settings) as admin:
        await admin.create()
    more = msgspec.structs.replace(settings, partitions=3)
    async with TopicAdmin(more) as admin:
        wrong = await admin.check()
    assert all("has 2 partitions and not 3" in said[0] for said in wrong.values())
    with pytest.raises(SettingsError, match="the setting partitions is 3"):
        await usable_partitions(more)


async def test_missing_topics_are_named_with_the_command_that_makes_them(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="masir topics --create"):
        await usable_partitions(settings)


async def test_what_this_user_may_not_is_not_taken_for_missing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka hides a topic, and the configuration of one, from whom it does not let see it."""
    async with TopicAdmin(settings) as admin:

        async def nothing() -> dict[str, Found]:
            return {}

        monkeypatch.setattr(admin, "found", nothing)
        admin._settings = msgspec.structs.replace(settings, broker_sasl="PLAIN")
        with pytest.raises(
            SettingsError, match=r"missing .or not to be seen by this user: the right Describe"
        ):
            await admin.partitions()
    hidden = differences(wanted_topics(settings)[0], Found(1, 1, {}), 1)
    assert hidden == ["its configuration is not to be seen by this user: the right DescribeConfigs"]


async def test_transactions_that_are_not_for_this_user(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with TopicAdmin(settings) as admin:
        await admin.check_writing()
        error: Exception = TransactionalIdAuthorizationFailed("for the test")

        async def refused(*_: object) -> None:
            raise error

        monkeypatch.setattr(admin._admin, "find_coordinator", refused)
        with pytest.raises(SettingsError, match=r"such as \S+\.erasures\.0 are not for this user"):
            await admin.check_writing()
        error = GroupCoordinatorNotAvailableError("for the test")
        await admin.check_writing()


async def test_more_replicas_than_brokers(settings: Settings) -> None:
    many = msgspec.structs.replace(settings, broker_replication=9)
    async with TopicAdmin(many) as admin:
        with pytest.raises(
            SettingsError, match=r"broker_replication: topic .* cannot be made: .*replication"
        ):
            await admin.create()


async def test_a_broker_that_does_not_do_it_in_time_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with TopicAdmin(settings) as admin:
        monkeypatch.setattr(topics, "KNOWN_SECONDS", 0.5)
        with pytest.raises(BrokerError, match="after 0 s, look again"):
            await admin._until(lambda _: False)


async def test_a_broker_that_breaks_off_is_named(settings: Settings) -> None:
    with pytest.raises(BrokerError, match=rf"broker {settings.broker}: KafkaConnectionError: cut"):
        async with TopicAdmin(settings):
            raise KafkaConnectionError("cut")


async def test_no_broker_there(settings: Settings) -> None:
    with pytest.raises(BrokerError, match=r"broker kafka://127\.0\.0\.1:1"):
        await usable_partitions(msgspec.structs.replace(settings, broker="kafka://127.0.0.1:1"))
