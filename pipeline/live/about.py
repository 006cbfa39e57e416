"""What the page is told once: stage models with their labels, the journey map's words for channels and events."""

import tomllib
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import msgspec

from pipeline.core.rules import Model
from pipeline.core.windows import WINDOWS
from pipeline.journey.map.tongue import LANGUAGES


def about(models: Iterable[Model], version: str, hits_at: str) -> dict[str, Any]:
    """Plain data for JSON. ``hits_at``: HOST:PORT that takes hits; "": the one that shows the page."""
    return {
        "version": version,
        "hits_at": hits_at,
        "windows": list(WINDOWS),
        "models": [
            {
                "name": model.name,
                "labels": msgspec.to_builtins(model.labels),
                "stages": [
                    {"id": stage.id, "labels": msgspec.to_builtins(stage.labels)} for stage in model.stage
                ],
            }
            for model in models
        ],
        "words": {language: _words(language) for language in LANGUAGES},
    }


def _words(language: str) -> dict[str, dict[str, str]]:
    text = (files("pipeline.journey.map") / "words" / f"{language}.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    return {name: tables[name] for name in ("channels", "touchpoints")}
