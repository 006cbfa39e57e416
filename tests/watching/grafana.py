"""What Grafana and its data sources do to a query before they send it: variables and macros.

ClickHouse plugin: https://github.com/grafana/clickhouse-datasource#macros. Times are ms.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from watching.tools import DEPLOY

FOLDER = DEPLOY / "grafana/dashboards"
VARIABLES = {
    "site": ["shop", "wiki"],
    "channel": ["all"],
    "model": ["classic5"],
    "window": ["1h"],
    "person": [""],
}
_VARIABLE = re.compile(r"\$\{(\w+):(\w+)\}|\$\{(\w+)\}|\$(?!__)(\w+)")


class Query(NamedTuple):
    """One query of one panel, or a dashboard's alerts."""

    board: str
    panel: str
    target: dict[str, Any]

    @property
    def is_sql(self) -> bool:
        return "rawSql" in self.target

    def __str__(self) -> str:
        return f"{self.board}-{self.panel}-{self.target.get('refId', '')}"


def boards() -> list[dict[str, Any]]:
    """Every dashboard as it is checked in."""
    return [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]


def queries() -> Iterator[Query]:
    """Every query of every dashboard."""
    for board in boards():
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield Query(board["uid"], panel["title"], target)
        for annotation in board["annotations"]["list"]:
            yield Query(board["uid"], annotation["name"], {"expr": annotation["expr"]})


def names_in(text: str) -> set[str]:
    """Variables that a query uses."""
    return {one or two or three for one, _, two, three in _VARIABLE.findall(text)}


def interpolate(text: str, variables: Mapping[str, Sequence[str]]) -> str:
    """Variables by their values: quoted for SQL where it says so, else as a regular expression."""

    def value(found: re.Match[str]) -> str:
        values = variables[found[1] or found[3] or found[4]]
        if found[2] == "singlequote":
            return ",".join("'" + one.replace("'", r"\'") + "'" for one in values)
        assert found[2] is None, f"no such format here: {found[2]}"
        return values[0] if len(values) == 1 else f"({'|'.join(map(re.escape, values))})"

    return _VARIABLE.sub(value, text)


def expand_sql(text: str, *, from_ms: int, to_ms: int, interval_seconds: int) -> str:
    """The macros of the ClickHouse plugin that the dashboards use; any other is an error."""
    start, end = (f"toDateTime({ms // 1000})" for ms in (from_ms, to_ms))
    days = (datetime.fromtimestamp(ms / 1000, UTC).date() for ms in (from_ms, to_ms))
    first, last = (f"toDate('{day}')" for day in days)
    replaced = {
        "timeFilter": rf"\1 >= {start} AND \1 <= {end}",
        "dateFilter": rf"\1 >= {first} AND \1 <= {last}",
        "timeInterval": rf"toStartOfInterval(toDateTime(\1), INTERVAL {interval_seconds} second)",
    }
    for name, text_of in replaced.items():
        text = re.sub(rf"\$__{name}\(([\w.]+)\)", text_of, text)
    assert "$__" not in text, text
    return text


def expand_promql(text: str, *, rate_interval: str) -> str:
    """Macros of the Prometheus data source."""
    text = text.replace("$__rate_interval", rate_interval)
    assert "$__" not in text, text
    return text


def sql_of(query: Query, from_ms: int, to_ms: int) -> str:
    """What is sent to ClickHouse."""
    text = interpolate(query.target["rawSql"], VARIABLES)
    return expand_sql(text, from_ms=from_ms, to_ms=to_ms, interval_seconds=3_600)
