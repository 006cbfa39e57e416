"""``masir topics``: the topics in Kafka, made, mended and checked."""

import asyncio

import click
import msgspec

from pipeline.cli.runner import KNOWN_ERRORS, settings_of, told, with_broker
from pipeline.settings import Settings
from pipeline.transport.kafka.topics import TopicAdmin, wanted_topics

EXAMPLES = """
\b
Examples:
  MASIR_BROKER=kafka://broker:9092 masir topics
  masir topics --create
  masir topics --create --mend
"""


@click.command(epilog=EXAMPLES)
@click.option("--create", is_flag=True, help="Make those that are missing.")
@click.option("--mend", is_flag=True, help="Set retention, compaction and message size of those that differ.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def topics(context: click.Context, create: bool, mend: bool, as_json: bool) -> None:
    """Check the topics in Kafka: partitions, replicas, retention, compaction.

    Exit code 0: all are as they should be. 1: some are not, and it says how.
    """
    settings = with_broker(settings_of())
    try:
        made, wrong = asyncio.run(_work(settings, create=create, mend=mend))
    except KNOWN_ERRORS as error:
        raise told(error) from error
    if as_json:
        click.echo(msgspec.json.encode({"made": made, "wrong": wrong}))
    else:
        for name in made:
            click.echo(f"made  {name}")
        for topic in wanted_topics(settings):
            if topic.name in wrong:
                click.echo(f"!!    {topic.name}: {'; '.join(wrong[topic.name])}")
        click.echo(
            f"{len(wanted_topics(settings)) - len(wrong)} of {len(wanted_topics(settings))} topics are well"
        )
    context.exit(1 if wrong else 0)


async def _work(settings: Settings, *, create: bool, mend: bool) -> tuple[list[str], dict[str, list[str]]]:
    async with TopicAdmin(settings) as admin:
        made = await admin.create() if create else []
        if mend:
            await admin.mend()
        return made, await admin.check()
