"""Our topics in the cluster: what they should be, made where they are missing, and what differs.

Hop to hop they are deleted after their retention; what a hop remembers is compacted, or kept until the hop says that it
needs it no more. Retention counts from when a record was written, read or not, so it bounds how long workers or the
store may be away: a day at least between the hops. The number of partitions never changes, since a key's place depends
on it: a topic that has another number is said and left as it is.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import NamedTuple

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    TransactionalIdAuthorizationFailed,
    for_code,
)

from pipeline.settings import Settings, SettingsError
from pipeline.transport.kafka.connection import BrokerError, client_options, has_rights, not_let_in, reaching
from pipeline.transport.kafka.names import ERASURES, SALTS, STORES, Names
from pipeline.transport.kafka.offsets import committed_by
from pipeline.transport.kafka.transactions import MAX_REQUEST_BYTES
from schemas.topics import HITS, HOUR_MS, TOPICS

LEAST_HOURS = 24.0  # Kafka deletes what nobody has read, too: a night and a morning to bring a store back
MIN_INSYNC_OF_MANY = 2  # with three replicas: one broker may be away, and what is acknowledged is on two
KNOWN_SECONDS = 30.0
TRANSACTION = 1  # a kind of coordinator, in Kafka's protocol
SEGMENT_MS = HOUR_MS  # a file is deleted or compacted as a whole, and not while it is written to
# What a hop remembers by key: what is erased is gone by then, and an hour.
_BY_KEY = {"cleanup.policy": "compact", "max.compaction.lag.ms": str(24 * HOUR_MS)}
# What holds ids for a while, or salts for a day.
_PASSING = {"cleanup.policy": "compact", "max.compaction.lag.ms": str(HOUR_MS)}
# What a hop remembers as entries: we delete from it ourselves.
_JOURNAL = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
_ONE_MORE = 1024**2  # a record's own header, and the rest of a request

_log = logging.getLogger(__name__)


class Wanted(NamedTuple):
    """A topic as it should be. ``configs``: by Kafka's names."""

    name: str
    partitions: int
    configs: dict[str, str]


class Found(NamedTuple):
    """What the cluster has of a topic."""

    partitions: int
    replication: int
    configs: Mapping[str, str]


def wanted_topics(settings: Settings) -> list[Wanted]:
    """All of them, as the settings say."""
    names = Names(settings.broker_prefix)
    common = {
        "max.message.bytes": str(MAX_REQUEST_BYTES + _ONE_MORE),
        "min.insync.replicas": str(min(settings.broker_replication, MIN_INSYNC_OF_MANY)),
        "segment.ms": str(SEGMENT_MS),
    }
    wanted = [Wanted(names.topic(name), 1, common | _PASSING) for name in (ERASURES, SALTS)]
    for topic in TOPICS:
        is_hits = topic is HITS
        hours = settings.hits_retention_hours if is_hits else max(topic.retention_ms / HOUR_MS, LEAST_HOURS)
        deleted = {"cleanup.policy": "delete", "retention.ms": str(round(hours * HOUR_MS))}
        wanted.append(Wanted(names.topic(topic.name), settings.partitions, common | deleted))
    for store in STORES:
        kept = _JOURNAL if store.is_journal else _BY_KEY
        wanted.append(Wanted(names.topic(store.topic_name), settings.partitions, common | kept))
    return wanted


def differences(wanted: Wanted, found: Found | None, replication: int) -> list[str]:
    """What is wrong with a topic, for a person to read; empty when nothing is."""
    if found is None:
        return ["missing"]
    wrong = []
    if found.partitions != wanted.partitions:
        wrong.append(f"has {found.partitions} partitions and not {wanted.partitions}, which cannot change")
    if found.replication != replication:
        wrong.append(f"has {found.replication} replicas and not {replication}")
    if not found.configs:  # Kafka says all of them, or none to whom it may not
        return [*wrong, "its configuration is not to be seen by this user: the right DescribeConfigs"]
    for name, value in wanted.configs.items():
        if found.configs.get(name) != value:
            wrong.append(f"{name} is {found.configs.get(name)} and not {value}")
    return wrong


class TopicAdmin:
    """Async context manager: a connection to the cluster. :class:`BrokerError`: it does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = AIOKafkaAdminClient(**client_options(settings))

    async def __aenter__(self) -> "TopicAdmin":
        try:
            with reaching(self._settings.broker):
                await self._admin.start()
        except BrokerError as error:
            await self._admin.close()
            raise await not_let_in(self._settings) or error from error
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._admin.close()
        if isinstance(error, KafkaError):
            raise BrokerError(f"broker {self._settings.broker}: {error}") from error

    async def found(self) -> dict[str, Found]:
        """Ours that exist, by their names in the cluster."""
        ours = {topic.name for topic in wanted_topics(self._settings)}
        described = await self._admin.describe_topics()
        existing = {topic["topic"]: topic["partitions"] for topic in described if topic["topic"] in ours}
        configs = await self._configs(list(existing))
        return {
            name: Found(len(partitions), min(len(one["replicas"]) for one in partitions), configs[name])
            for name, partitions in existing.items()
        }

    async def create(self) -> list[str]:
        """Make those that are missing; returns their names."""
        found = await self.found()
        missing = [topic for topic in wanted_topics(self._settings) if topic.name not in found]
        new = [
            NewTopic(one.name, one.partitions, self._settings.broker_replication, topic_configs=one.configs)
            for one in missing
        ]
        if new:
            for name, code, message in (await self._admin.create_topics(new)).topic_errors:
                error = for_code(code)
                if code and error is not TopicAlreadyExistsError:  # another one may have been quicker
                    which = "broker_replication: " if error is InvalidReplicationFactorError else ""
                    raise SettingsError(f"{which}topic {name} cannot be made: {message or error.__name__}")
        names = {one.name for one in missing}
        await self._until(lambda found: names <= found.keys())
        return [one.name for one in missing]

    async def mend(self) -> None:
        """Set retention, compaction and the like to what they should be, on topics that exist."""
        found = await self.found()
        wanted = {one.name: one.configs for one in wanted_topics(self._settings) if one.name in found}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name, wanted[name]) for name in wanted]
        for answer in await self._admin.alter_configs(resources):
            for code, message, _, name in answer.resources:
                if code:
                    why = message or for_code(code).__name__
                    raise SettingsError(f"topic {name} cannot be changed: {why}")
        await self._until(
            lambda now: all(one.items() <= now[name].configs.items() for name, one in wanted.items())
        )

    async def _until(self, is_so: Callable[[Mapping[str, Found]], bool]) -> None:
        """A broker hears a moment later what the controller has done."""
        try:
            async with asyncio.timeout(KNOWN_SECONDS):
                while not is_so(await self.found()):
                    await asyncio.sleep(0.1)
        except TimeoutError as error:
            raise BrokerError(
                f"broker {self._settings.broker}: a change is not to be seen after {KNOWN_SECONDS:.0f} s, look again"
            ) from error

    async def check(self) -> dict[str, list[str]]:
        """Name -> what is wrong with it, of those with which something is."""
        found = await self.found()
        checked = {
            one.name: differences(one, found.get(one.name), self._settings.broker_replication)
            for one in wanted_topics(self._settings)
        }
        return {name: wrong for name, wrong in checked.items() if wrong}

    async def partitions(self) -> dict[str, int]:
        """How many partitions each topic has, by its bare name. :class:`SettingsError` if one is not usable."""
        names, found = Names(self._settings.broker_prefix), await self.found()
        for one in wanted_topics(self._settings):
            has = found.get(one.name)
            if has is None:
                hidden = (
                    " (or not to be seen by this user: the right Describe)"
                    if has_rights(self._settings)
                    else ""
                )
                raise SettingsError(f"topic {one.name} is missing{hidden}; `masir topics --create` makes it")
            if has.partitions != one.partitions:
                raise SettingsError(
                    f"topic {one.name} has {has.partitions} partitions, but the setting partitions is "
                    f"{one.partitions}; the setting must follow, since that of a topic cannot change"
                )
        return {names.bare(name): has.partitions for name, has in found.items()}

    async def hits_read(self) -> int:
        """As the workers' group has committed; 0, too, where it is forgotten, since no worker ran for days."""
        names = Names(self._settings.broker_prefix)
        wanted = [TopicPartition(names.topic(HITS.name), at) for at in range(self._settings.partitions)]
        found = await committed_by(self._admin, names.group, wanted)
        return sum(max(0, offset) for offset in found.values())

    async def check_writing(self) -> None:
        """:class:`SettingsError`: transactions are not for this user, and each partition would be given up for ever."""
        one = Names(self._settings.broker_prefix).transactional_id(ERASURES, 0)
        try:
            await self._admin.find_coordinator(one, TRANSACTION)
        except TransactionalIdAuthorizationFailed as error:
            raise SettingsError(
                f"transactional ids such as {one} are not for this user: the rights Write and Describe"
            ) from error
        except KafkaError as error:  # nobody has asked for one before, or its broker begins: no matter here
            _log.info("transactions are not looked after yet: %r", error)

    async def _configs(self, topics: list[str]) -> dict[str, dict[str, str]]:
        if not topics:
            return {}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
        configs: dict[str, dict[str, str]] = {}
        for answer in await self._admin.describe_configs(resources):
            for _, _, _, name, entries in answer.resources:
                configs[name] = {entry[0]: entry[1] for entry in entries}
        return configs


async def usable_partitions(settings: Settings) -> dict[str, int]:
    """:meth:`TopicAdmin.partitions` of a cluster that must be there."""
    async with TopicAdmin(settings) as admin:
        return await admin.partitions()


async def hits_read(settings: Settings) -> int:
    """:meth:`TopicAdmin.hits_read` of a cluster that must be there."""
    async with TopicAdmin(settings) as admin:
        return await admin.hits_read()
