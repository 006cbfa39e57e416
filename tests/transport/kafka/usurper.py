"""A worker's hold on partition 0 of ``facts``, taken without the group: whoever had it before is shut out."""

from aiokafka import TopicPartition

from pipeline.settings import Settings
from pipeline.transport.kafka.connection import client_options
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.transactions import Transactions


async def usurped(settings: Settings) -> Transactions:
    """To be closed by the caller."""
    names = Names(settings.broker_prefix)
    one = Transactions(
        TopicPartition(names.topic("facts"), 0),
        transactional_id=names.transactional_id("facts", 0),
        group=names.group,
        options=client_options(settings),
        on_commit=lambda _: None,
        on_lost=lambda _: None,
    )
    await one.start()
    return one
