"""``masir rebuild`` over Kafka and a ClickHouse server: refused where files differ, done while hits come and a worker
is killed, and with no worker running that has the new files yet; the same as if the model had always been so. And with
the store in one of the workers, whom the others ask for hits.
"""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bench.cluster import Cluster
from bench.running import export, wait_for

from .kafka_kit import records, running_cluster
from .kit import differing, masir, metrics, post, process, verify, write_lines
from .test_rebuild import GAUGE, hits_of, model, persons_in_stages

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]
HISTORY = hits_of(range(60))
YEAR: dict[str, Any] = {"allowed_lateness_seconds": 366 * 86_400, "dedupe_hours": 366 * 24}


@pytest.fixture
def cluster(broker: str, tmp_path: Path) -> Iterator[Cluster]:
    file = model(tmp_path / "tiny.toml", keen=False)
    with running_cluster(tmp_path, broker, models=file, **YEAR) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The views of one who has had the new model from the beginning."""
    directory = tmp_path_factory.mktemp("expected")
    file = model(directory / "tiny.toml", keen=True)
    process(directory / "data", write_lines(directory / "hits.ndjson", HISTORY), models=file)
    return export(directory / "data")


def rebuild(cluster: Cluster, name: str = "tiny", code: int = 0, **settings: object) -> Any:
    broker = str(cluster.settings["broker"])
    known = {key: value for key, value in cluster.settings.items() if key != "broker"}
    done = masir(
        "rebuild", "--model", name, "--broker", broker, "--json", settings=known | settings, code=code
    )
    return done.stderr.decode() if code else json.loads(done.stdout)


def send(cluster: Cluster, hits: list[bytes]) -> None:
    for at in range(0, len(hits), 5):
        post(cluster, *hits[at : at + 5])


def gauges(cluster: Cluster) -> dict[tuple[str, str], float]:
    found: Counter[tuple[str, str]] = Counter()
    for worker in cluster.workers:
        for (name, labels), value in metrics(worker).items():  # type: ignore[arg-type]
            if name == GAUGE and value:
                found[dict(labels)["model"], dict(labels)["stage"]] += value  # type: ignore[assignment]
    return dict(found)


def gauges_agree(cluster: Cluster) -> None:
    cluster.wait_until_drained()
    wait_for(lambda: gauges(cluster) == persons_in_stages(cluster), "gauges say what the rows say")  # type: ignore[arg-type]


def test_rebuild(cluster: Cluster, expected: dict[str, bytes], tmp_path: Path) -> None:
    file = tmp_path / "tiny.toml"
    send(cluster, HISTORY[:70])
    cluster.wait_until_drained()
    model(file, keen=True)
    assert "tiny: changed too" in rebuild(cluster, "classic5", code=2)
    other = tmp_path / "other.toml"
    other.write_text(file.read_text().replace("scroll", "swipe"))
    assert "tiny: not the same in the files of all workers" in rebuild(cluster, code=2, models=other)
    with ThreadPoolExecutor() as pool:
        before = len(records(cluster, "erasures"))
        receipt = pool.submit(rebuild, cluster)
        wait_for(lambda: len(records(cluster, "erasures")) > before + 2, "it has begun")
        cluster.workers[0].kill()
        send(cluster, HISTORY[70:100])
        cluster.workers[0].spawn()
        found = receipt.result()
    cluster.workers[0].wait_until_started()
    assert found["by_model"]["tiny"] >= 10, "those who had scrolled before it was asked for, at least"
    send(cluster, HISTORY[100:])
    gauges_agree(cluster)
    is_as_if_always_so(cluster, expected)
    _when_nobody_runs(cluster, file)


def test_the_store_is_another_workers(broker: str, expected: dict[str, bytes], tmp_path: Path) -> None:
    """Over its socket: who remakes the history is not who has the data directory open."""
    file = model(tmp_path / "tiny.toml", keen=False)
    with Cluster(tmp_path / "data", broker, workers=1, partitions=2, models=file, **YEAR) as cluster:
        send(cluster, HISTORY[:70])
        cluster.wait_until_drained()
        model(file, keen=True)
        found = rebuild(cluster)
        assert (found["hits"], found["by_model"]["tiny"] >= 10) == (70, True)
        send(cluster, HISTORY[70:])
        gauges_agree(cluster)
        is_as_if_always_so(cluster, expected)
        assert [process.stop() for process in cluster.processes] == [0, 0, 0]


def is_as_if_always_so(cluster: Cluster, expected: dict[str, bytes]) -> None:
    found = export(**cluster.settings)  # type: ignore[arg-type]
    for view in ("transitions", "persons"):
        assert differing({view: found[view]}, {view: expected[view]}) == {}


def _when_nobody_runs(cluster: Cluster, file: Path) -> None:
    """Workers with changed files are refused; asked first, they do it."""
    assert [worker.stop() for worker in cluster.workers] == [0, 0]
    model(file, keen=False)
    refused = masir("worker", "--listen", "127.0.0.1:0", settings=cluster.settings, code=2)
    assert b"masir rebuild --model tiny" in refused.stderr
    send(cluster, hits_of(range(60, 70)))
    with ThreadPoolExecutor() as pool:
        receipt = pool.submit(rebuild, cluster)
        wait_for(lambda: records(cluster, "erasures")[-1].key.startswith(b"rebuild "), "it is asked for")
        for worker in cluster.workers:
            worker.spawn()
        assert receipt.result()["withdrawn"] > 0
    for worker in cluster.workers:
        worker.wait_until_started()
    gauges_agree(cluster)
    found = verify(**cluster.settings)  # type: ignore[arg-type]
    assert found["agrees"], found
    assert [process.stop() for process in cluster.processes] == [0, 0, 0]
