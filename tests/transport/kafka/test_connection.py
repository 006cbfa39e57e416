"""Where the cluster is and by what right: from settings to aiokafka's options."""

import inspect
import logging
from pathlib import Path

import pytest
from aiokafka.consumer import group_coordinator

from pipeline.settings import Settings, SettingsError
from pipeline.transport.kafka.connection import (
    REBALANCE_BEGINS,
    client_options,
    faust_urls,
    say_less,
    servers_of,
)


@pytest.mark.parametrize(
    ("broker", "servers"),
    [
        ("kafka://a:1", ["a:1"]),
        ("kafka://a:1,b:2/", ["a:1", "b:2"]),
        ("kafka://a, b:2", ["a:9092", "b:2"]),
    ],
)
def test_addresses(broker: str, servers: list[str]) -> None:
    assert servers_of(broker) == servers
    assert faust_urls(Settings(broker=broker)) == [f"kafka+batch://{server}" for server in servers]


@pytest.mark.parametrize("broker", ["", "a:1", "http://a:1", "kafka://", "kafka://a:1,,b:2"])
def test_what_is_no_address_is_named(broker: str) -> None:
    with pytest.raises(SettingsError, match="kafka://HOST:PORT"):
        servers_of(broker)


@pytest.mark.parametrize(
    ("sasl", "tls", "protocol"),
    [
        ("", False, "PLAINTEXT"),
        ("", True, "SSL"),
        ("PLAIN", False, "SASL_PLAINTEXT"),
        ("SCRAM-SHA-512", True, "SASL_SSL"),
    ],
)
def test_security(sasl: str, tls: bool, protocol: str) -> None:
    settings = Settings(
        broker="kafka://a:1",
        broker_sasl=sasl,
        broker_user="u",
        broker_password="p",
        broker_tls=tls,  # type: ignore[arg-type]
    )
    options = client_options(settings)
    assert options["security_protocol"] == protocol
    assert ("ssl_context" in options) == tls
    assert options.get("sasl_mechanism") == (sasl or None)
    assert options.get("sasl_plain_password") == ("p" if sasl else None)


def test_a_certificate_that_cannot_be_read(tmp_path: Path) -> None:
    settings = Settings(broker="kafka://a:1", broker_tls=True, broker_ca_file=str(tmp_path / "ca.pem"))
    with pytest.raises(SettingsError, match="broker_ca_file"):
        client_options(settings)


def test_that_a_rebalance_begins_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    assert REBALANCE_BEGINS in inspect.getsource(group_coordinator), (
        "else aiokafka says it in other words by now"
    )
    log = logging.getLogger(group_coordinator.__name__)
    try:
        say_less()
        log.warning(REBALANCE_BEGINS, "workers")
        log.warning("Heartbeat failed: %s", "away")
    finally:
        log.filters.clear()
        logging.getLogger("aiokafka.producer.sender").setLevel(logging.NOTSET)
    assert caplog.messages == ["Heartbeat failed: away"]
