"""Where the cluster is and by what right: from settings to aiokafka's options."""

from pathlib import Path

import pytest

from pipeline.settings import Settings, SettingsError
from pipeline.transport.kafka.connection import client_options, faust_urls, servers_of


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
