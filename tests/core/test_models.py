"""Which rules a hit satisfies by itself: conditions, fallback, caches; and the models that ship."""

import re
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from journey_kit import model_text

from pipeline.core import models as compiled
from pipeline.core.globs import GlobSet, intersect, path_of
from pipeline.core.models import Models, load
from pipeline.core.scores import metric_of, normalised_score
from pipeline.core.stage_fold import fold, nowhere
from pipeline.model_files import builtin_texts
from schemas.evidence import Evidence

NAMES = ["buyer3", "classic5", "digital8", "funnel4", "loyalty5"]


@pytest.fixture(scope="module")
def builtin() -> Models:
    return load(builtin_texts())


def one_rule(conditions: str) -> Models:
    return load(
        {
            "t.toml": model_text(
                f'a\nname = "r"\n{conditions}', 'b\nname = "never"\nevent = ["never"]\nfallback = true'
            )
        }
    )


def holds(models: Models, event: str = "e", url: str = "", channel: str = "direct", **more: Any) -> bool:
    found = models.touchpoint(
        event, url, channel, more.get("goal", False), more.get("score"), more.get("props")
    )
    assert found in ((), (crc32(b"tiny/a/r"),))
    return bool(found)


@pytest.mark.parametrize(
    ("conditions", "yes", "no"),
    [
        ('event = ["e", "f"]', {"event": "f"}, {"event": "g"}),
        ('url = ["/blog*"]', {"url": "https://a.example/blog/1?x#y"}, {"url": "https://a.example/x/blog"}),
        ('url = ["/"]', {"url": "https://a.example"}, {"url": ""}),
        ('url = ["*/cart"]', {"url": "/fa/cart"}, {"url": "/fa/cart/1"}),
        ('channel = ["email", "sms"]', {"channel": "sms"}, {"channel": "direct"}),
        ("goal = true", {"goal": True}, {"goal": False}),
        ("goal = false", {"goal": False}, {"goal": True}),
        ('props = { kind = "video" }', {"props": b'{"kind":"video"}'}, {"props": b'{"kind":"text"}'}),
        ('props = { kind = ["a", "b"] }', {"props": b'{"kind":"b"}'}, {"props": None}),
        ("props = { paid = true }", {"props": b'{"paid":true}'}, {"props": b'{"paid":1}'}),
        ('props = { a = "1" }', {"props": b'{"a":"1"}'}, {"props": b'{"a":["1"]}'}),
        ('props = { a = "1", b = "2" }', {"props": b'{"a":"1","b":"2"}'}, {"props": b'{"a":"1"}'}),
        (
            'score = { metric = "nps", min = 9 }',
            {"score": 9.0, "props": b'{"metric":"nps"}'},
            {"score": 8.9, "props": b'{"metric":"nps"}'},
        ),
        (
            'score = { metric = "csat", max = 4 }',
            {"score": 4.0, "props": b'{"metric":"csat"}'},
            {"score": 4.1, "props": b'{"metric":"csat"}'},
        ),
        (
            'score = { metric = "csat" }',
            {"score": 1.0, "props": b'{"metric":"csat"}'},
            {"score": 1.0, "props": b'{"metric":"ces"}'},
        ),
        (
            'score = { metric = "csat" }',
            {"score": 1.0, "props": b'{"metric":"csat"}'},
            {"score": None, "props": b'{"metric":"csat"}'},
        ),
        ('event = ["e"]\nchannel = ["email"]', {"channel": "email"}, {"channel": "direct"}),
    ],
)
def test_condition_holds_or_not(conditions: str, yes: dict[str, Any], no: dict[str, Any]) -> None:
    models = one_rule(conditions)
    for _ in range(2):  # the second time from the caches
        assert holds(models, **yes)
        assert not holds(models, **no)


@pytest.mark.parametrize("props", [b"[1]", b'"x"', b"{", b'{"metric":3}'])
def test_props_that_are_no_object_match_nothing(props: bytes) -> None:
    assert not holds(one_rule('props = { kind = "a" }'), props=props)
    assert not holds(one_rule('score = { metric = "nps" }'), props=props, score=9.0)


def test_conditions_on_earlier_evidence_are_left_open() -> None:
    for condition in ("orders = { min = 3 }", "count = { min = 3, days = 1 }", 'since = { of = "order" }'):
        assert holds(one_rule(f'event = ["e"]\n{condition}'))


def test_fallback_is_left_out_only_where_the_hit_alone_settles_it() -> None:
    fallback = 'a\nname = "any"\nevent = ["e"]\nfallback = true'
    any_id, other_id = crc32(b"tiny/a/any"), crc32(b"tiny/b/r")
    sure = load({"t.toml": model_text(fallback, 'b\nname = "r"\nevent = ["e"]\nurl = ["/x"]')})
    assert sure.touchpoint("e", "/x", "direct", False, None, None) == (other_id,)
    assert sure.touchpoint("e", "/y", "direct", False, None, None) == (any_id,)
    open_yet = load({"t.toml": model_text(fallback, 'b\nname = "r"\nevent = ["e"]\norders = { min = 1 }')})
    assert open_yet.touchpoint("e", "/x", "direct", False, None, None) == tuple(sorted((any_id, other_id)))


def test_ids_are_ascending_and_depend_on_names_alone(builtin: Models) -> None:
    found = builtin.touchpoint("page_view", "https://a.example/pricing", "direct", False, None, None)
    assert list(found) == sorted(found)
    assert crc32(b"classic5/consideration/pages") in found
    alone = load({"x.toml": builtin_texts()["classic5.toml"]})
    assert set(alone.rules) < set(builtin.rules)


def test_the_example_in_the_guide_is_right() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "stage-models.md").read_text("utf-8")
    example = guide.partition("```toml\n")[2].partition("```")[0]
    assert [model.name for model in load({"guide": example}).models] == ["trial"]


def test_an_event_no_model_knows_is_no_evidence(builtin: Models) -> None:
    assert builtin.touchpoint("heartbeat", "https://a.example/pricing", "direct", False, None, None) == ()


def test_caches_are_bounded_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "MAX_CACHED_TOUCHPOINTS", 3)
    models = load(builtin_texts())
    urls = [f"https://a.example/{page}/{n}" for n in range(5) for page in ("blog", "pricing", "x")]
    first = [models.touchpoint("page_view", url, "direct", False, None, None) for url in urls]
    assert [models.touchpoint("page_view", url, "direct", False, None, None) for url in urls] == first
    assert len(set(first)) == 3
    assert max(len(models._by_url), len(models._by_globs)) <= 3


def test_digests_change_with_the_rules_not_with_the_spelling() -> None:
    texts = builtin_texts()
    same = {name: "# a comment\n" + text for name, text in texts.items()}
    other = {**texts, "funnel4.toml": texts["funnel4.toml"].replace("/plans*", "/tariffs*")}
    assert load(same).digests == load(texts).digests != load(other).digests


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("", ""),
        ("https://a.example", "/"),
        ("https://a.example?x=/y", "/"),
        ("https://a.example/a/b?x#y", "/a/b"),
        ("https://a.example/a#b?c", "/a"),
        ("/a/b?c", "/a/b"),
        ("a/b", "a/b"),
        ("?x", "/"),
        ("/go?to=https://b.example/c", "/go"),
        ("/a:b://c", "/a:b://c"),
        ("app://home/cart", "/cart"),
    ],
)
def test_path_of_a_url(url: str, path: str) -> None:
    assert path_of(url) == path


def fits(glob: str, path: str) -> bool:
    """A regular expression says it too; some urls would make it backtrack for seconds."""
    return re.fullmatch(".*".join(map(re.escape, glob.split("*"))), path, re.DOTALL) is not None


globs = st.text(alphabet="ab/*", min_size=1, max_size=5)
paths = st.text(alphabet="ab/", max_size=5)


@given(st.lists(globs, max_size=6), paths)
@example(["/b*", "/blog*"], "/b")
def test_glob_set_finds_what_each_glob_finds(some: list[str], path: str) -> None:
    found = GlobSet(some).matching(path)
    assert set(found) == {glob for glob in some if fits(glob, path)}
    assert len(found) == len(set(found))


def globs_of(path: str) -> st.SearchStrategy[str]:
    """Globs that fit it."""
    return st.tuples(*(st.sampled_from([one, "*", f"{one}*"]) for one in path)).map("".join)


@given(paths.filter(bool).flatmap(lambda path: st.tuples(globs_of(path), globs_of(path))))
def test_globs_that_share_a_path_intersect(some: tuple[str, str]) -> None:
    assert intersect(*some)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("/a*", "/b*", False),
        ("/a*", "*b", True),
        ("*", "/", True),
        ("/a*c", "/ab", False),
        ("/a", "/a", True),
        ("/a", "/ab", False),
    ],
)
def test_globs_intersect(one: str, other: str, expected: bool) -> None:
    assert intersect(one, other) is intersect(other, one) is expected


@pytest.mark.parametrize(
    ("metric", "score", "scale", "expected"),
    [
        ("csat", 8, None, 8.0),
        ("csat", 1, 5, 1.0),
        ("csat", 3, 5, 5.5),
        ("csat", 5, 5, 10.0),
        ("csat", 0, 5, None),
        ("csat", 5.1, 5, None),
        ("csat", 1, 1, None),
        ("ces", 4, 7, 5.5),
        ("nps", 0, None, 0.0),
        ("nps", 10, 10, 10.0),
        ("nps", 4, 5, 8.0),
        ("nps", 1, 0, None),
        ("happiness", 5, 5, None),
        ("", 5, 5, None),
        ("csat", None, 5, None),
        ("csat", float("nan"), 5, None),
    ],
)
def test_scores_map_linearly(
    metric: str, score: float | None, scale: float | None, expected: float | None
) -> None:
    assert normalised_score(metric, score, scale) == expected


def test_metric_of_props() -> None:
    assert metric_of(b'{"metric":"nps","x":1}') == "nps"
    assert [metric_of(props) for props in (None, b"", b"[]", b"{", b'{"metric":1}', b"{}")] == [""] * 6


def test_five_models_ship(builtin: Models) -> None:
    assert [model.name for model in builtin.models] == NAMES
    assert [len(model.stage) for model in builtin.models] == [3, 5, 8, 4, 5]
    assert {file.removesuffix(".toml") for file in builtin_texts()} == set(NAMES)


def test_labels_are_in_their_own_scripts(builtin: Models) -> None:
    for model in builtin.models:
        for labels in (model.labels, *(stage.labels for stage in model.stage)):
            assert labels.en.isascii()
            assert all(
                "\u0600" <= letter <= "\u06ff" or letter in " \u200c" for letter in labels.fa + labels.ar
            )
            assert not set(labels.fa) & set("يكة"), f"Arabic letters in the Persian {labels.fa}"
            assert not set(labels.ar) & set("یکپچگژ"), f"Persian letters in the Arabic {labels.ar}"


@pytest.mark.parametrize(
    ("event", "path", "stages"),
    [
        ("page_view", "/", (1, 1, 1, 1, 1)),
        ("page_view", "/blog/x", (1, 1, 1, 1, 1)),
        ("page_view", "/pricing", (3, 2, 2, 3, 2)),
        ("page_view", "/compare/us", (2, 2, 2, 3, 2)),
        ("view_item", "/p/1", (2, 2, 2, 2, 2)),
        ("add_to_cart", "", (3, 2, 2, 3, 2)),
        ("generate_lead", "", (2, 2, 3, 3, 2)),
        ("sign_up", "", (3, 2, 4, 4, 2)),
        ("purchase", "", (3, 3, 4, 4, 3)),
        ("review_submit", "", (0, 5, 7, 0, 5)),
        ("referral_sent", "", (0, 5, 8, 0, 5)),
        ("ad_cost", "", (0, 0, 0, 0, 0)),
        ("email_sent", "", (0, 0, 0, 0, 0)),
    ],
)
def test_where_first_evidence_puts_a_person(
    builtin: Models, event: str, path: str, stages: tuple[int, ...]
) -> None:
    """``stages``: the number of the stage in each model, in the order of NAMES; 0 is none."""
    url = f"https://a.example{path}"
    rules = builtin.touchpoint(event, url, "direct", False, None, None)
    assert bool(rules) is any(stages)
    state = nowhere(builtin)
    fold(builtin, state, [Evidence(0, rules, event, url, "direct", "")])
    assert tuple(state.stages) == stages
