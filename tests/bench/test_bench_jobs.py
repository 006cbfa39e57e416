import io
import json
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
from faust.types import TP

from bench import decode, flink, kafka_fill, kafka_job, plain_faust, stream
from bench.jars import UnavailableError
from bench.process import Measure, run_module
from pipeline.transport.kafka.partition import KafkaBatch, Partition

LOG = """\
1000 Source: hits[1] (1/1) (aa_bb_0_0) switched from INITIALIZING to RUNNING.
1500 Job insert-into_nothing (c7e8d01e) switched from state CREATED to RUNNING.
Flink SQL> INSERT INTO nothing SELECT 1;
4000 Job insert-into_nothing (c7e8d01e) switched from state RUNNING to FINISHED.
9000 Job insert-into_nothing (77f5dd3b) switched from state CREATED to RUNNING.
9250 Job insert-into_nothing (77f5dd3b) switched from state RUNNING to FINISHED.
"""


def test_rounds_repeat_the_visitors_and_never_a_hit_id() -> None:
    hits = [json.loads(line) for line in islice(stream.rounds(visitors=50, hits_per_visitor=2), 300)]
    first, second, third = (hits[at : at + 100] for at in (0, 100, 200))
    visitors = {hit["visitor_id"] for hit in first}
    assert len(visitors) == 50
    assert {hit["visitor_id"] for hit in second} == {hit["visitor_id"] for hit in third} == visitors
    assert len({hit["hit_id"] for hit in hits}) == 300
    times = [hit["time"] for hit in hits]
    assert times == sorted(times)


def test_the_shop_has_more_than_page_views(tmp_path: Path) -> None:
    stream.write_shop(tmp_path / "shop.ndjson", hits=2_000)
    hits = [json.loads(line) for line in (tmp_path / "shop.ndjson").read_bytes().splitlines()]
    assert len(hits) == 2_000
    assert {"purchase", "email_open", "survey_response"} <= {hit["event"] for hit in hits}
    assert any(hit.get("user_id") for hit in hits)


def test_bare_decoding_reads_every_line(tmp_path: Path) -> None:
    path = tmp_path / "hits.ndjson"
    stream.write(path, visitors=10, hits=200)
    assert decode.run(path).hits == 200
    assert run_module("bench.decode", str(path)).hits == 200


def test_a_job_that_fails_is_left_out_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="FileNotFoundError"):
        run_module("bench.decode", str(tmp_path / "missing"))


def test_flink_seconds_are_those_between_running_and_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((10.0, 12.0, 20.0, 20.2))
    monkeypatch.setattr(flink, "cpu_seconds", lambda pid: next(clock))
    said: list[str] = []
    runs = list(flink.job_runs(io.StringIO(LOG), 1, said))
    assert runs == [(2.5, 2.0), (0.25, pytest.approx(0.2))]
    assert "".join(said) == LOG


def test_flink_runs_the_job_twice_over_the_file(tmp_path: Path) -> None:
    script = flink.statements(flink.JOBS["sessions"], flink.file(tmp_path / "hits.ndjson"))
    assert script.count("INSERT INTO nothing SELECT") == 2
    assert (tmp_path / "hits.ndjson").as_uri() in script


def test_flink_reads_the_whole_topic_and_ends() -> None:
    script = flink.statements(flink.JOBS["sessions"], flink.topic("127.0.0.1:9092", "bench.hits"))
    assert script.count("INSERT INTO nothing SELECT") == 2
    for option in (
        "'connector' = 'kafka'",
        "'properties.bootstrap.servers' = '127.0.0.1:9092'",
        "'topic' = 'bench.hits'",
        "'scan.startup.mode' = 'earliest-offset'",
        "'scan.bounded.mode' = 'latest-offset'",
        "'format' = 'json'",
    ):
        assert option in script


def test_a_measure_is_of_all_hits_that_were_asked_for(tmp_path: Path) -> None:
    measure = Measure(hits=200, seconds=0.01, cpu_seconds=0.01)
    assert kafka_job.checked(measure, 200) is measure
    for count in (0, 199, 201):
        with pytest.raises(kafka_job.UnfinishedError, match=f"{count} of 200 hits after 0.01 s"):
            kafka_job.checked(measure, count)
    path = tmp_path / "hits.ndjson"
    path.write_bytes(b"one\ntwo\n")
    assert kafka_fill.first_lines(path, 2) == [b"one", b"two"]
    with pytest.raises(ValueError, match="has 2 hits, 3 were asked for"):
        kafka_fill.first_lines(path, 3)


def test_consumed_is_what_was_read_to_the_end_and_committed() -> None:
    one = Partition(TP("hits", 0))
    one.start(10)
    assert kafka_job.is_consumed(one, 10)
    assert not kafka_job.is_consumed(one, 11)
    one.position = one.handed = 12
    assert not kafka_job.is_consumed(one, 11), "handed out and not committed"
    one.committed = 12
    one.position = 13
    assert kafka_job.is_consumed(one, 13), "a transaction's marker is committed by nobody"
    batch = KafkaBatch(
        topic="hits", partition=0, values=[b""], timestamps=[0], offsets=[13], next_offset=14,
        is_caught_up=False, is_final=False, on_release=lambda _: None, owner=one,
    )  # fmt: skip
    one.add([SimpleNamespace(offset=13, value=b"")], 14, now=0.0)
    assert not kafka_job.is_consumed(one, 13)
    one.take(1)
    one.in_hand = batch
    assert not kafka_job.is_consumed(one, 13)


def hit(**changes: object) -> plain_faust.Hit:
    fields = dict.fromkeys(("site", "event", "visitor_id", "hit_id", "referrer", "title", "user_agent"), "x")
    return plain_faust.Hit(**(fields | {"time": 5, "url": "https://a.example/", "language": "en"} | changes))


@pytest.mark.parametrize(
    ("url", "stage"),
    [
        ("https://a.example/guide-1?x=/checkout", "awareness"),
        ("https://a.example/checkout", "purchase"),
        ("https://a.example/coats-1", "consideration"),
        ("", ""),
    ],
)
def test_plain_faust_assigns_a_stage_by_path(url: str, stage: str) -> None:
    assert plain_faust.stage_of(hit(url=url)) == stage


def test_plain_faust_extends_a_session() -> None:
    session = plain_faust.begun(hit(event="page_view", time=5, url="https://a.example/in"))
    longer = plain_faust.extended(session, hit(event="click", time=9, url="https://a.example/out"))
    assert (longer.start_time, longer.end_time, longer.hits, longer.page_views) == (5, 9, 2, 1)
    assert (longer.entry_url, longer.exit_url) == ("https://a.example/in", "https://a.example/out")
