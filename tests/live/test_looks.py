"""The page in three languages, light and dark, on a phone, for a keyboard and a screen reader (axe-core)."""

from typing import Any

import pytest

from bench.running import Running
from tests.collector.chromium import Page

from .conftest import choose, click, open_live, serious, size, text, until

pytestmark = pytest.mark.timeout(240)
LANGUAGES = ("en", "fa", "ar")
DIGITS = {"en": "0123456789", "fa": "۰۱۲۳۴۵۶۷۸۹", "ar": "٠١٢٣٤٥٦٧٨٩"}


async def prefer(page: Page, scheme: str) -> None:
    await page.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )


async def brightness(page: Page) -> int:
    colour = await page.run("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, colour[4:-1].split(",")))


async def with_person(page: Page, shop: Running) -> None:
    """The page with something in every part of it."""
    await open_live(page, f"{shop.url}/?site=shop")
    await until(lambda: text(page, "#people [role=option]"), bool, "somebody")
    await click(page, "#people [role=option]")
    await until(lambda: text(page, ".entries li"), bool, "a timeline")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_languages(shop: Running, page: Page, language: str) -> None:
    await with_person(page, shop)
    await click(page, "#window [data-name='2']")
    await choose(page, "language", language)
    assert await page.run("[document.documentElement.lang, document.documentElement.dir]") == [
        language,
        "ltr" if language == "en" else "rtl",
    ]
    for selector in (
        "[data-figure=active]",
        "[data-channel] td",
        "[data-stage=awareness]",
        "[data-outcome=sessionized]",
    ):
        found = await text(page, selector)
        assert set(found) & set(DIGITS[language]), (selector, found)
        assert not any(set(found) & set(DIGITS[other]) for other in LANGUAGES if other != language)
    label = {"en": "Awareness", "fa": "آگاهی", "ar": "الوعي"}[language]
    assert await text(page, ".stage .label") == label
    assert "undefined" not in await text(page, "body")
    assert "{" not in await page.run("document.querySelector('main').innerText"), "no place is left open"
    await page.open(f"{shop.url}/?site=shop")
    assert await page.run("document.documentElement.lang") == language, "it is remembered"
    assert page.errors == []


async def test_every_language_has_every_word(shop: Running, page: Page) -> None:
    await page.open(shop.url)
    words = await page.run("import('/live/static/words.js').then(module => module.WORDS)")

    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shape(inner) for key, inner in value.items()}
        return sorted(part.partition("}")[0] for part in value.split("{")[1:])

    assert set(words) == set(LANGUAGES)
    assert shape(words["fa"]) == shape(words["en"]) == shape(words["ar"])


async def test_light_and_dark(shop: Running, page: Page) -> None:
    await prefer(page, "light")
    await open_live(page, shop.url)
    light = await brightness(page)
    await prefer(page, "dark")
    dark = await brightness(page)
    assert light > 600 > 150 > dark
    await click(page, "#theme")
    assert await brightness(page) == light, "chosen: light, whatever the system says"
    await prefer(page, "light")
    await click(page, "#theme")
    assert await brightness(page) == dark
    await page.open(shop.url)
    await until(lambda: page.run("document.documentElement.dataset.theme"), "dark", "it is remembered")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_phone_shows_all_of_it_in_one_column(shop: Running, page: Page, language: str) -> None:
    await size(page, 360, 740)
    await with_person(page, shop)
    await choose(page, "language", language)
    assert await page.run("document.documentElement.scrollWidth") <= 360
    wide = await page.run(
        "[...document.querySelectorAll('main section, header')]"
        ".filter(e => e.getBoundingClientRect().width > 361).length"
    )
    assert wide == 0


@pytest.mark.parametrize(
    ("language", "scheme", "width"),
    [("en", "light", 1_440), ("en", "dark", 1_440), ("fa", "light", 1_440), ("ar", "dark", 390)],
)
async def test_axe_finds_nothing_serious(
    shop: Running, page: Page, language: str, scheme: str, width: int
) -> None:
    await size(page, width)
    await prefer(page, scheme)
    await with_person(page, shop)
    await choose(page, "language", language)
    assert await serious(page) == []


async def test_focus_goes_through_the_page_in_reading_order(shop: Running, page: Page) -> None:
    await with_person(page, shop)
    await page.run("document.activeElement.blur()")
    seen = []
    for _ in range(18):
        await page.call(
            "Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9
        )
        seen.append(
            await page.run("(e => e.id || e.parentElement.id || e.className)(document.activeElement)")
        )
    order = list(dict.fromkeys(seen))
    assert order[:9] == ["skip", "site", "window", "language", "theme", "models", "flow", "lists", "find"], (
        order
    )
    assert order[9:11] == ["people", "timeline"], order


async def test_nothing_comes_from_elsewhere_and_nothing_is_inline(shop: Running, page: Page) -> None:
    await with_person(page, shop)
    origins = await page.run(
        "[...new Set(performance.getEntriesByType('resource').map(e => new URL(e.name).origin))]"
    )
    assert origins == [shop.url]
    assert (
        await page.run(
            "document.querySelectorAll('script:not([src]), style, [style*=expression], [onclick]').length"
        )
        == 0
    )
    assert page.errors == [], "the policy was not broken"
