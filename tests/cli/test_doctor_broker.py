"""What ``masir doctor`` says of Kafka: topics, workers, what waits, and the models in force."""

import json
import uuid

import pytest
from faust.types import TP

from pipeline.cli.doctor_broker import group_findings, models_finding
from pipeline.transport.kafka.group import Group
from pipeline.transport.kafka.known_models import KnownModels
from schemas.rebuild import InForce, Request
from tests.cli.kit import masir

WELL = Group(2, True, [], {"store": 1_200, "counters": 0}, {"store": 3.0}, 0)
HERE = {"tiny": 7}


def said_of(group: Group) -> dict[str, tuple[str, str]]:
    return {one.what: (one.says, one.advice) for one in group_findings(group)}


@pytest.mark.usefixtures("nowhere")
def test_the_doctor_names_topics_that_are_missing(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = f"t{uuid.uuid4().hex[:12]}"
    monkeypatch.setenv("MASIR_BROKER", f"kafka://{broker}")
    monkeypatch.setenv("MASIR_BROKER_PREFIX", prefix)
    monkeypatch.setenv("MASIR_BROKER_REPLICATION", "1")
    result = masir("doctor", "--data", "d", "--json")
    found = {one["what"]: one for one in json.loads(result.output)["findings"]}
    assert result.exit_code == 1
    assert f"{prefix}.hits missing and " in found["topics"]["says"]
    assert "--create" in found["topics"]["advice"]
    assert found["workers"]["says"] == "none"
    assert "--create" in found["models in force"]["says"], "they stand in a topic"
    assert masir("topics", "--create").exit_code == 0
    found = {one["what"]: one for one in json.loads(masir("doctor", "--json").output)["findings"]}
    assert found["topics"]["advice"] == found["lag"]["advice"] == ""
    assert found["models in force"]["says"].startswith("none yet")


def test_workers_that_read_everything_in_time_are_well() -> None:
    assert said_of(WELL) == {
        "workers": ("2, every partition has one", ""),
        "lag": ("records not read yet: counters 0, store 1,200", ""),
    }


def test_nobody_works() -> None:
    says, advice = said_of(WELL._replace(workers=0, unread=[TP("hits", 0)]))["workers"]
    assert (says, "masir worker" in advice) == ("none", True)


def test_partitions_are_shared_out_just_now() -> None:
    says, advice = said_of(WELL._replace(is_settled=False, unread=[TP("hits", 0)]))["workers"]
    assert (says, advice) == ("2, sharing out the partitions", "run again in a moment")


def test_nobody_runs_a_hop() -> None:
    unread = [TP("evidence", 0), TP("evidence", 1), TP("facts", 0), TP("facts", 1)]
    says, advice = said_of(WELL._replace(unread=unread))["workers"]
    assert says == "2, and none of them reads evidence-0, evidence-1, facts-0 and 1 more"
    assert "--hops counters,journeys" in advice


def test_what_has_waited_for_long() -> None:
    says, advice = said_of(WELL._replace(seconds={"store": 61.0, "counters": 2.0}))["lag"]
    assert says.endswith("; the oldest for 61 s")
    assert advice.startswith("store: ")


def test_what_was_deleted_unread() -> None:
    says, advice = said_of(WELL._replace(deleted=5))["lag"]
    assert says.endswith("; 5 were deleted before they were read")
    assert "hits_retention_hours" in advice


def test_models_in_force() -> None:
    known = KnownModels()
    assert models_finding(known, HERE).says.startswith("none yet")
    known.in_force = InForce(0, HERE)
    assert models_finding(known, HERE).says == "as the files here"
    known.in_force = InForce(0, {"tiny": 6})
    found = models_finding(known, HERE)
    assert found.says == "not as the files here: tiny"
    assert "masir rebuild --model tiny" in found.advice
    known.requests["one"] = Request(3, ("tiny",), HERE)
    found = models_finding(known, HERE)
    assert (found.says, found.advice) == ("as the files here; a rebuild is under way", "")
