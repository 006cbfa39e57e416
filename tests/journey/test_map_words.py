"""Languages of the map: the same words in each, digits, dates of three languages, and what is never rounded."""

import tomllib
from datetime import date
from importlib.resources import files

import pytest

from pipeline.journey.map.canvas import Canvas, cut, width_of
from pipeline.journey.map.tongue import LANGUAGES, solar, tongue


def words(language: str) -> dict[str, dict[str, str]]:
    text = (files("pipeline.journey.map") / "words" / f"{language}.toml").read_text("utf-8")
    return {name: table for name, table in tomllib.loads(text).items() if isinstance(table, dict)}


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_language_has_the_same_words_and_its_own_letters(language: str) -> None:
    ours, english = words(language), words("en")
    assert {name: table.keys() for name, table in ours.items()} == {
        name: table.keys() for name, table in english.items()
    }
    for table in ours.values():
        for key, word in table.items():
            assert key in ("nps", "csat", "ces", "names") or not word.isascii(), key


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(1979, 2, 11), (1357, 11, 22)),
        (date(2017, 3, 20), (1395, 12, 30)),  # a leap year ends
        (date(2020, 3, 19), (1398, 12, 29)),
        (date(2020, 3, 20), (1399, 1, 1)),
        (date(2021, 3, 20), (1399, 12, 30)),
        (date(2021, 3, 21), (1400, 1, 1)),
        (date(2024, 9, 21), (1403, 6, 31)),
        (date(2024, 9, 22), (1403, 7, 1)),
        (date(2026, 7, 1), (1405, 4, 10)),
    ],
)
def test_the_solar_calendar(day: date, expected: tuple[int, int, int]) -> None:
    assert solar(day) == expected


def test_dates_digits_and_signs() -> None:
    assert [tongue(language).date(date(2026, 7, 1)) for language in LANGUAGES] == [
        "1 Jul 2026", "۱۰ تیر ۱۴۰۵", "١ يوليو ٢٠٢٦",
    ]  # fmt: skip
    assert [tongue(language).number(-1234.5, 1) for language in LANGUAGES] == [
        "-1,234.5", "\u200e−۱٬۲۳۴٫۵", "−١٬٢٣٤٫٥",
    ]  # fmt: skip
    assert [tongue(language).change(7) for language in LANGUAGES] == ["+7", "\u200e+۷", "+٧"]


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0, "0%"), (1, "100%"), (0.004, "0.4%"), (0.0001, "<0.1%"), (0.996, "99.6%"), (0.9999, ">99.9%"),
     (0.5, "50%"), (None, "–")],
)  # fmt: skip
def test_what_is_neither_nothing_nor_all_never_shows_as_such(share: float | None, expected: str) -> None:
    assert tongue("en").percent(share) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1.0 min"),
        (3599, "60 min"),
        (3600, "1.0 h"),
        (864_000, "10 d"),
        (None, "–"),
    ],
)
def test_durations(seconds: float | None, expected: str) -> None:
    assert tongue("en").duration(seconds) == expected


def test_a_name_without_a_translation_is_shown_as_it_is() -> None:
    assert tongue("fa").touchpoint("try_on") == "try on"
    assert tongue("fa").channel("email") == "ایمیل"


def test_a_long_text_is_cut_and_told_in_full() -> None:
    assert cut("short", 12, 100) == "short"
    shown = cut("a very long name of a page", 12, 60)
    assert shown.endswith("…")
    assert width_of(shown, 12) <= 60
    canvas = Canvas()
    canvas.text(0, 0, "a very long <name> of a page", 12, width=60)
    assert "<title>a very long &lt;name&gt; of a page</title>" in canvas.svg(title="t", language="en")


def test_a_mirrored_canvas_turns_everything_round() -> None:
    canvas = Canvas(rtl=True)
    canvas.rect(10, 0, 100, 5, "panel")
    canvas.text(10, 0, "x", 12)
    canvas.path([("M", 10, 1), ("C", 20, 2, 30, 3, 40, 4), ("Z",)], "flow")
    drawn = canvas.svg(title="t", language="fa")
    assert 'direction="rtl"' in drawn
    assert '<rect x="1570.0" y="0.0" width="100.0"' in drawn
    assert '<text x="1670.0"' in drawn
    assert 'd="M1670.0 1.0 C1660.0 2.0 1650.0 3.0 1640.0 4.0 Z"' in drawn
