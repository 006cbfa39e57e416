"""TLS and SASL, against a real broker that wants them: who has the right certificate and password is let in."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from test_kafka_driver import Group, members

from bench.kafka import SHORT_LIVED, Broker
from bench.process import free_port
from pipeline.settings import Settings, SettingsError
from pipeline.transport.kafka.topics import TopicAdmin
from tests.kafka_broker import running

PASSWORD = "right"


def _openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def _certificate(directory: Path, name: str, authority: str) -> None:
    """``name``.pem: key and certificate of localhost, signed by ``authority``."""
    _openssl(
        directory, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
        "-keyout", f"{name}.key", "-out", f"{name}.csr",
    )  # fmt: skip
    (directory / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    _openssl(
        directory, "x509", "-req", "-days", "2", "-in", f"{name}.csr", "-CA", f"{authority}.crt",
        "-CAkey", f"{authority}.key", "-CAcreateserial", "-extfile", "names", "-out", f"{name}.crt",
    )  # fmt: skip
    (directory / f"{name}.pem").write_text(
        (directory / f"{name}.key").read_text() + (directory / f"{name}.crt").read_text()
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a certificate of the broker and of a client, and an authority that nobody knows."""
    directory = tmp_path_factory.mktemp("certificates")
    for authority in ("ca", "other"):
        _openssl(
            directory, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={authority}",
            "-keyout", f"{authority}.key", "-out", f"{authority}.crt",
        )  # fmt: skip
    _certificate(directory, "broker", "ca")
    _certificate(directory, "client", "ca")
    return directory


@pytest.fixture(scope="module")
def secured(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Listener -> address. ``SECURE``: TLS, and a password; ``MUTUAL``: TLS, and a certificate of the client."""
    ports = {name: f"localhost:{free_port()}" for name in ("SECURE", "MUTUAL")}
    modules = "org.apache.kafka.common.security"
    settings = {
        "listener.security.protocol.map":
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.secure.plain.sasl.jaas.config":
            f'{modules}.plain.PlainLoginModule required user_masir="{PASSWORD}";',
        "listener.name.secure.scram-sha-256.sasl.jaas.config": f"{modules}.scram.ScramLoginModule required;",
        "listener.name.secure.scram-sha-512.sasl.jaas.config": f"{modules}.scram.ScramLoginModule required;",
        "listener.name.mutual.ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(files / "broker.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(files / "ca.crt"),
    }  # fmt: skip
    scram = [
        f"--add-scram={name}=[name=masir,password={PASSWORD}]" for name in ("SCRAM-SHA-256", "SCRAM-SHA-512")
    ]
    with running(
        lambda: Broker(
            tmp_path_factory.mktemp("secured") / "kafka",
            settings=settings,
            listeners=[f"{name}://{address}" for name, address in ports.items()],
            format_options=scram,
            java_options=SHORT_LIVED,
        )
    ):
        yield ports


@pytest.fixture
def secure(secured: dict[str, str], files: Path, settings: Settings) -> Settings:
    return msgspec.structs.replace(
        settings,
        broker=f"kafka://{secured['SECURE']}",
        broker_sasl="SCRAM-SHA-512",
        broker_user="masir",
        broker_password=PASSWORD,
        broker_tls=True,
        broker_ca_file=str(files / "ca.crt"),
    )


async def test_everything_goes_over_tls_with_a_password(secure: Settings) -> None:
    """Topics, a collector's records, a hop's transactions and memory, the group."""
    async with TopicAdmin(secure) as admin:
        await admin.create()
        assert await admin.check() == {}
    group = Group(secure)
    await group.send(300)
    async with members(secure, 1):
        await group.are_right()
    await group.close()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
async def test_other_mechanisms(secure: Settings, mechanism: str) -> None:
    assert await _is_let_in(msgspec.structs.replace(secure, broker_sasl=mechanism))


async def test_a_certificate_of_the_client(secure: Settings, secured: dict[str, str], files: Path) -> None:
    mutual = msgspec.structs.replace(secure, broker=f"kafka://{secured['MUTUAL']}", broker_sasl="")
    with pytest.raises(OSError, match=r"broker kafka://localhost:\d+"):
        await _is_let_in(mutual)
    assert await _is_let_in(
        msgspec.structs.replace(
            mutual, broker_cert_file=str(files / "client.crt"), broker_key_file=str(files / "client.key")
        )
    )


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_a_wrong_password_is_said_and_not_shown(secure: Settings, mechanism: str) -> None:
    wrong = msgspec.structs.replace(secure, broker_sasl=mechanism, broker_password="gu3ss")
    with pytest.raises(SettingsError, match="broker_user, broker_password") as caught:
        await _is_let_in(wrong)
    assert "gu3ss" not in str(caught.value)


async def test_a_broker_whose_authority_is_another_is_not_spoken_to(secure: Settings, files: Path) -> None:
    with pytest.raises(SettingsError, match="broker_ca_file"):
        await _is_let_in(msgspec.structs.replace(secure, broker_ca_file=str(files / "other.crt")))


async def test_without_a_password_nobody_is_let_in(secure: Settings) -> None:
    with pytest.raises(OSError, match="broker kafka"):
        await _is_let_in(msgspec.structs.replace(secure, broker_sasl=""))


async def _is_let_in(settings: Settings) -> bool:
    async with TopicAdmin(settings) as admin:
        return await admin.found() == {}
