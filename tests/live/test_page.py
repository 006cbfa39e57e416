"""The page in a real browser: its figures are those of SQL, it moves, it says when the server is away."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.running import Running
from tests.collector.chromium import Page
from tests.system.kit import hit, now_ms, post

from .conftest import choose, click, open_live, running_shop, serious, text, until

pytestmark = pytest.mark.timeout(240)
MANY = 10_000
MODELS = ("buyer3", "classic5", "digital8", "funnel4", "loyalty5")
_STAGES = """
SELECT model, stage, count() AS persons FROM
(
    SELECT model, argMax(to_stage, (time, ordinal)) AS stage
    FROM transitions WHERE site = 'shop' GROUP BY person_id, model
)
WHERE stage != '' GROUP BY model, stage"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With ten thousand visitors of another site."""
    with running_shop(tmp_path_factory.mktemp("live") / "data", MANY) as running:
        yield running


def number(value: float) -> str:
    return f"{value:,.0f}"


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%" if whole else "–"


async def shown(page: Page, selector: str, attribute: str) -> dict[str, str]:
    """Attribute -> text of all elements there."""
    found: dict[str, str] = await page.run(
        f"Object.fromEntries([...document.querySelectorAll({selector!r})]"
        f".map(e => [e.getAttribute({attribute!r}), e.textContent]))"
    )
    return found


async def test_figures_are_those_of_sql(shop: Running, page: Page) -> None:
    await open_live(page, f"{shop.url}/?site=shop")
    await click(page, "#window [data-name='2']")
    ((sums,),) = [
        shop.query(
            "SELECT sum(sessions) AS sessions, sum(counted) AS counted, sum(bounced) AS bounced,"
            " sum(converted) AS converted FROM counters WHERE site = 'shop'",
        )
    ]
    assert sums["sessions"] > 100
    active = shop.query("SELECT count() AS n FROM sessions WHERE site = 'shop' AND NOT closed")[0]["n"]
    await until(
        lambda: shown(page, "[data-figure]", "data-figure"),
        lambda found: (
            found.get("active") == number(active)
            and found.get("bounce") == percent(sums["bounced"], sums["counted"])
            and found.get("conversion") == percent(sums["converted"], sums["sessions"])
        ),
        f"{sums}, {active} active",
    )
    assert await text(page, "#figure-bounce .soft") == f"of {number(sums['sessions'])} closed sessions"
    outcomes = {
        row["outcome"]: number(row["hits"]) for row in shop.query("SELECT * FROM ledger WHERE site = 'shop'")
    }
    await until(
        lambda: shown(page, "[data-outcome]", "data-outcome"),
        lambda found: {k: v for k, v in found.items() if v != "0"} == outcomes,
        f"{outcomes}",
    )
    assert page.errors == []


async def test_channels_are_those_of_sql(shop: Running, page: Page) -> None:
    await open_live(page, f"{shop.url}/?site=shop")
    await click(page, "#window [data-name='2']")
    rows = shop.query(
        "SELECT channel, sum(sessions) AS n, sum(counted) AS counted, sum(bounced) AS bounced,"
        " sum(converted) AS converted FROM counters WHERE site = 'shop' GROUP BY channel",
    )
    wanted = {
        row["channel"]: [
            number(row["n"]),
            percent(row["bounced"], row["counted"]),
            percent(row["converted"], row["n"]),
        ]
        for row in rows
    }
    assert len(wanted) > 3
    found = await page.run(
        "Object.fromEntries([...document.querySelectorAll('[data-channel]')]"
        ".map(r => [r.dataset.channel, [...r.querySelectorAll('td')].map(d => d.textContent)]))"
    )
    assert found == wanted


async def test_stages_of_all_models_are_those_of_sql(shop: Running, page: Page) -> None:
    stages: dict[str, dict[str, str]] = {}
    for row in shop.query(_STAGES):
        stages.setdefault(row["model"], {})[row["stage"]] = number(row["persons"])
    assert set(stages) == set(MODELS)
    await open_live(page, f"{shop.url}/?site=shop")
    for model in MODELS:
        await click(page, f"#models [data-name={model}]")
        found = await shown(page, "[data-stage]", "data-stage")
        assert {stage: n for stage, n in found.items() if n != "0"} == stages[model]


async def test_people_about_to_leave_are_those_of_sql(shop: Running, page: Page) -> None:
    persons = shop.query(
        "SELECT person_id, churn_score, churn_reasons FROM persons WHERE site = 'shop' AND churn_score > 0"
        " ORDER BY churn_score DESC",
    )
    assert persons, "somebody shows signs of leaving"
    await open_live(page, f"{shop.url}/?site=shop")
    await until(
        lambda: text(page, "#people-count"),
        lambda said: said.startswith(f"{number(len(persons))} people"),
        "all",
    )
    first = await text(page, "#people [role=option] .id")
    assert first in {one["person_id"] for one in persons if one["churn_score"] == persons[0]["churn_score"]}
    reasons: dict[str, int] = {}
    for one in persons:
        for reason in one["churn_reasons"]:
            reasons[reason] = reasons.get(reason, 0) + 1
    found = await page.run(
        "Object.fromEntries([...document.querySelectorAll('[data-reason]')]"
        ".map(e => [e.dataset.reason, Number(e.querySelector('strong').textContent)]))"
    )
    assert found == reasons


async def test_timeline_has_all_that_is_stored_of_the_person(shop: Running, page: Page) -> None:
    await open_live(page, f"{shop.url}/?site=shop")
    await until(lambda: text(page, "#people [role=option] .id"), bool, "somebody is on the list")
    person = await text(page, "#people [role=option] .id")
    await page.run("document.getElementById('people').focus()")
    for key, code in (("ArrowDown", 40), ("Enter", 13)):
        await page.call(
            "Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code
        )
    await until(lambda: page.run("document.querySelectorAll('.entries li').length"), bool, "a timeline")
    of = f"WHERE site = 'shop' AND person_id = '{person}'"
    counts: Any = shop.query(
        f"SELECT (SELECT count() FROM hits {of}) AS hits, (SELECT count() FROM transitions {of}) AS stage,"
        f" (SELECT count() FROM signals {of}) AS signal",
    )[0]
    found = await page.run(
        "[...document.querySelectorAll('.entries li')].map(e => e.className)"
        ".reduce((sum, kind) => ({...sum, [kind]: (sum[kind] ?? 0) + 1}), {})"
    )
    assert found["stage"] == counts["stage"]
    assert found["signal"] == counts["signal"]
    assert sum(found.values()) == sum(counts.values())
    assert await text(page, ".who") == person
    assert page.errors == []


async def test_ten_thousand_people_are_a_list_of_few_elements(shop: Running, page: Page) -> None:
    await open_live(page, f"{shop.url}/?site=load")
    await click(page, "#lists [data-name=recent]")
    await until(
        lambda: text(page, "#people-count"),
        lambda said: f"first {number(MANY)} people" in said,
        "all of them",
    )
    options = "document.querySelectorAll('#people [role=option]')"
    assert await page.run(f"{options}.length") < 40
    slowest = await page.run(
        "(async () => { const p = document.getElementById('people'); let most = 0;"
        "for (let at = 0; at < 40; at++) { p.scrollTop = at * 14000; const from = performance.now();"
        "await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));"
        "most = Math.max(most, performance.now() - from); } return most; })()"
    )
    assert slowest < 500, "two frames of scrolling, in ms, on a machine that others use too"
    await page.run("document.getElementById('people').focus()")
    await page.call("Input.dispatchKeyEvent", type="keyDown", key="End", code="End", windowsVirtualKeyCode=35)
    await until(
        lambda: page.run(f"[...{options}].at(-1).getAttribute('aria-posinset')"), str(MANY), "the last one"
    )
    assert await page.run(f"{options}.length") < 40


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A pipeline that has seen nothing yet."""
    with Running(tmp_path_factory.mktemp("fresh") / "data") as running:
        yield running


async def test_axe_finds_nothing_serious_on_an_empty_page(fresh: Running, page: Page) -> None:
    await open_live(page, fresh.url)
    assert not await page.run("document.getElementById('empty').hidden")
    assert await serious(page) == []


async def test_it_moves_when_hits_arrive(fresh: Running, page: Page) -> None:
    await page.open(fresh.url)
    await until(
        lambda: page.run("document.getElementById('empty').hidden"),
        False,
        "it says that nothing has come",
    )
    assert fresh.url in await text(page, "#empty-code")
    post(fresh, *(hit(f"v{n}", now_ms()) for n in range(3)))
    await until(lambda: text(page, "[data-figure=active]"), "3", "three sessions")
    await until(lambda: text(page, "[data-stage=awareness]"), "3", "three persons")
    assert await page.run("document.getElementById('empty').hidden")
    await until(lambda: text(page, "[data-figure=rate]"), lambda rate: float(rate) > 0, "hits per second")
    await page.run(
        "window.dots = 0; new MutationObserver(() => { dots = Math.max(dots,"
        "document.querySelectorAll('.arcs .dot').length) }).observe(document.getElementById('flow'),"
        "{childList: true, subtree: true})"
    )
    post(fresh, *(hit(f"w{n}", now_ms()) for n in range(4)))
    await until(lambda: text(page, "[data-figure=active]"), "7", "four more")
    await until(lambda: page.run("window.dots"), lambda dots: dots > 0, "somebody moves through the picture")
    assert page.errors == []


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def test_it_says_that_the_server_is_gone_and_comes_back(tmp_path: Path, page: Page) -> None:
    address = f"127.0.0.1:{free_port()}"
    running = Running(tmp_path / "data", metrics_listen=address)
    with running:
        post(running, hit("v", now_ms()))
        await open_live(page, f"http://{address}")
        await until(lambda: text(page, "[data-figure=active]"), "1", "one session")
        await asyncio.to_thread(running.kill)
        await until(lambda: page.run("document.body.dataset.state"), "broken", "it is broken")
        assert "does not answer" in await text(page, "#broken")
        assert await text(page, "#status-text") == "Connection lost"
        assert await text(page, "[data-figure=active]") == "1", "what was known stays"
        await asyncio.to_thread(running.start)
        await until(lambda: page.run("document.body.dataset.state"), "live", "it is back", seconds=60)
        assert await page.run("document.getElementById('broken').hidden")
        post(running, hit("w", now_ms()))
        await until(lambda: text(page, "[data-figure=active]"), "2", "it goes on")


async def test_another_site_shows_other_figures(shop: Running, page: Page) -> None:
    await open_live(page, shop.url)
    everywhere = await shown(page, "[data-stage]", "data-stage")
    await choose(page, "site", "load")
    await until(
        lambda: shown(page, "[data-stage]", "data-stage"),
        lambda found: found != everywhere and int(found["awareness"].replace(",", "")) >= MANY * 0.5,
        "the other site's stages",
    )
    assert page.errors == []
