"""The sheets as one HTML page that needs nothing else: it prints one sheet to a page of A3, across."""

from collections.abc import Sequence
from html import escape

from pipeline.journey.map.canvas import Canvas
from pipeline.journey.map.theme import Theme, looks, resolved, style
from pipeline.journey.map.tongue import Tongue

_A3 = 'width="420mm" height="297mm"'
_PAGE = """
@page{size:420mm 297mm;margin:0}
html{background:var(--paper)}body{margin:0}
.page{background:var(--panel);min-height:100vh;box-sizing:border-box;padding:16px}
.page svg{display:block;width:100%;max-width:1680px;height:auto;margin:0 auto 16px;border-radius:12px;
box-shadow:0 1px 3px rgb(0 0 0/.12),0 8px 28px rgb(0 0 0/.08)}
@media print{.page{padding:0;background:none}.page svg{width:420mm;height:297mm;max-width:none;margin:0;border-radius:0;
box-shadow:none;break-after:page;break-inside:avoid}.page svg:last-child{break-after:auto}
.map *{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""


def html(sheets: Sequence[tuple[str, Canvas]], tongue: Tongue, theme: Theme) -> str:
    """``sheets``: title and drawing of each; the first title is the page's."""
    direction = "rtl" if tongue.rtl else "ltr"
    drawings = "".join(canvas.svg(title=title, language=tongue.language) for title, canvas in sheets)
    return (
        f'<!doctype html><html lang="{tongue.language}" dir="{direction}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(sheets[0][0])}</title>"
        f"<style>{style(tongue, theme)}{_PAGE}</style></head>"
        f'<body><main class="page">{drawings}</main></body></html>\n'
    )


def svg(title: str, canvas: Canvas, tongue: Tongue, theme: Theme) -> str:
    """One sheet as a file of its own, of the size of A3."""
    drawing = canvas.svg(title=title, language=tongue.language, inner_style=looks(tongue), size=_A3)
    return resolved(drawing, theme) + "\n"
