"""A language of the map: its words, digits, dates and the direction of writing. English, Persian and Arabic.

Persian dates are those of the solar calendar, by its 33-year cycle of leap years, which agrees with the astronomical
calendar from 1925 to 2088. A name without a translation is shown as it is, underscores as spaces.
"""

import tomllib
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final

LANGUAGES: Final = ("en", "fa", "ar")

_DIGITS: Final = {"en": "0123456789.,%-", "fa": "۰۱۲۳۴۵۶۷۸۹٫٬٪−", "ar": "٠١٢٣٤٥٦٧٨٩٫٬٪−"}
_LEFT_TO_RIGHT: Final = "\u200e"
_LARGE: Final = 100_000
_SIZES: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_NOWRUZ_1403: Final = date(2024, 3, 20)
_LEAP_YEARS: Final = frozenset({1, 5, 9, 13, 17, 22, 26, 30})  # of each 33


class Tongue:
    """Made by :func:`tongue`."""

    def __init__(self, words: dict[str, Any]) -> None:
        self.language: str = words["language"]
        self.rtl = self.language != "en"
        self.fonts = ("latin",) if words["font"] == "latin" else ("arabic", "latin")
        self._words = words
        self._digits = str.maketrans(_DIGITS["en"], _DIGITS[self.language])

    def __getitem__(self, word: str) -> str:
        found: str = self._words["words"][word]
        return found

    def channel(self, name: str) -> str:
        return self._name("channels", name)

    def touchpoint(self, name: str) -> str:
        return self._name("touchpoints", name)

    def _name(self, table: str, name: str) -> str:
        found: str = self._words[table].get(name) or name.replace("_", " ")
        return found

    def number(self, value: float, decimals: int = 0) -> str:
        written = f"{value:,.{decimals}f}".translate(self._digits)
        return self._signed(written) if value < 0 else written

    def count(self, value: float) -> str:
        """A number that may be large, in thousands and millions from a hundred thousand on."""
        if abs(value) < _LARGE:
            return self.number(value)
        unit, size = ("million", 1e6) if abs(value) >= 999_500 else ("thousand", 1e3)
        return f"{self.number(value / size, 1 if abs(value) < 10 * size else 0)}{self._words['units'][unit]}"

    def change(self, value: int) -> str:
        """With its sign."""
        written = self.number(value)
        return self._signed(f"+{written}") if value > 0 else written

    def _signed(self, written: str) -> str:
        """In a Persian line the sign stands on the left of its number; by itself it would stand on the right."""
        return _LEFT_TO_RIGHT + written if self.language == "fa" else written

    def joined(self, parts: Iterable[str]) -> str:
        """Parts of a line, each of which keeps its own direction of writing."""
        return "  ·  ".join(f"\u2068{part}\u2069" for part in parts) if self.rtl else "  ·  ".join(parts)

    def percent(self, share: float | None) -> str:
        """None is a dash; what is neither nothing nor all never shows as 0 or 100."""
        if share is None:
            return "–"
        rounded = round(100 * share)
        if 0 < share < 1 and rounded in (0, 100):
            return (
                f"{100 * share:.1f}%".translate(self._digits)
                if 0.0005 <= share < 0.9995
                else self._edge(share)
            )
        return f"{rounded}%".translate(self._digits)

    def _edge(self, share: float) -> str:
        return ("<0.1%" if share < 0.5 else ">99.9%").translate(self._digits)

    def duration(self, seconds: float | None) -> str:
        """In the largest unit that it fills, to two digits or so."""
        if seconds is None:
            return "–"
        unit, size = next((one for one in _SIZES if seconds >= one[1]), _SIZES[-1])
        value = seconds / size
        return f"{self.number(value, 1 if value < 10 and size > 1 else 0)} {self._words['units'][unit]}"

    def money(self, amounts: dict[str, float]) -> str:
        """The two greatest currencies."""
        parts = [f"{self.count(value)} {currency}".strip() for currency, value in list(amounts.items())[:2]]
        return " + ".join(parts) or "–"

    def date(self, day: date) -> str:
        """Day, month and year, in the calendar of the language."""
        year, month, number = solar(day) if self.language == "fa" else (day.year, day.month, day.day)
        return f"{number} {self._words['months']['names'][month - 1]} {year}".translate(self._digits)


def solar(day: date) -> tuple[int, int, int]:
    """Year, month and day of the Persian solar calendar."""
    year, begins = 1403, _NOWRUZ_1403
    while day < begins:
        year -= 1
        begins -= timedelta(days=_length(year))
    while day >= begins + timedelta(days=_length(year)):
        begins += timedelta(days=_length(year))
        year += 1
    passed = (day - begins).days
    if passed < 186:
        return year, passed // 31 + 1, passed % 31 + 1
    return year, 7 + (passed - 186) // 30, (passed - 186) % 30 + 1


def _length(year: int) -> int:
    return 366 if year % 33 in _LEAP_YEARS else 365


@cache
def tongue(language: str) -> Tongue:
    """One of LANGUAGES."""
    file = files("pipeline.journey.map") / "words" / f"{language}.toml"
    return Tongue(tomllib.loads(file.read_text("utf-8")))
