"""What tests of the commands share: a command in this process, and a small file for it."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from pipeline.cli import main

NOON = 1_767_268_800_000
HITS = (
    {"site": "shop", "event": "page_view", "visitor_id": "ann", "time": NOON},
    {"site": "shop", "event": "purchase", "visitor_id": "ann", "time": NOON + 1, "revenue": 10.5},
    {"site": "blog", "event": "page_view", "visitor_id": "bob", "time": NOON},
)


def masir(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def small_file() -> str:
    """Of these hits, in the working directory."""
    Path("hits.ndjson").write_text("\n".join(map(json.dumps, HITS)))
    return "hits.ndjson"
