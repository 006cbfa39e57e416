"""A batch as the one message that Faust hands to an agent; the same over SQLite and over Kafka."""

import time

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
