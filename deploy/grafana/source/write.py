"""All dashboards, and the text of each one's file."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.source import (
    acquisition,
    churn,
    conversion,
    engagement,
    health,
    journey,
    row_tables,
    voice,
)

FOLDER = Path(__file__).resolve().parent.parent / "dashboards"


def dashboards() -> list[Dashboard]:
    """Every dashboard."""
    modules = (journey, acquisition, engagement, conversion, voice, churn, health, row_tables)
    return [module.dashboard() for module in modules]


def texts() -> dict[str, str]:
    """File name -> JSON, the same each time."""
    return {
        f"{made.uid}.json": f"{json.dumps(made, cls=JSONEncoder, indent=1, sort_keys=True)}\n"
        for made in dashboards()
    }
