"""The collector fetches nothing: what a hit says can make it connect to nowhere (no SSRF)."""

import ast
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from .conftest import Server, hit

PACKAGE = Path(__file__).resolve().parents[2] / "pipeline" / "collector"
CLIENTS = frozenset(
    {
        "requests",
        "httpx",
        "urllib.request",
        "urllib3",
        "http.client",
        "ftplib",
        "smtplib",
        "socket",
        "ssl",
        "telnetlib",
    }
)
CALLS = frozenset(
    {"open_connection", "create_connection", "ClientSession", "urlopen", "getaddrinfo", "sock_connect"}
)
INSIDE = "http://169.254.169.254/latest/meta-data/"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_nothing_in_the_package_can_open_a_connection(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not {alias.name for alias in node.names} & CLIENTS
        elif isinstance(node, ast.ImportFrom):
            assert node.module not in CLIENTS
        elif isinstance(node, ast.Attribute):
            assert node.attr not in CALLS
        elif isinstance(node, ast.Name):
            assert node.id not in CALLS


async def test_urls_in_hits_are_looked_at_by_nobody(
    server: Server, client: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client.get(f"{server.url}/healthz") as answer:  # the test's own connection stands
        assert answer.status == 200
    tried: list[Any] = []
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        tried.append(address)
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *name, **_: tried.append(name))
    evil = hit(url=INSIDE, referrer=INSIDE, props={"callback": INSIDE}, campaign={"source": INSIDE})
    async with client.post(f"{server.url}/v1/hits", json=[evil], headers={"Referer": INSIDE}) as answer:
        assert answer.status == 200
    for path in (
        f"/v1/hit.gif?site=s&event=e&user_id=u&url={INSIDE}",
        f"/matomo.php?idsite=1&rec=1&url={INSIDE}",
    ):
        async with client.get(server.url + path, headers={"X-Forwarded-Host": "169.254.169.254"}) as answer:
            assert answer.status == 200
    assert tried == []
