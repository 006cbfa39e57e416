"""deploy/kubernetes held against the code: settings, commands, probes, ports, names in Kafka."""

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from agents.worker import CLOSE_SECONDS
from pipeline import cli
from pipeline.settings import PREFIX, Settings, load
from pipeline.transport.kafka.names import Names
from schemas.topics import HITS

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "deploy/kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    made for name in KUSTOMIZATION["resources"] for made in yaml.safe_load_all((FOLDER / name).read_text())
]
SERVING = ("masir-collector", "masir-worker")
PORT = int(Settings().listen.rpartition(":")[2])
LABEL = "app.kubernetes.io/name"


def find(kind: str, name: str) -> dict[str, Any]:
    (found,) = [made for made in OBJECTS if (made["kind"], made["metadata"]["name"]) == (kind, name)]
    return found


PODS = {
    made["metadata"]["name"]: made["spec"]["template"]
    for made in OBJECTS
    if made["kind"] in ("Deployment", "Job")
}
SETTINGS: dict[str, str] = find("ConfigMap", "masir")["data"]


def container(name: str) -> dict[str, Any]:
    (only,) = PODS[name]["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def test_every_file_is_applied_and_nothing_is_there_twice() -> None:
    files = {file.name for file in FOLDER.iterdir()} - {"kustomization.yaml"}
    assert files == set(KUSTOMIZATION["resources"])
    names = [(made["kind"], made["metadata"]["name"]) for made in OBJECTS]
    assert len(names) == len(set(names))


def test_settings_are_ours_and_no_password_is_among_them() -> None:
    assert all(name.startswith(PREFIX) for name in SETTINGS)
    settings = load(SETTINGS)
    assert settings.broker_replication == 3
    assert "PASSWORD" not in " ".join(SETTINGS)
    assert ":" not in settings.clickhouse.partition("//")[2].partition("@")[0], (
        "the password is in the secret"
    )


@pytest.mark.parametrize("name", PODS)
def test_a_pod_runs_a_command_of_masir_as_nobody_special(name: str) -> None:
    spec, only = PODS[name]["spec"], container(name)
    command, *arguments = only["args"]
    known = cli.main.get_command(click.Context(cli.main), command)
    assert known is not None
    known.make_context(command, list(arguments))
    assert only["image"] == KUSTOMIZATION["images"][0]["name"]
    user = next(line for line in (ROOT / "deploy/Dockerfile").read_text().splitlines() if "useradd" in line)
    assert f"--uid {spec['securityContext']['runAsUser']}" in user
    assert spec["securityContext"]["runAsNonRoot"]
    assert only["securityContext"]["readOnlyRootFilesystem"]
    assert only["resources"]["limits"]["memory"]
    assert only["resources"]["requests"].keys() == {"cpu", "memory"}
    assert only["envFrom"] == [{"configMapRef": {"name": "masir"}}, {"secretRef": {"name": "masir"}}]


@pytest.mark.parametrize("name", PODS)
def test_what_is_mounted_is_declared_and_data_can_be_written(name: str) -> None:
    declared = {volume["name"] for volume in PODS[name]["spec"]["volumes"]}
    mounts = container(name)["volumeMounts"]
    assert {mount["name"] for mount in mounts} == declared
    assert {mount["mountPath"] for mount in mounts} == {"/tmp", "/data"}


@pytest.mark.parametrize("name", SERVING)
def test_probes_ask_what_is_answered(name: str) -> None:
    only = container(name)
    assert only["ports"] == [{"name": "http", "containerPort": PORT}]
    asked = {probe: only[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert all(where["port"] == "http" for where in asked.values())
    files = {"masir-collector": "pipeline/collector/server.py", "masir-worker": "agents/worker.py"}
    code = (ROOT / files[name]).read_text()
    assert all(f'"{where["path"]}"' in code for where in asked.values())
    assert asked["livenessProbe"]["path"] == "/healthz", "a store that is away must not restart anybody"
    assert asked["readinessProbe"]["path"] == "/readyz"


@pytest.mark.parametrize("name", SERVING)
def test_labels_meet_and_one_pod_goes_at_a_time(name: str) -> None:
    label = {LABEL: name}
    deployment = find("Deployment", name)["spec"]
    assert PODS[name]["metadata"]["labels"] == deployment["selector"]["matchLabels"] == label
    budget = find("PodDisruptionBudget", name)["spec"]
    assert budget == {"maxUnavailable": 1, "selector": {"matchLabels": label}}
    assert deployment["replicas"] >= 2
    assert PODS[name]["spec"]["terminationGracePeriodSeconds"] > CLOSE_SECONDS
    (spread,) = PODS[name]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == label
    assert PODS[name]["metadata"]["annotations"]["prometheus.io/port"] == str(PORT)


def test_prometheus_finds_the_pods_and_is_otherwise_the_documented_one() -> None:
    here, documented = (
        yaml.safe_load((ROOT / f"deploy/prometheus/{name}.yml").read_text())
        for name in ("kubernetes", "prometheus")
    )
    assert [here[part] for part in ("global", "rule_files")] == [
        documented[part] for part in ("global", "rule_files")
    ]
    (job,), (known,) = here["scrape_configs"], documented["scrape_configs"]
    assert job["job_name"] == known["job_name"]
    assert job["kubernetes_sd_configs"] == [
        {"role": "pod", "namespaces": {"names": [KUSTOMIZATION["namespace"]]}}
    ]
    by_label, by_port, _ = job["relabel_configs"]
    assert by_label["source_labels"] == [f"__meta_kubernetes_pod_label_{re.sub(r'[^a-z]', '_', LABEL)}"]
    assert [name for name in PODS if re.fullmatch(by_label["regex"], name)] == list(SERVING)
    assert all(by_port["regex"] == container(name)["ports"][0]["name"] for name in SERVING)


def test_the_service_leads_to_the_collectors() -> None:
    service = find("Service", "masir-collector")["spec"]
    assert service["selector"] == {LABEL: "masir-collector"}
    assert service["ports"][0]["targetPort"] == "http"


def test_workers_follow_the_lag_of_hits_in_our_group() -> None:
    scaled, settings = find("ScaledObject", "masir-worker")["spec"], load(SETTINGS)
    assert scaled["scaleTargetRef"]["name"] == "masir-worker"
    names = Names(settings.broker_prefix)
    (trigger,) = scaled["triggers"]
    asked = trigger["metadata"]
    assert (asked["consumerGroup"], asked["topic"]) == (names.group, names.topic(HITS.name))
    assert f"kafka://{asked['bootstrapServers']}" == settings.broker
    assert scaled["maxReplicaCount"] == settings.partitions, "one more would have nothing to do"
    assert scaled["minReplicaCount"] == find("Deployment", "masir-worker")["spec"]["replicas"]


def test_collectors_follow_their_cpu() -> None:
    scaled = find("HorizontalPodAutoscaler", "masir-collector")["spec"]
    assert scaled["scaleTargetRef"]["name"] == "masir-collector"
    assert scaled["minReplicas"] == find("Deployment", "masir-collector")["spec"]["replicas"]
