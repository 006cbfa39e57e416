"""Kafka deletes what nobody has read, too: rows must outlast a store that is away for a night."""

import pytest

from pipeline.settings import load
from pipeline.transport.kafka.names import Names
from pipeline.transport.kafka.topics import LEAST_HOURS, wanted_topics
from schemas.topics import HITS, HOUR_MS, TOPICS, Topic

SETTINGS = load({"MASIR_HITS_RETENTION_HOURS": "2"})
RETENTION_MS = {
    topic.name: int(topic.configs["retention.ms"])
    for topic in wanted_topics(SETTINGS)
    if topic.configs["cleanup.policy"] == "delete"
}


@pytest.mark.parametrize(
    "topic", [topic for topic in TOPICS if topic is not HITS], ids=lambda topic: topic.name
)
def test_what_lies_between_hops_is_kept_for_a_day_at_least(topic: Topic) -> None:
    kept_ms = RETENTION_MS[Names(SETTINGS.broker_prefix).topic(topic.name)]
    assert kept_ms == max(topic.retention_ms, LEAST_HOURS * HOUR_MS)
    assert kept_ms >= 24 * HOUR_MS


def test_hits_are_kept_as_the_setting_says() -> None:
    assert RETENTION_MS["masir.hits"] == 2 * HOUR_MS
