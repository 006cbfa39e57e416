"""A headless Chromium, driven through its DevTools protocol."""

import asyncio
import itertools
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

# A headless browser's own name says that nobody sits in front of it, which makes its hits those of a bot.
_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--remote-debugging-port=0", f"--user-agent={_AGENT}",
)  # fmt: skip


def find_chromium() -> str:
    """Its path. Without one the test is skipped, in CI (``CI=true``) it fails."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        message = "no Chromium: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path


class Page:
    """One tab. ``errors``: exceptions and console messages of level error, as text."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.errors: list[str] = []
        self.loaded = asyncio.Event()

    async def listen(self) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                continue
            data = message.json()
            if "id" in data:
                self._answers.pop(data["id"]).set_result(data)
            elif data["method"] == "Page.loadEventFired":
                self.loaded.set()
            elif data["method"] == "Runtime.exceptionThrown":
                self.errors.append(str(data["params"]["exceptionDetails"]))
            elif data["method"] == "Log.entryAdded" and data["params"]["entry"]["level"] == "error":
                self.errors.append(data["params"]["entry"]["text"])

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        await self._socket.send_json({"id": number, "method": method, "params": params})
        data = await asyncio.wait_for(answer, 30)
        assert "error" not in data, data
        return data["result"]

    async def open(self, url: str) -> None:
        """Goes to ``url``, as a person does, and waits for the page to have loaded."""
        self.loaded.clear()
        await self.call("Page.navigate", url=url)
        await asyncio.wait_for(self.loaded.wait(), 30)

    async def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        result = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")


@asynccontextmanager
async def open_browser(profile: Path) -> AsyncIterator[Page]:
    """A new browser with an empty profile, and its first tab."""
    process = await asyncio.create_subprocess_exec(
        find_chromium(), *_FLAGS, f"--user-data-dir={profile}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60), ClientSession() as session:
            socket = await _connect(session, profile)
        async with ClientSession() as session, session.ws_connect(socket, max_msg_size=0) as tab:
            page = Page(tab)
            listener = asyncio.create_task(page.listen())
            for domain in ("Page", "Runtime", "Log", "Network"):
                await page.call(f"{domain}.enable")
            yield page
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _connect(session: ClientSession, profile: Path) -> str:
    """The address of the first tab, once the browser has said its port."""
    announced = profile / "DevToolsActivePort"
    while not (announced.exists() and announced.read_text().count("\n")):
        await asyncio.sleep(0.05)
    port = announced.read_text().split("\n")[0]
    while True:
        async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            for target in await answer.json():
                if target["type"] == "page":
                    return str(target["webSocketDebuggerUrl"])
        await asyncio.sleep(0.05)
