"""From hits to the message: a pipeline, real Prometheus and Alertmanager with our files, and somebody who is told."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from system.kit import post

from bench.running import Running, wait_for
from pipeline.store.client import STORE_DIRECTORY
from watching.servers import Inbox, Prometheus, alertmanager, prometheus
from watching.small_disk import fill, free, small_disk
from watching.traffic import Traffic, events, traffic

pytestmark = pytest.mark.slow
STORE_MIB = 256


class World(NamedTuple):
    """What runs."""

    pipeline: Running
    server: Prometheus
    inbox: Inbox
    visits: Traffic
    store: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("watched")
    data = directory / "data"
    store = data / STORE_DIRECTORY
    with (
        small_disk(store, STORE_MIB),
        alertmanager(directory / "alertmanager") as (address, inbox),
        Running(data) as pipeline,
        prometheus(directory / "prometheus", [pipeline.url.removeprefix("http://")], address) as server,
        traffic(pipeline, "shop", "wiki") as visits,
    ):
        yield World(pipeline, server, inbox, visits, store)


def test_hits_that_cannot_be_read_are_told_to_operations_until_they_end(world: World) -> None:
    wait_for(lambda: world.server.ask("site:masir_hits:rate5m > 0"), "hits are counted")
    world.visits.unreadable = 10
    told = world.inbox.wait_for("MasirDeadLetters", "firing", reason="not_json")
    assert told["path"] == "/operations"
    assert told["labels"]["severity"] == "warning"
    assert re.search(r"^\d+ in 15 minutes", told["annotations"]["description"])
    world.visits.unreadable = 0
    world.inbox.wait_for("MasirDeadLetters", "resolved", reason="not_json")


def test_a_store_that_is_full_is_told_and_nothing_is_lost(world: World) -> None:
    fill(world.store)
    told = world.inbox.wait_for("MasirSinkFailing", "firing")
    assert told["path"] == "/operations"
    assert told["labels"]["severity"] == "critical"
    free(world.store)
    world.inbox.wait_for("MasirSinkFailing", "resolved", table=told["labels"]["table"])
    (taken,) = world.server.ask('sum(masir_hits_total{outcome!="dead_letter"})')
    wait_for(
        lambda: world.pipeline.value("SELECT count() FROM hits") >= float(taken["value"][1]),
        "all hits are stored",
    )


@pytest.fixture(scope="module")
def wiki_is_silent(world: World) -> None:
    """Which takes half a minute to tell: another test can be run meanwhile."""
    usual = 'avg_over_time(site:masir_hits:increase30m{site="wiki"}[24s] offset 30s) > 20'
    wait_for(lambda: world.server.ask(usual), "the server knows what is usual")
    world.visits.sites = {"shop"}


@pytest.mark.usefixtures("wiki_is_silent")
def test_customers_who_begin_to_leave_are_told_until_they_come_back(world: World) -> None:
    known = 'sum(masir_stage_persons{site="shop", model="classic5"})'
    wait_for(lambda: world.server.ask(f"{known} > 100"), "persons are known")
    (persons,) = world.server.ask(known)
    leaving = 20 + round(float(persons["value"][1]) * 0.1)
    post(world.pipeline, *events("shop", leaving, "subscription_cancel"))
    told = world.inbox.wait_for("MasirChurnRiskSurge", "firing", site="shop", reason="leaving", seconds=120)
    assert told["path"] == "/business"
    assert told["labels"]["severity"] == "critical"
    assert told["annotations"]["summary"] == (
        "shop: many more customers than usual are about to leave (leaving)"
    )
    assert told["annotations"]["runbook_url"] == "docs/runbooks/churn-risk-surge.md"
    post(world.pipeline, *events("shop", leaving, "subscription_renew"))
    world.inbox.wait_for("MasirChurnRiskSurge", "resolved", site="shop", reason="leaving", seconds=120)


@pytest.mark.usefixtures("wiki_is_silent")
def test_a_tracker_that_falls_silent_is_told_to_the_business_until_it_is_back(world: World) -> None:
    told = world.inbox.wait_for("MasirTrackerSilent", "firing", site="wiki", seconds=120)
    assert told["path"] == "/business"
    assert told["labels"]["severity"] == "critical"
    assert told["annotations"]["summary"].startswith("wiki: no visitor")
    assert world.inbox.find("MasirTrackerSilent", "firing", site="shop") is None
    world.visits.sites = {"shop", "wiki"}
    world.inbox.wait_for("MasirTrackerSilent", "resolved", site="wiki")
