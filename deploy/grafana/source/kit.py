"""What the dashboards are made of: queries, variables, panels that all have a unit and a description, links to rows.

A panel is 24 columns wide at most and stands where the one before ends. Prometheus queries name the variables as
``$site``; SQL names them as ``${site:singlequote}``, which Grafana quotes. Macros of the ClickHouse plugin:
``$__timeFilter(column)``, ``$__dateFilter(column)``, ``$__timeInterval(column)``.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

PROMETHEUS = models.DataSourceRef("prometheus", "masir-prometheus")
CLICKHOUSE = models.DataSourceRef("grafana-clickhouse-datasource", "masir-clickhouse")
CLICKHOUSE_PLUGIN = "4.5.0"
ROWS = "masir-rows"
GREEN, YELLOW, RED = "green", "yellow", "red"
SITES = "site IN (${site:singlequote})"
CHANNEL = "(${channel:singlequote} = 'all' OR channel = ${channel:singlequote})"
PERSON = "(${person:singlequote} = '' OR person_id = ${person:singlequote})"


class Sql(Dataquery):
    """A query for the ClickHouse plugin, which the SDK does not know."""

    def __init__(self, text: str, *, over_time: bool) -> None:
        self.text = text.strip()
        self.over_time = over_time
        self.ref_id = "A"

    def to_json(self) -> dict[str, object]:
        return {
            "datasource": CLICKHOUSE,
            "editorType": "sql",
            "format": 0 if self.over_time else 1,
            "pluginVersion": CLICKHOUSE_PLUGIN,
            "queryType": "timeseries" if self.over_time else "table",
            "rawSql": self.text,
            "refId": self.ref_id,
        }


class _Built(Builder[Dataquery]):
    def __init__(self, query: Dataquery) -> None:
        self._query = query

    def build(self) -> Dataquery:
        return self._query


def prom(expr: str, legend: str = "") -> Builder[Dataquery]:
    """A series over time."""
    return prometheus.Dataquery().expr(_flat(expr)).legend_format(legend or "__auto").range()


def now(expr: str, legend: str = "") -> Builder[Dataquery]:
    """The value now."""
    return prometheus.Dataquery().expr(_flat(expr)).legend_format(legend or "__auto").instant()


def rows(text: str) -> Builder[Dataquery]:
    """Rows of the store."""
    return _Built(Sql(text, over_time=False))


def over_time(text: str) -> Builder[Dataquery]:
    """Series of the store: a column ``time``, then labels and numbers."""
    return _Built(Sql(text, over_time=True))


def _flat(expr: str) -> str:
    return " ".join(expr.split())


Panel = TypeVar("Panel", timeseries.Panel, stat.Panel, bargauge.Panel, table.Panel)
AnyPanel = timeseries.Panel | stat.Panel | bargauge.Panel | table.Panel
Steps = Sequence[tuple[float, str]]  # from which value on which colour; below the first: green
WIDE, HALF, THIRD, QUARTER, SIXTH = 24, 12, 8, 6, 4


def _said(
    panel: Panel,
    title: str,
    description: str,
    queries: Sequence[Builder[Dataquery]],
    *,
    unit: str,
    width: int,
    link: str,
    steps: Steps,
) -> Panel:
    is_sql = isinstance(queries[0].build(), Sql)
    panel.title(title).description(description).unit(unit).no_value("–").span(width)
    panel.datasource(CLICKHOUSE if is_sql else PROMETHEUS)
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        query.build().ref_id = letter  # type: ignore[attr-defined]
        panel.with_target(query)
    if link:
        panel.data_links([link_to_rows(link)])
    steps_of = [models.Threshold(None, GREEN if steps else "blue")]
    steps_of += [models.Threshold(value, color) for value, color in steps]
    mode = models.ThresholdsMode.ABSOLUTE
    return panel.thresholds(dashboard.ThresholdsConfig().mode(mode).steps(steps_of))


def lines(
    title: str,
    description: str,
    *queries: Builder[Dataquery],
    unit: str,
    width: int = HALF,
    link: str = "",
    steps: Steps = (),
    stacked: bool = False,
    is_ratio: bool = False,
) -> timeseries.Panel:
    """Series over time. ``is_ratio``: the axis begins at 0. ``steps``: drawn as dashed lines."""
    panel = _said(
        timeseries.Panel(), title, description, queries, unit=unit, width=width, link=link, steps=steps
    )
    panel.height(8).line_width(2).fill_opacity(60 if stacked else 8).axis_soft_min(0)
    panel.show_points(common_models.VisibilityMode.NEVER).span_nulls(True)
    panel.tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
    panel.legend(common.VizLegendOptions().placement(common_models.LegendPlacement.BOTTOM).show_legend(True))
    if stacked:
        panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    if is_ratio:
        panel.min(0)
    if steps:
        dashed = common_models.GraphThresholdsStyleMode.DASHED
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(dashed))
    return panel


def figure(
    title: str,
    description: str,
    *queries: Builder[Dataquery],
    unit: str,
    width: int = QUARTER,
    link: str = "",
    steps: Steps = (),
) -> stat.Panel:
    """One number per series, with its past behind it, coloured by ``steps``."""
    panel = _said(stat.Panel(), title, description, queries, unit=unit, width=width, link=link, steps=steps)
    panel.height(5).graph_mode(common_models.BigValueGraphMode.AREA)
    return panel.color_mode(common_models.BigValueColorMode.VALUE).reduce_options(_last())


def bars(
    title: str,
    description: str,
    *queries: Builder[Dataquery],
    unit: str,
    width: int = HALF,
    link: str = "",
    steps: Steps = (),
) -> bargauge.Panel:
    """A bar per series."""
    panel = _said(
        bargauge.Panel(), title, description, queries, unit=unit, width=width, link=link, steps=steps
    )
    panel.height(8).orientation(common_models.VizOrientation.HORIZONTAL).min(0)
    of_rows = isinstance(queries[0].build(), Sql)
    options = common.ReduceDataOptions().values(of_rows).calcs(["lastNotNull"])
    return panel.display_mode(common_models.BarGaugeDisplayMode.GRADIENT).reduce_options(options)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"])


def cells(
    title: str,
    description: str,
    query: Builder[Dataquery],
    *,
    units: Mapping[str, str],
    width: int = HALF,
    height: int = 9,
    link: str = "",
) -> table.Panel:
    """A table. ``units``: column -> unit, for those that are no plain numbers."""
    panel = _said(table.Panel(), title, description, [query], unit="short", width=width, link=link, steps=())
    panel.height(height).filterable(True)
    for column, unit in units.items():
        panel.override_by_name(column, [models.DynamicConfigValue("unit", unit)])
    return panel


def link_to_rows(kind: str) -> dashboard.DashboardLink:
    """From a figure to the rows behind it: the panel ``kind`` of the dashboard of rows."""
    panel_id = ROW_KINDS.index(kind) + 1
    url = f"/d/{ROWS}?viewPanel={panel_id}&${{site:queryparam}}&${{__url_time_range}}"
    return dashboard.DashboardLink(f"Rows: {kind}").url(url)


ROW_KINDS = (
    "sessions",
    "hits",
    "transitions",
    "conversions",
    "signals",
    "surveys",
    "emails",
    "costs",
    "dead letters",
)
