import io

import msgspec
import pytest
from rich.console import Console

from bench.process import Measure
from bench.report import Ratio, Row, as_json, as_tables, ratios


def measure(*, rate: float, busy: float = 1.0, max_rss: int = 0) -> Measure:
    return Measure(hits=1_000, seconds=1_000 / rate, cpu_seconds=busy * 1_000 / rate, max_rss=max_rss)


def found(*rows: Row) -> dict[str, Ratio]:
    return {ratio.title: ratio for ratio in ratios(rows)}


@pytest.mark.parametrize(("masir", "met"), [(200.0, True), (199.9, False)])
def test_a_bar_is_met_exactly_at_its_factor(masir: float, met: bool) -> None:
    rows = Row("masir", "Masir", measure(rate=masir)), Row("flink_sessions", "Flink", measure(rate=100.0))
    assert found(*rows)["x Flink's session windows, first run"].met is met


def test_an_aim_is_no_bar() -> None:
    rows = Row("masir", "Masir", measure(rate=50)), Row("flink_copy", "Flink", measure(rate=100))
    ratio = found(*rows)["x Flink's copying, first run"]
    assert (ratio.value, ratio.aim, ratio.met) == (0.5, 1, None)


def test_by_cpu_time_a_shared_core_does_not_matter() -> None:
    rows = Row("masir", "Masir", measure(rate=50, busy=0.5)), Row("decode", "decoding", measure(rate=1_000))
    ratio = found(*rows)["of bare decoding"]
    assert (ratio.value, ratio.cpu_value, ratio.met) == (0.05, 0.1, False)


def test_a_peer_that_was_left_out_gives_no_ratio() -> None:
    rows = (
        Row("masir", "Masir", measure(rate=50)),
        Row("flink_copy", "Flink", left_out="java is not installed"),
    )
    assert found(*rows) == {}


def test_what_runs_over_kafka_is_compared_with_its_like() -> None:
    over_kafka = Row("kafka_job", "Masir over Kafka", measure(rate=30))
    rows = (
        over_kafka,
        Row("kafka_decode", "reading", measure(rate=301)),
        Row("decode", "", measure(rate=900)),
        Row("kafka_flink_sessions", "", measure(rate=15)),
        Row("kafka_flink_sessions_warm", "", measure(rate=20)),
        Row("flink_sessions", "", measure(rate=30)),
    )
    assert [(ratio.title, round(ratio.value, 3), ratio.met) for ratio in found(*rows).values()] == [
        ("over Kafka: of bare reading", 0.1, False),
        ("over Kafka: x Flink's session windows, first run", 2.0, True),
        ("over Kafka: x Flink's session windows, second run", 1.5, False),
    ]


@pytest.mark.parametrize(("bytes_each", "met"), [(1024, True), (1025, False)])
def test_memory_per_visitor_is_what_more_visitors_add(bytes_each: int, met: bool) -> None:
    base = 200 << 20
    large = measure(rate=50, max_rss=base + 900 * bytes_each)
    rows = Row("scale_1000", "", large), Row("scale_100", "", measure(rate=50, max_rss=base))
    ratio = found(*rows)["memory per visitor, 100 to 1,000 visitors"]
    assert (ratio.value, ratio.met) == (bytes_each, met)


@pytest.mark.parametrize(("slow", "met"), [(100.0, True), (99.0, False)])
def test_cost_per_hit_may_grow_by_half(slow: float, met: bool) -> None:
    rows = Row("scale_100", "", measure(rate=150.0)), Row("scale_1000", "", measure(rate=slow))
    assert found(*rows)["cost per hit, 100 to 1,000 visitors"].met is met


def test_output_names_what_is_left_out_and_marks_a_shared_core() -> None:
    rows = [
        Row("masir", "Masir", measure(rate=50, busy=0.5)),
        Row("decode", "decoding", measure(rate=1_000)),
        Row("faust", "plain Faust", left_out="mvn is not installed"),
    ]
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(as_tables(rows, ratios(rows)))
    text = console.export_text()
    assert "plain Faust: left out. mvn is not installed" in text
    assert "50%*" in text
    assert "MISSED" in text


def test_json_carries_rows_with_rates_and_ratios() -> None:
    rows = [Row("masir", "Masir", measure(rate=50)), Row("decode", "decoding", measure(rate=1_000))]
    document = msgspec.json.decode(as_json(rows, ratios(rows)))
    assert [row["hits_per_second"] for row in document["rows"]] == pytest.approx([50, 1_000])
    assert document["ratios"][0]["value"] == pytest.approx(0.05)
