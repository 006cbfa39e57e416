"""A dashboard around its panels: variables, the menu of the others, alerts drawn over all of them."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.source.kit import PROMETHEUS, RED, AnyPanel

CHANNELS = (
    "all,direct,organic_search,paid_search,organic_social,paid_social,email,referral,display,affiliate,"
    "video,sms,push,chat,offline,app,other"
)


def _variables(names: Sequence[str]) -> list[Builder[models.VariableModel]]:
    every = models.VariableOption(True, "All", "$__all")
    site = (
        dashboard.QueryVariable("site")
        .label("Site")
        .datasource(PROMETHEUS)
        .query("label_values(masir_hits_total, site)")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(every)
    )
    model = (
        dashboard.QueryVariable("model")
        .label("Stage model")
        .datasource(PROMETHEUS)
        .query("label_values(masir_stage_persons, model)")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .current(_option("classic5"))
    )
    channel = dashboard.CustomVariable("channel").label("Channel").values(CHANNELS).current(_option("all"))
    window = dashboard.CustomVariable("window").label("Window").values("5m,1h,24h").current(_option("1h"))
    person = dashboard.TextBoxVariable("person").label("Person").default_value("")
    known: dict[str, Builder[models.VariableModel]] = {
        "site": site, "model": model, "channel": channel, "window": window, "person": person,
    }  # fmt: skip
    return [known[name] for name in names]


def _option(text: str) -> models.VariableOption:
    return models.VariableOption(True, text, text)


def board(
    uid: str,
    title: str,
    description: str,
    panels: Sequence[AnyPanel],
    *,
    variables: Sequence[str],
    since: str = "now-24h",
) -> models.Dashboard:
    """A dashboard: its panels in their order, numbered from 1, alerts that fire drawn over them."""
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["masir"])
        .readonly()
        .refresh("30s")
        .time(since, "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(_menu())
        .annotation(_alerts())
    )
    for variable in _variables(variables):
        made.with_variable(variable)
    for number, panel in enumerate(panels, 1):
        made.with_panel(panel.id(number))
    return made.build()


def _menu() -> dashboard.DashboardLink:
    menu = dashboard.DashboardLink("Masir").type(models.DashboardLinkType.DASHBOARDS).tags(["masir"])
    return menu.as_dropdown(True).include_vars(True).keep_time(True)


def _alerts() -> dashboard.AnnotationQuery:
    alerts = dashboard.AnnotationQuery().name("Alerts").datasource(PROMETHEUS).enable(True)
    return alerts.icon_color(RED).expr('ALERTS{alertstate="firing", alertname=~"Masir.*"}')
