"""A sheet of SVG that is written from left to right, or mirrored for languages that run from right to left.

Units are quarters of a millimetre: A3 across is 1680 by 1188. All coordinates are as if the language ran to the right;
a mirrored canvas turns them round, texts included (``start`` is where the line of writing begins). Texts are cut to
the width they may have, by the usual widths of letters; the whole text then stands in the title that a pointer shows.
"""

from collections.abc import Iterable
from typing import Final
from unicodedata import combining
from xml.sax.saxutils import escape, quoteattr

WIDTH: Final = 1680
HEIGHT: Final = 1188

# Widths of the letters of the font at size 1. Those of Persian and Arabic are means over the forms a letter takes in
# the words of the map, so their sum is less sure.
_WIDTHS: Final = {
    letter: width
    for width, letters in {
        0.2: "',;ء",
        0.25: "!.:I[]ijl|·٬ا ",
        0.3: "`۱١رز",
        0.35: "()frt{}،آأإئبةلىي",
        0.4: "/\\^٫۰٠ن",
        0.45: "*-?_y−٤دذی",
        0.5: "<>cksvxz٪۲۶۹٢٦٩تغقكمهوپ",
        0.55: "$+0123456789=EFJLabdeghnopqu€۴٥≤ف",
        0.6: "#&BRSTYZ۵۷۸٧٨ثظگ",
        0.65: "ACDKPUVX–…۳٣جعک",
        0.7: "GHNOQ~خ",
        0.75: "%w",
        0.85: "—Mحچط",
        0.9: "@Wmسشصض",
    }.items()
    for letter in letters
}
_OTHER: Final = 0.57
_INVISIBLE: Final = frozenset("\u200c\u200d\u200e\u200f\u2068\u2069")
_LATIN_SAFETY: Final = 1.03
_ARABIC_SAFETY: Final = 1.1

Step = tuple[str, *tuple[float, ...]]


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a text is."""
    units = 0.0
    safety = _LATIN_SAFETY
    for letter in text:
        if letter in _INVISIBLE or combining(letter):
            continue
        units += _WIDTHS.get(letter, _OTHER)
        if "\u0621" <= letter <= "\u06d3" and letter.isalpha():
            safety = _ARABIC_SAFETY
    return units * size * (1.06 if bold else 1) * safety


def cut(text: str, size: float, width: float, *, bold: bool = False) -> str:
    """The text, or as much of its beginning as fits, with an ellipsis."""
    if width_of(text, size, bold=bold) <= width:
        return text
    while text and width_of(text + "…", size, bold=bold) > width:
        text = text[:-1].rstrip()
    return text + "…"


class Canvas:
    """Collects elements; :meth:`svg` gives the document."""

    def __init__(self, *, rtl: bool = False) -> None:
        self._rtl = rtl
        self._parts: list[str] = []

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        look: str,
        *,
        round_: float = 0,
        style: str = "",
    ) -> None:
        left = WIDTH - x - width if self._rtl else x
        self._add(
            f'<rect x="{left:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"'
            f' rx="{round_}" class="{look}"{_style(style)}/>'
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        look: str = "ink",
        *,
        anchor: str = "start",
        width: float | None = None,
        bold: bool = False,
    ) -> None:
        """``width``: the most it may take; ``y``: the line it stands on."""
        shown = text if width is None else cut(text, size, width, bold=bold)
        title = f"<title>{escape(text)}</title>" if shown != text else ""
        room = "" if width is None else f' data-room="{width:.1f}"'
        weight = ' font-weight="650"' if bold else ""
        self._add(
            f'<text x="{self._x(x):.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" class="{look}"'
            f"{weight}{room}>{escape(shown)}{title}</text>"
        )

    def path(self, steps: Iterable[Step], look: str, *, style: str = "") -> None:
        """``steps``: a letter of SVG's absolute commands M, L, C, Z and its points."""
        words = []
        for letter, *numbers in steps:
            points = (self._x(value) if place % 2 == 0 else value for place, value in enumerate(numbers))
            words.append(letter + " ".join(f"{value:.1f}" for value in points))
        self._add(f'<path d="{" ".join(words)}" class="{look}"{_style(style)}/>')

    def line(self, x: float, y: float, to_x: float, to_y: float, look: str) -> None:
        self.path([("M", x, y), ("L", to_x, to_y)], look)

    def circle(self, x: float, y: float, radius: float, look: str, *, style: str = "") -> None:
        self._add(
            f'<circle cx="{self._x(x):.1f}" cy="{y:.1f}" r="{radius:g}" class="{look}"{_style(style)}/>'
        )

    def svg(self, *, title: str, language: str, inner_style: str = "", size: str = "") -> str:
        """The document; ``inner_style``: a style sheet within it, ``size``: attributes of its size on paper."""
        direction = "rtl" if self._rtl else "ltr"
        sheet = f"<style>{inner_style}</style>" if inner_style else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" class="map" role="img"'
            f' aria-label={quoteattr(title)} direction="{direction}" xml:lang="{language}" {size}>'
            f"<title>{escape(title)}</title>{sheet}{''.join(self._parts)}</svg>"
        )

    def _x(self, x: float) -> float:
        return WIDTH - x if self._rtl else x

    def _add(self, element: str) -> None:
        self._parts.append(element)


def _style(style: str) -> str:
    return f' style="{style}"' if style else ""
