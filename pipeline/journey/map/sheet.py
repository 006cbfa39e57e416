"""The first sheet: stages as columns; flow, volume, touchpoints, channels, what moves people on, time, satisfaction
and exits as rows.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from pipeline.core.scores import HIGHEST, LOWEST
from pipeline.journey.map.canvas import HEIGHT, WIDTH, Canvas
from pipeline.journey.map.facts import Item, MapFacts, Stage
from pipeline.journey.map.flow import draw_flow
from pipeline.journey.map.parts import GAP, GUTTER, MARGIN, Labels, chevrons, curve, head, period, row_panel
from pipeline.journey.map.theme import stage_colour
from pipeline.journey.map.tongue import Tongue

_SATISFIED: Final = 8.0
_UNHAPPY: Final = 6.0
_NARROW: Final = 200.0  # a column of less writes smaller


class Sheet:
    """One sheet while it is drawn. ``labels``: stage -> its name in the language."""

    def __init__(self, facts: MapFacts, tongue: Tongue, model: str, labels: Labels) -> None:
        self.canvas = Canvas(rtl=tongue.rtl)
        self._facts, self._tongue, self._model, self._labels = facts, tongue, model, labels
        number = len(facts.stages)
        first = MARGIN + GUTTER
        self._step = (WIDTH - MARGIN - first) / number
        self._columns = [first + self._step * at for at in range(number + 1)]
        self._size = 13.0 if number <= 6 else 11.5

    def draw(self) -> Canvas:
        self.canvas.rect(0, 0, WIDTH, HEIGHT, "paper")
        head(self.canvas, self._tongue["title"], self._subtitle(), self._head_figures())
        self._chevrons(124)
        rows: list[tuple[str, str, float, float, Callable[[float], None]]] = [
            ("flow", "flow_note", 204, 152, self._flow),
            ("volume", "", 364, 92, self._volume),
            ("touchpoints", "touchpoints_note", 464, 148, self._touchpoints),
            ("channels", "channels_note", 620, 148, self._channels),
            ("contents", "contents_note", 776, 92, self._contents),
            ("time", "", 876, 58, self._time),
            ("satisfaction", "satisfaction_note", 942, 102, self._satisfaction),
            ("exits", "exits_note", 1052, 98, self._exits),
        ]
        for name, note, y, height, row in rows:
            row_panel(self.canvas, self._tongue, name, note, y, height)
            for x in self._columns[1:-1]:
                self.canvas.line(x - GAP / 2 - 2, y + 12, x - GAP / 2 - 2, y + height - 12, "dots")
            row(y)
        self.canvas.text(MARGIN, HEIGHT - 17, self._tongue["footer"], 10.5, "soft")
        self.canvas.text(WIDTH - MARGIN, HEIGHT - 17, "Masir", 10.5, "soft", anchor="end")
        return self.canvas

    def _subtitle(self) -> str:
        scope = self._facts.scope
        return self._tongue.joined([scope.site, self._model, period(self._tongue, scope)])

    def _head_figures(self) -> list[tuple[str, str]]:
        totals, tongue = self._facts.totals, self._tongue
        found = [
            (tongue.count(totals.persons), tongue["persons"]),
            (tongue.count(totals.sessions), tongue["sessions"]),
            (tongue.percent(totals.conversion_ratio), tongue["conversion"]),
        ]
        for currency, amount in list(totals.revenue.items())[:2]:
            found.append((tongue.money({currency: amount}), tongue["revenue"]))
        if totals.nps is not None:
            found.append((tongue.number(round(totals.nps)), tongue["nps"]))
        return found

    def _chevrons(self, y: float) -> None:
        chevrons(
            self.canvas, self._columns, y, [self._labels.get(s.stage, s.stage) for s in self._facts.stages]
        )

    def _each(self) -> Sequence[tuple[float, float, Stage, str]]:
        """(x, usable width, stage, its colour) of each column."""
        number = len(self._facts.stages)
        return [
            (self._columns[at], self._step - GAP - 4, stage, stage_colour(at, number))
            for at, stage in enumerate(self._facts.stages)
        ]

    def _flow(self, y: float) -> None:
        draw_flow(self.canvas, self._facts.stages, self._facts.flows, self._tongue, self._columns, y)

    def _volume(self, y: float) -> None:
        for x, width, stage, colour in self._each():
            tongue, canvas = self._tongue, self.canvas
            curve(canvas, x, y + 58, width, 32, stage.curve, colour)
            big = 25 if width > _NARROW else 19
            canvas.text(x, y + 34, tongue.count(stage.persons), big, bold=True, width=width * 0.47)
            for at, (value, name) in enumerate(((stage.touches, "touches"), (stage.now, "now"))):
                said = f"{tongue.count(value)} {tongue[name]}"
                size = 11 if width > _NARROW else 9.5
                canvas.text(x + width, y + 22 + 15 * at, said, size, "soft", anchor="end", width=width * 0.52)

    def _touchpoints(self, y: float) -> None:
        for x, width, stage, colour in self._each():
            self._bars(x, y + 14, width, stage.touchpoints, self._tongue.touchpoint, "bar", colour)

    def _channels(self, y: float) -> None:
        for x, width, stage, colour in self._each():
            self._bars(x, y + 14, width, stage.channels, self._tongue.channel, "pale", colour)

    def _contents(self, y: float) -> None:
        for x, width, stage, colour in self._each():
            self._bars(x, y + 12, width, stage.contents, self._tongue.touchpoint, "bar", colour)

    def _bars(
        self,
        x: float,
        y: float,
        width: float,
        items: Sequence[Item],
        named: Callable[[str], str],
        look: str,
        colour: str,
    ) -> None:
        """A line each: name, share, and a bar under both."""
        if not items:
            self.canvas.text(x, y + 12, self._tongue["none"], self._size - 1, "soft", width=width)
        for at, item in enumerate(items):
            line = y + at * 25.5
            self.canvas.text(x, line + 12, named(item.name), self._size, width=width - 48)
            share = self._tongue.percent(item.share)
            self.canvas.text(x + width, line + 12, share, self._size, "soft", anchor="end", width=46)
            self.canvas.rect(x, line + 16.5, width, 4, "track", round_=2)
            self.canvas.rect(
                x, line + 16.5, max(width * min(item.share, 1), 2), 4, look, round_=2, style=colour
            )

    def _time(self, y: float) -> None:
        for x, width, stage, _ in self._each():
            size = 17 if width > _NARROW else 15
            for at, (value, name) in enumerate(
                ((stage.median_seconds, "stay"), (stage.session_seconds, "visit")),
            ):
                left = x + at * width / 2
                self.canvas.text(
                    left, y + 29, self._tongue.duration(value), size, bold=True, width=width / 2 - 4
                )
                self.canvas.text(left, y + 46, self._tongue[name], 11, "soft", width=width / 2 - 4)

    def _satisfaction(self, y: float) -> None:
        """A curve of moods through the stages that were asked about; dashed where one in between was not."""
        points = []
        for at, (x, width, stage, _) in enumerate(self._each()):
            mood = mood_of(stage)
            if mood is not None:
                points.append((x + width / 2, y + 52 - (mood - 5.5) / 4.5 * 30, mood, at))
        for (x0, y0, _, at0), (x1, y1, _, at1) in pairwise(points):
            half = (x1 - x0) / 2
            self.canvas.path(
                [("M", x0, y0), ("C", x0 + half, y0, x1 - half, y1, x1, y1)],
                "curve" if at1 == at0 + 1 else "gap",
            )
        for x, level, mood, _ in points:
            self.canvas.circle(x, level, 8, "paper")
            self.canvas.circle(x, level, 5.5, _mood_look(mood))
        moods = {at: level for _, level, _, at in points}
        for at, (x, width, stage, _) in enumerate(self._each()):
            self._answers(x, width, y, stage, moods.get(at))

    def _answers(self, x: float, width: float, y: float, stage: Stage, level: float | None) -> None:
        tongue, middle = self._tongue, x + width / 2
        if level is None:
            self.canvas.text(middle, y + 56, tongue["none"], 11, "soft", anchor="middle", width=width)
            return
        scores = [
            f"{tongue[name]} {tongue.number(value, decimals)}"
            for name, value, decimals in (
                ("csat", stage.csat, 1),
                ("ces", stage.ces, 1),
                ("nps", stage.nps, 0),
            )
            if value is not None
        ]
        most = 3 if width > _NARROW else 2
        rest = [*scores[most:], f"{tongue.count(stage.answers)} {tongue['answers']}"]
        # Where the curve runs high the words stand below it, else above.
        first = y + 76 if level < y + 50 else y + 20
        above, below = tongue.joined(scores[:most]), tongue.joined(rest)
        self.canvas.text(middle, first, above, self._size - 0.5, anchor="middle", width=width, bold=True)
        self.canvas.text(middle, first + 15, below, 10.5, "soft", anchor="middle", width=width)

    def _exits(self, y: float) -> None:
        for x, width, stage, _ in self._each():
            tongue, canvas = self._tongue, self.canvas
            ratio = stage.exit_ratio
            canvas.text(
                x,
                y + 27,
                tongue.percent(ratio),
                19,
                "bad" if stage.exited else "ink",
                bold=True,
                width=width * 0.4,
            )
            canvas.text(x, y + 42, tongue["left"], 11, "soft", width=width * 0.45)
            if stage.at_risk:
                risk = f"{tongue.count(stage.at_risk)} {tongue['at_risk']}"
                size = 11 if width > _NARROW else 9.5
                canvas.text(x + width, y + 25, risk, size, "fair", anchor="end", width=width * 0.58)
            for at, item in enumerate(stage.reasons):
                line = y + 59 + at * 15
                canvas.text(x, line, item.name, 11.5, width=width - 44)
                canvas.text(
                    x + width, line, tongue.number(item.persons), 11.5, "soft", anchor="end", width=42
                )


def mood_of(stage: Stage) -> float | None:
    """Satisfaction on 1 to 10: CSAT, or else NPS brought to that scale, or CES turned round, since high is hard."""
    if stage.csat is not None:
        return stage.csat
    if stage.nps is not None:
        return 5.5 + stage.nps * 4.5 / 100
    return None if stage.ces is None else LOWEST["ces"] + HIGHEST - stage.ces


def _mood_look(mood: float) -> str:
    if mood >= _SATISFIED - 0.5:
        return "good"
    return "fair" if mood >= _UNHAPPY - 1 else "bad"


def draw_map(facts: MapFacts, tongue: Tongue, model: str, labels: Labels) -> Canvas:
    """``model``: its name in the language."""
    return Sheet(facts, tongue, model, labels).draw()
