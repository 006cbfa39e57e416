"""Every Prometheus query of the dashboards, asked of a real server that has looked at a running pipeline."""

import re
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from bench.running import Running, wait_for
from watching.grafana import VARIABLES, Query, expand_promql, interpolate, queries
from watching.servers import Prometheus, prometheus
from watching.traffic import traffic

PROMQL = [query for query in queries() if not query.is_sql]
SITES = ("shop", "wiki")
QUICK = {"session_timeout_seconds": 1, "out_of_orderness_seconds": 0.1, "pane_seconds": 1, "dedupe_hours": 1}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, set[str]]]:
    """A server that has data, and the metrics that the pipeline declares but nothing feeds."""
    directory = tmp_path_factory.mktemp("watched")
    with Running(directory / "data", **QUICK) as pipeline, traffic(pipeline, *SITES) as visits:
        visits.unreadable, visits.each = 20, 25  # of 200 visits what is usual is known
        target = pipeline.url.removeprefix("http://")
        with prometheus(directory / "prometheus", [target], faster=240) as server:
            wait_for(
                lambda: len(server.ask('masir_bounce_ratio{channel="all"}')) == 2 * 3, "ratios of both sites"
            )
            wait_for(
                lambda: server.ask("site:masir_nps_score:week or site:masir_hits:rate5m"), "recording rules"
            )
            wait_for(lambda: server.ask("site_channel:masir_bounce_ratio:usual"), "what is usual")
            wait_for(lambda: server.ask("site:masir_session_duration_seconds:usual"), "and of session time")
            wait_for(lambda: server.ask('ALERTS{alertstate="firing"}'), "an alert")
            with urlopen(f"{pipeline.url}/metrics", timeout=30) as answer:
                page = answer.read().decode()
            declared = set(re.findall(r"^# TYPE (\w+)", page, re.MULTILINE))
            yield server, {name for name in declared if not re.search(rf"^{name}[_{{ ]", page, re.MULTILINE)}


@pytest.mark.parametrize("query", PROMQL, ids=str)
def test_each_query_returns_data(seen: tuple[Prometheus, set[str]], query: Query) -> None:
    server, unfed = seen
    text = query.target["expr"]
    expanded = expand_promql(interpolate(text, VARIABLES), rate_interval="10s")
    found = server.ask(expanded)
    waits_for = set(re.findall(r"masir_\w+", text)) & unfed
    assert found or waits_for, expanded
    for labels in re.findall(r"\{\{(\w+)\}\}", query.target.get("legendFormat", "")) if found else ():
        assert labels in found[0]["metric"] or "vector(0)" in text or labels == "from_stage", labels
