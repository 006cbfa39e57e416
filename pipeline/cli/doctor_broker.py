"""What ``masir doctor`` looks at in Kafka: the topics, who reads them, how far they are, which models are in force."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline.cli.runner import KNOWN_ERRORS
from pipeline.core.models import changed_models, rebuild_of
from pipeline.core.models import load as load_models
from pipeline.model_files import texts_in_force
from pipeline.settings import Settings, SettingsError
from pipeline.transport.kafka.connection import BrokerError
from pipeline.transport.kafka.control import controlling
from pipeline.transport.kafka.group import READERS, Group, look
from pipeline.transport.kafka.known_models import KnownModels
from pipeline.transport.kafka.topics import TopicAdmin, wanted_topics

MOST_NAMED = 3
LATE_SECONDS = 60.0  # what can be read as it comes is read within seconds
NEEDS = (
    "this needs all topics, Read of them and Describe of the group (docs/kafka.md), and a broker that answers"
)


class Finding(NamedTuple):
    """What is said of one thing. ``advice``: what to do; empty when all is well."""

    what: str
    says: str
    advice: str = ""


def broker_findings(settings: Settings) -> Iterator[Finding]:
    """All that is to be said of it; what cannot be asked is left out."""
    try:
        wrong = asyncio.run(_wrong_topics(settings))
        yield Finding("broker", f"{settings.broker} answers")
        yield _topics(settings, wrong)
        yield from _group(settings)
        yield from _models(settings)
    except SettingsError as error:
        yield Finding("broker", str(error), "mend it, then `masir doctor` again")
    except BrokerError as error:
        yield Finding(
            "broker", str(error), "start it, or mend MASIR_BROKER; collectors answer 503 or spool meanwhile"
        )


async def _wrong_topics(settings: Settings) -> dict[str, list[str]]:
    async with TopicAdmin(settings) as admin:
        return await admin.check()


def _topics(settings: Settings, wrong: Mapping[str, list[str]]) -> Finding:
    every = len(wanted_topics(settings))
    says = f"{every - len(wrong)} of {every} are well"
    if not wrong:
        return Finding("topics", says)
    named = _few([f"{name} {said[0]}" for name, said in wrong.items()], "; ")
    return Finding(
        "topics", f"{says}; {named}", "`masir topics` says all; --create makes them, --mend changes them"
    )


def _group(settings: Settings) -> Iterator[Finding]:
    try:
        yield from group_findings(asyncio.run(look(settings)))
    except BrokerError as error:
        yield Finding("workers", f"not known: {error}", NEEDS)


def group_findings(group: Group) -> Iterator[Finding]:
    """Who reads the topics, and how far they are."""
    yield _workers(group)
    if group.behind:
        yield _lag(group)


def _workers(group: Group) -> Finding:
    if not group.workers:
        return Finding(
            "workers", "none", "start `masir worker`; hits wait in their topic until its retention ends"
        )
    if not group.is_settled:
        return Finding("workers", f"{group.workers}, sharing out the partitions", "run again in a moment")
    if not group.unread:
        return Finding("workers", f"{group.workers}, every partition has one")
    hops = sorted({hop for tp in group.unread for hop in READERS[tp.topic]})
    named = _few([f"{tp.topic}-{tp.partition}" for tp in group.unread], ", ")
    return Finding(
        "workers",
        f"{group.workers}, and none of them reads {named}",
        f"start `masir worker`, or one with --hops {','.join(hops)}",
    )


def _lag(group: Group) -> Finding:
    says = "records not read yet: " + ", ".join(
        f"{hop} {records:,}" for hop, records in sorted(group.behind.items())
    )
    if group.deleted:
        says += f"; {group.deleted:,} were deleted before they were read"
        return Finding(
            "lag", says, "raise hits_retention_hours, then `masir topics --mend`; what is gone is gone"
        )
    if late := sorted(hop for hop, seconds in group.seconds.items() if seconds > LATE_SECONDS):
        says += f"; the oldest for {max(group.seconds.values()):,.0f} s"
        return Finding(
            "lag",
            says,
            f"{', '.join(late)}: the workers' log and /readyz say why; more workers share the work",
        )
    return Finding("lag", says)


def _few(all_of_them: list[str], between: str) -> str:
    rest = len(all_of_them) - MOST_NAMED
    return between.join(all_of_them[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _models(settings: Settings) -> Iterator[Finding]:
    try:
        here = load_models(texts_in_force(settings.models)).digests
    except KNOWN_ERRORS:  # said of the stage models
        return
    try:
        yield models_finding(asyncio.run(_known(settings)), here)
    except SettingsError as error:  # a topic is missing, or may not be read
        yield Finding("models in force", f"not known: {error}", NEEDS)


async def _known(settings: Settings) -> KnownModels:
    async with controlling(settings) as control:
        return control.models


def models_finding(known: KnownModels, here: Mapping[str, int]) -> Finding:
    """``here``: digests of this machine's files."""
    what, under_way = "models in force", "; a rebuild is under way" if known.requests else ""
    if known.in_force is None:
        return Finding(what, "none yet, the first worker says which")
    changed = changed_models(known.in_force.digests, here)
    if not changed or any(one.digests == here for one in known.requests.values()):
        return Finding(what, f"as the files here{under_way}")
    return Finding(
        what,
        f"not as the files here: {', '.join(changed)}{under_way}",
        f"put the files back, or make history anew: `{rebuild_of(changed)}`",
    )
