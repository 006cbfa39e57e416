"""A headless Chromium, driven through its DevTools protocol."""

import asyncio
import itertools
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from tests.parts import missing

# A headless browser's own name says that nobody sits in front of it, which makes its hits those of a bot.
_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--remote-debugging-port=0", f"--user-agent={_AGENT}",
    # Each tab is a window, and pages for the suggestions under its address bar cost it 0.5 s of CPU.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,PreloadTopChromeWebUI",
)  # fmt: skip


def find_chromium() -> str:
    """Its path. Without one the test is skipped, in CI it fails."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing("no Chromium: apt-get install chromium")
    return path


class Page:
    """One tab, or the whole browser. ``errors``: exceptions and console messages of level error, as text."""

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


@contextmanager
def running_browser(profile: Path) -> Iterator[str]:
    """A new browser with an empty profile; the address of its DevTools, ``ws://…``."""
    process = subprocess.Popen(
        [find_chromium(), *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        announced = profile / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while not (announced.exists() and announced.read_text().count("\n")):
            assert time.monotonic() < deadline, "the browser does not start"
            time.sleep(0.05)
        port, path = announced.read_text().split("\n")[:2]
        yield f"ws://127.0.0.1:{port}{path}"
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def open_page(browser: str) -> AsyncIterator[Page]:
    """A tab that shares nothing with others: storage, cookies and cache are its own, and gone with it."""
    async with _listening(browser) as whole:
        context = (await whole.call("Target.createBrowserContext"))["browserContextId"]
        tab = await whole.call("Target.createTarget", url="about:blank", browserContextId=context)
        try:
            async with _listening(
                f"{browser.partition('/devtools')[0]}/devtools/page/{tab['targetId']}"
            ) as page:
                for domain in ("Page", "Runtime", "Log", "Network"):
                    await page.call(f"{domain}.enable")
                yield page
        finally:
            await whole.call("Target.disposeBrowserContext", browserContextId=context)


@asynccontextmanager
async def _listening(address: str) -> AsyncIterator[Page]:
    async with ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
        page = Page(socket)
        listener = asyncio.create_task(page.listen())
        yield page
        listener.cancel()
        with suppress(asyncio.CancelledError):
            await listener
