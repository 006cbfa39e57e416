"""A batch as the one message that Faust hands to an agent, and its way there; the same over SQLite and over Kafka."""

import time
from typing import Any

from faust.types import TP, ConsumerMessage

from pipeline.transport.batch import Batch


def message_of(tp: TP, batch: Batch, generation: int) -> ConsumerMessage:
    """Acknowledged already, as offsets are the unit of work's. ``generation``: the consumer's, of Faust."""
    message = ConsumerMessage(
        tp.topic,
        tp.partition,
        batch.next_offset,
        time.time(),
        1,
        {},
        None,
        batch,
        None,
        serialized_key_size=0,
        serialized_value_size=0,
        tp=tp,
        generation_id=generation,
    )
    message.acked = message.tracked = True
    return message


async def hand_on(consumer: Any, fetcher: Any) -> None:
    """From Faust's consumer to its agents until ``fetcher`` stops, in place of ``Consumer._drain_messages``.

    That one makes two tasks of each message and lets go of the event loop in between: where hops hold the loop for tens
    of milliseconds, twenty batches then wait for one another, and nothing is fetched meanwhile.
    """
    while not (consumer.should_stop or fetcher.should_stop):
        async for _, message in consumer.getmany(timeout=1.0):
            await consumer.callback(message)
