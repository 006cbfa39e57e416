"""The sheet of a campaign: what was done, its visits over time, how each stage performed beside the time before, and
room to write down what to do better.
"""

from collections.abc import Sequence
from typing import Final

from pipeline.journey.map.campaigns import Campaign, Compared
from pipeline.journey.map.canvas import HEIGHT, WIDTH, Canvas
from pipeline.journey.map.parts import GAP, MARGIN, Labels, chevrons, curve, head, period
from pipeline.journey.map.theme import stage_colour
from pipeline.journey.map.tongue import Tongue
from pipeline.journey.scope import Scope

_LEFT: Final = 560.0  # width of the panel of what was done
_RULE: Final = 30.0  # between the lines to write on
_LOOKS: Final = (("of_campaign", "bar"), ("everyone", "pale"), ("before", "grey"))


def draw_campaign(campaign: Campaign, scope: Scope, tongue: Tongue, labels: Labels) -> Canvas:
    """``labels``: stage -> its name in the language."""
    canvas = Canvas(rtl=tongue.rtl)
    canvas.rect(0, 0, WIDTH, HEIGHT, "paper")
    subtitle = tongue.joined([scope.site, period(tongue, scope)])
    head(canvas, title_of(campaign, tongue), subtitle, _figures(campaign, tongue))
    _done(canvas, campaign, scope, tongue, 124)
    _visits(canvas, campaign, scope, tongue, 124)
    _performance(canvas, campaign, scope, tongue, labels, 372)
    _ideas(canvas, len(campaign.stages), tongue, 790)
    canvas.text(WIDTH - MARGIN, HEIGHT - 17, "Masir", 10.5, "soft", anchor="end")
    return canvas


def title_of(campaign: Campaign, tongue: Tongue) -> str:
    """Campaign, and its name."""
    return f"{tongue['campaign']}: {campaign.name}"


def _figures(campaign: Campaign, tongue: Tongue) -> list[tuple[str, str]]:
    return [
        (tongue.count(campaign.sessions), tongue["sessions"]),
        (tongue.count(campaign.persons), tongue["persons"]),
        (tongue.count(campaign.conversions), tongue["conversions"]),
        (tongue.money(campaign.revenue), tongue["revenue"]),
        (tongue.money(campaign.cost), tongue["cost"]),
    ]


def _panel(canvas: Canvas, name: str, x: float, y: float, width: float, height: float) -> None:
    canvas.rect(x, y, width, height, "panel", round_=10)
    canvas.text(x + 20, y + 32, name, 18, bold=True, width=width - 40)


def _done(canvas: Canvas, campaign: Campaign, scope: Scope, tongue: Tongue, y: float) -> None:
    x, width = MARGIN - 16, _LEFT
    _panel(canvas, tongue["done"], x, y, width, 232)
    middle = x + width / 2 + 10
    canvas.text(x + 20, y + 62, tongue["via"], 12, "soft")
    for at, channel in enumerate(campaign.channels):
        line = y + 70 + at * 34
        canvas.text(x + 20, line + 14, tongue.channel(channel.name), 14, width=width / 2 - 90)
        canvas.text(middle - 40, line + 14, tongue.percent(channel.share), 14, "soft", anchor="end", width=60)
        canvas.rect(x + 20, line + 19, width / 2 - 50, 4, "track", round_=2)
        canvas.rect(
            x + 20, line + 19, (width / 2 - 50) * channel.share, 4, "bar", round_=2, style=stage_colour(0, 2)
        )
    for at, (name, value) in enumerate(_facts(campaign, scope, tongue)):
        line = y + 64 + at * 24
        canvas.text(middle, line, name, 13, "soft", width=126)
        canvas.text(x + width - 20, line, value, 14, anchor="end", bold=True, width=width / 2 - 160)


def _facts(campaign: Campaign, scope: Scope, tongue: Tongue) -> list[tuple[str, str]]:
    found = [
        (tongue["first_day"], tongue.date(scope.day(campaign.first_ms))),
        (tongue["last_day"], tongue.date(scope.day(campaign.last_ms))),
        (tongue["new_persons"], tongue.percent(campaign.new_persons / campaign.persons)),
        (tongue["bounce"], tongue.percent(campaign.bounce_ratio)),
    ]
    if campaign.emails:
        found += [
            (tongue["emails"], tongue.count(campaign.emails)),
            (tongue["opened"], tongue.percent(campaign.opened / campaign.emails)),
            (tongue["clicked"], tongue.percent(campaign.clicked / campaign.emails)),
        ]
    elif campaign.cost and campaign.conversions:
        each = {currency: cost / campaign.conversions for currency, cost in campaign.cost.items()}
        found.append((tongue["cost_per_conversion"], tongue.money(each)))
    return found


def _visits(canvas: Canvas, campaign: Campaign, scope: Scope, tongue: Tongue, y: float) -> None:
    x = MARGIN - 16 + _LEFT + GAP
    width = WIDTH - MARGIN + 16 - x
    _panel(canvas, tongue["visits_by_day"], x, y, width, 232)
    curve(canvas, x + 20, y + 62, width - 40, 130, campaign.visits, stage_colour(0, 2))
    most = max(campaign.visits, default=0)
    canvas.line(x + 20, y + 192, x + width - 20, y + 192, "rule")
    canvas.text(x + width - 20, y + 32, f"≤ {tongue.number(most)}", 13, "soft", anchor="end")
    canvas.text(x + 20, y + 214, tongue.date(scope.first_day), 12, "soft")
    canvas.text(x + width - 20, y + 214, tongue.date(scope.last_day), 12, "soft", anchor="end")


def _performance(
    canvas: Canvas, campaign: Campaign, scope: Scope, tongue: Tongue, labels: Labels, y: float
) -> None:
    columns = _columns(len(campaign.stages))
    canvas.rect(MARGIN - 16, y, WIDTH - 2 * MARGIN + 32, 402, "panel", round_=10)
    canvas.text(MARGIN + 4, y + 32, tongue["performance"], 18, bold=True, width=420)
    canvas.text(MARGIN + 4, y + 52, tongue["performance_note"], 12, "soft", width=420)
    x = WIDTH - MARGIN - 4
    note = f"{tongue['before']}: {period(tongue, scope.before())}"
    for name, look in ((note, "grey"), (tongue["everyone"], "pale"), (tongue["of_campaign"], "bar")):
        room = 20 + 6.9 * len(name)
        canvas.rect(x - room, y + 25, 12, 12, look, round_=3, style=stage_colour(0, 2))
        canvas.text(x - room + 18, y + 36, name, 12.5, "soft", width=room)
        x -= room + 22
    chevrons(canvas, columns, y + 72, [labels.get(of.stage, of.stage) for of in campaign.stages])
    for at, stage in enumerate(campaign.stages):
        _stage(
            canvas,
            stage,
            tongue,
            columns[at],
            columns[at + 1] - columns[at] - 26,
            y,
            stage_colour(at, len(columns) - 1),
        )


def _stage(
    canvas: Canvas, stage: Compared, tongue: Tongue, x: float, width: float, y: float, colour: str
) -> None:
    canvas.text(x, y + 176, tongue.count(stage.persons), 28, bold=True, width=width)
    canvas.text(x, y + 196, tongue["in_stage"], 11.5, "soft", width=width)
    for at, ((name, look), share) in enumerate(
        zip(_LOOKS, (stage.campaign, stage.everyone, stage.before), strict=True)
    ):
        line = y + 226 + at * 44
        canvas.text(x, line + 12, tongue[f"{name}_short"], 12.5, width=width - 56)
        canvas.text(x + width, line + 12, tongue.percent(share), 14, anchor="end", bold=at == 0, width=52)
        canvas.rect(x, line + 19, width, 9, "track", round_=4)
        if share:
            canvas.rect(x, line + 19, max(width * share, 3), 9, look, round_=4, style=colour)
    change = _change(stage)
    if change is not None:
        look = "good" if change > 0 else "bad" if change < 0 else "soft"
        canvas.text(x, y + 380, tongue.change(change), 20, look, bold=True)
        than = tongue["points" if stage.before is not None else "points_everyone"]
        canvas.text(x + width, y + 380, than, 11.5, "soft", anchor="end", width=width - 60)


def _change(stage: Compared) -> int | None:
    """Whole points of a hundred by which the campaign's people moved on more often than everyone did before, or now
    where there is no before.
    """
    base = stage.everyone if stage.before is None else stage.before
    if stage.campaign is None or base is None:
        return None
    return round(100 * (stage.campaign - base))


def _ideas(canvas: Canvas, number: int, tongue: Tongue, y: float) -> None:
    height = HEIGHT - 38 - y
    columns = _columns(number)
    canvas.rect(MARGIN - 16, y, WIDTH - 2 * MARGIN + 32, height, "panel", round_=10)
    canvas.text(MARGIN + 4, y + 32, tongue["ideas"], 18, bold=True, width=420)
    for at in range(number):
        x, end = columns[at], columns[at + 1] - 26
        canvas.circle(x + 5, y + 58, 5, "stage", style=stage_colour(at, number))
        line = y + 58 + _RULE
        while line < y + height - 14:
            canvas.line(x, line, end, line, "rule")
            line += _RULE


def _columns(number: int) -> Sequence[float]:
    step = (WIDTH - 2 * MARGIN - 8) / number
    return [MARGIN + 8 + step * at for at in range(number + 1)]
