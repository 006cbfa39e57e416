"""Goals and own domains of single sites: they hold for their site alone, and a change holds from then on."""

import json

from session_kit import NOON, Follower, rules

from pipeline.core.channels import Classifier
from pipeline.core.goals import Goals
from pipeline.core.site_rules import SiteRules

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
