"""What trackers cost a page: no error in its console, and of ours less than five milliseconds of its main thread."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from ..chromium import Page, open_page, running_browser
from ..conftest import Server
from .kit import OURS, Visit, bundle, until, website

pytestmark = pytest.mark.timeout(120)
MAX_MS = 5
LOADS = 10  # at most, each first of its browser; the least of them counts: the machine has other things to do
EMPTY = OURS.replace("COLLECTOR + '/masir.js'", "'data:text/javascript,0'")


async def test_page_with_three_trackers_and_ours_has_no_error(page: Page, server: Server) -> None:
    async with website(bundle("three") + OURS, server) as site:
        person = Visit(page, server, site)
        await person.enter()
        await until(lambda: _views(server, "/first") == 4, lambda: server.topic.hits)
        await page.run("history.pushState({}, '', '/second'); document.title = '/second'; 0")
        # Three: Segment's wants to be told.
        await until(lambda: _views(server, "/second") == 3, lambda: server.topic.hits)
        await person.leave()
        views = [hit for hit in server.topic.hits if hit["event"] == "page_view"]
        assert Counter(hit["url"].partition("?")[0] for hit in views) == {
            f"{site}/first": 4,
            f"{site}/second": 3,
        }


def _views(server: Server, path: str) -> int:
    return sum(hit["event"] == "page_view" and path in hit["url"] for hit in server.topic.hits)


async def test_ours_costs_less_than_five_milliseconds_also_at_the_first_load(
    server: Server, tmp_path: Path
) -> None:
    """What the page has used with our script, less what it used with an empty one, each in a browser that is new."""
    costs: dict[str, list[float]] = {OURS: [], EMPTY: []}
    async with website(OURS, server) as with_ours, website(EMPTY, server) as without:
        for load in range(LOADS):
            for script, site in ((OURS, with_ours), (EMPTY, without)):
                with running_browser(tmp_path / f"{load}{script == OURS}") as browser:
                    costs[script].append(await _cost(browser, site, server, views=load + 1))
            ours = min(costs[OURS]) - min(costs[EMPTY])
            if 0 < ours < MAX_MS:
                break
    assert 0 < ours < MAX_MS, costs


async def _cost(browser: str, site: str, server: Server, *, views: int) -> float:
    """Of a page, once ``views`` of such pages have been told."""
    async with open_page(browser) as page:
        await page.call("Performance.enable", timeDomain="threadTicks")
        await page.open(f"{site}/load")
        await until(lambda: _views(server, "/load") == views)
        await asyncio.sleep(0.5)
        assert page.errors == []
        return await _script_ms(page)


async def _script_ms(page: Page) -> float:
    """CPU of the main thread, since the page was entered, for compiling and running scripts."""
    metrics = (await page.call("Performance.getMetrics"))["metrics"]
    found = {metric["name"]: metric["value"] for metric in metrics}
    return float(found["ScriptDuration"] + found["V8CompileDuration"]) * 1_000
