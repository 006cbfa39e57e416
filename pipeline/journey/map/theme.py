"""Colours and letters of the map, for light and dark screens and for paper, and the fonts that travel with it."""

import re
from base64 import b64encode
from colorsys import hls_to_rgb
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from pipeline.journey.map.tongue import Tongue

Theme = Literal["auto", "light", "dark"]

_FIRST_HUE: Final = 188  # teal, through blue and violet
_LAST_HUE: Final = 328  # to rose
_LIGHT: Final = (
    "--paper:#ffffff;--ink:#18212d;--soft:#5c6878;--line:#e2e7ef;--panel:#f6f8fb;--track:#e6ebf3;"
    "--bad:#c53a3a;--fair:#b9770e;--good:#2b8a57;--on:#ffffff;--tone:58%;--light:42%;"
)
_DARK: Final = (
    "--paper:#11161d;--ink:#e9eef5;--soft:#98a5b6;--line:#2a3340;--panel:#181f28;--track:#27303c;"
    "--bad:#f0766f;--fair:#e3aa4a;--good:#5fc48d;--on:#0f141a;--tone:52%;--light:64%;"
)
_LOOKS: Final = """
.map{background:var(--paper);font-family:"Masir Map",Vazirmatn,"Segoe UI",Tahoma,system-ui,sans-serif}
.map text{fill:var(--ink)}.map .soft{fill:var(--soft)}.map .on{fill:var(--on)}
.map .bad{fill:var(--bad)}.map .fair{fill:var(--fair)}.map .good{fill:var(--good)}
.map .over{paint-order:stroke;stroke:var(--panel);stroke-width:4px;stroke-linejoin:round}
.map .paper{fill:var(--paper)}.map .panel{fill:var(--panel)}.map .track{fill:var(--track)}
.map .rule{fill:none;stroke:var(--line);stroke-width:1}.map .dots{fill:none;stroke:var(--line);stroke-width:1.4;
stroke-dasharray:1.5 5;stroke-linecap:round}
.map .curve{fill:none;stroke:var(--soft);stroke-width:2.2;stroke-linecap:round;stroke-linejoin:round}
.map .gap{fill:none;stroke:var(--soft);stroke-width:1.6;stroke-dasharray:2 6;stroke-linecap:round}
.map .back{fill:none;stroke:var(--fair);stroke-linecap:round;opacity:.75}.map .tip{fill:var(--fair)}
.map .out{fill:var(--bad);opacity:.28}.map .stage{fill:currentColor}.map .flow{fill:currentColor;opacity:.3}
.map .wash{fill:currentColor;opacity:.16}.map .trend{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}
.map .bar{fill:currentColor;opacity:.85}
.map .pale{fill:currentColor;opacity:.42}.map .grey{fill:var(--soft);opacity:.45}
"""
_VARIABLE = re.compile(r"var\((--\w+)\)")
_HSL = re.compile(r"hsl\((\d+) (\d+)% (\d+)%\)")
_RANGES: Final = {
    "latin": "U+0000-05FF,U+2000-2BFF",
    "arabic": "U+0600-06FF,U+0750-077F,U+200C-200F,U+2010-2011,U+FB50-FDFF,U+FE70-FEFF",
}


def looks(tongue: Tongue) -> str:
    """The style sheet without the colours: fonts and looks."""
    return "".join(_font(name) for name in tongue.fonts) + _LOOKS.replace("\n", "")


def style(tongue: Tongue, theme: Theme) -> str:
    """The style sheet of a page: fonts, looks, and colours. Paper is always light."""
    selector = ".map,.page"
    light, dark = f"{selector}{{{_LIGHT}}}", f"{selector}{{{_DARK}}}"
    colours = {
        "auto": f"{light}@media screen and (prefers-color-scheme:dark){{{dark}}}",
        "light": light,
        "dark": f"{light}@media screen{{{dark}}}",
    }[theme]
    return looks(tongue) + colours


def stage_colour(place: int, number: int) -> str:
    """The style of what belongs to the stage at ``place`` (from 0) of ``number``."""
    hue = _FIRST_HUE + (_LAST_HUE - _FIRST_HUE) * place / max(number - 1, 1)
    return f"color:hsl({hue:.0f} var(--tone) var(--light))"


def resolved(drawing: str, theme: Theme) -> str:
    """The drawing without variables, as programs that are no browsers want it; ``auto`` is light."""
    palette = dict(pair.split(":") for pair in (_DARK if theme == "dark" else _LIGHT).split(";") if pair)
    plain = _VARIABLE.sub(lambda found: palette[found[1]], drawing)
    return _HSL.sub(lambda found: _hex(*map(int, found.groups())), plain)


def _hex(hue: int, tone: int, light: int) -> str:
    colours = hls_to_rgb(hue / 360, light / 100, tone / 100)
    return "#" + "".join(f"{round(255 * value):02x}" for value in colours)


@cache
def _font(name: str) -> str:
    data = (files("pipeline.journey.map") / "fonts" / f"vazirmatn-{name}.woff2").read_bytes()
    return (
        '@font-face{font-family:"Masir Map";font-weight:100 900;'
        f"src:url(data:font/woff2;base64,{b64encode(data).decode()}) format('woff2');unicode-range:{_RANGES[name]}}}"
    )
