"""The flow between stages: a band per step forward, thicker for more people, arcs for those who went back, and what
falls out at the bottom for those who left.

Heights are in proportion to the persons of the largest stage. What leaves a stage is stacked at its end, what comes
in at its beginning, in the order of the other stage.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from pipeline.journey.funnel import Flow
from pipeline.journey.map.canvas import Canvas
from pipeline.journey.map.facts import Stage
from pipeline.journey.map.theme import stage_colour
from pipeline.journey.map.tongue import Tongue

BAND: Final = 104.0  # height of the largest stage
NODE: Final = 12.0  # width of a stage's bar
_LEAST: Final = 1.5
_WORTH_A_LABEL: Final = 0.03  # share of the stage's persons


class Place(NamedTuple):
    """Where a stage stands: its column, and the bar in it, which may be higher than the ``persons`` are."""

    x: float
    top: float
    height: float
    at: int
    persons: int

    def share(self, persons: int) -> float:
        """Of the stage's persons, 0 to 1."""
        return min(persons / max(self.persons, 1), 1.0)


def draw_flow(
    canvas: Canvas,
    stages: Sequence[Stage],
    flows: Sequence[Flow],
    tongue: Tongue,
    columns: Sequence[float],
    y: float,
) -> None:
    """``columns``: where each begins, and where the last ends; ``y``: the top of the row, 148 high."""
    most = max((stage.persons for stage in stages), default=0)
    if not most:
        return
    unit = BAND / most
    bottom = y + 8 + BAND
    places = {}
    for at, stage in enumerate(stages):
        height = max(stage.persons * unit, _LEAST)
        places[stage.stage] = Place(columns[at], bottom - height, height, at, stage.persons)
    _forward(canvas, places, flows, tongue, unit, len(stages))
    _backward(canvas, places, flows, tongue, bottom)
    for at, stage in enumerate(stages):
        place = places[stage.stage]
        canvas.rect(
            place.x, place.top, NODE, place.height, "stage", round_=2, style=stage_colour(at, len(stages))
        )
        if stage.exited:
            _exit(canvas, place, stage.exited, bottom)


def _forward(
    canvas: Canvas, places: dict[str, Place], flows: Sequence[Flow], tongue: Tongue, unit: float, number: int
) -> None:
    ahead = sorted(
        (flow for flow in flows if _span(places, flow) > 0),
        key=lambda flow: (places[flow.from_stage].at, places[flow.to_stage].at),
    )
    left = {name: place.top for name, place in places.items()}
    arrived = dict(left)
    leaving = {name: sum(f.persons for f in ahead if f.from_stage == name) * unit for name in places}
    coming = {name: sum(f.persons for f in ahead if f.to_stage == name) * unit for name in places}
    for flow in ahead:
        start, end = places[flow.from_stage], places[flow.to_stage]
        thick = flow.persons * unit
        out = max(thick * min(1.0, start.height / leaving[flow.from_stage]), _LEAST)
        into = max(thick * min(1.0, end.height / coming[flow.to_stage]), _LEAST)
        y0, y1 = left[flow.from_stage], arrived[flow.to_stage]
        left[flow.from_stage] += out
        arrived[flow.to_stage] += into
        _ribbon(canvas, (start.x + NODE, y0, out), (end.x, y1, into), stage_colour(start.at, number))
        share = start.share(flow.persons)
        if end.at == start.at + 1 and share >= _WORTH_A_LABEL:
            middle = (start.x + NODE + end.x) / 2
            canvas.text(
                middle,
                (y0 + y1 + (out + into) / 2) / 2 + 4.5,
                tongue.percent(share),
                13,
                "over",
                anchor="middle",
                bold=True,
            )


def _span(places: dict[str, Place], flow: Flow) -> int:
    """How many stages a flow goes forward; 0 for those in and out."""
    if flow.from_stage not in places or flow.to_stage not in places:
        return 0
    return places[flow.to_stage].at - places[flow.from_stage].at


def _ribbon(
    canvas: Canvas, start: tuple[float, float, float], end: tuple[float, float, float], colour: str
) -> None:
    (x0, y0, h0), (x1, y1, h1) = start, end
    bend = (x1 - x0) * 0.5
    canvas.path(
        [
            ("M", x0, y0),
            ("C", x0 + bend, y0, x1 - bend, y1, x1, y1),
            ("L", x1, y1 + h1),
            ("C", x1 - bend, y1 + h1, x0 + bend, y0 + h0, x0, y0 + h0),
            ("Z",),
        ],
        "flow",
        style=colour,
    )


def _backward(
    canvas: Canvas, places: dict[str, Place], flows: Sequence[Flow], tongue: Tongue, bottom: float
) -> None:
    """Arcs under the bars, from the stage that was left to the one before it; the deeper the further."""
    back = [flow for flow in flows if _span(places, flow) < 0]
    most = max((flow.persons for flow in back), default=1)
    for flow in sorted(back, key=lambda flow: _span(places, flow)):
        start, end = places[flow.from_stage], places[flow.to_stage]
        depth = 20 + 5 * min(-_span(places, flow) - 1, 3)
        x0, x1 = start.x + NODE / 2 - 3, end.x + NODE / 2 + 4
        width = 1.0 + 2.4 * flow.persons / most
        reach = min(60.0, (x0 - x1) / 2)
        low = bottom + 4 + depth
        canvas.path(
            [
                ("M", x0, bottom + 4),
                ("C", x0, low, x0 - reach * 0.4, low, x0 - reach, low),
                ("L", x1 + reach, low),
                ("C", x1 + reach * 0.4, low, x1, low, x1, bottom + 9),
            ],
            "back",
            style=f"stroke-width:{width:.1f}",
        )
        canvas.path(
            [("M", x1 - 4.5, bottom + 10), ("L", x1, bottom + 3), ("L", x1 + 4.5, bottom + 10), ("Z",)], "tip"
        )
        number = tongue.count(flow.persons)
        canvas.text((x0 + x1) / 2, low + 4, number, 12, "fair over", anchor="middle")


def _exit(canvas: Canvas, place: Place, persons: int, bottom: float) -> None:
    """Red drops out of the bottom of the bar, as wide as the share that left."""
    width = max(4.0, 34.0 * place.share(persons))
    x = place.x + NODE + 2
    canvas.path(
        [
            ("M", x, bottom),
            ("L", x + width, bottom),
            ("C", x + width, bottom + 12, x + width * 0.7, bottom + 20, x + width * 0.5, bottom + 28),
            ("C", x + width * 0.3, bottom + 20, x, bottom + 12, x, bottom),
            ("Z",),
        ],
        "out",
    )
