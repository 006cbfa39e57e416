"""What a run found: rows, the ratios between them, and how they are printed. Pure: measures in, text out."""

from collections.abc import Sequence
from itertools import chain

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table

from bench.process import Measure

MASIR = "masir"
KAFKA = "kafka_job"
SCALE = "scale_"  # and the number of visitors
BUSY = 0.9  # of its core: below this a row is marked


class Row(msgspec.Struct, omit_defaults=True):
    """``key``: what :data:`BARS` call it; ``title``: what a reader calls it. ``left_out``: why there is no
    measure.
    """

    key: str
    title: str
    measure: Measure | None = None
    left_out: str = ""


class Bar(msgspec.Struct, frozen=True):
    """The rate of ``row`` divided by that of row ``of`` must reach ``least``; ``aim`` is hoped for."""

    of: str
    title: str
    least: float | None = None
    aim: float | None = None
    row: str = MASIR


class Ratio(msgspec.Struct):
    """``value``: by the clock, which is what the bar is for; ``cpu_value``: the same by CPU time, where
    that makes sense and is known. ``met``: None where there is no bar.
    """

    title: str
    value: float
    cpu_value: float | None
    unit: str
    bar: float | None
    aim: float | None
    met: bool | None


BARS = (
    Bar("decode", "of bare decoding", least=0.10, aim=0.25),
    Bar("faust_whole", "x plain Faust, the same job", least=20),
    Bar("faust_sessions", "x plain Faust, its sessions only, hits already keyed"),
    Bar("faust_regrouped", "x plain Faust, its sessions only, with group_by"),
    Bar("flink_sessions", "x Flink's session windows, first run", least=2),
    Bar("flink_sessions_warm", "x Flink's session windows, second run", least=2),
    Bar("flink_counts", "x Flink's windows that only count, first run"),
    Bar("flink_counts_warm", "x Flink's windows that only count, second run"),
    Bar("flink_sessions_rocksdb", "x Flink's session windows in RocksDB, first run"),
    Bar("flink_sessions_rocksdb_warm", "x Flink's session windows in RocksDB, second run"),
    Bar("flink_copy", "x Flink's copying, first run", aim=1),
    Bar("flink_copy_warm", "x Flink's copying, second run", aim=1),
    Bar("kafka_decode", "over Kafka: of bare reading", least=0.10, aim=0.25, row=KAFKA),
    Bar("faust_whole", "over Kafka: x plain Faust, the same job", least=20, row=KAFKA),
    Bar("kafka_flink_sessions", "over Kafka: x Flink's session windows, first run", least=2, row=KAFKA),
    Bar("kafka_flink_sessions_warm", "over Kafka: x Flink's session windows, second run", least=2, row=KAFKA),
)
COST_LIMIT = 1.5  # per hit, from the fewest visitors to the most
BYTES_LIMIT = 1024  # per visitor


def ratios(rows: Sequence[Row]) -> list[Ratio]:
    """Masir against each peer that was measured, then its growth."""
    measured = {row.key: row.measure for row in rows if row.measure}
    scale = sorted(
        (int(key.removeprefix(SCALE)), measure) for key, measure in measured.items() if key.startswith(SCALE)
    )
    against = [
        _ratio(
            bar.title,
            masir.rate / peer.rate,
            _quotient(masir.cpu_rate, peer.cpu_rate),
            least=bar.least,
            aim=bar.aim,
        )
        for bar in BARS
        if (masir := measured.get(bar.row)) and (peer := measured.get(bar.of))
    ]
    return against + _growth(scale)


def _growth(scale: Sequence[tuple[int, Measure]]) -> list[Ratio]:
    """Cost and memory as visitors grow: (visitors, measure) ascending, all with the same number of hits."""
    if len(scale) < 2:
        return []
    (fewest, small), (most, large) = scale[0], scale[-1]
    span = f"{fewest:,} to {most:,} visitors"
    memory = (large.max_rss - small.max_rss) / (most - fewest)
    cost_cpu = _quotient(small.cpu_rate, large.cpu_rate)
    return [
        _ratio(f"cost per hit, {span}", small.rate / large.rate, cost_cpu, unit="x", most=COST_LIMIT),
        _ratio(f"memory per visitor, {span}", memory, unit="bytes", most=BYTES_LIMIT),
    ]


def _quotient(above: float, below: float) -> float | None:
    return above / below if above and below else None


def _ratio(
    title: str,
    value: float,
    cpu_value: float | None = None,
    *,
    unit: str = "",
    least: float | None = None,
    most: float | None = None,
    aim: float | None = None,
) -> Ratio:
    met = None
    if least is not None:
        met = value >= least
    elif most is not None:
        met = value <= most
    return Ratio(title, value, cpu_value, unit, least if most is None else most, aim, met)


def as_json(rows: Sequence[Row], found: Sequence[Ratio]) -> str:
    """One JSON object; each row with its rate."""
    plain = [
        msgspec.to_builtins(row) | ({"hits_per_second": row.measure.rate} if row.measure else {})
        for row in rows
    ]
    return msgspec.json.encode({"rows": plain, "ratios": found}).decode()


def as_tables(rows: Sequence[Row], found: Sequence[Ratio]) -> RenderableType:
    """For a terminal or a pipe."""
    notes = [f"{row.title}: left out. {row.left_out}" for row in rows if row.left_out]
    if any(row.measure and row.measure.busy < BUSY for row in rows):
        notes.append("* had less than its core: it waited, or other work was running. Go by CPU time.")
    return Group(_measures(rows), *([_ratios(found)] if found else []), *notes)


def _measures(rows: Sequence[Row]) -> Table:
    table = Table("job", title="One core each, same hits", title_justify="left")
    for head in ("hits", "seconds", "hits/s", "hits/CPU s", "core", "memory"):
        table.add_column(head, justify="right")
    for row in rows:
        if row.measure:
            table.add_row(row.title, *_cells(row.measure))
    return table


def _cells(measure: Measure) -> tuple[str, ...]:
    return (
        f"{measure.hits:,}",
        f"{measure.seconds:.2f}",
        f"{measure.rate:,.0f}",
        f"{measure.cpu_rate:,.0f}",
        f"{measure.busy:.0%}{'*' if measure.busy < BUSY else ''}",
        f"{measure.max_rss / 2**20:,.0f} MiB" if measure.max_rss else "",
    )


def _ratios(found: Sequence[Ratio]) -> Table:
    table = Table("Masir", title="Against the bars", title_justify="left")
    for head in ("found", "by CPU time", "bar", "aim", ""):
        table.add_column(head, justify="right")
    verdict = {True: "met", False: "MISSED", None: ""}
    for ratio in found:
        numbers = (ratio.value, ratio.cpu_value, ratio.bar, ratio.aim)
        cells = chain(
            ("" if number is None else f"{number:,.2f}" for number in numbers), (verdict[ratio.met],)
        )
        table.add_row(f"{ratio.title} {ratio.unit and f'({ratio.unit})'}".rstrip(), *cells)
    return table
