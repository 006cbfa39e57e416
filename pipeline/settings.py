"""Settings: read once, from one TOML file and ``MASIR_*`` variables, which win, into one frozen record.

Durations carry their unit in their name. A wrong name or value raises :class:`SettingsError`, which names the
setting and what is allowed. Examples: deploy/masir.minimal.toml, deploy/masir.reference.toml.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct, field

from pipeline.choices import told
from pipeline.core.bounce import Preset
from pipeline.core.goals import DEFAULT_GOALS
from pipeline.core.parts import PRESETS, Splits
from pipeline.core.persons.identity import MOST_VISITORS
from pipeline.core.persons.notable import CANCEL_URLS
from pipeline.core.persons.signal_rules import (
    END_DAYS,
    REGRESS_MODELS,
    THRESHOLDS,
    WEIGHTS,
    SignalRules,
    rules_of,
)
from pipeline.zones import zone_of

PREFIX = "MASIR_"
CONFIG_VARIABLE = "MASIR_CONFIG"

SECRET_ENDINGS = ("_password", "_token")
HIDDEN = "***"
_CREDENTIALS = re.compile(r"//[^/@\s]*@")

YEAR_SECONDS = 366 * 86_400
Seconds = Annotated[float, Meta(ge=0.001, le=YEAR_SECONDS)]
SecondsOrNone = Annotated[float, Meta(ge=0, le=YEAR_SECONDS)]
Hours = Annotated[float, Meta(ge=0.001, le=YEAR_SECONDS / 3_600)]
HoursOrNone = Annotated[float, Meta(ge=0, le=YEAR_SECONDS / 3_600)]
Count = Annotated[int, Meta(ge=1)]
Days = Annotated[int, Meta(ge=1)]
Rate = Annotated[float, Meta(ge=0, le=1e9)]


class SettingsError(ValueError):
    """A setting is wrong: the message names it and says what is allowed. For the operator to mend."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting, with its default."""

    data: Annotated[str, Meta(min_length=1)] = "masir-data"
    listen: str = "127.0.0.1:8088"
    partitions: Annotated[int, Meta(ge=1, le=256)] = 4
    state_rows: Count = 500_000

    broker: str = ""  # kafka://HOST:PORT[,HOST:PORT…]: of the distributed form
    broker_prefix: Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,64}$")] = "masir"
    broker_replication: Annotated[int, Meta(ge=1, le=9)] = 3
    broker_sasl: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    broker_user: str = ""
    broker_password: str = ""
    broker_tls: bool = False
    broker_ca_file: str = ""
    broker_cert_file: str = ""
    broker_key_file: str = ""
    worker_lost_seconds: Annotated[float, Meta(ge=1, le=300)] = 10.0

    clickhouse: str = ""  # http(s)://USER:PASSWORD@HOST:PORT/DATABASE; "": the store is in the data directory
    clickhouse_password: str = ""
    clickhouse_cluster: Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{0,64}$")] = ""
    clickhouse_ca_file: str = ""
    clickhouse_cert_file: str = ""
    clickhouse_key_file: str = ""

    session_timeout_seconds: Seconds = 1_800.0
    session_preset: Literal["masir", "ga4", "matomo"] = "masir"
    split_midnight: bool = False  # these three beside what the preset does
    split_campaign: bool = False
    session_max_hours: HoursOrNone = 0.0  # 0: any length
    time_zone: str = "UTC"  # of the sites that name none
    allowed_lateness_seconds: SecondsOrNone = 3_600.0
    out_of_orderness_seconds: SecondsOrNone = 10.0
    dedupe_hours: Hours = 24.0
    bounce: Preset = "pages"
    goal_events: tuple[str, ...] = DEFAULT_GOALS
    goal_urls: tuple[str, ...] = ()
    background_events: tuple[str, ...] = ()
    own_domains: tuple[str, ...] = ()
    bot_patterns: tuple[str, ...] = ()
    models: tuple[str, ...] = ()  # files of own stage models, beside the built-in ones
    content: dict[str, str] = {}  # kind of content -> path globs and events, separated by spaces
    segments: dict[str, str] = {}  # name -> condition in SQL over the view person_facts
    window_segments: tuple[Literal["device", "browser", "os", "country", "language"], ...] = ()

    person_max_visitors: Count = MOST_VISITORS
    cancel_urls: tuple[str, ...] = CANCEL_URLS
    churn_thresholds: dict[str, float] = field(default_factory=THRESHOLDS.copy)  # left out: as usual
    churn_weights: dict[str, float] = field(default_factory=WEIGHTS.copy)
    churn_end_days: dict[str, float] = field(default_factory=END_DAYS.copy)
    churn_regress_models: tuple[str, ...] = REGRESS_MODELS

    session_update_seconds: Seconds = 1.0  # how often a session that goes on is written
    pane_seconds: Seconds = 10.0
    store_flush_seconds: Seconds = 1.0
    store_block_bytes: Count = 33_554_432
    ttl_days: dict[str, Days] = {}  # table -> days its rows are kept; absent: for ever
    hits_retention_hours: HoursOrNone = 24.0
    max_backlog_hits: Count = 2_000_000

    sites: str = ""  # registry of sites: a file, or a directory of one file each; "": any site may send
    backdate_hours: HoursOrNone = 72.0
    ip: Literal["cut", "hash", "drop"] = "cut"
    do_not_track: Literal["ignore", "anonymous", "drop"] = "ignore"
    consent: Literal["ignore", "anonymous", "drop"] = "anonymous"
    email_ids: Literal["keep", "hash"] = "keep"
    country_database: str = ""
    trusted_proxies: tuple[str, ...] = ()
    address_hits_per_second: Rate = 0.0
    site_hits_per_second: Rate = 0.0
    collectors: Annotated[int, Meta(ge=1, le=64)] = 1
    metrics_listen: str = ""
    page_token: Annotated[str, Meta(pattern=r"^$|^\S{16,200}$")] = ""
    publish_timeout_seconds: Seconds = 30.0
    spool_bytes: Annotated[int, Meta(ge=0)] = 0

    webhook_url: str = ""  # whom to tell of each churn signal; "": nobody
    webhook_secret_file: str = ""
    webhook_give_up_hours: Hours = 24.0
    log_format: Literal["text", "json"] = "text"
    traces_url: str = ""  # OTLP over HTTP; "": none
    traces_share: Annotated[float, Meta(ge=0, le=1)] = 0.01

    def __repr__(self) -> str:
        """Secrets never print, also not those in a URL."""
        shown = []
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value and name.endswith(SECRET_ENDINGS):
                value = HIDDEN
            elif isinstance(value, str):
                value = _CREDENTIALS.sub(f"//{HIDDEN}@", value)
            shown.append(f"{name}={value!r}")
        return f"Settings({', '.join(shown)})"

    @property
    def timeout_ms(self) -> int:
        """The session timeout."""
        return round(self.session_timeout_seconds * 1000)

    @property
    def splits(self) -> Splits:
        """What cuts a session beside the timeout."""
        preset = PRESETS[self.session_preset]
        return Splits(
            preset.midnight or self.split_midnight,
            preset.campaign or self.split_campaign,
            round(self.session_max_hours * 3_600_000) or None,
            zone_of(self.time_zone),
        )

    @property
    def signal_rules(self) -> SignalRules:
        """Of the signs of leaving."""
        return rules_of(self.churn_thresholds, self.churn_weights, self.churn_end_days, self.timeout_ms)

    @property
    def pane_ms(self) -> int:
        """The width of a pane of the counters."""
        return round(self.pane_seconds * 1000)


def load(environ: Mapping[str, str], **overrides: Any) -> Settings:
    """The settings of ``environ`` and the file that ``MASIR_CONFIG`` names; ``overrides`` (not None) win."""
    values: dict[str, Any] = {}
    path = environ.get(CONFIG_VARIABLE)
    if path:
        values.update(_read(Path(path)))
    for variable, text in environ.items():
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE:
            name = _name_of(variable)
            values[name] = _parse(name, text)
    values.update({name: value for name, value in overrides.items() if value is not None})
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        source = f"{path} and {PREFIX}* variables" if path else f"{PREFIX}* variables"
        raise SettingsError(f"settings ({source}): {told(error, Settings)}") from error
    _check(settings)
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error
    for name in values:
        if name not in Settings.__struct_fields__:
            raise SettingsError(f"{path}: {name} is no setting; there is {', '.join(_near(name))}")
    return values


def _name_of(variable: str) -> str:
    name = variable.removeprefix(PREFIX).lower()
    if name not in Settings.__struct_fields__:
        known = ", ".join(PREFIX + one.upper() for one in _near(name))
        raise SettingsError(f"{variable} is no setting; there is {known}")
    return name


def _near(name: str) -> Sequence[str]:
    return get_close_matches(name, Settings.__struct_fields__) or Settings.__struct_fields__


def _parse(name: str, text: str) -> Any:
    """Lists come separated by commas, tables as ``key=value`` pairs separated by commas."""
    default = getattr(Settings(), name)
    items = [item.strip() for item in text.split(",") if item.strip()]
    if isinstance(default, tuple):
        return items
    if isinstance(default, dict):
        return {key: value for key, _, value in (item.partition("=") for item in items)}
    if isinstance(default, bool):
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    return text


def _check(settings: Settings) -> None:
    """What types do not say: relations between settings, and texts that have a form."""
    if 300_000 % settings.pane_ms:
        raise SettingsError("pane_seconds must divide 300 (the shortest window is 5 minutes)")
    if settings.dedupe_hours * 3_600 < settings.allowed_lateness_seconds:
        raise SettingsError("dedupe_hours must reach as far back as allowed_lateness_seconds")
    try:
        _ = settings.signal_rules
    except ValueError as error:
        raise SettingsError(str(error)) from error
    try:
        zone_of(settings.time_zone)
    except ValueError as error:
        raise SettingsError(f"time_zone: {error}") from error
    if "?" in settings.data:  # the engine would take what follows for options, and put its files elsewhere
        raise SettingsError(f"data is {settings.data!r}; a directory without a question mark is expected")
    _check_address("listen", settings.listen)
    if settings.metrics_listen:
        _check_address("metrics_listen", settings.metrics_listen)
    elif settings.collectors > 1:
        raise SettingsError(
            "metrics_listen must be set where there are several collectors: one address shows all"
        )
    for proxy in settings.trusted_proxies:
        try:
            ip_network(proxy)
        except ValueError as error:
            raise SettingsError(f"trusted_proxies: {error}; such as 10.0.0.0/8 is expected") from error
    for name in ("webhook_url", "traces_url"):
        url = urlsplit(getattr(settings, name))
        if getattr(settings, name) and not (url.scheme in ("http", "https") and url.hostname):
            raise SettingsError(f"{name} must be an address such as https://crm.example.com/masir")
    if settings.webhook_url and not settings.webhook_secret_file:
        raise SettingsError("webhook_url needs webhook_secret_file: what is told is signed")
    if settings.clickhouse:
        _check_clickhouse(settings.clickhouse)
    elif settings.clickhouse_cluster:
        raise SettingsError(
            "clickhouse_cluster is a cluster of the server that `clickhouse` names: set that too"
        )
    for pattern in settings.bot_patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise SettingsError(f"bot_patterns: {pattern!r} is not a regular expression: {error}") from error


def _check_clickhouse(address: str) -> None:
    try:
        url = urlsplit(address)
        is_one = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        is_one = False
    if not is_one or url.query or "/" in url.path.strip("/"):
        raise SettingsError(
            "clickhouse must be http:// or https://USER:PASSWORD@HOST:PORT/DATABASE, %-encoded"
        )


def _check_address(name: str, address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise SettingsError(f"{name} is {address!r}; HOST:PORT is expected, such as 127.0.0.1:8088")
