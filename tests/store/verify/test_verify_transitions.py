"""The SQL of the stages agrees with the fold for any evidence, and names each transition that was tampered
with.
"""

import random

import pytest
from journey_kit import message, transitions_of

from pipeline.core.evidence import only_time
from pipeline.core.journeys import Journeys
from pipeline.core.models import Models, load
from pipeline.core.scores import metric_of, normalised_score
from pipeline.model_files import builtin_texts
from pipeline.store.blocks import to_arrow
from pipeline.store.checks import Rules
from pipeline.store.client import Client
from pipeline.store.sink import Sink
from pipeline.store.verify import Difference, verify
from pipeline.store.verify_transitions import transition_check
from schemas.evidence import Evidence
from schemas.transition import Transition
from store.kit import DAY_0, MINUTE, Row, hit, hit_table

DAY = 24 * 60 * MINUTE

ODD = """
name = "odd"
labels = { en = "O", fa = "ف", ar = "ع" }
description = "every kind of condition"
backward = "always"
[[stage]]
id = "one"
labels = { en = "1", fa = "ف", ar = "ع" }
[[stage.rule]]
name = "any"
url = ["*"]
fallback = true
back = false
[[stage.rule]]
name = "odd_path"
event = ["page_view"]
url = ["/50%_it's\\\\*"]
[[stage]]
id = "two"
labels = { en = "2", fa = "ف", ar = "ع" }
[[stage.rule]]
name = "keen"
event = ["page_view"]
url = ["/p*"]
count = { min = 2, days = 4 }
[[stage.rule]]
name = "days"
event = ["login"]
channel = ["email"]
since = { of = "previous", min_days = 1, max_days = 2 }
[[stage]]
id = "three"
labels = { en = "3", fa = "ف", ar = "ع" }
[[stage.rule]]
name = "order"
event = ["purchase"]
orders = { min = 2, max = 3 }
goal = true
[[stage.rule]]
name = "props"
event = ["click"]
props = { kind = ["video", true], "it's" = "yes" }
[[stage]]
id = "four"
labels = { en = "4", fa = "ف", ar = "ع" }
[[stage.rule]]
name = "score"
event = ["survey_response"]
score = { metric = "ces", min = 5.5, max = 7.75 }
[[stage.rule]]
name = "later"
event = ["search"]
since = { of = "order", max_days = 3 }
[[stage.rule]]
name = "first"
event = ["share"]
since = { of = "first", min_days = 2 }
count = { min = 2, days = 2 }
"""

EVENTS = (
    ["page_view"] * 6 + ["purchase"] * 3 + ["survey_response"] * 3
    + ["view_item", "login", "search", "share", "click", "review_submit", "subscription_cancel"]
    + ["add_to_cart", "generate_lead", "referral_sent"]
)  # fmt: skip
URLS = [
    "",
    "/",
    "https://a.example/p?q",
    "https://a.example/blog/1#x",
    "/50%_it's\\x",
    "/50xxit's\\",
    "/help",
]
PROPS = [
    "",
    '{"kind":"video","it\'s":"yes"}',
    '{"kind":true,"it\'s":"yes"}',
    '{"kind":1,"it\'s":"yes"}',
    "[]",
]
SURVEYS = ['{"metric":"ces"}', '{"metric":"nps"}', '{"metric":"csat"}', '{"metric":7}', ""]


@pytest.fixture(scope="module")
def models() -> Models:
    return load({**builtin_texts(), "odd.toml": ODD})


def random_hits(seed: int, persons: int) -> list[Row]:
    """Few distinct values, so that times and whole hits tie."""
    dice = random.Random(seed)
    hits = []
    for number in range(persons):
        at = dice.randrange(0, 30) * DAY
        for _ in range(dice.randrange(1, 25)):
            at += dice.choice([0, 0, 1, MINUTE, DAY // 2, DAY, DAY + 1, 2 * DAY])
            event = dice.choice(EVENTS)
            survey = event == "survey_response"
            hits.append(
                hit(
                    at,
                    visitor_id=f"v{number}",
                    site=dice.choice(["shop", "shop", "blog"]),
                    event=event,
                    url=dice.choice(URLS),
                    channel=dice.choice(["direct", "email"]),
                    session_id=dice.choice(["", "a" * 32, "b" * 32]),
                    goal=dice.random() < 0.5,
                    score=dice.choice([None, *range(11), 3.5]) if survey else None,
                    scale=dice.choice([None, 5.0, 7.0, 10.0, 1.0]) if survey else None,
                    props=dice.choice(SURVEYS if survey else PROPS),
                    outcome=dice.choice(["sessionized"] * 8 + ["background", "late", "bot"]),
                )
            )
    dice.shuffle(hits)
    return hits


def said_of(models: Models, hits: list[Row]) -> list[Transition]:
    """What the stream says, one hit after the other."""
    journeys, said = Journeys(models), list[Transition]()
    for version, row in enumerate(hits):
        props = row["props"].encode()
        score = normalised_score(metric_of(props), row["score"], row["scale"])
        rules = models.touchpoint(row["event"], row["url"], row["channel"], row["goal"], score, props)
        if rules == () or row["outcome"] == "bot":
            continue
        site, person = row["site"], row["person_id"]
        evidence = Evidence(
            row["event_time"], rules, row["event"], row["url"], row["channel"], row["session_id"]
        )
        output = journeys.take([message(f"{site}\x1f{person}", [evidence])], version, version)
        said += transitions_of(output)
    now = max((row["event_time"] for row in hits), default=0)
    output = journeys.take([only_time(0, now)], len(hits), len(hits), is_final=True)
    return said + transitions_of(output)


def store(sink: Sink, hits: list[Row], said: list[Transition]) -> None:
    sink.insert("hits", hit_table(hits), "hits")
    sink.insert("transitions", to_arrow("transitions", said), "transitions")


def differences(client: Client, models: Models) -> list[Difference]:
    found = verify(client, Rules(), [transition_check(models)], hits_at_once=1_500)
    return [one for name, of_check in found.items() if name.startswith("transitions.") for one in of_check]


def test_stream_equals_batch(client: Client, sink: Sink, models: Models) -> None:
    hits = random_hits(11, persons=150)
    said = said_of(models, hits)
    every_stage = {(model.name, stage.id) for model in models.models for stage in model.stage}
    assert {(row.model, row.to_stage) for row in said if row.to_stage} == every_stage
    assert any(row.withdrawn for row in said)
    store(sink, hits, said)
    assert differences(client, models) == []


def test_each_condition_of_the_odd_model_moved_somebody(models: Models) -> None:
    said = said_of(models, random_hits(11, persons=150))
    causes = {(row.to_stage, row.cause_event) for row in said if row.model == "odd"}
    assert {("two", "page_view"), ("two", "login"), ("three", "purchase"), ("three", "click")} <= causes
    assert {("four", "survey_response"), ("four", "search"), ("four", "share")} <= causes
    assert any(
        row.cause_url == "/50%_it's\\x" and row.kind == "regress" for row in said if row.model == "odd"
    )


def tampered(client: Client, sink: Sink, models: Models, change: dict[str, object]) -> list[Difference]:
    hits = [hit(0, "ann", url="/"), hit(MINUTE, "ann", url="/pricing"), hit(0, "bob", url="/")]
    said = said_of(models, hits)
    chosen = next(
        row for row in said if row.person_id == "ann" and row.model == "funnel4" and row.ordinal == 1
    )
    for name, value in change.items():
        setattr(chosen, name, value)
    store(sink, hits, said)
    return differences(client, models)


@pytest.mark.parametrize(
    ("field", "value", "right"),
    [
        ("from_stage", "interest", "awareness"),
        ("to_stage", "action", "consideration"),
        ("kind", "regress", "advance"),
        ("dwell_ms", MINUTE + 1, MINUTE),
        ("cause_event", "click", "page_view"),
        ("cause_url", "/prices", "/pricing"),
        ("cause_channel", "email", "direct"),
        ("cause_session_id", "x", ""),
    ],
)
def test_tampered_row_is_named(
    client: Client, sink: Sink, models: Models, field: str, value: object, right: object
) -> None:
    (found,) = tampered(client, sink, models, {field: value})
    assert found.check == "transitions.funnel4"
    assert found.key == {
        "site": "shop", "person_id": "ann", "model": "funnel4",
        "time": "2026-01-01 00:01:00.000", "ordinal": 1,
    }  # fmt: skip
    assert (found.stream, found.batch) == ({field: value}, {field: right})


def test_missing_row_is_named(client: Client, sink: Sink, models: Models) -> None:
    (found,) = tampered(client, sink, models, {"withdrawn": True})
    assert (found.key["person_id"], found.stream) == ("ann", None)
    assert found.batch is not None
    assert found.batch["to_stage"] == "consideration"


def test_invented_row_is_named(client: Client, sink: Sink, models: Models) -> None:
    found = tampered(client, sink, models, {"time": DAY_0 + 7})
    assert [(one.stream is None, one.batch is None) for one in found] == [(False, True), (True, False)]


def test_missing_hit_is_noticed(client: Client, sink: Sink, models: Models) -> None:
    hits = [hit(0, "ann", url="/"), hit(MINUTE, "ann", url="/pricing")]
    store(sink, hits[1:], said_of(models, hits))
    assert {one.check for one in differences(client, models)} == {
        f"transitions.{m.name}" for m in models.models
    }
