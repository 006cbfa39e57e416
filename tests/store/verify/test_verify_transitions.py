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


@pytest.fixture(scope="module")
def many(models: Models) -> tuple[list[Row], list[Transition]]:
    """Hits of many persons, and what the stream says of them."""
    hits = random_hits(11, persons=150)
    return hits, said_of(models, hits)


def test_stream_equals_batch(
    client: Client, sink: Sink, models: Models, many: tuple[list[Row], list[Transition]]
) -> None:
    hits, said = many
    every_stage = {(model.name, stage.id) for model in models.models for stage in model.stage}
    assert {(row.model, row.to_stage) for row in said if row.to_stage} == every_stage
    assert any(row.withdrawn for row in said)
    store(sink, hits, said)
    assert differences(client, models) == []


def test_each_condition_of_the_odd_model_moved_somebody(many: tuple[list[Row], list[Transition]]) -> None:
    _, said = many
    causes = {(row.to_stage, row.cause_event) for row in said if row.model == "odd"}
    assert {("two", "page_view"), ("two", "login"), ("three", "purchase"), ("three", "click")} <= causes
    assert {("four", "survey_response"), ("four", "search"), ("four", "share")} <= causes
    assert any(
        row.cause_url == "/50%_it's\\x" and row.kind == "regress" for row in said if row.model == "odd"
    )


# Of the person who is named like the field: what the stream says, and what is right.
TAMPERED: dict[str, tuple[object, object]] = {
    "from_stage": ("interest", "awareness"),
    "to_stage": ("action", "consideration"),
    "kind": ("regress", "advance"),
    "dwell_ms": (MINUTE + 1, MINUTE),
    "cause_event": ("click", "page_view"),
    "cause_url": ("/prices", "/pricing"),
    "cause_channel": ("email", "direct"),
    "cause_session_id": ("x", ""),
    "withdrawn": (True, False),
    "time": (DAY_0 + 7, DAY_0 + MINUTE),
}


def test_tampered_rows_are_named(client: Client, sink: Sink, models: Models) -> None:
    hits = [
        hit(at, who, url=url) for who in (*TAMPERED, "ann") for at, url in ((0, "/"), (MINUTE, "/pricing"))
    ]
    said = said_of(models, hits)
    for row in said:
        if row.model == "funnel4" and row.ordinal == 1 and row.person_id in TAMPERED:
            setattr(row, row.person_id, TAMPERED[row.person_id][0])
    store(sink, hits, said)
    found: dict[str, list[Difference]] = {name: [] for name in TAMPERED}
    for one in differences(client, models):
        assert one.check == "transitions.funnel4"
        assert (one.key["site"], one.key["model"], one.key["ordinal"]) == ("shop", "funnel4", 1)
        found[one.key["person_id"]].append(one)
    invented, missing = sorted(found.pop("time"), key=lambda one: one.key["time"])
    assert (invented.key["time"], missing.key["time"]) == (
        "2026-01-01 00:00:00.007",
        "2026-01-01 00:01:00.000",
    )
    assert (invented.batch, missing.stream) == (None, None)
    (gone,) = found.pop("withdrawn")
    assert gone.stream is None
    assert gone.batch is not None
    assert gone.batch["to_stage"] == "consideration"
    for field, (one,) in found.items():
        value, right = TAMPERED[field]
        assert one.key["time"] == "2026-01-01 00:01:00.000"
        assert (one.stream, one.batch) == ({field: value}, {field: right})


def test_missing_hit_is_noticed(client: Client, sink: Sink, models: Models) -> None:
    hits = [hit(0, "ann", url="/"), hit(MINUTE, "ann", url="/pricing")]
    store(sink, hits[1:], said_of(models, hits))
    assert {one.check for one in differences(client, models)} == {
        f"transitions.{m.name}" for m in models.models
    }
