"""Goals, stage models and domains of single sites: they hold for their site alone, and a change holds from then on."""

import json

import pytest
from session_kit import NOON, Follower, evidence_of, rules

from pipeline.core.channels import Classifier
from pipeline.core.goals import Goals
from pipeline.core.models import load
from pipeline.core.remaking import COLUMNS
from pipeline.core.remaking import evidence_of as stored_evidence_of
from pipeline.core.site_rules import SiteRules
from pipeline.model_files import builtin_texts

THANKS = Goals((), ("/thanks*",))


def raw(site: str, visitor: str, **fields: object) -> bytes:
    hit = {
        "site": site,
        "event": "page_view",
        "visitor_id": visitor,
        "time": NOON,
        "url": "https://x.example/thanks",
    }
    return json.dumps(hit | fields).encode()


def goals_of(follower: Follower, *records: bytes) -> list[bool]:
    rows = follower.feed(list(records)).hits
    assert rows is not None
    return [bool(goal) for goal in rows["goal"]]


def test_a_site_has_its_own_goals_and_no_other_has_them() -> None:
    sites = SiteRules()
    sites.put({"shop": THANKS}, Classifier())
    follower = Follower(rules()._replace(sites=sites))
    batch = [
        raw("shop", "a"),
        raw("blog", "b"),
        raw("shop", "c", event="purchase"),
        raw("blog", "d", event="purchase"),
    ]
    assert goals_of(follower, *batch) == [True, False, False, True]


def test_a_change_holds_from_the_next_batch_on() -> None:
    sites = SiteRules()
    follower = Follower(rules()._replace(sites=sites))
    assert goals_of(follower, raw("shop", "a")) == [False]
    sites.put({"shop": THANKS}, Classifier())
    assert goals_of(follower, raw("shop", "b")) == [True]
    sites.put({}, Classifier())
    assert goals_of(follower, raw("shop", "c")) == [False]


def test_domains_of_the_sites_are_nobodys_referrers() -> None:
    sites = SiteRules()
    follower = Follower(rules()._replace(sites=sites))
    link = raw("shop", "a", referrer="https://blog.example/post")
    before = follower.feed([link]).hits
    sites.put({}, Classifier(["blog.example"]))
    after = follower.feed([link]).hits
    assert before is not None
    assert after is not None
    assert [list(before["channel"]), list(after["channel"])] == [["referral"], ["direct"]]


def models_in_evidence(follower: Follower, *records: bytes) -> dict[str, set[str]]:
    """Site -> names of the stage models that its evidence is of."""
    models = follower.rules.models
    found: dict[str, set[str]] = {}
    for person, piece in evidence_of(follower.feed(list(records))):
        names = {models.models[models.rules[rule].model].name for rule in piece.rules}
        found.setdefault(person.partition("\x1f")[0], set()).update(names)
    return found


@pytest.mark.parametrize(
    "fields",
    [{"event": "purchase"}, {"event": "survey_response", "score": 10, "props": {"metric": "nps"}}],
)
def test_a_site_gives_evidence_of_its_own_models_only(fields: dict[str, object]) -> None:
    sites = SiteRules()
    follower = Follower(rules()._replace(sites=sites))
    batch = [raw("shop", "a", **fields), raw("blog", "b", **fields), raw("none", "c", **fields)]
    before = models_in_evidence(follower, *batch)
    assert before["shop"] == before["blog"] == before["none"] > {"classic5", "loyalty5"}
    sites.put({}, Classifier(), models={"shop": frozenset({"classic5"}), "none": frozenset()})
    assert models_in_evidence(follower, *batch) == {"shop": {"classic5"}, "blog": before["blog"]}
    sites.put({"shop": THANKS}, Classifier())
    assert models_in_evidence(follower, raw("shop", "a", **fields))["shop"] >= {"classic5", "loyalty5"}


def test_history_that_is_made_anew_has_the_models_of_each_site_too() -> None:
    models = load(builtin_texts(), {"shop": ("classic5",)})
    hit = {"event": "purchase", "visitor_id": "a", "time": NOON, "url": "", "channel": "direct", "goal": 1}
    hits = {name: [hit.get(name, "")] * 2 for name in COLUMNS} | {
        "site": ["shop", "blog"],
        "score": [None] * 2,
    }
    found = stored_evidence_of(models, hits)
    names = [
        {models.models[models.rules[rule].model].name for rule in found.kinds[kind][0]}
        for kind in found.kind.tolist()
    ]
    assert names[0] == {"classic5"} < names[1]
