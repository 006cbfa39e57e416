"""Which hits are evidence, where a rule looks at more than the page."""

import json
from typing import Any

import pytest
from journey_kit import model_text
from session_kit import NOON, Follower, evidence_of, rules

from pipeline.core.models import load


def hit(**fields: Any) -> bytes:
    return json.dumps(
        {"site": "shop", "event": "page_view", "visitor_id": "ann", "time": NOON} | fields
    ).encode()


@pytest.mark.parametrize("more", [{}, {"score": 1}])
def test_rules_on_props_are_asked_about_each_hit(more: dict[str, Any]) -> None:
    stages = (
        "seen\nname = 'seen'\nevent = ['page_view']\nprops = { plan = 'pro' }",
        "bought\nname = 'bought'\nevent = ['purchase']",
    )
    models = load({"tiny.toml": model_text(*stages)})
    follower = Follower(rules()._replace(models=models))
    output = follower.feed([hit(props={"plan": plan}, **more) for plan in ("free", "pro")] + [hit(**more)])
    ((_, found),) = evidence_of(output)
    assert [models.rules[rule].rule.name for rule in found.rules] == ["seen"]
