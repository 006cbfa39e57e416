"""Every view of the migrations answers on a store without a row."""

import re

from pipeline.store.client import Client
from pipeline.store.migrations import bundled

VIEWS = [
    view for migration in bundled() for view in re.findall(r"CREATE OR REPLACE VIEW (\w+)", migration.sql)
]


def test_every_view_answers_on_an_empty_store(client: Client) -> None:
    assert len(set(VIEWS)) > 30
    for view in VIEWS:
        assert client.query(f"SELECT * FROM {view}") == [], view
