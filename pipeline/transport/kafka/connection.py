"""How to reach the cluster: addresses, TLS and SASL, as keyword arguments of aiokafka's clients.

A password is kept in here and in the settings, and printed nowhere.
"""

import asyncio
import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.helpers import create_ssl_context

from pipeline.settings import Settings, SettingsError

SCHEME = "kafka://"
DRIVER_SCHEME = "kafka+batch://"  # as registered in faust.transports
DEFAULT_PORT = 9092
REASON_MS = 5_000
CANCEL_SECONDS = 0.1
REBALANCE_BEGINS = "Heartbeat failed for group %s because it is rebalancing"  # aiokafka's words
_REFUSED = (AuthenticationFailedError, SaslAuthenticationFailed, UnsupportedSaslMechanismError)


class BrokerError(OSError):
    """The cluster cannot be reached, or does not let us in. Trying again may help."""

    retriable = True


async def not_let_in(settings: Settings) -> SettingsError | None:
    """What must be mended when connecting failed, if it is the settings: aiokafka itself says that in its log alone."""
    for server in servers_of(settings.broker):
        host, _, port = server.rpartition(":")
        options = client_options(settings) | {"request_timeout_ms": REASON_MS}
        del options["bootstrap_servers"]
        try:
            (await create_conn(host, int(port), **options)).close()
        except _REFUSED as error:
            return SettingsError(f"broker_sasl, broker_user, broker_password: {server} refuses them: {error}")
        except ssl.SSLCertVerificationError as error:
            return SettingsError(f"broker_ca_file: the certificate of {server}: {error.verify_message}")
        except (OSError, KafkaError, TimeoutError):
            continue
    return None


class Consumer(AIOKafkaConsumer):
    """aiokafka's, whose own way to stop awaits each fetch that it cancels: with one under way, as there always is while
    the broker is away, it ends there in a CancelledError and leaves connections open.
    """

    async def stop(self) -> None:
        """Close the connections, whatever is under way."""
        fetcher = self._fetcher
        if fetcher is not None:
            under_way = {fetcher._fetch_task, *fetcher._pending_tasks}
            for task in under_way:
                task.cancel()
            await asyncio.wait(under_way)
            fetcher._pending_tasks.clear()
        await super().stop()


async def start(client: Any) -> None:
    """A producer or consumer of aiokafka, which by itself keeps its connections where its start fails."""
    try:
        await client.start()
    except BaseException:
        await client.stop()
        raise


async def cut_off(producer: Any) -> None:
    """Close aiokafka's producer without sending what it still has; its own way to stop waits for the broker."""
    producer._closed = True
    sending = producer._sender.sender_task
    while sending is not None and not sending.done():
        sending.cancel()  # once for each request that it waits for
        await asyncio.wait([sending], timeout=CANCEL_SECONDS)
    await producer.client.close()


def say_less() -> None:
    """aiokafka's log without what is no news: each thing that it tries again, and that a rebalance has begun."""
    logging.getLogger("aiokafka.producer.sender").setLevel(logging.ERROR)
    logging.getLogger("aiokafka.consumer.group_coordinator").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return record.msg != REBALANCE_BEGINS


@contextmanager
def reaching(broker: str) -> Iterator[None]:
    """What aiokafka raises while it connects, as :class:`BrokerError` with the address."""
    try:
        yield
    except KafkaError as error:
        raise BrokerError(f"broker {broker}: {error}") from error


def servers_of(broker: str) -> list[str]:
    """``kafka://a:9092,b:9092`` -> each as HOST:PORT."""
    if not broker.startswith(SCHEME):
        raise SettingsError(f"broker is {broker!r}; kafka://HOST:PORT[,HOST:PORT…] is expected")
    servers = [server.strip() for server in broker.removeprefix(SCHEME).rstrip("/").split(",")]
    if not all(servers):
        raise SettingsError(f"broker is {broker!r}; kafka://HOST:PORT[,HOST:PORT…] is expected")
    return [server if ":" in server else f"{server}:{DEFAULT_PORT}" for server in servers]


def has_rights(settings: Settings) -> bool:
    """Does the cluster know who we are, and so may not allow us all?"""
    return bool(settings.broker_sasl or settings.broker_cert_file)


def faust_urls(settings: Settings) -> list[str]:
    """The broker's addresses as Faust takes them."""
    return [f"{DRIVER_SCHEME}{server}" for server in servers_of(settings.broker)]


def client_options(settings: Settings) -> dict[str, Any]:
    """What every client of aiokafka is given: where, and by what right."""
    options: dict[str, Any] = {"bootstrap_servers": servers_of(settings.broker)}
    if settings.broker_tls:
        options["ssl_context"] = _ssl_context(settings)
    if settings.broker_sasl:
        options |= {
            "sasl_mechanism": settings.broker_sasl,
            "sasl_plain_username": settings.broker_user,
            "sasl_plain_password": settings.broker_password,
        }
    transport = "SSL" if settings.broker_tls else "PLAINTEXT"
    options["security_protocol"] = f"SASL_{transport}" if settings.broker_sasl else transport
    return options


def _ssl_context(settings: Settings) -> Any:
    """Certificates are checked, always. Files: the CA's, and the client's own for mutual TLS."""
    try:
        return create_ssl_context(
            cafile=settings.broker_ca_file or None,
            certfile=settings.broker_cert_file or None,
            keyfile=settings.broker_key_file or None,
        )
    except OSError as error:  # ssl.SSLError is one
        raise SettingsError(f"broker_ca_file, broker_cert_file, broker_key_file: {error}") from error
