"""The command line. One module per command, loaded when it is called, so that ``masir --help`` is quick."""

import gc
from importlib import import_module
from importlib.metadata import version

import click

COMMANDS = {
    "demo": "Everything in one process on bundled and synthetic traffic.",
    "run": "The embedded pipeline: collector, agents, store and metrics in one process.",
    "collect": "The collector in front of Kafka.",
    "worker": "One of the workers on the hits in Kafka.",
    "topics": "Makes and checks the topics in Kafka.",
    "process": "Bounded input through the same agents to the end.",
    "replay": "Sends a recorded stream to a collector.",
    "tail": "Sends access logs as they are written.",
    "sql": "Asks the store.",
    "attribution": "Which channels and campaigns led to the conversions, by nine models.",
    "clv": "Customer lifetime value, by the formula and by a model of the orders.",
    "funnel": "The linear funnel beside what people really did.",
    "map": "Draws the journey map: HTML, SVG, Markdown, CSV.",
    "verify": "Stream equals batch: recomputes everything in SQL and compares.",
    "models": "Checks and shows stage models.",
    "rebuild": "Makes the history of changed stage models anew from stored hits.",
    "sites": "Checks and shows the registry of sites, makes secret keys.",
    "schema": "Prints the JSON Schema of the records.",
    "unlink": "Undoes a wrong link between a visitor and a user.",
    "erase": "Forgets a person, prints a receipt.",
    "dlq": "Lists, shows and replays dead letters.",
    "doctor": "Checks settings, broker, topics and store; says what to do.",
}


class _Commands(click.Group):
    """Commands by name, each the object of that name in ``pipeline.cli.<name>``."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        # What is imported stays: to look for cycles in it is a tenth of a start.
        gc.set_threshold(100_000, 20, 100)
        command: click.Command = getattr(import_module(f"pipeline.cli.{name}"), name)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Every command explains itself with an example: masir COMMAND --help. Settings: one TOML file named by "
    "MASIR_CONFIG, and MASIR_* variables, which win.",
)
@click.version_option(version("masir"), prog_name="masir")
def main() -> None:
    """Masir turns the hits of sites, apps, e-mails and surveys into a live picture of customers' journeys."""
