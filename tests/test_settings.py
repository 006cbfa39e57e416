"""Settings: a file, variables that win, options that win over both; what is wrong is named."""

import re
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.deciding import DECIDING, digest
from pipeline.settings import Settings, SettingsError, load

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
REFERENCE = DEPLOY / "masir.reference.toml"
FIELDS = Settings.__struct_fields__


def test_without_anything_the_defaults_hold() -> None:
    settings = load({})
    assert settings == Settings()
    assert (settings.timeout_ms, settings.pane_ms, settings.dedupe_hours) == (1_800_000, 10_000, 24.0)


def test_an_option_wins_over_the_variable_and_the_variable_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "masir.toml"
    file.write_text('data = "from the file"\npartitions = 7\nbounce = "ga4"\n')
    settings = load(
        {"MASIR_CONFIG": str(file), "MASIR_PARTITIONS": "8", "MASIR_DATA": "v"}, data="o", listen=None
    )
    assert (settings.data, settings.partitions, settings.bounce) == ("o", 8, "ga4")
    assert settings.listen == Settings().listen, "an option that was not given wins over nothing"


def test_a_file_with_an_unknown_name_is_named_with_what_is_near(tmp_path: Path) -> None:
    file = tmp_path / "masir.toml"
    file.write_text("session_timout_seconds = 60\n")
    with pytest.raises(SettingsError) as caught:
        load({"MASIR_CONFIG": str(file)})
    says = f"{file}: session_timout_seconds is no setting; there is session_timeout_seconds"
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("OWN_DOMAINS", "a.example, b.example,", ("a.example", "b.example")),
        ("OWN_DOMAINS", "", ()),
        ("GOAL_EVENTS", "signed", ("signed",)),
        ("TTL_DAYS", "hits=90, sessions=730", {"hits": 90, "sessions": 730}),
        ("TTL_DAYS", "", {}),
        ("PARTITIONS", "256", 256),
        ("SESSION_TIMEOUT_SECONDS", "2", 2.0),
        ("SESSION_TIMEOUT_SECONDS", "0.001", 0.001),
        ("ALLOWED_LATENESS_SECONDS", "0", 0.0),
        ("LISTEN", "[::1]:0", "[::1]:0"),
        ("BOT_PATTERNS", "probe/[0-9]+", ("probe/[0-9]+",)),
        ("SPLIT_CAMPAIGN", "true", True),
        ("TIME_ZONE", "Europe/Berlin", "Europe/Berlin"),
    ],
)
def test_what_a_variable_may_say(variable: str, text: str, value: object) -> None:
    assert getattr(load({f"MASIR_{variable}": text}), variable.lower()) == value


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        ("DATA", "", "data"),
        ("DATA", "what?", "question mark"),
        ("PARTITIONS", "0", ">= 1"),
        ("PARTITIONS", "257", "<= 256"),
        ("PARTITIONS", "four", "partitions"),
        ("SESSION_TIMEOUT_SECONDS", "0", ">= 0.001"),
        ("SESSION_TIMEOUT_SECONDS", "nan", ">= 0.001"),
        ("SESSION_TIMEOUT_SECONDS", "inf", "<= 31622400"),
        ("ALLOWED_LATENESS_SECONDS", "-1", "allowed_lateness_seconds"),
        ("ALLOWED_LATENESS_SECONDS", "86401", "dedupe_hours must reach as far back"),
        ("DEDUPE_HOURS", "0.9", "dedupe_hours must reach as far back"),
        ("PANE_SECONDS", "7", "pane_seconds must divide 300"),
        ("BOUNCE", "single", "`$.bounce`; allowed are 'ga4', 'pages', 'plausible'"),
        ("WINDOW_SEGMENTS", "os,shoe", "`$.window_segments[1]`; allowed are 'browser', 'country', 'device',"),
        ("SESSION_PRESET", "ua", "session_preset"),
        ("SPLIT_MIDNIGHT", "noon", "split_midnight"),
        ("SESSION_MAX_HOURS", "-1", "session_max_hours"),
        ("TIME_ZONE", "Mars/Base", "time_zone: 'Mars/Base' is no time zone"),
        ("TTL_DAYS", "hits", "ttl_days"),
        ("TTL_DAYS", "hits=0", "ttl_days"),
        ("LISTEN", "8088", "HOST:PORT"),
        ("LISTEN", ":8088", "HOST:PORT"),
        ("LISTEN", "localhost:http", "HOST:PORT"),
        ("LISTEN", "localhost:65536", "HOST:PORT"),
        ("BOT_PATTERNS", "(", "bot_patterns"),
        ("SESSION_TIMEOUT", "60", "MASIR_SESSION_TIMEOUT_SECONDS"),
        ("QQQ", "1", "MASIR_LISTEN"),
    ],
)
def test_what_a_variable_may_not_say_and_what_the_message_names(variable: str, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(says)):
        load({f"MASIR_{variable}": text})


def test_other_peoples_variables_are_none_of_ours() -> None:
    assert load({"PATH": "/bin", "masir_data": "x", "XMASIR_DATA": "x"}) == Settings()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sesion_timeout_seconds = 60", "sesion_timeout_seconds"),
        ("partitions = '4'", None),
        ("partitions = 'many'", "partitions"),
        ("partitions = ", "not TOML"),
        ("own_domains = 'a.example'", "own_domains"),
        ("session_timeout_seconds = inf", "session_timeout_seconds"),
    ],
)
def test_what_a_file_may_not_say(tmp_path: Path, text: str, says: str | None) -> None:
    file = tmp_path / "masir.toml"
    file.write_text(text)
    if says is None:
        assert load({"MASIR_CONFIG": str(file)}).partitions == 4
        return
    with pytest.raises(SettingsError, match=says) as caught:
        load({"MASIR_CONFIG": str(file)})
    assert str(file) in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml: cannot be read: No such file"):
        load({"MASIR_CONFIG": str(tmp_path / "nowhere.toml")})
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"binary\.toml: not TOML"):
        load({"MASIR_CONFIG": str(tmp_path / "binary.toml")})


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Settings().data = "other"  # type: ignore[misc]


@given(st.sampled_from(FIELDS), st.text(st.characters(exclude_characters="\0"), max_size=12))
def test_any_text_gives_settings_or_a_settings_error(name: str, text: str) -> None:
    with suppress(SettingsError):
        assert load({f"MASIR_{name.upper()}": text}).timeout_ms >= 1


def test_the_reference_is_every_setting_at_its_default() -> None:
    given_there = tomllib.loads(REFERENCE.read_text())
    assert list(given_there) == [name for name in FIELDS if name != "ttl_days"] + ["ttl_days"]
    assert load({"MASIR_CONFIG": str(REFERENCE)}) == Settings()


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_of_the_reference_is_explained_with_its_unit(name: str) -> None:
    lines = REFERENCE.read_text().splitlines()
    (at,) = [n for n, line in enumerate(lines) if re.match(rf"\[?{name}\b", line)]
    comment: list[str] = []
    while lines[at - 1].startswith("# ") and not lines[at - 1].startswith("# ---"):
        at -= 1
        comment.insert(0, lines[at].removeprefix("# "))
    unit = name.rpartition("_")[2]
    text = " ".join(comment)
    assert text
    if unit in ("seconds", "hours", "days", "bytes", "hits"):
        assert text.startswith(unit.capitalize())


def test_the_minimal_file_is_a_part_of_the_reference() -> None:
    path = DEPLOY / "masir.minimal.toml"
    few: dict[str, Any] = tomllib.loads(path.read_text())
    every = tomllib.loads(REFERENCE.read_text())
    assert few == {name: every[name] for name in few}
    assert load({"MASIR_CONFIG": str(path)}) == Settings()


def test_numbers_are_checked_and_rounded_to_milliseconds() -> None:
    assert msgspec.structs.replace(Settings(), session_timeout_seconds=1.2346).timeout_ms == 1_235


def test_secrets_never_print() -> None:
    settings = Settings(
        broker_password="s3cret-1",
        clickhouse_password="s3cret-2",
        page_token="s3cret-3-that-is-long",
        clickhouse="http://masir:s3cret-4@store:8123/masir",
    )
    assert "s3cret" not in repr(settings) + str(settings)
    assert "http://***@store:8123/masir" in repr(settings)
    assert "***" not in repr(Settings()), "what is not set is not hidden"


# Where things are, who may come in, how much and how often: two workers may differ in these.
NOT_DECIDING = (
    "data", "listen", "partitions", "state_rows", "models", "sites", "broker", "broker_prefix",
    "broker_replication", "broker_sasl", "broker_user", "broker_password", "broker_tls", "broker_ca_file",
    "broker_cert_file", "broker_key_file", "worker_lost_seconds", "clickhouse", "clickhouse_password",
    "clickhouse_cluster", "clickhouse_ca_file", "clickhouse_cert_file", "clickhouse_key_file",
    "session_update_seconds", "store_flush_seconds", "store_block_bytes", "ttl_days", "hits_retention_hours",
    "max_backlog_hits", "backdate_hours", "ip", "do_not_track", "consent", "email_ids", "country_database",
    "trusted_proxies", "address_hits_per_second", "site_hits_per_second", "collectors", "metrics_listen",
    "page_token", "publish_timeout_seconds", "spool_bytes", "webhook_url", "webhook_secret_file",
    "webhook_give_up_hours", "log_format", "traces_url", "traces_share",
)  # fmt: skip


def test_of_each_setting_it_is_known_whether_it_decides_figures() -> None:
    assert sorted((*DECIDING, *NOT_DECIDING)) == sorted(FIELDS)


@pytest.mark.parametrize(
    "changed",
    [{"session_timeout_seconds": 1_801.0}, {"goal_events": ("signup",)}, {"churn_weights": {"overdue": 0.5}}],
)
def test_the_digest_is_another_where_a_deciding_setting_is(changed: dict[str, Any]) -> None:
    assert digest(Settings(**changed)) != digest(Settings())


def test_the_digest_is_the_same_whatever_the_order_and_the_place() -> None:
    weights = Settings().churn_weights
    turned = Settings(
        churn_weights=dict(reversed(weights.items())), data="elsewhere", clickhouse_password="secret"
    )
    assert digest(turned) == digest(Settings())
