"""What a person may ask for, and what is told of them, over Kafka and a ClickHouse server: erased and kept out, a wrong
link undone, the webhook told, a hit followed. And sites that change.
"""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from watching.test_traces import Receiver, receiver  # noqa: F401  (a fixture)
from watching.test_webhook_system import KEY, Crm, crm  # noqa: F401  (a fixture)

from bench.cluster import Cluster
from bench.running import wait_for
from pipeline.store.views import VIEWS
from pipeline.transport.kafka.known import Known
from pipeline.transport.kafka.names import ERASURES, STORES
from schemas.topics import HITS, SIGNALS, TOPICS

from .kafka_kit import records, running_cluster
from .kit import hit, masir, now_ms, post, verify
from .test_erase import MINUTE_MS, SECRETS, USER, VISITOR, hits

pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]


@pytest.fixture
def cluster(tmp_path: Path, broker: str, crm: Crm, receiver: Receiver) -> Iterator[Cluster]:  # noqa: F811
    secret = tmp_path / "secret"
    secret.write_text(f"whsec_{base64.b64encode(KEY).decode()}")
    registry = tmp_path / "sites.toml"
    registry.write_text("[shop]\n[left]\n[lent]\n")
    with running_cluster(
        tmp_path,
        broker,
        sites=registry,
        out_of_orderness_seconds=0,
        webhook_url=f"http://127.0.0.1:{crm.port}/masir",
        webhook_secret_file=secret,
        traces_url=receiver.url,
        traces_share=1,
    ) as cluster:
        yield cluster


def command(cluster: Cluster, *arguments: str) -> bytes:
    return masir(*arguments, settings=cluster.settings).stdout


def views(cluster: Cluster) -> str:
    return json.dumps([cluster.query(f"SELECT * FROM {view} ORDER BY ALL") for view in VIEWS])


def holds(cluster: Cluster, topic: str) -> bool:
    """Does the newest record of a key, or any without, hold a secret?"""
    newest = {
        record.key if topic.endswith("_state") else record.offset: record.value or b""
        for record in records(cluster, topic)
    }
    return any(secret.encode() in value for value in newest.values() for secret in SECRETS)


def test_persons(cluster: Cluster, crm: Crm, receiver: Receiver) -> None:  # noqa: F811
    _undo_a_link(cluster)
    _change_a_site(cluster)
    _erase(cluster)
    _tell(cluster, crm)
    _erase_while_workers_are_killed(cluster)
    assert [process.stop() for process in cluster.processes] == [0, 0, 0]
    checks = verify(**cluster.settings)["checks"]  # type: ignore[arg-type]
    assert [checks[name] for name in ("sessions", "counters", "ledger")] == [0, 0, 0], (
        "erased sites' sums are left out"
    )
    _is_followed(receiver)


def _undo_a_link(cluster: Cluster) -> None:
    post(cluster, hit("tablet", now_ms(), site="lent"), hit("tablet", now_ms(), site="lent", user_id="bob"))
    persons = "SELECT groupUniqArray(person_id) FROM hits WHERE site = 'lent' AND user_id = ''"
    cluster.wait_for_value(persons, ["bob"])
    ids = ("--site", "lent", "--visitor", "tablet", "--user", "bob")
    assert b"no longer linked" in command(cluster, "unlink", *ids)
    cluster.wait_for_value(persons, ["tablet"])
    command(cluster, "unlink", *ids, "--again")
    cluster.wait_for_value(persons, ["bob"])


def _change_a_site(cluster: Cluster) -> None:
    """Workers judge by its new goals without a restart."""
    Path(str(cluster.settings["sites"])).write_text('[shop]\n[left]\n[lent]\ngoal_events = ["booked"]\n')
    booked = "SELECT count() > 0 FROM conversions WHERE site = 'lent' AND event = 'booked'"
    wait_for(
        lambda: post(cluster, hit("guest", now_ms(), site="lent", event="booked")) and cluster.value(booked),
        "it is a goal",
    )


def _erase(cluster: Cluster) -> None:
    start = now_ms() - 125 * MINUTE_MS
    post(cluster, *hits(start))
    cluster.wait_for_value("SELECT count() FROM hits WHERE site = 'shop'", 8)
    cluster.wait_for_value("SELECT count() > 0 FROM conversions WHERE user_id != ''", 1)
    cluster.wait_until_drained()
    assert all(secret in views(cluster) for secret in SECRETS)
    sums = cluster.query("SELECT outcome, hits FROM ledger WHERE site = 'shop' ORDER BY outcome")
    receipt = json.loads(command(cluster, "erase", "--site", "shop", "--user", USER, "--json"))
    assert (receipt["site"], receipt["visitors"]) == ("shop", 1)
    assert (receipt["store_rows"]["hits_rows"], receipt["store_rows"]["dead_letters_rows"]) == (6, 2)
    assert "hits_retention_hours" in receipt["remains"][0]
    said = json.dumps(receipt) + views(cluster)
    assert not [secret for secret in SECRETS if secret in said]
    assert cluster.value("SELECT count() FROM hits WHERE visitor_id = 'friend'") == 2
    assert cluster.query("SELECT outcome, hits FROM ledger WHERE site = 'shop' ORDER BY outcome") == sums
    names = {topic.name for topic in TOPICS} | {store.topic_name for store in STORES if not store.is_journal}
    assert {name for name in names if holds(cluster, name)} - {SIGNALS.name} == {HITS.name}
    _is_forgotten_by_the_control_topic(cluster)
    post(cluster, *hits(start)[:5])
    cluster.wait_for_value("SELECT count() FROM dead_letters WHERE reason = 'erased' AND raw = ''", 5)
    assert not [secret for secret in SECRETS if secret in views(cluster)], "a replay stays out"
    readmit = ("erase", "--site", "shop", "--user", USER, "--readmit")
    assert b"may come in again" in command(cluster, *readmit)
    assert b"was not kept out" in command(cluster, *readmit)
    fresh = json.dumps({"site": "shop", "user_id": USER, "event": "page_view"}).encode()
    back = f"SELECT count() > 0 FROM hits WHERE user_id = '{USER}'"
    wait_for(lambda: post(cluster, fresh) and cluster.value(back), "they may come in again")


def _erase_while_workers_are_killed(cluster: Cluster) -> None:
    """Whoever leads it then begins anew."""
    steps = len(records(cluster, ERASURES))
    with ThreadPoolExecutor() as pool:
        receipt = pool.submit(command, cluster, "erase", "--site", "left", "--user", "carl", "--json")
        wait_for(lambda: len(records(cluster, ERASURES)) > steps + 4, "it has begun")
        for worker in cluster.workers:
            worker.kill()
        for worker in cluster.workers:
            worker.spawn()
        assert json.loads(receipt.result())["store_rows"]["hits_rows"] == 1
    for worker in cluster.workers:
        worker.wait_until_started()
    assert cluster.value("SELECT count() FROM hits WHERE user_id = 'carl'") == 0


def _is_forgotten_by_the_control_topic(cluster: Cluster) -> None:
    known = Known()
    for record in records(cluster, ERASURES):
        known.take(record)
    assert (known.requests, known.step, known.done, known.sites) == ({}, None, {}, {"shop"})
    assert known.is_out("shop", "u", USER)
    assert known.is_out("shop", "v", VISITOR)


def _tell(cluster: Cluster, crm: Crm) -> None:  # noqa: F811
    post(cluster, hit("c", now_ms(), site="left", event="subscription_cancel", user_id="carl"))
    told = wait_for(lambda: crm.find("raised", "carl"), "the CRM is told")
    assert (told["site"], told["reason"]) == ("left", "leaving")


def _is_followed(receiver: Receiver) -> None:  # noqa: F811
    """From the collector's span to that of the store, over processes."""
    of_id = {span.span_id: span for span in receiver.spans}
    ways = set()
    for span in receiver.spans:
        way = [span.name]
        while span.parent_span_id in of_id:
            span = of_id[span.parent_span_id]
            way.insert(0, span.name)
        ways.add(tuple(way))
    assert {
        ("collect", "sessionizer", "store"),
        ("collect", "sessionizer", "journeys", "store"),
        ("collect", "sessionizer", "persons", "store"),
        ("collect", "sessionizer", "counters"),
    } <= ways
    told = b"".join(span.SerializeToString() for span in receiver.spans)
    assert not [secret for secret in SECRETS if secret.encode() in told]
