"""The drawn map in a real browser: nothing sticks out, in three languages, on screen and on paper."""

import base64
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import pytest
from collector.chromium import open_page

from pipeline.core.models import load
from pipeline.journey.funnel import Flow
from pipeline.journey.map.campaign_sheet import draw_campaign, title_of
from pipeline.journey.map.campaigns import Campaign, Compared
from pipeline.journey.map.canvas import Canvas
from pipeline.journey.map.facts import Item, MapFacts, Stage, Totals
from pipeline.journey.map.page import html, svg
from pipeline.journey.map.sheet import draw_map, mood_of
from pipeline.journey.map.tongue import LANGUAGES, tongue
from pipeline.journey.scope import Scope
from pipeline.model_files import builtin_texts

MODELS = {model.name: model for model in load(builtin_texts()).models}
SCOPE = Scope("a-shop-with-a-rather-long-name.example", 1_767_225_600_000, 1_775_000_000_000)

OVERLAPPING = """
[...document.querySelectorAll('svg.map')].flatMap(svg => {
  const texts = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
  return texts.flatMap(([one, a], at) => texts.slice(at + 1).filter(([other, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.45 * Math.min(a.height, b.height)
  ).map(([other]) => one + ' / ' + other));
})
"""
TOO_WIDE = """
document.fonts.ready.then(() => [...document.querySelectorAll('svg.map')].flatMap(svg => {
  const box = svg.getBoundingClientRect(), unit = box.width / 1680;
  return [...svg.querySelectorAll('text')].filter(text => {
    const at = text.getBoundingClientRect();
    const inside = at.left >= box.left && at.right <= box.right && at.top >= box.top && at.bottom <= box.bottom;
    return !inside || (text.dataset.room && at.width / unit > +text.dataset.room + 8);
  }).map(text => text.textContent);
}))
"""


def facts_of(model: str) -> MapFacts:
    """Large numbers, long names, every row filled, and a stage where nothing is."""
    stages = []
    for at, stage in enumerate(MODELS[model].stage):
        items = [
            Item(name, 1_000 - n, 0.9**n)
            for n, name in enumerate(("blog", "begin_checkout", "x" * 60, "email_open", "review"))
        ]
        stages.append(
            Stage(
                stage.id, at + 1, persons=1_234_567 >> at, now=345_678, advanced=500 >> at, exited=123_456 >> at,
                touches=98_765_432, sessions=12, median_seconds=3_456.0 * 10**at, session_seconds=61.0, csat=7.25,
                ces=5.5, nps=-100.0 + 30 * at, answers=54_321, at_risk=4_321, curve=[1, 5, 2, 0, 9],
                touchpoints=items, channels=[Item("organic_social", 9, 1.0)], contents=items[:3],
                reasons=[Item("the delivery took far too long, twice", 40, 0.5)],
            )
        )  # fmt: skip
    stages[-1] = Stage(stages[-1].stage, stages[-1].position)
    names = [stage.stage for stage in stages]
    flows = [Flow(a, b, "advance", 9, 400_000, 5.0) for a, b in pairwise(names)]
    flows += [
        Flow("", names[0], "enter", 9, 1_234_567, None),
        Flow(names[0], names[2], "advance", 9, 50_000, 5.0),
    ]
    flows += [
        Flow(names[2], names[0], "regress", 9, 50_000, 5.0),
        Flow(names[1], "", "lapse", 9, 50_000, 5.0),
    ]
    totals = Totals(1_234_567, 9_876_543, 0.123, {"EUR": 12_345_678.0, "IRR": 9e9}, -12.0)
    return MapFacts(SCOPE, model, totals, stages, flows)


def campaign_of(model: str) -> Campaign:
    stages = [
        Compared(stage.id, 123_456, 0.5, 0.25, None if at else 0.4)
        for at, stage in enumerate(MODELS[model].stage)
    ]
    return Campaign(
        "a_campaign_with_a_name_that_goes_on_and_on", 98_765, 87_654, 76_543, SCOPE.start_ms, SCOPE.end_ms, 0.25,
        5_432, {"EUR": 987_654.0}, [3, 0, 9, 4], [Item("paid_social", 9, 0.7)], {"EUR": 54_321.0}, 1_000,
        400, 90, stages,
    )  # fmt: skip


def sheets(model: str, language: str) -> list[tuple[str, Canvas]]:
    words, one = tongue(language), MODELS[model]
    labels = {stage.id: getattr(stage.labels, language) for stage in one.stage}
    campaign = campaign_of(model)
    return [
        (words["title"], draw_map(facts_of(model), words, getattr(one.labels, language), labels)),
        (title_of(campaign, words), draw_campaign(campaign, SCOPE, words, labels)),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_nothing_sticks_out_and_it_prints_a_sheet_a_page_on_a3(
    browser: str, tmp_path: Path, language: str
) -> None:
    async with open_page(browser) as page:
        for model in ("classic5", "digital8"):
            file = tmp_path / f"{model}.html"
            file.write_text(html(sheets(model, language), tongue(language), "auto"), "utf-8")
            await page.open(file.as_uri())
            assert await page.run(TOO_WIDE) == []
            assert await page.run(OVERLAPPING) == []
            assert await page.run("document.fonts.check('16px \"Masir Map\"', 'نA')")
            assert await page.run("document.dir") == ("ltr" if language == "en" else "rtl")
        printed = await page.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        pdf = base64.b64decode(printed["data"])
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 2
        width, height = map(float, re.findall(rb"/MediaBox\s*\[0 0 ([.\d]+) ([.\d]+)", pdf)[0])
        assert (width, height) == pytest.approx((420 / 25.4 * 72, 297 / 25.4 * 72), abs=1)
        assert page.errors == []


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_durations_and_risks_are_whole_in_any_number_of_columns(language: str, model: str) -> None:
    facts, words = facts_of(model), tongue(language)
    drawn = draw_map(facts, words, "m", {}).svg(title="t", language=language)
    for stage in facts.stages[:-1]:
        assert f">{words.duration(stage.median_seconds)}</text>" in drawn
        assert f">{words.count(stage.at_risk)} {words['at_risk']}</text>" in drawn


async def test_scores_and_answers_stand_in_their_order_where_one_writes_from_right_to_left(
    browser: str, tmp_path: Path
) -> None:
    """NPS and its number; on the left of both how many answers, and the word."""
    file = tmp_path / "map.html"
    file.write_text(html(sheets("digital8", "fa"), tongue("fa"), "auto"), "utf-8")
    async with open_page(browser) as page:
        await page.open(file.as_uri())
        places = await page.run("""document.fonts.ready.then(() => {
          const text = [...document.querySelectorAll('svg text')].find(one => /NPS.*پاسخ/.test(one.textContent));
          const at = part => text.getStartPositionOfChar(text.textContent.indexOf(part)).x;
          return ['پ', '۵۴', 'N', '۱۰۰'].map(at);
        })""")
    assert places == sorted(places)


async def test_dark_on_a_dark_screen_and_light_on_paper(browser: str, tmp_path: Path) -> None:
    file = tmp_path / "map.html"
    file.write_text(html(sheets("classic5", "en"), tongue("en"), "auto"), "utf-8")
    ground = "getComputedStyle(document.querySelector('svg rect')).fill"
    found = {}
    async with open_page(browser) as page:
        for media, scheme in (("screen", "light"), ("screen", "dark"), ("print", "dark")):
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            await page.call("Emulation.setEmulatedMedia", media=media, features=features)
            await page.open(file.as_uri())
            found[media, scheme] = await page.run(ground)
    assert found["screen", "light"] == found["print", "dark"] == "rgb(255, 255, 255)"
    assert found["screen", "dark"] == "rgb(17, 22, 29)"


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_svg_is_xml_that_needs_neither_variables_nor_a_page(language: str) -> None:
    for title, canvas in sheets("loyalty5", language):
        drawn = svg(title, canvas, tongue(language), "auto")
        root = ET.fromstring(drawn)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert (root.get("width"), root.get("height")) == ("420mm", "297mm")
        assert not re.search(r"var\(|hsl\(|url\((?!data:)", drawn)


def test_what_people_wrote_cannot_leave_its_place() -> None:
    facts = facts_of("classic5")
    facts.stages[0].reasons = [Item("<script>alert(1)</script>", 1, 1.0)]
    campaign = campaign_of("classic5")
    campaign.name = '"><img src=x onerror=alert(1)>'
    words = tongue("en")
    drawn = html(
        [
            ("t", draw_map(facts, words, "m", {})),
            (title_of(campaign, words), draw_campaign(campaign, SCOPE, words, {})),
        ],
        words,
        "auto",
    )
    assert "<script" not in drawn
    assert "<img" not in drawn


def test_a_share_is_that_of_the_persons_however_thin_the_bar() -> None:
    facts = facts_of("classic5")
    few, next_ = facts.stages[2], facts.stages[3]
    few.persons, next_.persons = 8, 6
    facts.flows = [Flow(few.stage, next_.stage, "advance", 6, 6, 5.0)]
    drawn = draw_map(facts, tongue("en"), "m", {}).svg(title="t", language="en")
    assert ">75%<" in drawn, "of 1.2 million in the first stage"


@pytest.mark.parametrize(
    ("ces", "mood", "look"), [(1.0, 10.0, "good"), (5.5, 5.5, "fair"), (10.0, 1.0, "bad")]
)
def test_hard_effort_is_a_bad_mood(ces: float, mood: float, look: str) -> None:
    facts = facts_of("classic5")
    facts.stages = [Stage(stage.stage, stage.position) for stage in facts.stages]
    facts.stages[0].ces = ces
    assert mood_of(facts.stages[0]) == mood
    drawn = draw_map(facts, tongue("en"), "m", {}).svg(title="t", language="en")
    assert re.findall(r'<circle[^>]*r="5.5" class="(\w+)"', drawn) == [look]


def test_what_a_campaign_is_compared_with_is_said() -> None:
    """The period before, or everyone where there was nobody before."""
    drawn = draw_campaign(campaign_of("classic5"), SCOPE, tongue("en"), {}).svg(title="t", language="en")
    assert re.findall(r">([+−-]?\d+)</text><text[^>]*>(points[^<]*)<", drawn) == [
        ("+10", "points vs. before"), *[("+25", "points vs. everyone")] * 4
    ]  # fmt: skip
