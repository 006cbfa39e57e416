"""The dashboards: current, complete, and each query of rows asked of the real engine, with data and without."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from deploy.grafana.source.kit import ROW_KINDS, ROWS
from deploy.grafana.source.write import texts
from pipeline.cli import main
from pipeline.store.client import STORE_DIRECTORY, Client, connect, rows
from watching.grafana import (
    FOLDER,
    Query,
    boards,
    expand_promql,
    expand_sql,
    interpolate,
    names_in,
    queries,
    sql_of,
)
from watching.tools import DEPLOY

DAY_MS = 86_400_000
PANELS = [(board["uid"], panel) for board in boards() for panel in board["panels"]]
SQL = [query for query in queries() if query.is_sql]


def test_what_is_checked_in_is_what_the_source_makes() -> None:
    made = texts()
    assert {path.name for path in FOLDER.glob("*.json")} == set(made)
    stale = [name for name, text in made.items() if (FOLDER / name).read_text() != text]
    assert not stale, "python -m deploy.grafana.source"


@pytest.mark.parametrize(
    ("board", "panel"), PANELS, ids=lambda value: value if isinstance(value, str) else value["title"]
)
def test_each_panel_says_what_it_shows_and_in_what_unit(board: str, panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert len(panel["description"]) > 10
    assert defaults["unit"]
    assert defaults["thresholds"]["steps"]
    for override in panel["fieldConfig"]["overrides"]:
        column = override["matcher"]["options"]
        assert board == ROWS or re.search(rf"\b{column}\b", panel["targets"][0]["rawSql"]), column
    assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


@pytest.mark.parametrize("board", boards(), ids=lambda board: board["uid"])
def test_panels_do_not_lie_on_each_other(board: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("query", list(queries()), ids=str)
def test_a_query_uses_variables_that_its_dashboard_has(query: Query) -> None:
    (board,) = (board for board in boards() if board["uid"] == query.board)
    known = {variable["name"] for variable in board["templating"]["list"]}
    assert names_in(query.target.get("rawSql", "") + query.target.get("expr", "")) <= known


def test_links_lead_to_the_rows_they_name() -> None:
    (of_rows,) = (board for board in boards() if board["uid"] == ROWS)
    ids = {panel["id"]: panel["title"].lower() for panel in of_rows["panels"]}
    assert list(ids.values()) == list(ROW_KINDS)
    links = [link for _, panel in PANELS for link in panel["fieldConfig"]["defaults"].get("links", ())]
    assert len(links) > 40
    for link in links:
        found = re.fullmatch(
            rf"/d/{ROWS}\?viewPanel=(\d+)&\${{site:queryparam}}&\${{__url_time_range}}", link["url"]
        )
        assert found is not None
        assert link["title"] == f"Rows: {ids[int(found[1])]}"


def test_data_sources_are_those_that_are_provisioned() -> None:
    provisioned = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/masir.yml").read_text())
    known = {(source["type"], source["uid"]) for source in provisioned["datasources"]}
    used = {(panel["datasource"]["type"], panel["datasource"]["uid"]) for _, panel in PANELS}
    assert used == known
    for _, panel in PANELS:
        kinds = {"rawSql" in target for target in panel["targets"]}
        assert kinds == {panel["datasource"]["uid"] == "masir-clickhouse"}, panel["title"]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The store of the demo, and what no demo has: a dead letter, and signals of every customer."""
    data = tmp_path_factory.mktemp("demo") / "data"
    done = CliRunner().invoke(main, ["demo", "--data", str(data)])
    assert done.exit_code == 0, done.output
    with connect(data / STORE_DIRECTORY) as client:
        for state, time, who in (
            ("raised", "last_seen", "orders > 0"),
            ("cleared", "last_seen + 9", "orders > 1"),
        ):
            client.command(
                "INSERT INTO signals_rows (site, person_id, reason, score, state, time, evidence, version)"
                f" SELECT site, person_id, 'payment', 0.4, '{state}', {time}, '{{}}', 1 FROM persons WHERE {who}"
            )
        client.command(
            "INSERT INTO dead_letters_rows (topic, reason, site, received_time, raw)"
            " SELECT 'hits', 'not_json', 'shop', max(received_time), '{' FROM hits"
        )
        yield client


@pytest.fixture(scope="module")
def period(full: Client) -> tuple[int, int]:
    """From the first to the last hit, ms, and a day more at each end."""
    ((first, last),) = full.query(
        "SELECT toUnixTimestamp64Milli(min(event_time)), toUnixTimestamp64Milli(max(received_time)) FROM hits"
    )
    return first - DAY_MS, last + DAY_MS


@pytest.mark.parametrize("query", SQL, ids=str)
def test_each_query_of_rows_returns_rows(full: Client, period: tuple[int, int], query: Query) -> None:
    found = rows(full, sql_of(query, *period))
    assert found
    if query.target["queryType"] == "timeseries":
        assert "time" in found[0]


def test_macros_and_variables_are_expanded_as_grafana_does() -> None:
    sql = "SELECT $__timeInterval(t.time) WHERE site IN (${site:singlequote})"
    sql += " AND $__timeFilter(t.time) AND $__dateFilter(day)"
    expanded = expand_sql(
        interpolate(sql, {"site": ["a", "b'c"]}),
        from_ms=1_790_812_800_999,
        to_ms=1_790_899_200_000,
        interval_seconds=60,
    )
    assert expanded == (
        "SELECT toStartOfInterval(toDateTime(t.time), INTERVAL 60 second) WHERE site IN ('a','b\\'c') "
        "AND t.time >= toDateTime(1790812800) AND t.time <= toDateTime(1790899200) "
        "AND day >= toDate('2026-10-01') AND day <= toDate('2026-10-02')"
    )
    promql = 'rate(x{site=~"$site", window="$window"}[$__rate_interval])'
    variables = {"site": ["a.b", "c"], "window": ["1h"]}
    assert expand_promql(interpolate(promql, variables), rate_interval="1m") == (
        r'rate(x{site=~"(a\.b|c)", window="1h"}[1m])'
    )
    with pytest.raises(AssertionError):
        expand_sql("$__fromTime", from_ms=0, to_ms=1, interval_seconds=1)
