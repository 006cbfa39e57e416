"""What is wrong in a model file is named with file, line and what is allowed."""

import msgspec
import pytest
from journey_kit import LABELS, model_text

from pipeline.core.model_check import ModelError, apart, parse
from pipeline.core.models import load
from pipeline.core.rules import Rule
from pipeline.core.toml_lines import find_lines, line_of

GOOD = f"""\
name = "mine"
description = "d"
{LABELS}

[[stage]]
id = "one"
{LABELS}

[[stage.rule]]
name = "visit"
event = ["page_view"]

[[stage]]
id = "two"
{LABELS}

[[stage.rule]]
name = "order"
event = [
    "purchase",
    "refund",
]
"""
# The lines of GOOD that the cases below change, as they count from 1.
HEAD, STAGE_ONE, RULE_ONE, EVENT_ONE, STAGE_TWO, RULE_TWO, EVENT_TWO = 1, 5, 9, 11, 13, 17, 19


VIEW = 'event = ["page_view"]'


def refused(text: str) -> ModelError:
    with pytest.raises(ModelError) as caught:
        parse("mine.toml", text)
    assert str(caught.value).startswith(f"mine.toml:{caught.value.line}: ")
    return caught.value


def test_good_is_good() -> None:
    assert [stage.id for stage in parse("mine.toml", GOOD).stage] == ["one", "two"]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        (VIEW, 'evnt = ["page_view"]', EVENT_ONE, ["`evnt`", "did you mean `event`", "props"]),
        (VIEW, "event = 3", EVENT_ONE, ["`event` is 3", "array"]),
        (VIEW, 'event = "page_view"', EVENT_ONE, ["`event` is 'page_view'", "array"]),
        (VIEW, "event = []", EVENT_ONE, ["`event` is empty", "at least one"]),
        (VIEW, 'event = [""]', EVENT_ONE, ["`event`", ">= 1"]),
        (VIEW, 'channel = ["mail"]', EVENT_ONE, ["mail", "organic_search", "email"]),
        (VIEW, 'url = ["blog*"]', EVENT_ONE, ["blog*", "starts with / or *"]),
        (VIEW, 'url = ["/a?b"]', EVENT_ONE, ["/a?b", "no ?"]),
        (VIEW, "props = {}", EVENT_ONE, ["`props` is empty"]),
        (VIEW, "props = { kind = [] }", EVENT_ONE, ["`props.kind` is empty"]),
        (VIEW, "props = { kind = 1 }", EVENT_ONE, ["`props` is {'kind': 1}", "bool | str | array"]),
        (VIEW, 'score = { metric = "nsp" }', EVENT_ONE, ["nsp", "csat, ces, nps"]),
        (VIEW, "score = { min = 9 }", EVENT_ONE, ["`metric` is missing", "needed are metric"]),
        (VIEW, 'score = { metric = "nps", min = 9, max = 8 }', EVENT_ONE, ["least value 9"]),
        (VIEW, 'score = { metric = "ces", max = 0.5 }', EVENT_ONE, ["ces is from 1 to 10"]),
        (VIEW, "orders = { min = 1 }", RULE_ONE, ["`visit`", "needs a condition on the hit"]),
        ('name = "visit"', 'event = ["page_view"]\nname = "visit"', 12, ["not TOML", "overwrite"]),
        ('name = "visit"\n', "", RULE_ONE, ["`name` is missing", "in `rule`"]),
        ('name = "visit"', 'name = "The Visit"', RULE_ONE + 1, ["The Visit", "a-z 0-9 _"]),
        ('name = "mine"', 'name = "mine"\nbackward = "sometimes"', HEAD + 1, ["sometimes", "always, never"]),
        ('name = "mine"', 'name = "mine"\nlapse_days = 0', HEAD + 1, ["`lapse_days` is 0", ">= 1"]),
        ('name = "mine"', 'name = "mine"\nlabel = "x"', HEAD + 1, ["`label`", "did you mean `labels`"]),
        ('id = "two"', 'id = "one"', STAGE_TWO + 1, ["`one` is used twice"]),
        (
            f'id = "two"\n{LABELS}',
            'id = "two"\nlabels = { en = "E", ar = "ع" }',
            STAGE_TWO + 2,
            ["`fa` is missing", "en, fa, ar"],
        ),
        (f'id = "two"\n{LABELS}', 'id = "two"', STAGE_TWO, ["`labels` is missing in `stage`"]),
        (
            f'id = "two"\n{LABELS}',
            'id = "two"\nlabels = { en = "E", fa = "", ar = "ع" }',
            STAGE_TWO + 2,
            ["`fa` is ''"],
        ),
        (
            'name = "order"',
            'name = "order"\norders = { min = 2, max = 1 }',
            RULE_TWO + 2,
            ["`orders` can never hold"],
        ),
        (
            'name = "order"',
            'name = "order"\ncount = { min = 1, days = 2 }',
            RULE_TWO + 2,
            ["`min` is 1", ">= 2"],
        ),
        (
            'name = "order"',
            'name = "order"\nsince = { of = "last" }',
            RULE_TWO + 2,
            ["'last'", "order, previous, first"],
        ),
        (
            'name = "order"',
            'name = "order"\nsince = { of = "first", min_days = 2, max_days = 1 }',
            RULE_TWO + 2,
            ["`since`"],
        ),
        (
            '    "refund",',
            '    "page_view",',
            RULE_TWO,
            ["`one/visit` and `two/order` overlap", "fallback = true"],
        ),
        ('    "refund",', "    3,", EVENT_TWO, ["`event` is 3", "expected `str`"]),
    ],
)
def test_wrong_line_is_named(old: str, new: str, line: int, words: list[str]) -> None:
    assert GOOD.count(old) == 1
    error = refused(GOOD.replace(old, new))
    assert error.line == line, error
    for word in words:
        assert word in error.message, error


def test_stage_without_rule_cannot_be_reached() -> None:
    error = refused(GOOD.partition('[[stage.rule]]\nname = "order"')[0])
    assert (error.line, "`two` cannot be reached" in error.message) == (STAGE_TWO, True)


def test_rule_name_twice_in_a_stage_is_refused() -> None:
    again = GOOD + '\n[[stage.rule]]\nname = "order"\nevent = ["x"]\n'
    error = refused(again)
    assert (error.line, "used twice in `two`" in error.message) == (25, True)


def test_a_model_needs_two_stages() -> None:
    error = refused(GOOD.partition('[[stage]]\nid = "two"')[0])
    assert "`stage`" in error.message


def test_half_a_file_is_no_toml() -> None:
    error = refused('name = "mine"\nlabels = {')
    assert (error.line, "not TOML" in error.message) == (2, True)


def test_two_files_cannot_share_a_model_name() -> None:
    with pytest.raises(ModelError, match=r"b\.toml:1: the model `mine` is already in a\.toml"):
        load({"a.toml": GOOD, "b.toml": GOOD})


def test_two_rules_cannot_share_an_id() -> None:
    # A classic pair of words with the same CRC-32; a common prefix keeps them equal.
    text = model_text(
        'a\nname = "plumless"\nevent = ["x"]\nname = "buckeroo"\nevent = ["y"]',
        'b\nname = "c"\nevent = ["z"]',
    )
    with pytest.raises(
        ModelError, match=r"t\.toml:\d+: the rule `a/buckeroo` has by chance the id of another"
    ):
        load({"t.toml": text})


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"event": ("a", "b")}, {"event": ("c",)}, True),
        ({"event": ("a", "b")}, {"event": ("b",)}, False),
        ({"event": ("a",)}, {"url": ("/x",)}, False),
        ({"url": ("/blog*",)}, {"url": ("/bl", "/pricing*")}, True),
        ({"url": ("/blog*",)}, {"url": ("*/x",)}, False),
        ({"channel": ("email",)}, {"channel": ("direct",)}, True),
        ({"goal": True}, {"goal": False}, True),
        ({"goal": True}, {"goal": True}, False),
        ({"goal": True}, {"event": ("a",)}, False),
        ({"props": {"a": "1"}}, {"props": {"a": ("2", "3")}}, True),
        ({"props": {"a": "1"}}, {"props": {"a": ("2", "1")}}, False),
        ({"props": {"a": "1"}}, {"props": {"b": "2"}}, False),
        ({"score": {"metric": "nps", "min": 9}}, {"score": {"metric": "nps", "max": 8.9}}, True),
        ({"score": {"metric": "nps", "min": 9}}, {"score": {"metric": "nps", "max": 9}}, False),
        ({"score": {"metric": "nps", "min": 9}}, {"score": {"metric": "csat"}}, True),
        ({"score": {"metric": "nps", "min": 9}}, {"props": {"metric": "csat"}}, True),
        ({"orders": {"max": 1}}, {"orders": {"min": 2}}, True),
        ({"orders": {"max": 2}}, {"orders": {"min": 2}}, False),
        ({"orders": {"max": 0}}, {"since": {"of": "order"}}, True),
        ({"orders": {"max": 0}}, {"since": {"of": "first"}}, False),
        ({"since": {"of": "first", "max_days": 1}}, {"since": {"of": "first", "min_days": 2}}, True),
        ({"since": {"of": "first", "max_days": 1}}, {"since": {"of": "first", "min_days": 1}}, False),
        ({"since": {"of": "first", "max_days": 1}}, {"since": {"of": "order", "min_days": 2}}, False),
        (
            {"event": ("a",), "count": {"min": 2, "days": 1}},
            {"event": ("a",), "count": {"min": 9, "days": 1}},
            False,
        ),
    ],
)
def test_rules_are_apart_if_one_condition_never_holds_for_both(
    one: dict, other: dict, expected: bool
) -> None:
    first, second = (msgspec.convert({"name": "r", **rule}, Rule) for rule in (one, other))
    assert apart(first, second) is expected
    assert apart(second, first) is expected


def test_fallback_rules_overlap_only_with_each_other() -> None:
    any_view = 'name = "any"\nevent = ["v"]\nfallback = true'
    parse("t.toml", model_text("a\n" + any_view, 'b\nname = "x"\nevent = ["v"]'))
    with pytest.raises(ModelError, match=r"`a/any` and `b/any` overlap"):
        parse("t.toml", model_text("a\n" + any_view, "b\n" + any_view))


def test_lines_are_found_whatever_the_spelling() -> None:
    text = """\
# [[stage]] in a comment
"name" = "x"   # [labels]
text = '''
[[stage]]
fake = 1
'''
list = [ "]",  # ]
  { a = [1] },
]
[labels]
en = "\\"["
[[ stage ]]
labels.en = 'q'
[[stage . rule]]
[[stage.rule]]
name = 1
[[stage]]
[stage.labels]
en = 1
"""
    lines = find_lines(text)
    assert lines == {
        ("name",): 2,
        ("text",): 3,
        ("list",): 7,
        ("labels",): 10,
        ("labels", "en"): 11,
        ("stage", 0): 12,
        ("stage", 0, "labels", "en"): 13,
        ("stage", 0, "rule", 0): 14,
        ("stage", 0, "rule", 1): 15,
        ("stage", 0, "rule", 1, "name"): 16,
        ("stage", 1): 17,
        ("stage", 1, "labels"): 18,
        ("stage", 1, "labels", "en"): 19,
    }
    assert line_of(lines, ("stage", 0, "rule", 1, "props", "x")) == 15
    assert line_of(lines, ("nothing",)) == 1
