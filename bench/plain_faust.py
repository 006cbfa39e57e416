"""The same job the way Faust's documentation writes it: one event at a time, records, tables, one message per
result.

``python -m bench.plain_faust ADDRESS JOB HITS``; JOB is one of :data:`JOBS`. ``decode`` only receives the
hits; ``sessions`` also keeps each visitor's session (30 minutes), assigns the stages of one simple model,
counts both in tables, and sends a message for each closed session; ``regrouped`` is ``sessions`` behind
``group_by``, which Faust's documentation asks for where a topic is not keyed yet; ``whole`` is Masir's own job, see
:mod:`bench.plain_faust_whole`. The clock runs from the first hit of the topic to the last.
"""

# mypy: disable-error-code="misc, call-arg, no-any-return, untyped-decorator"
# (Faust has no types.)

import asyncio
import sys
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import faust

from bench import plain_faust_whole
from bench.faust_records import HITS_TOPIC, PARTITIONS, TIMEOUT_MS, Hit, Progress
from bench.process import Measure, emit

JOBS = ("decode", "sessions", "regrouped", "whole")
SESSIONS_TOPIC = "sessions"
TABLES = ("open_sessions", "stages", "counters")
STAGE_OF_PATH = (("/guide", "awareness"), ("/checkout", "purchase"), ("/", "consideration"))


class Session(faust.Record, serializer="json"):
    site: str
    visitor_id: str
    start_time: int
    end_time: int
    hits: int
    page_views: int
    entry_url: str
    exit_url: str
    referrer: str


def stage_of(hit: Hit) -> str:
    """The stage that a hit speaks for: the first rule its URL's path satisfies."""
    path = urlsplit(hit.url).path
    return next((stage for prefix, stage in STAGE_OF_PATH if path.startswith(prefix)), "")


def extended(session: Session, hit: Hit) -> Session:
    """The session with one more hit at its end."""
    return session.derive(
        end_time=max(session.end_time, hit.time),
        hits=session.hits + 1,
        page_views=session.page_views + (hit.event == "page_view"),
        exit_url=hit.url,
    )


def begun(hit: Hit) -> Session:
    """The session that a hit begins."""
    return Session(
        site=hit.site,
        visitor_id=hit.visitor_id,
        start_time=hit.time,
        end_time=hit.time,
        hits=1,
        page_views=int(hit.event == "page_view"),
        entry_url=hit.url,
        exit_url=hit.url,
        referrer=hit.referrer,
    )


def decode_only(app: faust.App, progress: Progress) -> None:
    @app.agent(app.topic(HITS_TOPIC, value_type=Hit))
    async def receive(hits: faust.StreamT[Hit]) -> None:
        async for _ in hits:
            progress.add()


def whole_job(app: faust.App, progress: Progress, *, regroup: bool) -> None:
    closed = app.topic(SESSIONS_TOPIC, value_type=Session, partitions=PARTITIONS)
    sessions_table, stages_table, counters_table = TABLES
    sessions = app.Table(sessions_table, partitions=PARTITIONS)
    stages = app.Table(stages_table, default=str, partitions=PARTITIONS)
    counters = app.Table(counters_table, default=int, partitions=PARTITIONS)

    @app.agent(app.topic(HITS_TOPIC, value_type=Hit))
    async def sessionize(hits: faust.StreamT[Hit]) -> None:
        async for hit in hits.group_by(Hit.visitor_id) if regroup else hits:
            session = sessions.get(hit.visitor_id)
            if session is None:
                sessions[hit.visitor_id] = begun(hit)
            elif hit.time - session.end_time > TIMEOUT_MS:
                await closed.send(key=hit.visitor_id, value=session)
                counters["sessions"] += 1
                counters["bounces"] += session.page_views == 1
                sessions[hit.visitor_id] = begun(hit)
            else:
                sessions[hit.visitor_id] = extended(session, hit)
            stage = stage_of(hit)
            if stage and stage != stages[hit.visitor_id]:
                stages[hit.visitor_id] = stage
                counters[stage] += 1
            progress.add()


def topics() -> list[str]:
    """What must exist before a job starts, beside the hits: of a topic it has just made, Faust can find nothing."""
    tables = dict.fromkeys(JOBS[1:], TABLES) | {"whole": plain_faust_whole.TABLES}
    changelogs = [f"{app_id(job)}-{table}-changelog" for job, names in tables.items() for table in names]
    return [SESSIONS_TOPIC, *plain_faust_whole.TOPICS, *changelogs]


def app_id(job: str) -> str:
    return f"bench-{job}"


def build(address: str, job: str, progress: Progress, directory: str) -> faust.App:
    """The app of one job; its own consumer group reads the topic from the start. ``directory``: for Faust's files."""
    app = faust.App(
        app_id(job),
        broker=f"kafka://{address}",
        topic_partitions=PARTITIONS,
        store="memory://",
        datadir=directory,
        web_enabled=False,
    )
    if job == "decode":
        decode_only(app, progress)
    elif job == "whole":
        plain_faust_whole.build(app, progress)
    else:
        whole_job(app, progress, regroup=job == "regrouped")
    return app


async def run(address: str, job: str, hits: int) -> Measure:
    progress = Progress(hits)
    with TemporaryDirectory() as directory:
        app = build(address, job, progress, directory)
        app.finalize()
        await app.start()
        await progress.done.wait()
        await app.stop()
    return progress.measure()


if __name__ == "__main__":
    emit(asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
