"""What the tests of real trackers share: programs of node, bundles for a browser, a site, and the pipeline's views."""

import asyncio
import json
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from aiohttp import web
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.store.client import STORE_DIRECTORY, connect, rows
from tests.parts import missing

from ..chromium import Page
from ..conftest import Server

HERE = Path(__file__).parent
SEARCH = "?utm_source=news&utm_medium=email&utm_campaign=spring"
OURS = """
const tag = document.createElement('script')
tag.async = true
tag.dataset.site = 'shop'
tag.src = COLLECTOR + '/masir.js'
document.head.append(tag)
"""
QUIET_S = 1.0
_SECONDS = 60
_PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>صفحه {path}</title>
<script>window.COLLECTOR = "{collector}"</script><script {attributes}>{script}</script></head><body></body></html>"""


def clients() -> Path:
    """Where the trackers of package.json are."""
    modules = HERE / "node_modules"
    if shutil.which("node") is None or not (modules / ".bin" / "esbuild").exists():
        missing("no trackers of node, which need npm: make trackers")
    return modules


@lru_cache
def bundle(name: str) -> str:
    """``web/NAME.js`` with its tracker, as one script."""
    esbuild = clients() / ".bin" / "esbuild"
    done = subprocess.run(
        [esbuild, HERE / "web" / f"{name}.js", "--bundle", "--minify", "--log-level=error"],
        capture_output=True, check=True, timeout=_SECONDS,
    )  # fmt: skip
    return done.stdout.decode()


async def run_program(*command: str | Path) -> None:
    """Runs a program to its end, beside the collector that it speaks to."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _SECONDS)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 0, output.decode()


async def run_node(program: str, *arguments: str) -> None:
    """``node/PROGRAM.mjs`` to its end."""
    clients()
    await run_program("node", HERE / "node" / f"{program}.mjs", *arguments)


async def run_python(program: str, *arguments: str) -> None:
    """``python/PROGRAM.py`` to its end, in an environment of its own."""
    python = HERE / ".venv" / "bin" / "python"
    if not python.exists():
        missing("no trackers of Python: make trackers")
    await run_program(python, HERE / "python" / f"{program}.py", *arguments)


def now_ms() -> int:
    """The wall clock, which trackers go by."""
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def website(script: str, server: Server, attributes: str = "") -> AsyncIterator[str]:
    """A site of another origin than the collector's, with the script on each page; ``attributes``: of its tag."""

    async def page(request: web.Request) -> web.Response:
        if request.path == "/favicon.ico":
            return web.Response(status=204)
        collector = server.url.replace("127.0.0.1", "localhost")
        told = attributes.replace("COLLECTOR", collector)
        text = _PAGE.format(path=request.path, collector=collector, script=script, attributes=told)
        return web.Response(text=text, content_type="text/html")

    app = web.Application()
    app.router.add_get("/{path:.*}", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def until(condition: Callable[[], bool], what: Callable[[], object] = str) -> None:
    """Waits until the condition holds; fails after 20 s, and says ``what`` was there instead."""
    try:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"still: {what()}") from None


class Visit:
    """A person on a site, step by step: each step waits until its hit has arrived."""

    def __init__(self, page: Page, server: Server, site: str) -> None:
        self.page, self.server, self.site = page, server, site

    def events(self) -> Counter[str]:
        return Counter(hit["event"] for hit in self.server.topic.hits)

    def hits(self, event: str) -> list[dict[str, Any]]:
        return [hit for hit in self.server.topic.hits if hit["event"] == event]

    def hit(self, event: str) -> dict[str, Any]:
        """The only one of the event."""
        (found,) = self.hits(event)
        return found

    async def arrived(self, event: str, times: int = 1) -> None:
        await until(lambda: self.events()[event] >= times, self.events)

    async def enter(self, path: str = "/first", search: str = SEARCH) -> None:
        await self.page.open(f"{self.site}{path}{search}")
        await self.arrived("page_view")

    async def navigate(self, path: str = "/second", *, tells: bool = False) -> None:
        """As a single-page application does. ``tells``: it calls its tracker."""
        views = self.events()["page_view"]
        await self.page.run(f"history.pushState({{}}, '', '{path}'); document.title = '{path}'; 0")
        if tells:
            await self.page.run("journey.navigated(); 0")
        await self.arrived("page_view", views + 1)

    async def stay(self, event: str) -> None:
        """Moves the mouse until the tracker says that somebody is there."""

        async with asyncio.timeout(20):
            while not self.events()[event]:
                await self.page.call("Input.dispatchMouseEvent", type="mouseMoved", x=9, y=9)
                await asyncio.sleep(0.3)

    async def does(self, what: str, event: str) -> None:
        await self.page.run(f"journey.{what}; 0")
        await self.arrived(event)

    async def leave(self) -> None:
        """To nowhere, and waits for what should not come, or not twice."""
        await self.page.open("about:blank")
        await asyncio.sleep(QUIET_S)
        assert self.page.errors == []


def in_views(server: Server, directory: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What a real pipeline makes of the collector's hits: rows of ``sessions`` and of ``conversions``.

    The command runs in this process, whose loop waits: one of its own would take three times as long to start.
    """
    hits, data = directory / "hits.ndjson", directory / "data"
    hits.write_bytes(b"\n".join(value for _, value in server.topic.records) + b"\n")
    arguments = ["process", str(hits), "--data", str(data), "--json"]
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(CliRunner().invoke, main, arguments).result(_SECONDS)
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["received"] == len(server.topic.records)
    assert (summary["dead_letter"], summary["bot"]) == (0, 0)
    with connect(data / STORE_DIRECTORY, read_only=True) as store:
        return rows(store, "SELECT * FROM sessions"), rows(store, "SELECT * FROM conversions")
