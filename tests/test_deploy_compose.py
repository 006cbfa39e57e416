"""docker-compose.yml and what it mounts, held against the code: nothing here can start it."""

import re
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest
import yaml

from pipeline import cli
from pipeline.settings import PREFIX, Settings, load
from pipeline.transport.kafka.names import Names

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("masir:")}
PINNED = re.compile(r"[a-z/-]+:v?\d+(\.\d+){2,3}")
PORT = Settings().listen.rpartition(":")[2]
_DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")


def environment(service: dict[str, Any]) -> dict[str, str]:
    """What the container sees if nobody has set anything."""
    return {name: _DEFAULT.sub(r"\1", value) for name, value in service.get("environment", {}).items()}


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_and_limits_and_restarts_are_set(name: str) -> None:
    service = SERVICES[name]
    assert PINNED.fullmatch(service["image"])
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["restart"] in ("unless-stopped", "on-failure")


def test_ours_is_the_image_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert set(OURS) == {"topics", "collector", "worker", "masir"}
    for service in OURS.values():
        assert service["image"] == f"masir:{version}"
        assert (ROOT / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        assert service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", OURS)
def test_commands_exist_and_take_what_they_are_given(name: str) -> None:
    command, *arguments = OURS[name]["command"]
    known = cli.main.get_command(click.Context(cli.main), command)
    assert known is not None
    known.make_context(command, list(arguments))


@pytest.mark.parametrize("name", OURS)
def test_variables_are_settings_and_mean_the_servers_beside_it(name: str) -> None:
    variables = environment(OURS[name])
    assert all(variable.startswith(PREFIX) for variable in variables)
    settings = load(variables)
    if name == "masir":
        assert settings.broker == settings.clickhouse == "", "the embedded form has no servers"
        return
    assert settings.broker == f"kafka://{SERVICES['kafka']['environment']['KAFKA_ADVERTISED_LISTENERS'][12:]}"
    store = environment(SERVICES["clickhouse"])
    user, database = store["CLICKHOUSE_USER"], store["CLICKHOUSE_DB"]
    assert settings.clickhouse == f"http://{user}@clickhouse:8123/{database}"
    assert settings.clickhouse_password == store["CLICKHOUSE_PASSWORD"]
    assert settings.partitions >= OURS["worker"]["deploy"]["replicas"]


def test_one_broker_can_hold_every_topic() -> None:
    kafka = environment(SERVICES["kafka"])
    assert load(environment(OURS["worker"])).broker_replication == 1
    for name in ("OFFSETS_TOPIC_REPLICATION_FACTOR", "TRANSACTION_STATE_LOG_REPLICATION_FACTOR"):
        assert kafka[f"KAFKA_{name}"] == "1"
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false", "a topic of the wrong shape would be made"
    assert kafka["KAFKA_LOG_DIRS"] in {volume.split(":")[1] for volume in SERVICES["kafka"]["volumes"]}
    assert Names(Settings().broker_prefix).group == "masir.workers"


@pytest.mark.parametrize("name", SERVICES)
def test_who_is_waited_for_says_when_it_is_ready(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        waited_for = SERVICES[other]
        if how["condition"] == "service_healthy":
            assert waited_for["healthcheck"]["test"][0] == "CMD"
        else:
            assert how["condition"] == "service_completed_successfully"
            assert waited_for["restart"] == "on-failure"


def test_nothing_that_runs_starts_before_its_servers() -> None:
    assert set(SERVICES["topics"]["depends_on"]) == {"kafka"}
    assert set(SERVICES["collector"]["depends_on"]) == {"topics"}
    assert set(SERVICES["worker"]["depends_on"]) == {"topics", "clickhouse"}
    assert SERVICES["masir"]["profiles"] == ["embedded"]
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["masir"]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_to_this_machine_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        address, outside, inside = port.split(":")
        assert (address, outside) == ("127.0.0.1", inside)
    if name in ("collector", "masir"):
        assert SERVICES[name]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_there(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source, target, *mode = mount.split(":")
        assert target.startswith("/")
        if source.startswith("./"):
            assert (ROOT / source).exists()
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"]


def test_every_volume_is_used_once() -> None:
    used = [mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]
    assert sorted(name for name in used if not name.startswith("./")) == sorted(COMPOSE["volumes"])


def of_file(name: str) -> Any:
    return yaml.safe_load((ROOT / "deploy" / name).read_text())


def test_prometheus_asks_every_process_and_is_otherwise_the_documented_one() -> None:
    here, documented = of_file("compose/prometheus.yml"), of_file("prometheus/prometheus.yml")
    assert here.keys() == documented.keys()
    assert (here["global"], here["rule_files"]) == (documented["global"], documented["rule_files"])
    (job,), (known,) = here["scrape_configs"], documented["scrape_configs"]
    assert job["job_name"] == known["job_name"]
    (found,) = job["dns_sd_configs"]
    assert set(found["names"]) <= set(OURS)
    assert found["port"] == int(PORT)
    (target,) = here["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert target.split(":")[0] in SERVICES
    mounted = {mount.split(":")[1] for mount in SERVICES["prometheus"]["volumes"]}
    assert {"/etc/prometheus/prometheus.yml", "/etc/prometheus/rules"} <= mounted
    assert "--storage.tsdb.retention.time=35d" in SERVICES["prometheus"]["command"]


def test_grafana_has_the_data_sources_that_dashboards_ask_for() -> None:
    here = of_file("compose/grafana/datasources.yml")["datasources"]
    documented = of_file("grafana/provisioning/datasources/masir.yml")["datasources"]
    assert [(one["uid"], one["type"]) for one in here] == [(one["uid"], one["type"]) for one in documented]
    store = next(one for one in here if "clickhouse" in one["type"])
    assert store["jsonData"]["host"] in SERVICES
    assert store["jsonData"]["defaultDatabase"] == SERVICES["clickhouse"]["environment"]["CLICKHOUSE_DB"]
    variable = store["secureJsonData"]["password"].removeprefix("$")
    grafana, clickhouse = environment(SERVICES["grafana"]), environment(SERVICES["clickhouse"])
    assert grafana[variable] == clickhouse[variable]
    users = ElementTree.parse(ROOT / "deploy/compose/clickhouse/grafana.xml").getroot().find("users")
    assert users is not None
    (user,) = users
    assert user.tag == store["jsonData"]["username"]
    password = user.find("password")
    assert password is not None
    assert password.get("from_env") == variable
    boards = of_file("grafana/provisioning/dashboards/masir.yml")["providers"][0]["options"]["path"]
    assert boards in {mount.split(":")[1] for mount in SERVICES["grafana"]["volumes"]}
