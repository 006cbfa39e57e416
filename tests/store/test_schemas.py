"""One truth in three forms: the SQL tables, the Arrow schemas, the records; and the views the contract
promises.
"""

from collections.abc import Iterator

import pyarrow as pa
import pytest
from msgspec import Struct

from pipeline.store.client import Client, connect
from pipeline.store.migrations import migrate
from pipeline.store.views import PROCESS_COLUMNS, VIEWS, columns
from schemas.counter import CounterRow
from schemas.outcome import DeadLetter, LedgerRow
from schemas.person import AttributionRow, LinkRow
from schemas.rows import TABLES
from schemas.session import Session, SessionMove
from schemas.signal import Signal
from schemas.transition import Transition

RECORDS: dict[str, type[Struct]] = {
    "sessions": Session,
    "session_moves": SessionMove,
    "transitions": Transition,
    "signals": Signal,
    "attribution": AttributionRow,
    "links": LinkRow,
    "counters": CounterRow,
    "dead_letters": DeadLetter,
    "ledger": LedgerRow,
}
CAMPAIGN = "campaign_source campaign_medium campaign_name campaign_term campaign_content campaign_id"
PROMISED = {
    "hits": f"""
        hit_id site event visitor_id user_id person_id event_time received_time url referrer title
        channel {CAMPAIGN}
        revenue currency order_id score scale device browser os country language bot outcome session_id
        props""",
    "sessions": f"""
        session_id site visitor_id user_id person_id start_time end_time duration_ms hits page_views entry_url
        exit_url referrer channel {CAMPAIGN} device browser os country language bounced converted conversions
        revenue closed version""",
    "transitions": """
        site person_id model from_stage to_stage kind time dwell_ms cause_event cause_url cause_channel
        cause_session_id""",
    "persons": """
        site person_id user_id visitor_ids first_seen last_seen sessions orders revenue stages highest_stages
        churn_score churn_reasons""",
    "signals": "site person_id reason score state time evidence",
    "ledger": "site outcome hits",
}
TYPES = {
    pa.string(): "String",
    pa.binary(): "String",
    pa.int32(): "UInt32",
    pa.float64(): "Float64",
    pa.bool_(): "UInt8",
    pa.timestamp("ms", tz="UTC"): "DateTime64(3, 'UTC')",
    pa.list_(pa.string()): "Array(String)",
    pa.list_(pa.timestamp("ms", tz="UTC")): "Array(DateTime64(3, 'UTC'))",
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One store for all: nothing is written here."""
    with connect(tmp_path_factory.mktemp("schemas") / "store") as opened:
        migrate(opened)
        yield opened


@pytest.mark.parametrize("table", TABLES)
def test_sql_has_the_columns_of_the_arrow_schema(client: Client, table: str) -> None:
    described = {row[0]: row[1] for row in client.query(f"DESCRIBE TABLE {table}_rows")}
    schema = TABLES[table]
    assert list(described) == schema.names
    for field in schema:
        bare = described[field.name].removeprefix("LowCardinality(").removeprefix("Nullable(").rstrip(")")
        allowed = (
            {"Int64", "UInt64", "UInt32"} if field.type == pa.int64() else {TYPES[field.type].rstrip(")")}
        )
        assert bare in allowed, field.name


@pytest.mark.parametrize("table", RECORDS)
def test_arrow_has_the_fields_of_the_record(table: str) -> None:
    assert TABLES[table].names == list(RECORDS[table].__struct_fields__)


def test_every_table_but_those_without_records_is_covered() -> None:
    assert TABLES.keys() - RECORDS.keys() == {"hits", "stages"}


@pytest.mark.parametrize("view", PROMISED)
def test_views_have_the_promised_columns_in_order(client: Client, view: str) -> None:
    promised = PROMISED[view].split()
    assert columns(client, view)[: len(promised)] == promised


@pytest.mark.parametrize("view", VIEWS)
def test_times_are_utc_milliseconds_and_process_columns_exist(client: Client, view: str) -> None:
    described = {row[0]: row[1] for row in client.query(f"DESCRIBE TABLE {view}")}
    assert described.keys() >= PROCESS_COLUMNS[view]
    times = [of_type for of_type in described.values() if "Date" in of_type]
    assert set(times) <= {"DateTime64(3, 'UTC')"}
    for money in ("revenue", "cost"):
        assert "Decimal" in described.get(money, "Decimal")
