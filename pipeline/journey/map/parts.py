"""What the sheets share: heads, arrows of stages, grounds of rows, small curves, periods of time."""

from collections.abc import Mapping, Sequence
from typing import Final

from pipeline.journey.map.canvas import WIDTH, Canvas, width_of
from pipeline.journey.map.theme import stage_colour
from pipeline.journey.map.tongue import Tongue
from pipeline.journey.scope import Scope

MARGIN: Final = 40.0
GUTTER: Final = 150.0  # where the rows are named
GAP: Final = 14.0  # between columns

Labels = Mapping[str, str]


def head(canvas: Canvas, title: str, subtitle: str, figures: Sequence[tuple[str, str]]) -> None:
    """The title at one end, the main figures at the other."""
    x = WIDTH - MARGIN
    for value, name in reversed(figures):
        canvas.text(x, 66, value, 25, anchor="end", bold=True)
        canvas.text(x, 90, name, 12.5, "soft", anchor="end")
        x -= max(100.0, width_of(value, 25, bold=True), width_of(name, 12.5)) + 30
    canvas.text(MARGIN, 68, title, 36, bold=True, width=x - MARGIN)
    canvas.text(MARGIN, 96, subtitle, 15, "soft", width=x - MARGIN)


def chevrons(canvas: Canvas, columns: Sequence[float], y: float, labels: Sequence[str]) -> None:
    """The stages as arrows that point along the line of writing."""
    height, tip = 60.0, 16.0
    size = 19.0 if len(labels) <= 6 else 15.0
    for at, label in enumerate(labels):
        x, end = columns[at] - 10, columns[at + 1] - 14
        notch = tip if at else 0.0
        canvas.path(
            [
                ("M", x, y), ("L", end, y), ("L", end + tip, y + height / 2), ("L", end, y + height),
                ("L", x, y + height), ("L", x + notch, y + height / 2), ("Z",),
            ],
            "stage",
            style=stage_colour(at, len(labels)),
        )  # fmt: skip
        canvas.text(
            x + notch + 14,
            y + height / 2 + size * 0.36,
            label,
            size,
            "on",
            bold=True,
            width=end - x - notch - 12,
        )


def row_panel(canvas: Canvas, tongue: Tongue, name: str, note: str, y: float, height: float) -> None:
    """The ground of a row, and what it is."""
    canvas.rect(MARGIN - 16, y, WIDTH - 2 * MARGIN + 32, height, "panel", round_=10)
    canvas.text(MARGIN, y + 27, tongue[name], 16, bold=True, width=GUTTER - 16)
    if note:
        for at, line in enumerate(_wrapped(tongue[note], 18)):
            canvas.text(MARGIN, y + 46 + at * 14, line, 11, "soft", width=GUTTER - 16)


def period(tongue: Tongue, scope: Scope) -> str:
    """First and last day."""
    return f"{tongue.date(scope.first_day)} – {tongue.date(scope.last_day)}"


def _wrapped(text: str, most: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def curve(
    canvas: Canvas, x: float, y: float, width: float, height: float, values: Sequence[int], colour: str
) -> None:
    """How something went over time: an area, and its edge."""
    most = max(values, default=0)
    if not most:
        return
    step = width / max(len(values) - 1, 1)
    edge = [(x + step * at, y + height - value / most * height) for at, value in enumerate(values)]
    line = [("M" if at == 0 else "L", *point) for at, point in enumerate(edge)]
    canvas.path([*line, ("L", x + width, y + height), ("L", x, y + height), ("Z",)], "wash", style=colour)
    canvas.path(line, "trend", style=colour)
