"""A real ``masir run`` with a day of the synthetic shop, and a browser."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from bench.running import Running
from pipeline.demo.load import load_stream
from pipeline.demo.simulator import simulate
from tests.collector.chromium import Page, open_page
from tests.collector.clients.kit import clients
from tests.system.kit import hit, now_ms, post

HOUR_MS = 3_600_000


@contextmanager
def running_shop(data: Path, crowd: int = 0) -> Iterator[Running]:
    """Nothing moves in it but time: every session of the day has closed but those of ``open-0`` to ``open-39``.

    ``crowd``: so many visitors of another site, ``load``.
    """
    now = now_ms()
    day, _ = simulate(seed=5, customers=150, start_ms=now - 20 * HOUR_MS, days=0.7)
    visitors = load_stream(seed=5, visitors=max(crowd, 1), hits=crowd, start_ms=now - 22 * HOUR_MS)
    with Running(data) as running:
        for hits in (visitors, day):
            while chunk := list(islice(hits, 2_000)):
                post(running, *chunk)
        post(running, *(hit(f"open-{number}", now) for number in range(40)))  # time passes in all partitions
        running.wait_until_drained()
        running.wait_for_value("SELECT count() FROM sessions WHERE NOT closed", 40)
        yield running


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_shop(tmp_path_factory.mktemp("live") / "data") as running:
        yield running


@pytest.fixture
async def page(browser: str) -> AsyncIterator[Page]:
    async with open_page(browser) as tab:
        await size(tab, 1_440)
        yield tab


async def size(page: Page, width: int, height: int = 900) -> None:
    await page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=width < 600,
    )


async def text(page: Page, selector: str) -> Any:
    """Of the first element there; None without one."""
    return await page.run(f"document.querySelector({selector!r})?.textContent ?? null")


async def click(page: Page, selector: str) -> None:
    await page.run(f"document.querySelector({selector!r}).click()")


async def choose(page: Page, name: str, value: str) -> None:
    """In a select."""
    await page.run(
        f"(() => {{ const s = document.getElementById({name!r}); s.value = {value!r};"
        " s.dispatchEvent(new Event('change')); })()"
    )


async def until(found: Callable[[], Awaitable[Any]], wanted: Any, what: str, *, seconds: float = 30) -> None:
    """Until ``found`` is what is wanted, or true if a predicate is."""
    deadline = time.monotonic() + seconds
    while True:
        value = await found()
        if wanted(value) if callable(wanted) else value == wanted:
            return
        assert time.monotonic() < deadline, f"{what}: {value!r} and not {wanted!r}"
        await asyncio.sleep(0.1)


async def serious(page: Page) -> list[Any]:
    """What axe finds that is serious or critical, with the elements."""
    axe = clients() / "axe-core" / "axe.min.js"
    await page.run(axe.read_text() + "\n;0")
    found = await page.run(
        "axe.run(document, {resultTypes: ['violations']}).then(r => JSON.stringify(r.violations"
        ".filter(v => ['serious', 'critical'].includes(v.impact))"
        ".map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html + ' | ' + n.failureSummary)])))"
    )
    answer: list[Any] = json.loads(found)
    return answer


async def open_live(page: Page, url: str) -> None:
    """Open the page and wait until it lives."""
    await page.open(url)
    await until(lambda: page.run("document.body.dataset.state"), "live", "the page lives")
    await until(lambda: text(page, "#figure-active .value"), bool, "figures are there")
